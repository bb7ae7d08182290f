"""Hours that the calendar names: judged by their like, and no model for ordinary hours."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from driftline.domain.calendars import Calendar, PlannedEvent
from driftline.domain.hours import hour_time
from driftline.drift import DriftSettings
from driftline.drift.judges import VolumeJudge
from tests.drift.conftest import START, WEEK
from tests.drift.judging import LEARNED, judge_with_history, pages, run
from tests.drift.volumes import LEARNED as COUNTED
from tests.drift.volumes import hour_of, paging, usual

DAY = range(LEARNED + 10, LEARNED + 10 + 24)
NAME = "Founders' Day"


def planned(*days, name=NAME):
    return Calendar(
        events=tuple(PlannedEvent(name, hour_time(day.start), hour_time(day.stop)) for day in days)
    )


def festive(columns):
    """Move a mean as a holiday may: a fifth of the values at the middle cross it."""
    return columns | {"age": columns["age"] + 0.45}


def broken(columns):
    return columns | {"age": columns["age"] + 1.5}


def change_in(*days, change=festive):
    return lambda hour: change if any(hour in day for day in days) else None


def judged(judge, traffic, hours, change_of):
    return [one for hour in hours for one in judge.judge(traffic.hour(hour, change_of(hour)))]


def test_a_named_day_pages_nobody_and_its_verdicts_name_it(traffic, grids):
    hours = range(LEARNED, DAY.stop + 30)
    known = judge_with_history(traffic, grids, calendar=planned(DAY))
    verdicts = judged(known, traffic, hours, change_in(DAY))
    assert not pages(verdicts)
    inside = [one for one in verdicts if one.window_end == DAY.start + 3 and one.feature == "age"]
    assert all(f"{NAME} (first such day known here)" in one.reason for one in inside)
    assert not [one for one in verdicts if one.window_end == DAY.start and NAME in one.reason]
    unknown = judge_with_history(traffic, grids)
    assert pages(judged(unknown, traffic, hours, change_in(DAY)), "age")


@pytest.mark.parametrize(
    "change",
    [
        broken,
        lambda columns: columns | {"city": np.where(columns["city"] == "Bergen", "BERGEN", columns["city"])},
        lambda columns: (
            columns | {"age": np.where(np.arange(columns["age"].size) % 4, columns["age"], np.nan)}
        ),
    ],
    ids=["mean", "rename", "nulls"],
)
def test_a_large_fault_is_found_on_a_named_day(traffic, grids, change):
    judge = judge_with_history(traffic, grids, calendar=planned(DAY))
    hours = range(LEARNED, DAY.start + 12)
    assert pages(judged(judge, traffic, hours, change_in(DAY, change=change)))


def test_a_named_day_does_not_come_back_a_week_later(traffic, grids):
    """Its hours teach nothing about ordinary ones: these are expected as if it had not been."""
    judge = judge_with_history(traffic, grids, calendar=planned(DAY))
    judged(judge, traffic, range(LEARNED, DAY.stop + WEEK - 24), change_in(DAY))
    echo = run(judge, traffic, range(DAY.stop + WEEK - 24, DAY.stop + WEEK + 2))
    assert not [one for one in echo if one.verdict.has_changed]


def test_days_of_one_name_are_judged_by_their_like(traffic, grids):
    """The second such day is ordinary for its kind; a day of that name without its habit is not."""
    second = range(DAY.start + WEEK, DAY.stop + WEEK)
    calendar = planned(DAY, second)
    judge = judge_with_history(traffic, grids, calendar=calendar)
    judged(judge, traffic, range(LEARNED, second.start), change_in(DAY))
    end = second.start + 12
    verdicts = judged(judge, traffic, range(second.start, end), change_in(second))
    assert not [one for one in verdicts if one.verdict.has_changed and one.feature == "age"]
    newest = [one for one in verdicts if one.window_end == end and one.feature == "age"]
    assert all(f"{NAME} (judged against 24 such hours)" in one.reason for one in newest)
    other = judge_with_history(traffic, grids, calendar=calendar)
    judged(other, traffic, range(LEARNED, second.start), change_in(DAY))
    opposite = change_in(second, change=lambda columns: columns | {"age": columns["age"] - 0.45})
    assert pages(judged(other, traffic, range(second.start, end), opposite), "age")


def test_a_window_beside_a_named_day_keeps_the_power_that_its_other_hours_give(traffic, grids):
    """Of a day's window two hours are named: what may move there is a twelfth of what may on the day."""
    judge = judge_with_history(traffic, grids, calendar=planned(range(DAY.start, DAY.start + 2)))
    verdicts = judged(judge, traffic, range(LEARNED, DAY.start + 20), lambda _: None)

    def detectable(end, scale):
        (one,) = [v for v in verdicts if (v.window_end, v.scale_hours, v.feature) == (end, scale, "age")]
        return one.detectable_effect

    assert detectable(DAY.start + 2, 1) > 0.2
    assert detectable(DAY.start + 20, 24) < 0.12


def test_holidays_are_days_of_the_clock_that_the_traffic_follows():
    calendar = DriftSettings(holidays=("US",), timezone="America/New_York").calendar()
    midnight = 490_000 // 24 * 24
    first = next(hour for hour in range(midnight, midnight + 9000) if calendar.entry(hour))
    assert calendar.entry(first).endswith("(US)")
    assert hour_time(first).hour in (4, 5)
    assert calendar.entry(first - 1) == ""


def test_countries_of_which_no_holidays_are_known_are_refused():
    with pytest.raises(ValueError, match="no public holidays are known of 'US-ZZ'"):
        DriftSettings(holidays=("US-ZZ",))


def test_what_takes_longer_than_two_weeks_is_no_event():
    now = hour_time(LEARNED)
    with pytest.raises(ValueError, match="longer than 14 days"):
        PlannedEvent("for ever", now, now + timedelta(days=15))


SPECIAL = range(COUNTED + 24, COUNTED + 48)


def counted(calendar, change, until):
    judge = VolumeJudge(settings=DriftSettings(), identity="m/1/production", calendar=calendar)
    for hour in range(START, COUNTED):
        judge.remember(hour_of(hour, usual(hour)))
    verdicts = []
    for hour in range(COUNTED, until):
        rows = usual(hour)
        verdicts += judge.judge(hour_of(hour, change(rows) if hour in SPECIAL else rows), 1.0)
    return verdicts


def test_a_named_day_may_bring_half_as_many_predictions_and_silence_is_found_on_it():
    calendar = planned(SPECIAL)
    quiet = counted(calendar, lambda rows: rows // 2, SPECIAL.stop + WEEK + 24)
    assert not paging(quiet)
    assert any(f"{NAME} (first such day known here)" in one.reason for one in quiet)
    assert paging(counted(None, lambda rows: rows // 2, SPECIAL.stop))
    assert min(paging(counted(calendar, lambda _: 0, SPECIAL.stop))) <= SPECIAL.start + 2
