"""Whose turn it is to be derived: closed hours at once, open ones at a pace set by their cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from driftline.domain.streams import HourKey, Stream
from driftline.profiling.dirty import DirtyHours
from driftline.store.hours import LONGEST_INSERT_S, Pointer, derivation_id

STREAM, OTHER = Stream("m", "1", "production"), Stream("n", "1", "production")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def pointer(age_s, rows=10, seconds=0.01):
    began = NOW - timedelta(seconds=age_s)
    return Pointer(derivation_id(began, lambda _: 7), rows, seconds=seconds)


def dirty(*hours, stream=STREAM):
    found = DirtyHours()
    found.see(HourKey(stream, hour) for hour, _ in hours)
    found.add((HourKey(stream, hour) for hour, _ in hours), {})
    found.note_derived({HourKey(stream, hour): known for hour, known in hours if known is not None})
    return found


def due(found, after_s=0.0):
    return [each.hour for each in found.due(NOW + timedelta(seconds=after_s))]


def test_an_id_says_when_it_was_given_and_later_ones_are_larger():
    assert Pointer(derivation_id(NOW, lambda below: below - 1), 1).began == NOW
    later = derivation_id(NOW + timedelta(microseconds=1), lambda _: 0)
    assert later > derivation_id(NOW, lambda below: below - 1)


def test_what_was_never_derived_is_due_at_once_the_newest_first():
    assert due(dirty((5, None), (7, None), (6, None))) == [7, 6, 5]


def test_an_open_hour_is_derived_again_after_a_minute():
    found = dirty((7, pointer(0)))
    assert due(found, 59) == []
    assert due(found, 60) == [7]


def test_a_dear_open_hour_waits_so_long_that_it_takes_a_tenth_of_a_core():
    found = dirty((7, pointer(0, seconds=30)))
    assert due(found, 299) == []
    assert due(found, 300) == [7]


def test_an_hour_that_has_closed_since_is_due_at_once_whatever_it_costs():
    found = dirty((7, pointer(0, seconds=30)))
    found.see([HourKey(STREAM, 8)])
    assert due(found, 0.1) == [7]


def test_a_trickle_into_a_closed_hour_is_paced_by_its_cost():
    found = dirty((7, pointer(0, seconds=0.001)), (6, pointer(0, seconds=30)))
    found.see([HourKey(STREAM, 9)])
    found.note_derived(
        {HourKey(STREAM, 7): pointer(0, seconds=0.001), HourKey(STREAM, 6): pointer(0, seconds=30)}
    )
    assert due(found, 2) == [7]
    assert due(found, 301) == [7, 6]


def test_streams_close_by_themselves():
    found = dirty((7, pointer(0)))
    found.see([HourKey(OTHER, 8)])
    assert due(found, 1) == []


def test_what_landed_long_before_a_derivation_began_needs_no_second_look():
    found = dirty((7, pointer(0)), (6, pointer(0)))
    margin = timedelta(seconds=LONGEST_INSERT_S + 1)
    found.settle_by_time({HourKey(STREAM, 7): NOW - margin, HourKey(STREAM, 6): NOW})
    assert set(found.pointers) == {HourKey(STREAM, 6)}


def test_everything_is_derived_up_to_the_beginning_of_the_oldest_derivation_that_may_lack_something():
    looked_at, before = NOW, NOW - timedelta(hours=1)
    assert DirtyHours().derived_until(before, looked_at) == looked_at
    assert dirty((7, pointer(90)), (6, pointer(30))).derived_until(before, looked_at) == NOW - timedelta(
        seconds=90
    )
    assert dirty((7, pointer(90)), (6, None)).derived_until(before, looked_at) == before
    assert dirty((7, pointer(7200))).derived_until(before, looked_at) == before
