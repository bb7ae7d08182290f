"""What is sent again lands once, in a real store, whichever intake took it."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from driftline.intake import INTAKE_METRICS, Intake
from driftline.lander.metrics import EVENTS
from driftline.metrics import Metrics
from driftline.wire import PREDICTIONS_TOPIC
from tests.support.landing import Landing
from tests.support.running import Place

TOKEN = "a token of both sides"
ROWS = [{"id": f"a-{n}", "features": {"x": n}, "prediction": n / 10} for n in range(10)]
BATCH = {
    "model_name": "flight-delay",
    "model_version": "3",
    "training_run_id": "run-7f3a",
    "event_time": "2026-01-01T00:00:00Z",
    "predictions": [*ROWS, "text"],
}


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    opened = Landing(Place(tmp_path_factory.mktemp("landing")))
    yield opened
    opened.close()


def send(log, key):
    intake = Intake(log, [TOKEN], metrics=Metrics(INTAKE_METRICS))
    client = TestClient(Starlette(routes=intake.routes()))
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key}
    assert client.post("/v1/events", json=BATCH, headers=headers).status_code == 200
    intake.close()


def test_a_batch_that_is_sent_again_lands_once_and_the_ledger_is_whole(landing):
    send(landing.log, "b1")
    send(landing.log, "b1")  # Before it has landed,
    landing.land()
    send(landing.log, "b1")  # and after.
    landing.land()
    (line,) = landing.ledger()
    assert (line.sent, line.landed, line.missing, line.duplicates) == (10, 10, 0, 0)
    assert line.dropped == 1
    assert landing.metrics.series(EVENTS)[PREDICTIONS_TOPIC, "repeated"] == 20
