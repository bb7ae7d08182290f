"""Hours that are known beforehand are judged together, and each gets the verdicts that it would get alone."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.drift import DriftSettings, Judge
from driftline.drift.statistics import recent
from driftline.profiles import CategoricalCounts, HourProfile
from tests.drift.conftest import START, WEEK

LEARNED = START + 15 * 24
SETTINGS = DriftSettings(reference_weeks=2)


def remembering(traffic, grids, **arguments):
    judge = Judge(grids=grids, identity="model/1/production", settings=SETTINGS, **arguments)
    for hour in range(START, LEARNED):
        judge.remember(traffic.hour(hour))
    return judge


def moved(columns):
    return columns | {"age": columns["age"] + 1.0}


def with_fault(traffic, hours):
    """Hours of which some in the middle page."""
    middle = set(hours[5:9])
    return [traffic.hour(hour, moved if hour in middle else None) for hour in hours]


@pytest.mark.parametrize(
    "hours",
    [
        range(LEARNED, LEARNED + 30),
        [LEARNED + hour for hour in (0, 1, 4, 5, 6, 11, 23, 24, 25, 60, 61, 62)],
        [LEARNED + 17, *range(LEARNED + 400, LEARNED + 412)],
    ],
    ids=["over a day's end", "with gaps", "after a long gap"],
)
def test_foreseen_hours_are_judged_as_they_are_one_by_one(traffic, grids, hours):
    profiles = with_fault(traffic, list(hours))
    training = [traffic.hour(hour) for hour in range(START - 3 * WEEK, START)]
    alone, together = (remembering(traffic, grids, training=training) for _ in range(2))
    together.foresee((profile, 1.0) for profile in profiles)
    for profile in profiles:
        assert together.judge(profile) == alone.judge(profile)


def test_what_a_page_needs_may_change_between_foreseen_hours(traffic, grids):
    profiles = with_fault(traffic, list(range(LEARNED, LEARNED + 14)))
    alone, together = (remembering(traffic, grids) for _ in range(2))
    together.foresee((profile, 1.0) for profile in profiles)
    for place, profile in enumerate(profiles):
        margin = 1.0 if place < 3 else 1.0 + place / 4
        assert together.judge(profile, margin=margin) == alone.judge(profile, margin=margin)


@pytest.mark.parametrize("is_right", [True, False])
def test_what_a_page_needs_may_be_foreseen_and_be_wrong(traffic, grids, is_right):
    """It falls from hour to hour, and is foreseen to; a page in between lets it jump."""

    def falling(hour):
        return 2.0 - 0.01 * (hour - LEARNED)

    profiles = with_fault(traffic, list(range(LEARNED, LEARNED + 30)))
    alone, together = (remembering(traffic, grids) for _ in range(2))
    together.foresee(((profile, 1.0) for profile in profiles), margin=falling)
    for place, profile in enumerate(profiles):
        margin = falling(profile.hour) + (0.0 if is_right or place < 7 else 0.5)
        assert together.judge(profile, margin=margin) == alone.judge(profile, margin=margin)


def test_an_hour_that_was_not_foreseen_is_judged_as_it_is(traffic, grids):
    alone, together = (remembering(traffic, grids) for _ in range(2))
    together.foresee((traffic.hour(hour), 1.0) for hour in range(LEARNED, LEARNED + 10))
    for hour in range(LEARNED, LEARNED + 6):
        other = traffic.hour(hour, moved)
        assert together.judge(other) == alone.judge(other)


@pytest.mark.parametrize("margin", [None, lambda hour: 1.0 + 1 / (hour - LEARNED + 5)], ids=["1", "falling"])
def test_a_days_hours_are_compared_at_once(traffic, grids, monkeypatch, margin):
    asked = []
    compare = recent.compare

    def counting(*arguments, **options):
        asked.append(len(arguments[2]))
        return compare(*arguments, **options)

    monkeypatch.setattr(recent, "compare", counting)
    judge = remembering(traffic, grids)
    profiles = [traffic.hour(hour) for hour in range(LEARNED, LEARNED + 48)]
    judge.foresee(((profile, 1.0) for profile in profiles), margin=margin)
    for profile in profiles:
        judge.judge(profile, margin=1.0 if margin is None else margin(profile.hour))
    assert asked == [24, 24]


def test_of_values_that_move_alike_the_same_one_is_reported_in_every_window(grids):
    rng = np.random.default_rng(1)
    judge = Judge(grids=grids, identity="two values", settings=SETTINGS)
    reported = set()
    for hour in range(START, LEARNED + 48):
        late = int(rng.binomial(900, 0.3))
        profile = HourProfile(
            hour, 900, {}, {"label": CategoricalCounts({"late": late, "on time": 900 - late})}
        )
        if hour < LEARNED:
            judge.remember(profile)
        else:
            reported |= {verdict.channel.text for verdict in judge.judge(profile)}
    assert reported == {"value 'on time'"}
