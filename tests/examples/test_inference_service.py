"""The example's service logs what it answers, as its own test would find out with the test kit."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import joblib
import pytest
from starlette.testclient import TestClient

from driftline import PredictionLogger
from driftline.testing import MemoryLog

FOLDER = Path(__file__).parents[2] / "examples" / "inference_service"
PATIENT = {
    "age": 48,
    "sex": "1",
    "bmi": 26.4,
    "blood_pressure": 94.6,
    "total_cholesterol": 189,
    "ldl": 115,
    "hdl": 49,
    "cholesterol_ratio": 4.1,
    "log_triglycerides": 4.6,
    "glucose": None,
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def service(tmp_path, monkeypatch):
    """Return a client of the service, and the log in memory that it logs to."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("app", "model"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module, own = importlib.import_module("app"), importlib.import_module("model")
    joblib.dump(own.train()[0], tmp_path / "model.joblib")
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "model.joblib"))
    monkeypatch.setenv("DRIFTLINE_LOG", (tmp_path / "unused").as_uri())
    log = MemoryLog()
    names = {"model_name": own.MODEL_NAME, "model_version": own.MODEL_VERSION, "training_run_id": "run"}
    with TestClient(module.app) as client, PredictionLogger(**names, log=log) as logger:
        module.app.state.logger.close()
        module.app.state.logger = logger
        yield client, log
    for name in ("app", "model"):
        sys.modules.pop(name, None)


def test_each_answer_is_logged_with_what_it_was_made_from(service):
    client, log = service
    asked = {"patients": [{**PATIENT, "clinic": "north", "patient_id": "p1"}, PATIENT]}
    answers = client.post("/predict", json=asked, headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    first, second = log.predictions
    assert [one.event_id for one in log.predictions] == [answer["event_id"] for answer in answers.json()]
    assert first.prediction == answers.json()[0]["progression"]
    assert first.label == answers.json()[0]["risk"]
    assert (first.features["sex"], first.features["glucose"]) == ("1", None)
    assert (first.tags, first.entity_id, first.trace_id) == ({"clinic": "north"}, "p1", TRACE)
    assert (second.tags, second.entity_id) == ({"clinic": "unknown"}, None)


def test_a_question_that_is_refused_is_not_logged(service):
    client, log = service
    assert client.post("/predict", json={"patients": []}).status_code == 422
    assert list(log.predictions) == []
