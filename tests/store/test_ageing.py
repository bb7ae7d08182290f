"""Minutes age to hours in merges, beside landing, and no count changes."""

from __future__ import annotations

import dataclasses
import time

import pytest

from driftline.store import grids
from driftline.store.grids import rebuild_profiles
from driftline.store.rollups import IS_MARK, ROLLUPS
from driftline.store.segments import name_segments
from tests.store.test_grids import choose, together
from tests.store.test_profiles import HOUR, HOUR_S, assert_equal_to_numpy, events, made
from tests.store.test_segments import CITIES, assert_all_counted
from tests.support.landing import put

TABLES = [rollup.table for rollup in ROLLUPS if rollup.table != "invalid_values"]
"""What is invalid is rare, and keeps its minutes."""


def spread(columns, step_s=60, begin_s=HOUR * HOUR_S):
    """Events of many minutes an hour."""
    for place, event in enumerate(events(columns)):
        at_s = event["event_time"] - HOUR * HOUR_S + begin_s + place * step_s % HOUR_S
        yield {**event, "event_time": at_s - at_s % 1}


def age(client):
    for table in TABLES:
        client.command(f"OPTIMIZE TABLE {table} FINAL")


def ask(client, query):
    return client.query(query).result_rows


def told_apart(client, table, model):
    """Return how many rows a table has at most of what is one thing but for its minute."""
    ((key,),) = ask(client, f"SELECT sorting_key FROM system.tables WHERE name = '{table}'")
    hourly = key.removesuffix(", minute")
    assert hourly != key
    rows = f"SELECT count() AS n FROM {table} WHERE model_name = '{model}' GROUP BY {hourly}"
    return ask(client, f"SELECT max(n) FROM ({rows})")[0][0]


def marks(client):
    return [
        ask(client, f"SELECT DISTINCT * EXCEPT {counts} FROM {table} WHERE {IS_MARK} ORDER BY ALL")
        for table, counts in (
            ("numeric_profiles", "count"),
            ("feature_profiles", "(finite, nulls, nans, infinities, minimum, maximum, total, squares)"),
            ("categorical_profiles", "count"),
            ("segment_profiles", "(rows, numeric_values, feature_entries, categorical_values)"),
            (
                "session_profiles",
                "(rows, sequences, last_sequence, numeric_values, feature_entries, categorical_values)",
            ),
        )
    ]


@pytest.fixture
def stopped(client):
    """Nothing merges, so nothing ages, until it is asked to."""
    for table in TABLES:
        client.command(f"SYSTEM STOP MERGES {table}")
    yield
    for table in TABLES:
        client.command(f"SYSTEM START MERGES {table}")


def start(client):
    for table in TABLES:
        client.command(f"SYSTEM START MERGES {table}")


@pytest.mark.usefixtures("stopped")
def test_minutes_become_hours_and_every_count_stays(landing, client):
    columns, late = made(700, seed=1), made(200, seed=2)
    put(landing, spread(columns), model_name="aged")
    assert min(told_apart(client, table, "aged") for table in TABLES) > 1
    marked = marks(client)
    start(client)
    age(client)
    assert {table: told_apart(client, table, "aged") for table in TABLES} == dict.fromkeys(TABLES, 1)
    assert marks(client) == marked
    assert_equal_to_numpy(client, "aged", columns)
    put(landing, spread(late, step_s=97), model_name="aged")
    assert_equal_to_numpy(client, "aged", together(columns, late))
    age(client)
    assert {table: told_apart(client, table, "aged") for table in TABLES} == dict.fromkeys(TABLES, 1)
    assert_equal_to_numpy(client, "aged", together(columns, late))


def test_aged_sums_of_values_are_those_of_the_rows(landing, client):
    columns = made(400, seed=3)
    columns["amount"] = abs(columns["age"])
    put(landing, spread(columns), model_name="summed")
    age(client)
    rows = ask(
        client,
        "SELECT sum(total), sum(squares), min(minimum), max(maximum) FROM feature_profiles "
        "WHERE model_name = 'summed' AND feature = 'amount'",
    )
    values = columns["amount"]
    assert rows[0] == pytest.approx([values.sum(), (values**2).sum(), values.min(), values.max()])


def test_the_ledger_is_exact_of_aged_minutes(landing, client):
    columns = made(500, seed=4)
    put(landing, spread(columns), model_name="booked")
    before = [line for line in landing.ledger() if line.model_name == "booked"]
    age(client)
    (line,) = [line for line in landing.ledger() if line.model_name == "booked"]
    assert [dataclasses.astuple(line)] == [dataclasses.astuple(one) for one in before]
    assert (line.landed, line.missing, line.duplicates) == (500, 0, 0)


def test_aged_profiles_are_counted_anew_on_grids_and_in_segments(landing, client, monkeypatch):
    columns, more = made(400, seed=5), made(200, seed=6)
    put(landing, spread(columns), model_name="recounted")
    age(client)
    name_segments(client, "recounted", CITIES)
    choose(client, "recounted", monkeypatch)
    landing.lander.run_until_idle()
    age(client)
    put(landing, spread(more, step_s=41), model_name="recounted")
    age(client)
    assert rebuild_profiles(client) == 0
    assert_all_counted(client, "recounted", together(columns, more))


def test_rows_that_were_deleted_do_not_come_back_with_age(landing, client, monkeypatch):
    columns = made(300, seed=7)
    put(landing, spread(columns), model_name="deleted")
    choose(client, "deleted", monkeypatch)
    rebuild_profiles(client)
    age(client)
    generations = ask(
        client, "SELECT uniqExact(generation) FROM numeric_profiles WHERE model_name = 'deleted'"
    )
    assert generations == [(1,)]
    assert_equal_to_numpy(client, "deleted", columns)
    assert grids.is_grid_due(client, "deleted") is False


def test_minutes_of_the_last_days_stay(landing, client):
    hour_s = int(time.time()) // HOUR_S * HOUR_S - 60 * HOUR_S
    columns = made(120, seed=8, hours=1)
    put(landing, spread(columns, begin_s=hour_s), model_name="young")
    age(client)
    for table in TABLES:
        minutes = f"SELECT uniqExact(minute) FROM {table} WHERE model_name = 'young'"
        assert ask(client, minutes) == [(60,)], table
