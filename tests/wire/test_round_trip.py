"""What the encoder writes, fastavro and ClickHouse read back equal, for every value that a user can pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.wire import (
    OUTCOME,
    PREDICTION,
    EventEncoder,
    Reason,
    SessionFields,
    ValueRefusedError,
    decode_datum,
    decode_record,
    event_schema,
    split_frame,
)
from tests.wire.engine import COLUMNS, Engine, container
from tests.wire.users_values import (
    END_US,
    expected_features,
    features,
    finite_and_not,
    names,
    same_number,
    same_numbers,
    time_of,
    times_us,
    uuids,
)

SESSION = SessionFields("5e55", "flüge\x00", "3", "run-7f3a", "production", {})
optional_texts = st.none() | st.text(max_size=20)


@dataclass
class Prediction:
    """What a user logs of one prediction."""

    event_id: str
    time_us: int
    features: dict[str, Any]
    number: float | None
    label: str | None
    probabilities: dict[str, float]
    tags: dict[str, str]
    entity_id: str | None
    latency_us: int | None
    sequence: int


predictions = st.builds(
    Prediction,
    event_id=uuids,
    time_us=times_us | st.sampled_from([0, END_US - 1]),
    features=features,
    number=st.none() | finite_and_not,
    label=optional_texts,
    probabilities=st.dictionaries(names, finite_and_not, max_size=3),
    tags=st.dictionaries(names, st.text(max_size=8), max_size=3),
    entity_id=optional_texts,
    latency_us=st.none() | st.integers(0, 2**53),
    sequence=st.integers(1, 2**63 - 1),
)


@pytest.fixture(scope="session")
def engine():
    engine = Engine()
    yield engine
    engine.close()


def encoded(prediction: Prediction, encoder: EventEncoder | None = None) -> bytes:
    encoder = encoder or EventEncoder(SESSION)
    record = encoder.prediction(
        event_id=prediction.event_id,
        time_us=prediction.time_us,
        features=encoder.features(prediction.features),
        prediction=encoder.answer(prediction.number, prediction.label, prediction.probabilities),
        tags=encoder.tags(prediction.tags),
        entity_id=prediction.entity_id,
        latency_us=prediction.latency_us,
    )
    return record.close(prediction.sequence)


def assert_same(event: dict[str, Any], prediction: Prediction) -> None:
    expected = expected_features(prediction.features)
    assert same_numbers(dict(event["numeric_features"]), expected.numeric)
    assert dict(event["categorical_features"]) == expected.categorical
    assert event["missing_features"] == expected.missing
    assert same_numbers(dict(event["class_probabilities"]), prediction.probabilities)
    assert dict(event["tags"]) == prediction.tags
    assert (event["prediction_number"] is None) == (prediction.number is None)
    if prediction.number is not None:
        assert same_number(event["prediction_number"], prediction.number)
    assert event["prediction_label"] == prediction.label
    assert event["entity_id"] == prediction.entity_id
    assert event["latency_us"] == prediction.latency_us
    assert event["sequence"] == prediction.sequence
    assert event["model_name"] == SESSION.model_name
    assert event["training_run_id"] == SESSION.training_run_id
    assert event["session_id"] == SESSION.session_id
    assert event["environment"] == SESSION.environment
    absent = ("request_id", "trace_id", "compute_us")
    assert [event[name] for name in absent] == [None] * len(absent)


@given(predictions)
def test_fastavro_reads_what_was_logged(prediction):
    name, event = decode_record(encoded(prediction))
    assert name == PREDICTION
    assert event["event_id"] == UUID(prediction.event_id)
    assert event["event_time"] == time_of(prediction.time_us)
    assert_same(event, prediction)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(logged=st.lists(predictions, min_size=1, max_size=20))
def test_clickhouse_reads_what_was_logged(engine, logged):
    encoder = EventEncoder(SESSION)
    datums = [split_frame(encoded(prediction, encoder))[1] for prediction in logged]
    for event, prediction in zip(engine.read(container(PREDICTION, datums)), logged, strict=True):
        assert event["event_id"] == prediction.event_id
        assert event["event_time"] == prediction.time_us
        assert_same(event, prediction)


def test_ten_thousand_features_survive(engine):
    many = {f"feature {i}": (float(i), str(i), None)[i % 3] for i in range(10_000)}
    prediction = Prediction(str(UUID(int=1)), 1, many, None, None, {}, {}, None, None, 1)
    datum = split_frame(encoded(prediction))[1]
    assert_same(decode_datum(PREDICTION, datum), prediction)
    assert_same(engine.read(container(PREDICTION, [datum]))[0], prediction)


def test_clickhouse_is_told_of_every_field():
    assert list(COLUMNS) == [field["name"] for field in event_schema(PREDICTION).parsed["fields"]]


@given(uuids, times_us, st.floats(allow_nan=False) | st.text(), st.integers(1, 2**63 - 1))
def test_fastavro_reads_the_outcome_that_was_logged(event_id, time_us, actual, sequence):
    outcome = EventEncoder(SESSION).outcome(event_id=event_id, time_us=time_us, actual=actual)
    name, event = decode_record(outcome.close(sequence))
    assert name == OUTCOME
    assert event == {
        "event_id": UUID(event_id),
        "observed_time": time_of(time_us),
        "model_name": SESSION.model_name,
        "session_id": SESSION.session_id,
        "sequence": sequence,
        "actual_number": None if isinstance(actual, str) else actual,
        "actual_label": actual if isinstance(actual, str) else None,
    }


@pytest.mark.parametrize(
    ("actual", "number", "label"), [(1, 1.0, None), (True, 1.0, None), ("late", None, "late")]
)
def test_a_truth_is_a_number_or_a_label(actual, number, label):
    outcome = EventEncoder(SESSION).outcome(event_id=str(UUID(int=1)), time_us=0, actual=actual)
    event = decode_record(outcome.close(1))[1]
    assert (event["actual_number"], event["actual_label"]) == (number, label)


def answer_of(*arguments) -> tuple[Any, Any, Any]:
    encoder = EventEncoder(SESSION)
    record = encoder.prediction(
        event_id=str(UUID(int=1)),
        time_us=0,
        features=encoder.features({}),
        prediction=encoder.answer(*arguments),
    )
    event = decode_record(record.close(1))[1]
    return event["prediction_number"], event["prediction_label"], event["class_probabilities"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0.5, None, None), (0.5, None, {})),
        ((0.5, 1, None), (0.5, "1", {})),
        ((1, "late", {"late": 0.75, "on time": 0.25}), (1.0, "late", {"late": 0.75, "on time": 0.25})),
        (("late", None, None), (None, "late", {})),
        (("late", "late", None), (None, "late", {})),
        ((None, None, {0: 0.25, 1: 0.75}), (None, None, {"0": 0.25, "1": 0.75})),
        ((None, None, None), (None, None, {})),
    ],
)
def test_a_prediction_is_a_number_a_label_or_both(arguments, expected):
    assert answer_of(*arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("late", "on time", None), Reason.AMBIGUOUS_PREDICTION),
        ((None, None, {1: 0.5, "1": 0.5}), Reason.INVALID_NAME),
        ((None, None, {"": 0.5}), Reason.INVALID_NAME),
        ((None, None, {"late": None}), Reason.UNSUPPORTED_TYPE),
        ((None, None, {"late": "0.5"}), Reason.UNSUPPORTED_TYPE),
        ((None, None, [0.5, 0.5]), Reason.UNSUPPORTED_TYPE),
        (([0.5], None, None), Reason.UNSUPPORTED_TYPE),
        (("\ud800", None, None), Reason.INVALID_TEXT),
    ],
)
def test_an_answer_that_can_not_be_told_is_refused(arguments, reason):
    with pytest.raises(ValueRefusedError) as refused:
        answer_of(*arguments)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("given_features", "reason", "told"),
    [
        ({5: 1.0}, Reason.INVALID_NAME, "int"),
        ({"": 1.0}, Reason.INVALID_NAME, "empty"),
        ({"a\ud800": 1.0}, Reason.INVALID_TEXT, "surrogate"),
        ({"carrier": "\ud800"}, Reason.INVALID_TEXT, "'carrier'"),
        ({"departure": datetime(2024, 1, 1, tzinfo=UTC)}, Reason.UNSUPPORTED_TYPE, "'departure'"),
        ({"customer": 2**53 + 1}, Reason.INTEGER_PRECISION, "'customer'"),
        ([1.0, 2.0], Reason.UNSUPPORTED_TYPE, "list"),
    ],
)
def test_the_refusal_of_a_feature_names_it(given_features, reason, told):
    with pytest.raises(ValueRefusedError, match=told) as refused:
        EventEncoder(SESSION).features(given_features)
    assert refused.value.reason is reason


def test_the_events_own_tags_win_over_the_sessions():
    session = SessionFields("s", "m", "3", "r", "production", {"region": "eu", "tenant": "a"})
    encoder = EventEncoder(session)
    for given_tags, expected in (
        ({"region": "us", "size": 5, "color": None}, {"region": "us", "tenant": "a", "size": "5"}),
        ({}, {"region": "eu", "tenant": "a"}),
        ({"tenant": None}, {"region": "eu"}),
    ):
        record = encoder.prediction(
            event_id=str(UUID(int=1)),
            time_us=0,
            features=encoder.features(None),
            prediction=encoder.answer(None, None, None),
            tags=encoder.tags(given_tags),
        )
        assert decode_record(record.close(1))[1]["tags"] == expected


def test_an_event_that_kafka_would_refuse_is_too_large():
    encoder = EventEncoder(SESSION)
    with pytest.raises(ValueRefusedError) as refused:
        encoder.prediction(
            event_id=str(UUID(int=1)),
            time_us=0,
            features=encoder.features({"essay": "x" * 1_000_000}),
            prediction=encoder.answer(None, None, None),
        )
    assert refused.value.reason is Reason.TOO_LARGE
