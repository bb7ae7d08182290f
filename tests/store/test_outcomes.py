"""Every outcome is kept; which one counts follows from what they say, and what was known can be asked."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.store.outcomes import read_outcomes, read_truths
from tests.support.landing import put
from tests.support.traffic import make_logger

START = datetime(2026, 2, 1, tzinfo=UTC)
HOURS = [START + timedelta(hours=hour) for hour in range(5)]
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Logged:
    """One outcome, as a record holds it."""

    revision: int
    logged: int
    observed: int
    actual: float | str | None
    acted_on: bool | None
    sequence: int

    @property
    def order(self):
        return (self.revision, self.logged, self.observed, self.sequence)

    @property
    def has_truth(self):
        return isinstance(self.actual, str) or (self.actual is not None and math.isfinite(self.actual))


@st.composite
def arrivals(draw):
    """Some outcomes of one prediction, and what arrived in each hour: copies too, in any order."""
    count = draw(st.integers(1, 4))
    outcomes = [
        Logged(
            revision=draw(st.integers(0, 2)),
            logged=draw(st.integers(0, 3)),
            observed=draw(st.integers(0, 3)),
            actual=draw(st.sampled_from([0.0, 1.0, "late", None, math.nan])),
            acted_on=draw(st.sampled_from([None, True, False])),
            sequence=number,
        )
        for number in range(count)
    ]
    copies = [*outcomes, *draw(st.lists(st.sampled_from(outcomes), max_size=3))]
    return [(draw(st.integers(0, len(HOURS) - 1)), outcome) for outcome in draw(st.permutations(copies))]


def landed(client, event_id, arrived):
    """Insert what arrived in each hour as a block of its own, as a lander does."""
    for hour, time in enumerate(HOURS):
        rows = [
            [
                event_id,
                START + timedelta(minutes=entry.observed),
                time,
                "truth",
                "session",
                entry.sequence,
                None if isinstance(entry.actual, str) else entry.actual,
                entry.actual if isinstance(entry.actual, str) else None,
                START + timedelta(minutes=entry.logged),
                entry.revision,
                entry.acted_on,
            ]
            for when, entry in arrived
            if when == hour
        ]
        if rows:
            names = (
                "event_id observed_time landed_at model_name session_id sequence actual_number actual_label "
                "logged_time revision acted_on"
            )
            client.insert("outcomes", rows, column_names=names.split())


def expected(arrived, until):
    """Return what is known of the outcomes that arrived up to an hour: a plain reading of the rules."""
    known = {entry for hour, entry in arrived if hour <= until}
    if not known:
        return None
    ordered = sorted(known, key=lambda entry: entry.order)
    truths = [entry for entry in ordered if entry.has_truth]
    reported = [entry.acted_on for entry in ordered if entry.acted_on is not None]
    first = [hour for hour, entry in arrived if entry.has_truth and hour <= until]
    return (
        truths[-1].actual if truths else None,
        bool(reported and reported[-1]),
        len(known),
        HOURS[min(first)] if first else None,
        START + timedelta(minutes=min(entry.observed for entry in truths)) if truths else None,
    )


def seen(client, event_id, as_of):
    truth = read_truths(client, [event_id], as_of=as_of).get(event_id)
    if truth is None:
        return None
    return (truth.actual, truth.acted_on, truth.outcomes, truth.first_landed, truth.first_observed)


@settings(max_examples=12)
@given(arrived=arrivals())
def test_what_was_known_at_any_time_can_be_asked_before_and_after_parts_are_merged(client, arrived):
    event_id = str(UUID(int=next(_numbers)))
    landed(client, event_id, arrived)
    for merges in (False, True):
        if merges:
            client.command("OPTIMIZE TABLE outcomes FINAL")
        for hour, time in enumerate(HOURS):
            assert seen(client, event_id, time) == expected(arrived, hour)


@settings(max_examples=12)
@given(arrived=arrivals(), order=st.permutations(range(5)))
def test_every_order_of_arrival_ends_in_the_same_truth(client, arrived, order):
    """The time at which something landed first is all that differs."""
    first, second = (str(UUID(int=next(_numbers))) for _ in range(2))
    landed(client, first, arrived)
    landed(client, second, [(order[hour], entry) for hour, entry in arrived])
    truths = read_truths(client, [first, second])
    assert replace(truths[first], first_landed=None) == replace(truths[second], first_landed=None)


def test_a_truth_may_come_before_its_prediction_and_for_nothing_we_know(landing, client):
    event_id, unknown = str(UUID(int=1 << 100)), str(UUID(int=2 << 100))
    with make_logger(landing.log) as logger:
        assert logger.log_outcomes([event_id, unknown], [1, "late"]) == [True, True]
    landing.land()
    put(landing, [{"prediction": 0.5, "event_id": event_id}], model_name="early")
    truths = read_truths(client, [event_id, unknown])
    assert (truths[event_id].actual, truths[unknown].actual) == (1.0, "late")


def test_a_record_that_is_landed_again_keeps_its_first_arrival(landing, client):
    (event_id,) = put(landing, [{"prediction": 0.5}], model_name="landed-again")
    with make_logger(landing.log) as logger:
        logger.log_outcome(event_id, actual=1)
    landing.land()
    before = read_truths(client, [event_id])
    (row,) = client.named_rows(f"SELECT * FROM outcomes WHERE event_id = '{event_id}'")
    again = {name: value for name, value in row.items() if name not in {"content", "landed_at", "earliness"}}
    client.insert("outcomes", [[*again.values()]], column_names=[*again])
    assert client.rows(f"SELECT count() FROM outcomes WHERE event_id = '{event_id}'") == [(2,)]
    assert read_truths(client, [event_id]) == before
    client.command("OPTIMIZE TABLE outcomes FINAL")
    assert read_truths(client, [event_id]) == before


def test_acting_on_a_prediction_outlasts_the_truth_that_comes_of_it(landing, client):
    """Of a payment that was blocked no charge comes back: that makes no negative of it."""
    (event_id,) = put(landing, [{"prediction": 0.9}], model_name="blocked")
    with make_logger(landing.log) as logger:
        assert logger.log_outcome(event_id, acted_on=True)
        assert logger.log_outcome(event_id, actual=0)
    landing.land()
    truth = read_truths(client, [event_id])[event_id]
    assert (truth.actual, truth.acted_on, truth.outcomes) == (0.0, True, 2)


@pytest.mark.parametrize(("first", "second", "counts"), [(2, 1, 1.0), (0, 0, 0.0), (1, 2, 0.0)])
def test_the_higher_revision_counts_and_of_equal_ones_what_was_logged_last(
    landing, client, first, second, counts
):
    (event_id,) = put(landing, [{"prediction": 0.5}], model_name="revised")
    with make_logger(landing.log) as logger:
        logger.log_outcome(event_id, actual=1, revision=first)
        logger.log_outcome(event_id, actual=0, revision=second)
    landing.land()
    assert read_truths(client, [event_id])[event_id].actual == counts
    assert read_outcomes(client, event_id)[-1]["actual_number"] == counts


def test_truths_of_more_events_than_one_statement_names_are_all_found(client):
    first, last = (str(UUID(int=next(_numbers))) for _ in range(2))
    entry = Logged(revision=0, logged=0, observed=0, actual=1.0, acted_on=None, sequence=1)
    for event_id in (first, last):
        landed(client, event_id, [(0, entry)])
    between = [str(UUID(int=(7 << 64) + number)) for number in range(20_000)]
    assert read_truths(client, [first, *between, last]).keys() == {first, last}
