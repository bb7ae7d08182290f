"""A request to train is signed, carries the same key whenever it is asked again, and says why it failed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest

from driftline.domain.retraining import RetrainDecision
from driftline.errors import SettingError
from driftline.lifecycle.executors import (
    KEY,
    SIGNATURE,
    TIMESTAMP,
    Calling,
    TrainingError,
    execute,
    signature,
)
from driftline.lifecycle.trigger import TriggerSettings
from tests.lifecycle.receiver import Receiver

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DECISION = RetrainDecision(
    decision_id="d1",
    model_name="m",
    environment="production",
    decided_at=NOW,
    action="retrain",
    cause="performance_drop",
    cause_since=NOW,
)


@pytest.fixture
def receiver():
    with Receiver() as opened:
        yield opened


@pytest.fixture
def waits():
    return []


@pytest.fixture
def call(receiver, waits, tmp_path):
    (tmp_path / "secret").write_text("of both\n")

    def calling(**changes):
        given = {"webhook": receiver.url, "webhook_secret_file": str(tmp_path / "secret"), **changes}
        return execute(DECISION, TriggerSettings(**given), Calling(clock=lambda: 1000.0, sleep=waits.append))

    return calling


def test_a_call_is_signed_over_its_time_and_body(call, receiver):
    assert call() == "webhook answered 202"
    (request,) = receiver.requests
    assert request.headers[SIGNATURE] == signature("of both", "1000", request.body)
    assert (request.headers[KEY], request.headers[TIMESTAMP]) == ("d1", "1000")
    assert b'"cause": "performance_drop"' in request.body


def test_who_is_too_busy_is_called_again_with_the_same_key(call, receiver, waits):
    receiver.statuses += [503, 429]
    assert call() == "webhook answered 202"
    assert [request.headers[KEY] for request in receiver.requests] == ["d1"] * 3
    assert len({request.body for request in receiver.requests}) == 1
    assert waits == [1.0, 2.0]


@pytest.mark.parametrize(("statuses", "calls"), [([403], 1), ([302], 1), ([503] * 5, 5)])
def test_who_refuses_is_not_called_again_and_who_never_answers_at_last(call, receiver, statuses, calls):
    receiver.statuses += statuses
    with pytest.raises(TrainingError, match=f"the webhook answers {statuses[0]}"):
        call()
    assert len(receiver.requests) == calls


def test_nobody_there_is_named(call, waits):
    with pytest.raises(TrainingError, match="does not answer"):
        call(webhook="http://127.0.0.1:9/train")
    assert len(waits) == 4


def test_a_command_finds_the_decision_in_its_environment(tmp_path):
    path = tmp_path / "seen"
    program = f"import os,pathlib; pathlib.Path({str(path)!r}).write_text(os.environ['DRIFTLINE_DECISION'])"
    (tmp_path / "train.py").write_text(program)
    done = execute(DECISION, TriggerSettings(command=f"{sys.executable} {tmp_path}/train.py"))
    assert (done, path.read_text()) == ("command ended with status 0", "d1")


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (f"{sys.executable} -c 'import sys; sys.exit(3)'", "ended with status 3"),
        ("no-such-program", "can't be run"),
    ],
)
def test_a_command_that_fails_is_named(command, problem):
    with pytest.raises(TrainingError, match=problem):
        execute(DECISION, TriggerSettings(command=command))


def test_a_secret_that_is_missing_is_named(call, tmp_path):
    with pytest.raises(SettingError, match=r"retrain\.webhook_secret_file"):
        call(webhook_secret_file=str(tmp_path / "none"))


def test_where_nothing_is_set_it_says_so():
    assert "neither retrain.webhook nor retrain.command is set" in execute(DECISION, TriggerSettings())
