"""What comes again and again: it pages twice, and is a habit from then on."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.drift import Feature, Judge
from driftline.drift.hygiene import Decision
from tests.drift.conftest import WEEK
from tests.drift.judging import LEARNED, judge_with_history, pages, run

CAMPAIGN_HOURS = 4


def shifted(columns):
    return columns | {"age": columns["age"] + 1.0}


def half_null(columns):
    return columns | {"age": np.where(np.arange(len(columns["age"])) % 2, np.nan, columns["age"])}


def judged(judge, traffic, starts, until, change=shifted):
    """Judge hours, of which some runs of hours are changed."""
    verdicts = []
    for hour in range(LEARNED, until):
        is_changed = any(start <= hour < start + CAMPAIGN_HOURS for start in starts)
        verdicts += judge.judge(traffic.hour(hour, change if is_changed else None))
    return verdicts


def paging_starts(verdicts, starts):
    """Return during which of some runs of hours a feature pages, and whether it ever does elsewhere."""
    ends = {one.window_end for one in pages(verdicts, "age")}
    found = [start for start in starts if any(start < end <= start + 48 for end in ends)]
    elsewhere = [end for end in ends if not any(start < end <= start + 48 for start in starts)]
    return found, elsewhere


WEEKLY = [LEARNED + 20 + week * WEEK for week in range(4)]
NOW_AND_THEN = [LEARNED + 20, LEARNED + 130, LEARNED + 290, LEARNED + 420]


@pytest.mark.parametrize("starts", [WEEKLY, NOW_AND_THEN])
def test_what_comes_again_pages_twice_and_is_a_habit_then(traffic, grids, starts):
    """Where its hours were held out for ever, a campaign of every Tuesday paged on every Tuesday."""
    verdicts = judged(judge_with_history(traffic, grids), traffic, starts, starts[-1] + 48)
    assert paging_starts(verdicts, starts) == (starts[:2], [])
    third = [one for one in verdicts if one.feature == "age" and one.window_end == starts[2] + CAMPAIGN_HOURS]
    assert third[0].verdict == "warn"
    assert "which nobody called a fault" in third[0].reason
    assert third[0].episode_id is None


def test_what_somebody_called_a_fault_is_no_habit(traffic, grids):
    judge = judge_with_history(traffic, grids)
    found = []
    for hour in range(LEARNED, WEEKLY[2] + CAMPAIGN_HOURS):
        is_changed = any(start <= hour < start + CAMPAIGN_HOURS for start in WEEKLY)
        given = judge.judge(traffic.hour(hour, shifted if is_changed else None))
        found += pages(given)
        judge.decide(
            Decision("", "production", Feature(one.feature, one.kind), one.episode_id, "real", hour + 1)
            for one in pages(given)
        )
    assert paging_starts(found, WEEKLY)[0] == WEEKLY[:3]


def test_outages_are_no_habit_since_there_were_two(traffic, grids):
    judge = judge_with_history(traffic, grids)
    verdicts = judged(judge, traffic, NOW_AND_THEN[:3], NOW_AND_THEN[2] + 48, half_null)
    assert paging_starts(verdicts, NOW_AND_THEN[:3])[0] == NOW_AND_THEN[:3]


def test_a_habit_hides_nothing_that_is_larger(traffic, grids):
    judge = judge_with_history(traffic, grids)
    judged(judge, traffic, WEEKLY[:2], WEEKLY[2])
    worse = judge.judge(traffic.hour(WEEKLY[2], lambda columns: columns | {"age": columns["age"] + 3.0}))
    assert pages(worse, "age")


def test_what_the_controller_holds_back_teaches_the_reference_nothing(traffic, grids):
    """The rest of a holiday shifted what was expected, and an ordinary day a week later paged."""
    judge = judge_with_history(traffic, grids)
    held_back = [
        one
        for hour in range(LEARNED, LEARNED + 24)
        for one in judge.judge(traffic.hour(hour, shifted), margin=50.0)
        if one.feature == "age"
    ]
    assert not pages(held_back)
    warned = [one for one in held_back if one.episode_id is not None]
    assert {one.verdict for one in warned} == {"warn"}
    assert {one.episode_start for one in warned} == {LEARNED}
    run(judge, traffic, range(LEARNED + 24, LEARNED + 7 * 24))
    week_later = run(judge, traffic, range(LEARNED + 7 * 24, LEARNED + 8 * 24))
    assert not [one for one in week_later if one.verdict.has_changed]


def test_a_judge_rebuilt_from_hours_and_episodes_knows_the_same_habits(traffic, grids):
    def change(hour):
        return shifted if any(start <= hour < start + CAMPAIGN_HOURS for start in WEEKLY) else None

    split, end = WEEKLY[2] - 5, WEEKLY[2] + 30
    steady = judge_with_history(traffic, grids)
    before = [v for h in range(LEARNED, split) for v in steady.judge(traffic.hour(h, change(h)))]
    rebuilt = Judge(grids=grids, identity="model/1/production")
    for hour in range(split - rebuilt.history_hours, split):
        rebuilt.remember(traffic.hour(hour, change(hour)))
    rebuilt.resume(pages(before))
    for hour in range(split, end):
        given = rebuilt.judge(traffic.hour(hour, change(hour)))
        assert given == steady.judge(traffic.hour(hour, change(hour)))
        assert not pages(given)
