"""What another process logged is read from the log that its URL names."""

from __future__ import annotations

from driftline import PredictionLogger
from driftline.log import open_log
from driftline.testing import Heartbeat, Outcome, Prediction, TrainingRun, read_events


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
