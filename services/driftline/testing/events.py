"""Events as plain records: what a test compares with what its service was asked to log."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from driftline.wire import (
    OUTCOMES_TOPIC,
    PREDICTIONS_TOPIC,
    SESSIONS_TOPIC,
    TRAINING_RUNS_TOPIC,
    decode_record,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.log import EventLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One prediction, as it was logged.

    Args:
        event_id: what ``log`` returned.
        event_time: when it was made; aware, in UTC.
        model_name: which model.
        model_version: which version of it.
        training_run_id: which training run made that.
        environment: production, or what the logger was made for.
        features: value by name; None: the input had no value.
        prediction: the number; the label where no number was given; None: neither.
        label: the class decided for; None: not given.
        probabilities: by class.
        outputs: value by name, of an answer that has several; None: it had no value.
        entity_id: what it is about; None: not given.
        request_id: the request that asked for it; None: not given.
        trace_id: W3C trace id; None: not given.
        tags: by name, the logger's own among them.
        latency_us: from request to answer, microseconds; None: not given.
        compute_us: spent computing, microseconds; None: not given.
        session_id: the session that logged it.
        sequence: its number in that session, from 1.
    """

    event_id: str
    event_time: datetime
    model_name: str
    model_version: str
    training_run_id: str
    environment: str
    features: Mapping[str, float | str | None]
    prediction: float | str | None
    label: str | None
    probabilities: Mapping[str, float]
    outputs: Mapping[str, float | str | None]
    entity_id: str | None
    request_id: str | None
    trace_id: str | None
    tags: Mapping[str, str]
    latency_us: float | None
    compute_us: float | None
    session_id: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The ground truth of one prediction, as it was logged.

    Args:
        event_id: of the prediction.
        actual: a number or a label, or several by name; None: only ``acted_on`` was given.
        observed_time: when it became known; aware, in UTC.
        model_name: the model of the logger that logged it.
        session_id: the session that logged it.
        sequence: its number among that session's outcomes, from 1.
        logged_time: when it was logged; aware, in UTC.
        revision: the number of the correction; 0: it has none.
        acted_on: whether somebody acted on the prediction; None: not given.
    """

    event_id: str
    actual: float | str | Mapping[str, float | str] | None
    observed_time: datetime
    model_name: str
    session_id: str
    sequence: int
    logged_time: datetime
    revision: int
    acted_on: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """How far a session is, as it logged it.

    Args:
        session_id: which session.
        model_name: of its logger.
        model_version: of its logger.
        environment: of its logger.
        last_sequence: how many predictions it has numbered.
        last_outcome_sequence: how many outcomes.
        dropped: events that were given up before they were numbered, by reason.
        final: whether the session has ended.
    """

    session_id: str
    model_name: str
    model_version: str
    environment: str
    last_sequence: int
    last_outcome_sequence: int
    dropped: Mapping[str, int]
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A registered training run.

    Args:
        training_run_id: its id.
        model_name: which model it made.
        model_version: which version of it.
        registered_time: when; aware, in UTC.
        artifact_uri: where the model lies; None: not given.
        git_commit: of the training code; None: not known.
        data_uri: where the training data lies; None: not given.
        reference_rows: how many reference rows were logged under it.
        parameters: of the training, by name.
        metrics: of the model, by name.
        tags: by name.
    """

    training_run_id: str
    model_name: str
    model_version: str
    registered_time: datetime
    artifact_uri: str | None
    git_commit: str | None
    data_uri: str | None
    reference_rows: int
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


Event = Prediction | Outcome | Heartbeat | TrainingRun
E = TypeVar("E", Prediction, Outcome, Heartbeat, TrainingRun)

_TOPICS: Mapping[type[Event], str] = {
    Prediction: PREDICTIONS_TOPIC,
    Outcome: OUTCOMES_TOPIC,
    Heartbeat: SESSIONS_TOPIC,
    TrainingRun: TRAINING_RUNS_TOPIC,
}
_GROUP = "driftline.testing"
_ALL = 10**9


def read_events(log: EventLog, kind: type[E]) -> Sequence[E]:
    """Return all events of a kind that a log holds, partition by partition, each in its order.

    The log is left as it is: reading moves no other reader.

    Args:
        log: an open log, such as ``open_log("file:///tmp/log")``.
        kind: ``Prediction``, ``Outcome``, ``Heartbeat`` or ``TrainingRun``.

    Raises:
        LogError: the log can't be used now.
    """
    topic, found = _TOPICS[kind], []
    reader = log.reader(_GROUP, [topic])
    try:
        for partition in reader.partitions(topic):
            batch = reader.fetch(topic, partition, max_records=_ALL, max_bytes=_ALL)
            found += [] if batch is None else [_event(kind, value) for value in batch.values]
    finally:
        reader.close()
    return found


def _event(kind: type[E], record: bytes) -> E:
    wire: dict[str, Any] = decode_record(record)[1]
    if kind is Prediction:
        number, label = wire["prediction_number"], wire["prediction_label"]
        missing: dict[str, Any] = dict.fromkeys(wire["missing_features"])
        wire["features"] = wire["numeric_features"] | wire["categorical_features"] | missing
        wire["prediction"] = label if number is None else number
        wire["label"] = label
        without: dict[str, Any] = dict.fromkeys(wire["missing_outputs"])
        wire["outputs"] = wire["numeric_outputs"] | wire["categorical_outputs"] | without
        wire["probabilities"] = wire["class_probabilities"]
    elif kind is Outcome:
        number = wire["actual_number"]
        several = wire["numeric_actuals"] | wire["categorical_actuals"]
        wire["actual"] = several or (wire["actual_label"] if number is None else number)
    return kind(**{field.name: _plain(wire[field.name]) for field in fields(kind)})


def _plain(value: Any) -> Any:
    """Return ids as the texts that the logger returns."""
    return str(value) if type(value).__name__ == "UUID" else value
