"""A training set holds what could be known at each row's moment, whatever came late, twice or corrected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pandas as pd
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from driftline.errors import SettingError
from driftline.features import Entity, FeatureService, FeatureView, OnDemandView
from driftline.features.history import push
from driftline.features.training import get_training_set
from tests.features.brute import brute_force, overwriting, peeking

START = datetime(2026, 1, 1, tzinfo=UTC)
PLANE = Entity("plane", key="tailnum")
_numbers = count()

MINUTE = st.integers(0, 12)
ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), MINUTE, MINUTE, st.none() | st.integers(0, 3)), min_size=1, max_size=14
)
ASKED = st.lists(st.tuples(st.sampled_from("abc"), MINUTE), min_size=1, max_size=12)
TTL = st.none() | st.integers(1, 8)


def at(minute):
    return START + timedelta(minutes=minute)


def view_of(ttl=None, features=None, **rest):
    return FeatureView(
        f"view{next(_numbers)}",
        PLANE,
        features or {"value": "numeric", "name": "categorical"},
        ttl=None if ttl is None else timedelta(minutes=ttl),
        **rest,
    )


def put(connection, view, rows):
    """Push rows (plane, event, available, value), in times of minutes."""
    frame = {
        "tailnum": [row[0] for row in rows],
        "event_time": [at(row[1]) for row in rows],
        "known": [at(row[2]) for row in rows],
        "value": [row[3] for row in rows],
        "name": [None if row[3] is None else f"n{row[3]}" for row in rows],
    }
    done = push(connection, view, frame, available_time="known")
    assert (done.rows, done.refused) == (len(rows), 0)


def ask(connection, view, asked):
    """Return (event minute or None, value, name) for each plane and minute."""
    entities = {"tailnum": [plane for plane, _ in asked], "event_time": [at(minute) for _, minute in asked]}
    found = get_training_set(connection, FeatureService("all", [view]), entities, times=True).to_pydict()
    minutes = [
        None if time is None else (time - START) // timedelta(minutes=1)
        for time in found[f"{view.name}__event_time"]
    ]
    return list(zip(minutes, found["value"], found["name"], strict=True))


def expected(rows, asked, ttl, join=brute_force):
    numbered = [(*row[:3], arrival, row[3]) for arrival, row in enumerate(rows)]
    found = [join(numbered, plane, minute, ttl) for plane, minute in asked]
    return [
        (None, None, None) if row is None else (row[1], row[4], None if row[4] is None else f"n{row[4]}")
        for row in found
    ]


@settings(max_examples=8)
@given(cases=st.lists(st.tuples(ROWS, ROWS, ASKED), min_size=20, max_size=40), ttl=TTL)
def test_any_mix_of_rows_gives_what_looking_at_every_row_gives(connection, cases, ttl):
    """Late, corrected, future-dated, doubled and expired rows, of two pushes; many cases a question.

    Each case has planes of its own, so that they share what takes long: the store's answers.
    """
    view = view_of(ttl)
    first = [(f"{case}{plane}", *row) for case, (rows, _, _) in enumerate(cases) for plane, *row in rows]
    later = [(f"{case}{plane}", *row) for case, (_, rows, _) in enumerate(cases) for plane, *row in rows]
    asked = [(f"{case}{plane}", at) for case, (_, _, pairs) in enumerate(cases) for plane, at in pairs]
    put(connection, view, first)
    put(connection, view, later)
    assert ask(connection, view, asked) == expected([*first, *later], asked, ttl)


@pytest.mark.parametrize("wrong", [peeking, overwriting])
def test_a_join_that_peeks_or_lets_late_rows_overwrite_would_be_found_out(wrong):
    """The strategy above holds cases in which such a join is wrong, and small ones."""
    rows, asked, ttl = find(
        st.tuples(ROWS, ASKED, TTL),
        lambda case: expected(*case) != expected(*case, join=wrong),
        settings=settings(max_examples=300),
    )
    assert len(rows) <= 2
    assert expected(rows, asked, ttl) != expected(rows, asked, ttl, join=wrong)


def test_a_value_that_was_written_after_the_moment_is_not_in_the_training_set(connection):
    view = view_of()
    put(connection, view, [("a", 1, 1, 1), ("a", 2, 9, 2)])
    assert ask(connection, view, [("a", 5), ("a", 9)]) == [(1, 1.0, "n1"), (2, 2.0, "n2")]


def test_a_value_that_is_null_differs_from_one_that_is_missing(connection):
    view = view_of()
    put(connection, view, [("a", 1, 1, None)])
    assert ask(connection, view, [("a", 5), ("b", 5)]) == [(1, None, None), (None, None, None)]


def test_rows_stay_in_order_with_their_other_columns_whatever_they_are_made_of(connection):
    view = view_of()
    put(connection, view, [("7", 1, 1, 1), ("8", 1, 1, 2)])
    frame = pd.DataFrame(
        {"tailnum": [8.0, 7.0, None], "event_time": pd.to_datetime([at(3)] * 3), "late": [1, 0, 1]}
    )
    found = get_training_set(connection, FeatureService("one", [view["value"]]), frame)
    assert found.column_names == ["tailnum", "event_time", "late", "value"]
    assert found.column("value").to_pylist() == [2.0, 1.0, None]
    assert found.column("late").to_pylist() == [1, 0, 1]


def test_rows_of_another_transform_are_not_read_and_those_of_another_ttl_are(connection):
    view = view_of()
    put(connection, view, [("a", 1, 1, 1)])
    shorter = FeatureView(view.name, PLANE, view.features, ttl=timedelta(minutes=2))
    assert shorter.version != view.version
    assert ask(connection, shorter, [("a", 3), ("a", 4)]) == [(1, 1.0, "n1"), (None, None, None)]
    other = FeatureView(view.name, PLANE, view.features, transform=lambda row: row)
    assert ask(connection, other, [("a", 3)]) == [(None, None, None)]


def test_what_is_computed_on_demand_is_computed_by_the_same_call_as_in_serving(connection):
    view = view_of(features={"value": "numeric"})
    push(
        connection, view, {"tailnum": ["a"], "event_time": [at(0)], "value": [3]}, available_time="event_time"
    )
    ratio = OnDemandView(
        "ratio",
        {"per_seat": "numeric"},
        lambda row: {"per_seat": None if row["value"] is None else row["asked"] / row["value"]},
        request=("asked",),
    )
    service = FeatureService("two", [view, ratio])
    entities = {"tailnum": ["a", "b"], "event_time": [at(1)] * 2, "asked": [6, 6]}
    found = get_training_set(connection, service, entities).to_pydict()
    assert (found["value"], found["per_seat"]) == ([3.0, None], [2.0, None])
    with pytest.raises(SettingError, match="no column 'asked', which ratio wants of a request"):
        get_training_set(connection, service, {"tailnum": ["a"], "event_time": [at(1)]})


def test_a_row_that_cannot_be_taken_is_named_and_the_others_are_written(connection):
    view = view_of()
    rows = {
        "tailnum": ["a", None, "b"],
        "event_time": [at(1)] * 3,
        "value": [1, 2, "three"],
        "name": ["x", "y", "z"],
    }
    done = push(connection, view, rows)
    assert (done.rows, done.refused) == (1, 2)
    assert [(each.row, each.why) for each in done.refusals] == [
        (1, "there is no tailnum"),
        (2, "value: unencodable: a string is no number"),
    ]


def test_an_empty_training_set_has_its_columns(connection):
    found = get_training_set(
        connection, FeatureService("none", [view_of()]), {"tailnum": [], "event_time": []}
    )
    assert (found.num_rows, found.column_names) == (0, ["tailnum", "event_time", "value", "name"])
