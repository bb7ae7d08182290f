"""A batch logs what logging row by row would, faster, and tells mistakes in its columns at once."""

from __future__ import annotations

import math
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.errors import SettingError
from tests.sdk.logs import MemoryLog, quick_logger
from tests.wire.users_values import names, numbers, values

CLOCK = {"clock": lambda: 1_700_000_000.0, "random": lambda _: 0}
OWN = ("session_id",)


@st.composite
def tables(draw):
    """Columns as users have them: of one kind, or of any."""
    length = draw(st.integers(1, 8))
    kinds = st.sampled_from((st.floats(), st.integers(), st.booleans(), st.text(max_size=4), numbers, values))
    column = kinds.flatmap(lambda kind: st.lists(kind, min_size=length, max_size=length))
    table = draw(st.dictionaries(names, column, min_size=1, max_size=5))
    texts = draw(st.lists(st.text(max_size=4), min_size=length, max_size=length))
    times = draw(st.lists(st.floats(-1e3, 5e9), min_size=length, max_size=length))
    scores = draw(st.lists(st.floats() | st.integers(), min_size=length, max_size=length))
    return length, table, texts, times, scores


def has_text_beside_nan(column) -> bool:
    """Say whether NaN means missing here: the one difference to logging row by row."""
    return any(isinstance(v, str) for v in column) and any(type(v) is float and math.isnan(v) for v in column)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables())
def test_a_batch_is_the_same_as_row_by_row(table):
    length, columns, texts, times, scores = table
    columns = {name: column for name, column in columns.items() if not has_text_beside_nan(column)}
    by_batch, by_row = MemoryLog(), MemoryLog()
    with quick_logger(by_batch, **CLOCK, tags={"region": "eu"}) as logger:
        ids = logger.log_batch(
            features=columns,
            predictions=scores,
            labels=texts,
            entity_ids=texts,
            event_times=times,
            tags={"text": texts, "kind": "batch"},
            probabilities={"late": scores},
        )
        batch_stats = logger.stats()
    with quick_logger(by_row, **CLOCK, tags={"region": "eu"}) as logger:
        expected_ids = [
            logger.log(
                features={name: column[row] for name, column in columns.items()},
                prediction=scores[row],
                label=texts[row],
                entity_id=texts[row],
                event_time=times[row],
                tags={"text": texts[row], "kind": "batch"},
                probabilities={"late": scores[row]},
            )
            for row in range(length)
        ]
        row_stats = logger.stats()
    assert [i is None for i in ids] == [i is None for i in expected_ids]
    assert batch_stats.dropped == row_stats.dropped
    assert batch_stats.accepted == row_stats.accepted
    assert [comparable(event) for event in by_batch.predictions] == [
        comparable(event) for event in by_row.predictions
    ]


def comparable(event: dict) -> dict:
    """Return an event without what differs between two sessions; repr makes NaN equal to itself."""
    event = {name: value for name, value in event.items() if name not in OWN}
    for name in ("numeric_features", "categorical_features"):
        event[name] = {key: repr(value) for key, value in sorted(event[name].items())}
    event["class_probabilities"] = repr(event["class_probabilities"])
    event["prediction_number"] = repr(event["prediction_number"])
    event["missing_features"] = sorted(event["missing_features"])
    return event


@pytest.fixture
def log():
    return MemoryLog()


@pytest.fixture
def logger(log):
    with quick_logger(log) as logger:
        yield logger


def test_in_a_column_of_texts_and_numbers_every_kind_of_nothing_is_missing(log, logger):
    logger.log_batch({"x": [1.0, "UA", pd.NA, math.nan, None]})
    logger.flush()
    assert [event["missing_features"] for event in log.predictions] == [[], [], ["x"], ["x"], ["x"]]


FRAME = pd.DataFrame({"distance": [733.0, math.nan], "carrier": ["UA", None], "seats": [180, 50]})


@pytest.mark.parametrize(
    "table",
    [
        FRAME,
        FRAME.astype({"carrier": "category"}),
        FRAME.astype({"carrier": object}),
        FRAME.astype({"seats": "Int64", "distance": "float32"}),
        {name: FRAME[name].to_numpy() for name in FRAME},
        {"distance": [733.0, math.nan], "carrier": ("UA", None), "seats": np.array([180, 50], np.uint8)},
        pa.table({"distance": [733.0, math.nan], "carrier": ["UA", None], "seats": [180, 50]}),
        pa.RecordBatch.from_pydict(
            {"distance": [733.0, math.nan], "carrier": ["UA", None], "seats": [180, 50]}
        ),
        {
            "distance": pa.array([733.0, math.nan]),
            "carrier": pa.array(["UA", None]),
            "seats": pd.Index([180, 50]),
        },
    ],
    ids=lambda table: type(table).__name__,
)
def test_tables_of_every_kind_become_the_same_events(log, logger, table):
    assert None not in logger.log_batch(features=table, predictions=np.array([0.5, 0.25]))
    assert logger.flush()
    first, second = log.predictions
    assert first["numeric_features"] == {"distance": 733.0, "seats": 180.0}
    assert first["categorical_features"] == {"carrier": "UA"}
    assert second["categorical_features"] == {}
    assert second["missing_features"] == ["carrier"]
    assert math.isnan(second["numeric_features"]["distance"])
    assert [event["prediction_number"] for event in log.predictions] == [0.5, 0.25]


def test_nullable_columns_of_pandas_tell_missing_from_nan(log, logger):
    frame = pd.DataFrame(
        {"x": pd.array([1, None], dtype="Int64"), "y": pd.array([True, None], dtype="boolean")}
    )
    logger.log_batch(features=frame)
    logger.flush()
    assert log.predictions[0]["numeric_features"] == {"x": 1.0, "y": 1.0}
    assert sorted(log.predictions[1]["missing_features"]) == ["x", "y"]


@pytest.mark.parametrize(
    "times",
    [
        pd.Series(pd.to_datetime(["2024-01-01", None])),
        pd.Series(pd.to_datetime(["2024-01-01 01:00", None])).dt.tz_localize("Europe/Berlin"),
        np.array(["2024-01-01", "NaT"], dtype="datetime64[ns]"),
        [datetime(2024, 1, 1, tzinfo=UTC), -1],
        pa.array([datetime(2024, 1, 1), datetime(2100, 1, 1)]),  # noqa: DTZ001 - a naive time is UTC.
        np.array([1704067200, -5]),
    ],
    ids=lambda times: type(times).__name__,
)
def test_times_of_every_kind_are_understood_and_bad_ones_drop_their_row_only(log, logger, times):
    ids = logger.log_batch(predictions=[0.5, 0.5], event_times=times)
    assert ids[0] is not None
    assert ids[1] is None
    logger.flush()
    assert [event["event_time"] for event in log.predictions] == [datetime(2024, 1, 1, tzinfo=UTC)]
    assert logger.stats().dropped == {"event_time_out_of_range": 1}


def test_a_column_of_times_is_no_feature_and_is_told(logger):
    frame = pd.DataFrame({"departure": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    assert logger.log_batch(features=frame) == [None, None]
    assert logger.stats().dropped == {"unsupported_type": 2}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "features or predictions"),
        ({"features": 5}, "features"),
        ({"features": {"a": 1.0}}, "a"),
        ({"features": {"a": "text"}}, "a"),
        ({"features": {1: [1.0]}}, "1"),
        ({"features": {"": [1.0]}}, "name of a column"),
        ({"features": {"a": [1.0], "b": [1.0, 2.0]}}, "'b'"),
        ({"features": {"a": [1.0]}, "predictions": [1.0, 2.0]}, "predictions"),
        ({"features": {"a": [1.0]}, "labels": ["x", "y"]}, "labels"),
        ({"features": {"a": [1.0]}, "tags": {"region": ["eu", "us"]}}, "region"),
        ({"features": {"a": [1.0]}, "probabilities": {"late": [0.5, 0.5]}}, "late"),
        ({"features": {"a": [1.0]}, "event_ids": []}, "event_ids"),
        ({"features": pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])}, "twice"),
    ],
)
def test_columns_that_make_no_table_are_told_before_anything_is_logged(logger, arguments, told):
    with pytest.raises(SettingError, match=told):
        logger.log_batch(**arguments)
    assert logger.stats().accepted == 0
    assert logger.stats().dropped == {}


def test_an_empty_batch_is_nothing(logger):
    assert logger.log_batch(features={"a": []}) == []
    assert logger.log_batch(features=FRAME.head(0), predictions=[]) == []


def test_event_ids_of_the_users_own_are_kept(log, logger):
    mine = [UUID(int=1), str(UUID(int=2)), None, "x"]
    ids = logger.log_batch(predictions=[1, 2, 3, 4], event_ids=mine)
    assert ids[:2] == [str(UUID(int=1)), str(UUID(int=2))]
    assert ids[2] is not None
    assert ids[3] is None
    logger.flush()
    assert len(log.predictions) == 3


def test_a_batch_waits_for_room(log):
    with quick_logger(log, queue_bytes=20_000) as logger:
        ids = logger.log_batch(features={"x": [1.0] * 2_000})
        assert None not in ids
        assert len(set(ids)) == 2_000
        assert dict(logger.stats().dropped) == {}
    assert [event["sequence"] for event in log.predictions] == list(range(1, 2_001))


def test_a_batch_waits_no_longer_than_it_may(log):
    logger = quick_logger(log, queue_bytes=20_000)
    log.go_on.clear()
    began = time.monotonic()
    ids = logger.log_batch(features={"x": [1.0] * 2_000}, timeout_s=0.2)
    assert time.monotonic() - began < 2.0
    stats = logger.stats()
    kept = sum(event_id is not None for event_id in ids)
    assert 0 < kept == stats.accepted < 2_000
    assert stats.dropped == {"queue_full": 2_000 - kept}
    log.go_on.set()
    assert logger.close()
    assert [str(event["event_id"]) for event in log.predictions] == [i for i in ids if i is not None]


def test_closing_ends_the_wait_of_a_batch(log):
    logger = quick_logger(log, queue_bytes=20_000)
    log.go_on.clear()
    ids: list = []
    thread = threading.Thread(target=lambda: ids.extend(logger.log_batch(features={"x": [1.0] * 2_000})))
    thread.start()
    time.sleep(0.1)
    logger.close(timeout=0.1)
    thread.join(5)
    assert not thread.is_alive()
    stats = logger.stats()
    assert stats.accepted + sum(stats.dropped.values()) == len(ids) == 2_000
    assert "closed" in stats.dropped
    log.go_on.set()


def test_many_outcomes_at_once_are_the_same_as_one_by_one(log, logger):
    ids = logger.log_batch(predictions=[0.5] * 4)
    accepted = logger.log_outcomes([*ids, None], np.array([1.0, 0.0, 1.0, math.nan, 1.0]))
    assert accepted == [True, True, True, False, False]
    assert logger.log_outcomes(ids[:1], ["late"], observed_times=[datetime(2024, 1, 1, tzinfo=UTC)]) == [True]
    logger.flush()
    assert [str(event["event_id"]) for event in log.outcomes] == [*ids[:3], ids[0]]
    assert [event["actual_number"] for event in log.outcomes] == [1.0, 0.0, 1.0, None]
    assert log.outcomes[-1]["actual_label"] == "late"
    assert log.outcomes[-1]["observed_time"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert logger.stats().dropped == {"missing_actual": 1, "invalid_event_id": 1}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [((["x"], [1, 2]), "actuals"), (("x", [1]), "event_ids"), ((["x"], 1), "actuals")],
)
def test_outcomes_that_make_no_columns_are_told(logger, arguments, told):
    with pytest.raises(SettingError, match=told):
        logger.log_outcomes(*arguments)
