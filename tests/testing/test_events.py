"""What another process logged is read from the log that its URL names."""

from __future__ import annotations

import dataclasses
import inspect

from driftline import PredictionLogger
from driftline.log import open_log
from driftline.testing import Heartbeat, Outcome, Prediction, TrainingRun, read_events
from driftline.wire import PREDICTION, event_schema

PARTS = {
    "numeric_features": "features",
    "categorical_features": "features",
    "missing_features": "features",
    "prediction_number": "prediction",
    "prediction_label": "label",
    "class_probabilities": "probabilities",
    "numeric_outputs": "outputs",
    "categorical_outputs": "outputs",
    "missing_outputs": "outputs",
}
"""Fields of the wire that are parts of one argument and of one field of a record."""

OF_THE_LOGGER = {"model_name", "model_version", "training_run_id", "session_id", "sequence", "environment"}


def wire_fields():
    return {PARTS.get(field["name"], field["name"]) for field in event_schema(PREDICTION).parsed["fields"]}


def test_every_field_of_a_prediction_can_be_logged_and_be_looked_at():
    arguments = set(inspect.signature(PredictionLogger.log).parameters) - {"self"}
    assert arguments - {"classes"} == wire_fields() - OF_THE_LOGGER
    assert {field.name for field in dataclasses.fields(Prediction)} == wire_fields()


def test_events_are_read_from_a_log_that_the_environment_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DRIFTLINE_LOG", (tmp_path / "log").as_uri())
    with PredictionLogger(model_name="m", model_version="1", training_run_id="r") as logger:
        event_id = logger.log({"x": 1.0}, 0.5)
        logger.log_outcome(event_id, 1)
    with open_log((tmp_path / "log").as_uri()) as log:
        (prediction,) = read_events(log, Prediction)
        (outcome,) = read_events(log, Outcome)
        assert prediction.event_id == outcome.event_id == event_id
        assert read_events(log, Heartbeat)[-1].final
        assert list(read_events(log, TrainingRun)) == []
