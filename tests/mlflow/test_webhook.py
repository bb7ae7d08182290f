"""MLflow's webhook is a hint for whoever knows the secret, and nothing for anybody else."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from driftline.mlflow.webhook import DELIVERY, PATH, SIGNATURE, TIMESTAMP, Hints, signature, webhook_route

SECRET = "a secret of both"
NOW_S = 1_767_225_600
BODY = b'{"entity": "model_version_alias", "action": "created"}'


@pytest.fixture
def hints():
    return Hints()


@pytest.fixture
def outcomes():
    return []


@pytest.fixture
def client(hints, outcomes):
    route = webhook_route(SECRET, hints, count=outcomes.append, clock=lambda: float(NOW_S))
    return TestClient(Starlette(routes=[route]))


def headers(*, body=BODY, secret=SECRET, time_s=NOW_S):
    return {
        DELIVERY: "d1",
        TIMESTAMP: str(time_s),
        SIGNATURE: signature(secret, "d1", str(time_s), body),
    }


def test_a_signed_call_is_a_hint(client, hints, outcomes):
    assert client.post(PATH, content=BODY, headers=headers()).status_code == 204
    assert hints.take()
    assert not hints.take(), "it was taken"
    assert outcomes == ["accepted"]


def test_a_signature_is_the_one_that_mlflow_makes():
    """Worked out by hand from its documentation: an HMAC over id, time and body, with points between."""
    assert signature("secret", "id", "17", b"{}") == "v1,jMo+LgqC1oyBPMMwOA72dHUQ2Zom5oab138CW61lRPs="


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        ({}, "are needed"),
        ({**headers(), SIGNATURE: ""}, "are needed"),
        (headers(secret="another"), "not made with the secret"),
        (headers(body=b"{}"), "not made with the secret"),
        ({**headers(), DELIVERY: "d2"}, "not made with the secret"),
        ({**headers(), SIGNATURE: "v1,\xe4"}, "not made with the secret"),
        (headers(time_s=NOW_S - 400), "look at both clocks"),
        (headers(time_s=NOW_S + 400), "look at both clocks"),
        ({**headers(), TIMESTAMP: "today"}, "look at both clocks"),
    ],
)
def test_any_other_call_is_refused_and_says_why(client, hints, outcomes, given, reported):
    answer = client.post(PATH, content=BODY, headers={k: v.encode("latin-1") for k, v in given.items()})
    assert answer.status_code == 401
    assert reported in answer.text
    assert not hints.take()
    assert outcomes == ["refused"]


def test_a_call_of_any_length_is_not_read(client, hints, outcomes):
    assert client.post(PATH, content=b"x" * (2 << 20), headers=headers()).status_code == 413
    assert not hints.take()
    assert outcomes == ["refused"]
