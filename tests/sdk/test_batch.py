"""A batch logs what logging row by row would, faster, and tells mistakes in its columns at once."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.errors import SettingError
from tests.sdk.logs import MemoryLog, quick_logger
from tests.wire.users_values import any_values, names

CLOCK = {"clock": lambda: 1_700_000_000.0, "random": lambda _: 0}
COLUMNS = (
    st.floats(),
    st.floats(width=32).map(np.float32),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(st.characters(codec="utf-8"), max_size=4),
    st.none() | st.text(st.characters(codec="utf-8"), max_size=4),
    st.none() | st.floats(),
    st.none() | st.booleans(),
    st.datetimes(pd.Timestamp("1700-01-01"), pd.Timestamp("2200-01-01")),
    st.timedeltas(pd.Timedelta("-100000D"), pd.Timedelta("100000D")),
    any_values,
)


@st.composite
def frames(draw):
    """DataFrames as users have them, some with a column twice or without a name."""
    length = draw(st.integers(1, 6))
    columns = st.sampled_from(COLUMNS).flatmap(lambda kind: st.lists(kind, min_size=length, max_size=length))
    labels = draw(st.lists(names | st.integers(0, 3) | st.sampled_from(["", "a"]), min_size=1, max_size=4))
    frame = pd.DataFrame({at: series(draw(columns)) for at in range(len(labels))})
    if draw(st.booleans()):
        with np.errstate(invalid="ignore"):  # Older releases of pandas try what a cast makes of it.
            frame = frame.convert_dtypes()
    return frame.set_axis(labels, axis=1)


def series(values) -> pd.Series:
    try:
        return pd.Series(values)
    except (OverflowError, TypeError, ValueError):  # pandas has no type for such a mixture.
        return pd.Series(values, dtype=object)


@given(frames(), st.data())
def test_a_frame_is_the_same_as_its_rows(frame, data):
    rows = len(frame)
    columns = {
        name: series(data.draw(st.lists(any_values, min_size=rows, max_size=rows), label=name))
        for name in ("predictions", "labels", "entity_ids", "tag")
    }
    by_batch, by_row = MemoryLog(), MemoryLog()
    with quick_logger(by_batch, **CLOCK, tags={"region": "eu"}) as logger:
        ids = logger.log_batch(
            features=frame,
            predictions=columns["predictions"],
            labels=columns["labels"],
            entity_ids=columns["entity_ids"],
            tags={"tag": columns["tag"], "kind": "batch"},
        )
        stats = logger.stats()
    with quick_logger(by_row, **CLOCK, tags={"region": "eu"}) as logger:
        expected_ids = [
            logger.log(
                features=row_of(frame, row),
                **{argument: given(columns[name], row) for name, argument in ONE.items()},
                tags={"tag": given(columns["tag"], row), "kind": "batch"},
            )
            for row in range(rows)
        ]
        row_stats = logger.stats()
    assert ids == expected_ids
    assert (stats.accepted, stats.dropped) == (row_stats.accepted, row_stats.dropped)
    assert (stats.rounded, remarked(stats, frame)) == (row_stats.rounded, remarked(row_stats, frame))
    assert [comparable(event) for event in by_batch.predictions] == [
        comparable(event) for event in by_row.predictions
    ]


ONE = {"predictions": "prediction", "labels": "label", "entity_ids": "entity_id"}


class Row:
    """A row of a frame, with the names as often as the frame has them, and values of their columns' types."""

    def __init__(self, pairs) -> None:
        self._pairs = pairs

    def items(self):
        return self._pairs


def row_of(frame: pd.DataFrame, row: int) -> Row:
    return Row([(name, given(column, row)) for name, column in frame.items()])


def given(column: pd.Series, row: int):
    """Return a value as a loop over the frame has it; None for NaN, which is missing in pandas."""
    value = column.iloc[row]
    is_float = isinstance(value, float) or (np.ndim(value) == 0 and np.asarray(value).dtype.kind == "f")
    return None if is_float and value != value else value  # noqa: PLR0124 - only NaN differs from itself.


def remarked(stats, frame: pd.DataFrame) -> dict[str, int]:
    """Return the values left out, but for columns without a name of their own: these count once a batch."""
    twice = {name for name, count in Counter(map(str, frame.columns)).items() if count > 1}
    return {name: count for name, count in stats.unencodable.items() if name not in twice | {"features"}}


def comparable(event: dict) -> dict:
    """Return an event without what differs between two sessions; repr makes NaN equal to itself."""
    event = {name: value for name, value in event.items() if name != "session_id"}
    for name in ("numeric_features", "categorical_features"):
        event[name] = {key: repr(value) for key, value in sorted(event[name].items())}
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


def test_in_pandas_nan_is_missing_and_in_a_list_it_is_a_number(log, logger):
    values = [1.0, "UA", pd.NA, math.nan, None]
    logger.log_batch({"list": values, "pandas": pd.Series(values, dtype=object)})
    logger.flush()
    missing = [event["missing_features"] for event in log.predictions]
    assert missing == [[], [], ["list", "pandas"], ["pandas"], ["list", "pandas"]]
    assert math.isnan(log.predictions[3]["numeric_features"]["list"])


FRAME = pd.DataFrame({"distance": [733.0, 100.5], "carrier": ["UA", None], "seats": [180, 50]})
LISTS = {"distance": [733.0, 100.5], "carrier": ["UA", None], "seats": [180, 50]}


@pytest.mark.parametrize(
    "table",
    [
        FRAME,
        FRAME.astype({"carrier": "category"}),
        FRAME.astype({"carrier": object}),
        FRAME.astype({"seats": "Int64", "distance": "float32"}),
        FRAME.convert_dtypes(dtype_backend="pyarrow"),
        {name: FRAME[name].to_numpy() for name in FRAME},
        {"distance": [733.0, 100.5], "carrier": ("UA", None), "seats": np.array([180, 50], np.uint8)},
        pa.table(LISTS),
        pa.RecordBatch.from_pydict(LISTS),
        pa.concat_tables([pa.table(LISTS).slice(0, 1), pa.table(LISTS).slice(1)]),
        pa.table({**LISTS, "carrier": pa.array(LISTS["carrier"]).dictionary_encode()}),
        pl.DataFrame(LISTS),
        pl.DataFrame(LISTS).with_columns(pl.col("carrier").cast(pl.Categorical)),
        {
            "distance": pa.array([733.0, 100.5]),
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
    assert second["numeric_features"] == {"distance": 100.5, "seats": 50.0}
    assert [event["prediction_number"] for event in log.predictions] == [0.5, 0.25]


@pytest.mark.parametrize(
    "column",
    [pd.Series([1, None], dtype="Int64"), pa.array([1, None]), pl.Series([1, None]), [1, None]],
    ids=lambda column: type(column).__module__,
)
def test_a_gap_in_a_column_of_numbers_is_missing(log, logger, column):
    logger.log_batch({"x": column})
    logger.flush()
    assert [event["missing_features"] for event in log.predictions] == [[], ["x"]]
    assert [event["numeric_features"] for event in log.predictions] == [{"x": 1.0}, {}]


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
def test_times_of_every_kind_are_understood_and_what_is_none_is_now(log, times):
    with quick_logger(log, clock=lambda: 1_700_000_000.0) as logger:
        assert None not in logger.log_batch(predictions=[0.5, 0.5], event_times=times)
    assert logger.stats().unencodable == {"event_time": 1}
    assert [event["event_time"] for event in log.predictions] == [
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
    ]


def test_a_column_of_times_becomes_seconds(log, logger):
    frame = pd.DataFrame({"departure": pd.to_datetime(["2024-01-01", None])})
    assert None not in logger.log_batch(features=frame)
    logger.flush()
    assert [event["numeric_features"] for event in log.predictions] == [{"departure": 1_704_067_200.0}, {}]


def test_one_column_that_does_not_fit_leaves_the_others(log, logger):
    frame = pd.DataFrame({"embedding": [[0.5], [0.25]], "hash": [2**63 - 1, 5], "x": [1.0, 2.0]})
    assert None not in logger.log_batch(features=frame)
    logger.flush()
    assert [event["numeric_features"] for event in log.predictions] == [
        {"hash": 2.0**63, "x": 1.0},
        {"hash": 5.0, "x": 2.0},
    ]
    assert logger.stats().unencodable == {"embedding": 2}
    assert logger.stats().rounded == {"hash": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "features or predictions"),
        ({"features": 5}, "features"),
        ({"features": {"a": 1.0}}, "a"),
        ({"features": {"a": "text"}}, "a"),
        ({"features": {"a": [1.0], "b": [1.0, 2.0]}}, "'b'"),
        ({"features": {"a": [1.0]}, "predictions": [1.0, 2.0]}, "predictions"),
        ({"features": {"a": [1.0]}, "labels": ["x", "y"]}, "labels"),
        ({"features": {"a": [1.0]}, "tags": {"region": ["eu", "us"]}}, "region"),
        ({"features": {"a": [1.0]}, "probabilities": {"late": [0.5, 0.5]}}, "late"),
        ({"features": {"a": [1.0]}, "event_ids": []}, "event_ids"),
    ],
)
def test_columns_that_make_no_table_are_reported_before_anything_is_logged(logger, arguments, message):
    with pytest.raises(SettingError, match=message):
        logger.log_batch(**arguments)
    assert logger.stats().accepted == 0
    assert logger.stats().dropped == {}


def test_an_empty_batch_is_nothing(logger):
    assert logger.log_batch(features={"a": []}) == []
    assert logger.log_batch(features=FRAME.head(0), predictions=[]) == []


def test_event_ids_of_the_users_own_are_kept(log, logger):
    mine = [UUID(int=1), str(UUID(int=2)), None]
    ids = logger.log_batch(predictions=[1, 2, 3], event_ids=mine)
    assert ids[:2] == [str(UUID(int=1)), str(UUID(int=2))]
    logger.flush()
    assert [str(event["event_id"]) for event in log.predictions] == ids


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
    assert time.monotonic() - began < 60.0
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
    thread.join(60)
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


def test_outcomes_in_a_batch_are_numbered_and_marked_row_by_row(log, logger):
    ids = logger.log_batch(predictions=[0.5] * 3)
    assert logger.log_outcomes(ids, [1, None, 0], revisions=[2, 1, "x"], acted_on=[None, True, None]) == [
        True,
        True,
        False,
    ]
    logger.flush()
    assert [(event["revision"], event["acted_on"]) for event in log.outcomes] == [(2, None), (1, True)]
    assert logger.stats().dropped == {"invalid_revision": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((["x"], [1, 2]), "actuals"), (("x", [1]), "event_ids"), ((["x"], 1), "actuals")],
)
def test_outcomes_that_make_no_columns_are_reported(logger, arguments, message):
    with pytest.raises(SettingError, match=message):
        logger.log_outcomes(*arguments)
