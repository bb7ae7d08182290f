"""Single stray events decide neither where a stream begins nor how far a model is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from driftline.domain.streams import Stream
from driftline.drift.service.beginning import PAUSE_HOURS, begins, first_to_judge, newest_hour
from driftline.store.profiles import StreamSpan
from driftline.store.set_aside import LATE_HOURS

NOW = 490_008
STREAM = Stream("m", "1", "production")
LONG_AGO = st.integers(8_760, NOW - 2 * LATE_HOURS)


def span(*hours):
    ordered = sorted(hours)
    return StreamSpan(STREAM, ordered[0], ordered[-1], 10, ordered[-2 if len(ordered) > 1 else 0], 1)


def test_the_newest_hour_is_that_of_any_stream_of_the_model():
    assert newest_hour([span(NOW - 3, NOW - 1), span(NOW - 2)]) == NOW - 1


@given(st.integers(LATE_HOURS + 1, 300_000))
def test_a_single_hour_far_ahead_closes_nothing_until_there_is_another(ahead):
    """As when 2013 is replayed and one event is of today."""
    assert newest_hour([span(100_000, 100_001, 100_001 + ahead)]) == 100_001
    assert newest_hour([span(100_001 + ahead, 100_002 + ahead)]) == 100_002 + ahead


def test_a_stream_of_a_single_hour_is_that_far():
    assert newest_hour([span(NOW)]) == NOW


@given(st.dictionaries(LONG_AGO, st.integers(1, 3), max_size=3), st.integers(20, 500))
def test_strays_of_long_ago_are_not_where_judging_begins(strays, per_hour):
    rows = {**dict(sorted(strays.items())), **{NOW + hour: per_hour for hour in range(48)}}
    assert first_to_judge(rows) == NOW


def test_years_of_traffic_with_long_pauses_are_judged_from_the_first_on():
    rows = {hour: 10 for start in (100_000, 110_000, 120_000) for hour in range(start, start + 100)}
    assert first_to_judge(rows) == 100_000


@given(st.dictionaries(st.integers(8_760, NOW - 1), st.integers(1, 2), max_size=4), st.integers(100, 500))
def test_strays_of_whatever_time_replace_no_history(strays, per_hour):
    rows = {**dict(sorted(strays.items())), **{NOW + hour: per_hour for hour in range(48)}}
    assert begins(rows, NOW) == NOW


def test_a_stream_that_has_gone_on_for_long_begins_with_its_first_hour_whatever_weekends_it_rests():
    working = [NOW + 24 * day + hour for day in range(28) if day % 7 < 5 for hour in range(8)]
    assert begins(dict.fromkeys(working, 50), NOW + 600) == NOW


def test_behind_a_pause_a_stream_begins_anew():
    later = NOW + 10 + PAUSE_HOURS + 1
    rows = dict.fromkeys([*range(NOW, NOW + 10), *range(later, later + 10)], 50)
    assert begins(rows, later + 5) == later
    assert begins(rows, NOW + 5) == NOW


def test_a_stream_of_nothing_begins_where_it_is_asked():
    assert begins({}, NOW) == NOW
