"""What a type checker makes of the public API: mypy checks this file strictly, and a test runs it.

A line that is silenced must be wrong: mypy refuses a silencer that silences nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_type

from driftline import PredictionLogger, Stats, register_training_run
from driftline.testing import MemoryLog, Outcome, Prediction, read_events

if TYPE_CHECKING:
    from driftline.log import EventLog


def log_one(logger: PredictionLogger) -> None:
    """Log a prediction and its outcome."""
    event_id = logger.log({"distance": 733.0, "carrier": "UA", "wind_speed": None}, 0.81, label="late")
    assert_type(event_id, str | None)
    assert_type(logger.log_outcome(event_id, actual=1), bool)
    assert_type(logger.flush(timeout=5.0), bool)
    assert_type(logger.stats(), Stats)


def log_many(logger: PredictionLogger) -> None:
    """Log a table and its outcomes."""
    event_ids = logger.log_batch({"distance": [733.0, 2475.0]}, [0.81, 0.2], tags={"origin": ["EWR", "JFK"]})
    assert_type(event_ids, list[str | None])
    assert_type(logger.log_outcomes(event_ids, [1, 0]), list[bool])


def register(log: EventLog) -> None:
    """Register what made the model."""
    register_training_run(
        "run-7f3a",
        model_name="flight-delay",
        model_version="3",
        reference={"distance": [733.0]},
        reference_predictions=[0.81],
        metrics={"auc": 0.9},
        artifact_uri="s3://models/3",
        data_uri="s3://flights/2013",
        log=log,
    )


def look(log: MemoryLog) -> None:
    """Look at what was logged, as a test does."""
    assert_type(log.predictions, Sequence[Prediction])
    assert_type(read_events(log, Outcome), Sequence[Outcome])
    for prediction in log.predictions:
        assert_type(prediction.prediction, float | str | None)
        assert_type(prediction.event_id, str)


def everything() -> MemoryLog:
    """Do all of the above; return what was logged."""
    log = MemoryLog()
    as_protocol: EventLog = log
    with PredictionLogger(
        model_name="flight-delay", model_version="3", training_run_id="run-7f3a", log=as_protocol
    ) as logger:
        log_one(logger)
        log_many(logger)
    register(log)
    look(log)
    return log


def mistakes(logger: PredictionLogger, log: MemoryLog) -> None:
    """Do what a type checker finds."""
    logger.log(["distance"])  # type: ignore[arg-type]  # Features have names.
    logger.log({}, 0.5, tags="EWR")  # type: ignore[arg-type]  # So have tags.
    logger.flush("5 s")  # type: ignore[arg-type]  # Seconds are a number.
    PredictionLogger("flight-delay")  # type: ignore[call-arg]  # Arguments have names.
    log.predictions[0].features = {}  # type: ignore[misc]  # Records are frozen.
