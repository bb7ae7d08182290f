"""A log in memory shows a service's test what was logged, at once and as plain records."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from driftline import PredictionLogger, register_training_run
from driftline.errors import LogError
from driftline.testing import MemoryLog, Outcome
from tests.support.training import WAIVED

IDENTITY = {"model_name": "flight-delay", "model_version": "3", "training_run_id": "run-7f3a"}


@pytest.fixture
def log():
    return MemoryLog(clock=lambda: 1_700_000_000.5)


def test_what_a_service_logged_is_there_at_once(log):
    """Even where the logger appends only once an hour by itself."""
    with PredictionLogger(**IDENTITY, log=log, flush_interval_s=3600.0, tags={"origin": "EWR"}) as logger:
        features = {"distance": 733, "carrier": "UA", "wind_speed": None}
        event_id = logger.log(features, 0.81, label="late", entity_id=14228, latency_us=1500)
        (prediction,) = log.predictions
    assert prediction.event_id == event_id
    assert prediction.features == {"distance": 733.0, "carrier": "UA", "wind_speed": None}
    assert (prediction.prediction, prediction.label, prediction.entity_id) == (0.81, "late", "14228")
    assert (prediction.tags, prediction.latency_us, prediction.sequence) == ({"origin": "EWR"}, 1500.0, 1)
    assert (prediction.model_name, prediction.environment) == ("flight-delay", "production")


def test_a_label_alone_is_the_prediction(log):
    with PredictionLogger(**IDENTITY, log=log) as logger:
        logger.log({}, "late")
        logger.log({})
    assert [(one.prediction, one.label) for one in log.predictions] == [("late", "late"), (None, None)]


def test_outcomes_have_their_actual_value_and_time(log):
    with PredictionLogger(**IDENTITY, log=log) as logger:
        event_id = logger.log({}, 0.5)
        logger.log_outcome(event_id, actual=1, observed_time="2024-01-01T00:00:00Z")
        logger.log_outcome(event_id, actual="late")
        first, second = log.outcomes
    assert isinstance(first, Outcome)
    assert (first.event_id, first.actual) == (event_id, 1.0)
    assert first.observed_time == datetime(2024, 1, 1, tzinfo=UTC)
    assert second.actual == "late"


def test_what_was_logged_is_there_after_the_service_has_closed(log):
    with log, PredictionLogger(**IDENTITY, log=log) as logger:
        logger.log_batch({"x": [1.0, 2.0]}, [0.1, 0.2])
    assert [one.features["x"] for one in log.predictions] == [1.0, 2.0]
    assert log.heartbeats[-1].final
    assert log.heartbeats[-1].last_sequence == 2


def test_events_that_were_dropped_are_in_the_heartbeat(log):
    with PredictionLogger(**IDENTITY, log=log) as logger:
        logger.log({f"x{place}": "y" * 60_000 for place in range(30)}, 0.5)
    assert log.heartbeats[-1].dropped == {"too_large": 1}


def test_a_training_run_is_registered_with_its_reference(log):
    register_training_run(
        "run-7f3a",
        model_name="flight-delay",
        model_version="3",
        reference={"x": [1.0, 2.0]},
        reference_predictions=[0.1, 0.2],
        artifact_uri="s3://models/3",
        metrics={"auc": 0.9},
        waive=WAIVED,
        log=log,
    )
    (run,) = log.training_runs
    assert (run.training_run_id, run.reference_rows, run.metrics) == ("run-7f3a", 2, {"auc": 0.9})
    assert [one.environment for one in log.predictions] == ["reference", "reference"]


def test_loggers_of_other_logs_are_not_waited_for(log):
    class Hanging:
        def __init__(self):
            self.go_on = threading.Event()

        def append(self, records, *, may_use_reserve=False):
            del records, may_use_reserve
            self.go_on.wait()

        def close(self):
            self.go_on.set()

    hanging = Hanging()
    other = PredictionLogger(**IDENTITY, log=hanging)
    other.log({}, 1.0)
    try:
        assert list(log.predictions) == []
    finally:
        hanging.go_on.set()
        other.close()


def test_a_logger_that_can_not_append_is_named_instead_of_missed(log, monkeypatch):
    monkeypatch.setattr("driftline.testing.memory.flush_loggers", lambda *_: False)
    with pytest.raises(LogError, match="has not appended"):
        log.flush()


def test_reading_for_assertions_moves_no_reader(log):
    with PredictionLogger(**IDENTITY, log=log) as logger:
        logger.log({}, 1.0)
        assert len(log.predictions) == len(log.predictions) == 1
    reader = log.reader("lander", ["driftline.predictions"])
    assert len(reader.fetch("driftline.predictions").values) == 1
