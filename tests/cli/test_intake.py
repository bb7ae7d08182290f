"""The intake as a service: it needs a token, takes events, says whether it is ready, and ends in order."""

from __future__ import annotations

import sys

import httpx
import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.log import open_log
from driftline.testing import Prediction, read_events
from tests.support.process import ServerProcess, answers, free_ports

TOKEN = "0123456789abcdef0123"
BATCH = {
    "batch": "b1",
    "model_name": "flight-delay",
    "model_version": "3",
    "training_run_id": "run-7f3a",
    "event_time": "2026-01-01T00:00:00Z",
    "predictions": [{"features": {"x": 1.0}, "prediction": 0.5}, "text"],
}
REQUEST = {"ce-type": "org.kubeflow.serving.inference.request", "ce-id": "1", "ce-inferenceservicename": "m"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "senders need a token"),
        ({"DRIFTLINE_INTAKE_TOKEN": "short"}, "can be guessed"),
        ({"DRIFTLINE_INTAKE_TOKEN_FILE": "/nowhere"}, "can't be read"),
    ],
)
def test_without_a_token_that_is_hard_to_guess_it_does_not_start(tmp_path, variables, message):
    environment = {"DRIFTLINE_LOG": (tmp_path / "log").as_uri(), **variables}
    done = CliRunner().invoke(driftline, ["intake"], env=environment)
    assert done.exit_code == 1
    assert message in done.output


@pytest.fixture
def service(tmp_path):
    """Return the addresses of a running intake and of its metrics, and its log's."""
    log = (tmp_path / "log").as_uri()
    (tmp_path / "token").write_text(f"an-older-token-of-ours\n{TOKEN}\n")
    port, metrics_port = free_ports(2)
    command = [sys.executable, "-m", "driftline.cli", "intake", "--port", str(port)]
    environment = {"DRIFTLINE_LOG": log, "DRIFTLINE_INTAKE_TOKEN_FILE": str(tmp_path / "token")}
    server = ServerProcess(
        "intake", [*command, "--metrics-port", str(metrics_port)], tmp_path / "output", environment
    )
    server.start()
    server.wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), timeout_s=60)
    try:
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}", log
    finally:
        server.stop()
    assert server.exit_status == 0


def test_it_takes_events_and_says_how_many(service):
    url, metrics_url, log_url = service
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        answer = client.post(f"{url}/v1/events", json=BATCH)
        assert (answer.status_code, answer.json()["refused_count"]) == (200, 1)
        assert client.post(f"{url}/v1/cloudevents", json={}, headers=REQUEST).status_code == 200
        assert client.get(f"{url}/healthz").json()["status"] == "ok"
        exposed = client.get(f"{metrics_url}/metrics").text
    assert 'driftline_intake_events_total{kind="predictions",outcome="accepted"} 1.0' in exposed
    assert "driftline_intake_waiting_events 1.0" in exposed
    with open_log(log_url) as log:
        (only,) = read_events(log, Prediction)
    assert only.prediction == 0.5
