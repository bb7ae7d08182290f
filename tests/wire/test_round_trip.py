"""What the encoder writes, fastavro and ClickHouse read back equal, for every value that a user can pass."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.wire import (
    OUTCOME,
    PREDICTION,
    EventEncoder,
    Reason,
    Remark,
    SessionFields,
    ValueRefusedError,
    close_record,
    decode_datum,
    decode_record,
    event_schema,
    new_id,
    split_frame,
)
from driftline.wire.reasons import Remarks, no_remarks
from tests.wire.engine import COLUMNS, Engine, container
from tests.wire.users_values import (
    END_US,
    any_values,
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
    outputs: dict[str, Any] = field(default_factory=dict)


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
    outputs=features,
)


@pytest.fixture(scope="session")
def engine():
    engine = Engine()
    yield engine
    engine.close()


def an_encoder(session: SessionFields = SESSION, remarks: Remarks = no_remarks) -> EventEncoder:
    return EventEncoder(session, lambda _: 0, remarks=remarks)


def encoded(prediction: Prediction, encoder: EventEncoder | None = None) -> bytes:
    _, record = (encoder or an_encoder()).prediction(
        0.0,
        prediction.features,
        prediction.number,
        prediction.label,
        prediction.probabilities,
        event_id=prediction.event_id,
        event_time=time_of(prediction.time_us),
        tags=prediction.tags,
        entity_id=prediction.entity_id,
        latency_us=prediction.latency_us,
        outputs=prediction.outputs,
    )
    return close_record(record, prediction.sequence)


def assert_same(event: dict[str, Any], prediction: Prediction) -> None:
    expected = expected_features(prediction.features)
    assert same_numbers(dict(event["numeric_features"]), expected.numeric)
    assert dict(event["categorical_features"]) == expected.categorical
    assert event["missing_features"] == expected.missing
    outputs = expected_features(prediction.outputs)
    assert same_numbers(dict(event["numeric_outputs"]), outputs.numeric)
    assert dict(event["categorical_outputs"]) == outputs.categorical
    assert event["missing_outputs"] == outputs.missing
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


@settings(max_examples=30)
@given(logged=st.lists(predictions, min_size=1, max_size=20))
def test_clickhouse_reads_what_was_logged(engine, logged):
    encoder = an_encoder()
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


def test_clickhouse_is_given_every_field():
    assert list(COLUMNS) == [field["name"] for field in event_schema(PREDICTION).parsed["fields"]]


@given(
    uuids,
    times_us,
    st.floats(allow_nan=False) | st.text(),
    st.integers(1, 2**63 - 1),
    st.tuples(st.integers(0, 2**63 - 1), st.sampled_from([None, True, False])),
)
def test_fastavro_reads_the_outcome_that_was_logged(event_id, time_us, actual, sequence, more):
    revision, acted_on = more
    outcome = an_encoder().outcome(
        event_id=event_id, time_us=time_us, actual=actual, now_s=2.5, revision=revision, acted_on=acted_on
    )
    name, event = decode_record(close_record(outcome, sequence))
    assert name == OUTCOME
    assert event == {
        "event_id": UUID(event_id),
        "observed_time": time_of(time_us),
        "model_name": SESSION.model_name,
        "session_id": SESSION.session_id,
        "sequence": sequence,
        "actual_number": None if isinstance(actual, str) else actual,
        "actual_label": actual if isinstance(actual, str) else None,
        "logged_time": time_of(2_500_000),
        "revision": revision,
        "acted_on": acted_on,
        "numeric_actuals": {},
        "categorical_actuals": {},
    }


@pytest.mark.parametrize(
    ("actual", "number", "label"), [(1, 1.0, None), (True, 1.0, None), ("late", None, "late")]
)
def test_a_truth_is_a_number_or_a_label(actual, number, label):
    outcome = an_encoder().outcome(event_id=str(UUID(int=1)), time_us=0, actual=actual, now_s=0.0)
    event = decode_record(close_record(outcome, 1))[1]
    assert (event["actual_number"], event["actual_label"]) == (number, label)


def test_a_case_that_was_acted_on_needs_no_truth():
    outcome = an_encoder().outcome(
        event_id=str(UUID(int=1)), time_us=0, actual=None, now_s=0.0, acted_on=True
    )
    event = decode_record(close_record(outcome, 1))[1]
    assert (event["actual_number"], event["actual_label"], event["acted_on"]) == (None, None, True)


@pytest.mark.parametrize("revision", [-1, 2**63, 1.5, "2", True, math.nan])
def test_what_is_no_revision_is_refused(revision):
    with pytest.raises(ValueRefusedError) as refused:
        an_encoder().outcome(event_id=str(UUID(int=1)), time_us=0, actual=1, now_s=0.0, revision=revision)
    assert refused.value.reason == "invalid_revision"


class Noted:
    """What was remarked."""

    def __init__(self) -> None:
        self.all: list[tuple[Remark, str]] = []

    def __call__(self, remark: Remark, name: str, detail: str) -> None:
        assert detail
        self.all.append((remark, name))


@pytest.fixture
def noted():
    return Noted()


def event_of(noted: Noted, *answer, session=SESSION, **arguments) -> dict[str, Any]:
    _, record = an_encoder(session, noted).prediction(
        1.5, arguments.pop("features", None), *answer, **arguments
    )
    return decode_record(close_record(record, 1))[1]


def answer_of(noted: Noted, *arguments) -> tuple[Any, Any, Any]:
    event = event_of(noted, *arguments)
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
        (([0.5], "late", [0.25, 0.75]), (0.5, "late", {"0": 0.25, "1": 0.75})),
        ((None, None, None), (None, None, {})),
    ],
)
def test_a_prediction_is_a_number_a_label_or_both(noted, arguments, expected):
    assert answer_of(noted, *arguments) == expected
    assert noted.all == []


UNENCODABLE, ROUNDED = Remark.UNENCODABLE, Remark.ROUNDED


@pytest.mark.parametrize(
    ("arguments", "expected", "remarks"),
    [
        (("late", "on time", None), (None, "on time", {}), [(UNENCODABLE, "prediction")]),
        ((None, None, {1: 0.5, "1": 0.25}), (None, None, {"1": 0.5}), [(UNENCODABLE, "1")]),
        ((0.5, None, {"": 0.5}), (0.5, None, {}), [(UNENCODABLE, "probabilities")]),
        ((0.5, None, {"late": None}), (0.5, None, {}), []),
        ((0.5, None, {"late": "0.5"}), (0.5, None, {}), [(UNENCODABLE, "probabilities.late")]),
        ((0.5, None, 0.5), (0.5, None, {}), [(UNENCODABLE, "probabilities")]),
        ((0.5, None, {0.25, 0.75}), (0.5, None, {}), [(UNENCODABLE, "probabilities")]),
        ((0.5, None, [0.5, [0.5]]), (0.5, None, {"0": 0.5}), [(UNENCODABLE, "probabilities.1")]),
        (({0.5}, "late", None), (None, "late", {}), [(UNENCODABLE, "prediction")]),
        (("\ud800", None, None), (None, None, {}), [(UNENCODABLE, "prediction")]),
        ((0.5, b"late", None), (0.5, None, {}), [(UNENCODABLE, "label")]),
        ((2**53 + 1, None, None), (2.0**53, None, {}), [(ROUNDED, "prediction")]),
    ],
)
def test_what_can_not_be_logged_of_an_answer_is_left_out_and_remarked(noted, arguments, expected, remarks):
    assert answer_of(noted, *arguments) == expected
    assert noted.all == remarks


@pytest.mark.parametrize(
    ("features", "kept", "remarks"),
    [
        ({5: 1.0}, {"5": 1.0}, []),
        ({"": 1.0}, {}, [(UNENCODABLE, "features")]),
        ({None: 1.0}, {}, [(UNENCODABLE, "features")]),
        ({"a\ud800": 1.0}, {}, [(UNENCODABLE, "features")]),
        ({"x" * 513: 1.0}, {}, [(UNENCODABLE, "features")]),
        ({"x" * 512: 1.0}, {"x" * 512: 1.0}, []),
        ({"a\nb\x00\x1b[31m": 1.0}, {"a\nb\x00\x1b[31m": 1.0}, []),
        ({"carrier": "\ud800"}, {}, [(UNENCODABLE, "carrier")]),
        ({"essay": "x" * 65_537}, {}, [(UNENCODABLE, "essay")]),
        ({"embedding": [0.5]}, {}, [(UNENCODABLE, "embedding")]),
        ({"customer": 2**53 + 1}, {"customer": 2.0**53}, [(ROUNDED, "customer")]),
        ({"price": Decimal("0.1")}, {"price": 0.1}, [(ROUNDED, "price")]),
        ({1: 1.0, "1": 2.0}, {"1": 1.0}, [(UNENCODABLE, "1")]),
        (pd.Series([1.0, 2.0], index=["a", "a"]), {"a": 1.0}, [(UNENCODABLE, "a")]),
        ([1.0, 2.0], {}, [(UNENCODABLE, "features")]),
    ],
    ids=lambda given: repr(given)[:30],
)
def test_a_feature_that_does_not_fit_is_left_out_and_the_others_stay(noted, features, kept, remarks):
    for given_features in (features, {**features, "other": "x"} if isinstance(features, dict) else features):
        event = event_of(noted, features=given_features)
        assert event["numeric_features"] == kept
        assert event["missing_features"] == []
        assert noted.all == remarks
        noted.all.clear()


def test_nan_in_a_row_of_pandas_is_missing_and_elsewhere_a_number(noted):
    row = pd.DataFrame({"a": [1.0], "b": [math.nan]}).iloc[0]
    assert event_of(noted, features=row)["missing_features"] == ["b"]
    assert event_of(noted, features=row.to_dict())["missing_features"] == []


@pytest.mark.parametrize(
    ("arguments", "field", "kept"),
    [
        ({"event_time": -1}, "event_time", datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)),
        ({"event_id": "x"}, "event_id", UUID(new_id(lambda: 1.5, lambda _: 0))),
        ({"trace_id": "x"}, "trace_id", None),
        ({"latency_us": -1}, "latency_us", None),
        ({"compute_us": "fast"}, "compute_us", None),
        ({"entity_id": b"x"}, "entity_id", None),
        ({"request_id": ["x"]}, "request_id", None),
    ],
)
def test_an_argument_that_does_not_fit_is_left_out_and_the_event_stays(noted, arguments, field, kept):
    assert event_of(noted, 0.5, **arguments)[field] == kept
    assert noted.all == [(UNENCODABLE, field)]


@pytest.mark.parametrize(
    ("tags", "expected", "remarks"),
    [
        ({"region": "us", "size": 5, "color": None}, {"region": "us", "tenant": "a", "size": "5"}, []),
        ({}, {"region": "eu", "tenant": "a"}, []),
        ({"tenant": None}, {"region": "eu"}, []),
        ({"region": 1.5}, {"region": "1.5", "tenant": "a"}, []),
        ({"region": Decimal("1.50")}, {"region": "1.50", "tenant": "a"}, []),
        ({"region": []}, {"tenant": "a"}, [(UNENCODABLE, "tags.region")]),
        ({7: "x"}, {"region": "eu", "tenant": "a", "7": "x"}, []),
        ({"x" * 513: "x"}, {"region": "eu", "tenant": "a"}, [(UNENCODABLE, "tags")]),
        ([], {"region": "eu", "tenant": "a"}, [(UNENCODABLE, "tags")]),
    ],
    ids=lambda given: repr(given)[:30],
)
def test_the_events_own_tags_win_over_the_sessions(noted, tags, expected, remarks):
    session = SessionFields("s", "m", "3", "r", "production", {"region": "eu", "tenant": "a"})
    encoder = an_encoder(session, noted)
    for _ in range(2):  # The second time they are known.
        _, record = encoder.prediction(0.0, tags=tags)
        assert decode_record(close_record(record, 1))[1]["tags"] == expected
        assert noted.all == remarks
        noted.all.clear()


def test_tags_that_are_equal_but_not_the_same_text_stay_apart(noted):
    encoder = an_encoder(remarks=noted)
    for tag, text in (("1.5", "1.5"), (1.5, "1.5"), (Decimal("1.50"), "1.50"), (1, "1"), (True, "1")):
        _, record = encoder.prediction(0.0, tags={"size": tag})
        assert decode_record(close_record(record, 1))[1]["tags"] == {"size": text}


@given(st.lists(st.dictionaries(st.sampled_from("abc"), any_values, max_size=3), max_size=6))
def test_what_is_known_of_earlier_events_changes_nothing(rows):
    encoder = an_encoder()
    for row in rows:
        assert encoder.features(row) == an_encoder().features(row)


def test_an_event_that_kafka_would_refuse_is_too_large():
    with pytest.raises(ValueRefusedError) as refused:
        an_encoder().prediction(0.0, {f"essay {i}": "x" * 60_000 for i in range(17)})
    assert refused.value.reason is Reason.TOO_LARGE
