"""Rows come from frames, Parquet and tables of the store, and are the same whatever they came from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from driftline.errors import SettingError, StoreError
from driftline.features import Entity, FeatureService, FeatureView, Source
from driftline.features.history import backfill, push
from driftline.features.training import get_training_set

START = datetime(2026, 1, 1, tzinfo=UTC)
VIEW = FeatureView("planes", Entity("plane", key="tailnum"), {"seats": "numeric", "engine": "categorical"})
COLUMNS = {
    "tailnum": ["7", "8", "9"],
    "event_time": [START, START + timedelta(hours=1), START],
    "seats": [149.0, 20.0, None],
    "engine": ["jet", None, ""],
}


def stored(connection, view, hour=9):
    asked = {"tailnum": [7, 8, 9], "event_time": [START + timedelta(hours=hour)] * 3}
    found = get_training_set(connection, FeatureService("all", [view]), asked, times=True).to_pydict()
    times = found[f"{view.name}__event_time"]
    return list(zip(found["seats"], found["engine"], times, strict=True))


WHOLE = list(zip(COLUMNS["seats"], COLUMNS["engine"], COLUMNS["event_time"], strict=True))


def of_pandas(columns):
    return pd.DataFrame({**columns, "event_time": pd.to_datetime(columns["event_time"])})


def of_numpy(columns):
    times = np.array([time.replace(tzinfo=None) for time in columns["event_time"]], dtype="M8[ns]")
    return {**columns, "tailnum": np.array([7, 8, 9]), "event_time": times}


MADE = {
    "dict": lambda columns: columns,
    "pandas": of_pandas,
    "numpy": of_numpy,
    "polars": pl.DataFrame,
    "arrow": pa.table,
}


@pytest.mark.parametrize("kind", MADE)
def test_a_table_is_taken_whatever_it_is_made_of(connection, kind):
    view = replace(VIEW, name=f"of_{kind}")
    done = push(connection, view, MADE[kind](COLUMNS), available_time="event_time")
    assert (done.rows, done.refused) == (3, 0)
    assert stored(connection, view) == WHOLE


def test_without_a_second_time_rows_are_known_from_now_on(connection):
    view = replace(VIEW, name="pushed")
    push(connection, view, COLUMNS)
    assert stored(connection, view) == [(None, None, None)] * 3
    hours_to_now = (datetime.now(UTC) - START) // timedelta(hours=1) + 2
    assert stored(connection, view, hours_to_now) == WHOLE


def test_a_folder_of_parquet_is_read_file_by_file(connection, tmp_path):
    table = pa.table(COLUMNS)
    parquet.write_table(table.slice(0, 1), tmp_path / "one.parquet")
    parquet.write_table(table.slice(1), tmp_path / "two.parquet")
    source = Source(path=str(tmp_path), delay=timedelta(hours=2))
    view = replace(VIEW, name="of_parquet", source=source)
    assert backfill(connection, view).rows == 3
    assert stored(connection, view) == WHOLE
    assert stored(connection, view, hour=2) == [WHOLE[0], (None, None, None), WHOLE[2]]
    assert backfill(connection, view).rows == 3
    assert stored(connection, view) == WHOLE


def test_a_table_of_the_store_is_read_through_the_transform(connection):
    connection.command(
        "CREATE TABLE fleet (tailnum String, at DateTime('UTC'), known DateTime64(3, 'UTC'), places Float64, "
        "engine LowCardinality(Nullable(String))) ENGINE = MergeTree ORDER BY tailnum"
    )
    rows = [["7", START, START, 74.5, "jet"], ["8", START, START + timedelta(days=1), 10.0, None]]
    connection.insert("fleet", rows, column_names=["tailnum", "at", "known", "places", "engine"])
    source = Source(table="fleet", event_time="at", available_time="known")
    view = replace(
        VIEW,
        name="of_table",
        source=source,
        transform=lambda row: {"seats": row["places"] * 2, "engine": row["engine"]},
    )
    assert backfill(connection, view).rows == 2
    assert stored(connection, view) == [(149.0, "jet", START), (None, None, None), (None, None, None)]


def test_a_transform_that_fails_on_a_row_costs_that_row_alone(connection):
    view = replace(
        VIEW, name="failing", transform=lambda row: {"seats": 100 / row["seats"], "engine": row["engine"]}
    )
    done = push(connection, view, {**COLUMNS, "seats": [1, 0, 2]})
    assert (done.rows, done.refusals[0].row) == (2, 1)
    assert done.refusals[0].why.startswith("the transform failed: ZeroDivisionError")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_time": ["2026-01-01"] * 2 + ["soon"]}, "event_time, row 2: .*no time in ISO 8601"),
        ({"event_time": [None] * 3}, "event_time, row 0: there is no time"),
        ({"seats": [1.0]}, "seats: 1 rows, where 3 were expected"),
    ],
)
def test_a_table_that_is_wrong_is_refused_as_a_whole(connection, change, message):
    with pytest.raises(SettingError, match=message):
        push(connection, VIEW, {**COLUMNS, **change})


def test_a_column_that_is_lacking_and_what_is_no_table_are_named(connection):
    lacking = {name: column for name, column in COLUMNS.items() if name != "seats"}
    with pytest.raises(SettingError, match="no column 'seats', a feature; there are: tailnum"):
        push(connection, VIEW, lacking)
    with pytest.raises(SettingError, match="a list is no table"):
        push(connection, VIEW, [1])


def test_a_source_that_is_not_there_is_reported(connection, tmp_path):
    with pytest.raises(SettingError, match="has no source; push its rows"):
        backfill(connection, VIEW)
    with pytest.raises(SettingError, match="no Parquet file in it"):
        backfill(connection, replace(VIEW, source=Source(path=str(tmp_path), delay=timedelta(0))))
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(SettingError, match="it is no Parquet file"):
        backfill(connection, replace(VIEW, source=Source(path=str(tmp_path), delay=timedelta(0))))
    with pytest.raises(SettingError, match="is no table"):
        backfill(connection, replace(VIEW, source=Source(table="a; DROP TABLE b", delay=timedelta(0))))
    with pytest.raises(StoreError):
        backfill(connection, replace(VIEW, source=Source(table="nothing", delay=timedelta(0))))
