"""What is monitored by BentoML's roles and types is a prediction, and its target an outcome."""

from __future__ import annotations

import pytest

from driftline.errors import SettingError
from driftline.sdk.bentoml import DriftlineMonitor
from driftline.testing import MemoryLog


@pytest.fixture
def log():
    return MemoryLog()


@pytest.fixture
def monitor(log):
    made = DriftlineMonitor("flight-delay", model_version="3", training_run_id="run-7f3a", log=log)
    yield made
    made.logger.close()


def test_a_record_is_a_prediction_and_its_target_an_outcome(monitor, log):
    monitor.start_record()
    monitor.log(733, "distance", "feature", "numerical")
    monitor.log("UA", "carrier", "feature", "categorical")
    monitor.log(0.81, "score", "prediction", "numerical")
    monitor.log("late", "label", "prediction", "categorical")
    monitor.log(1, "truth", "target", "numerical")
    monitor.stop_record()
    (only,) = log.predictions
    assert (only.model_name, only.prediction, only.label) == ("flight-delay", 0.81, "late")
    assert dict(only.features) == {"distance": 733.0, "carrier": "UA"}
    assert [(one.event_id, one.actual) for one in log.outcomes] == [(only.event_id, 1.0)]


def test_a_batch_is_as_many_predictions_and_columns_may_be_too_short(monitor, log):
    monitor.start_record()
    monitor.log_batch([1, 2, 3], "x", "feature", "numerical")
    monitor.log_batch([0.1, 0.2], "y", "prediction", "numerical")
    monitor.stop_record()
    assert [one.prediction for one in log.predictions] == [0.1, 0.2, None]


def test_what_comes_outside_of_a_record_is_none(monitor, log):
    monitor.log(1, "x", "feature", "numerical")
    monitor.stop_record()
    assert list(log.predictions) == []


def test_what_is_missing_is_reported_when_it_is_made():
    with pytest.raises(SettingError, match="model_version"):
        DriftlineMonitor("flight-delay")
