"""How long truths take is estimated as of lives, and early values stand for those that are late."""

from __future__ import annotations

import math

import numpy as np
import pytest

from driftline.domain.performance import DELAY_EDGES_S
from driftline.performance.delay import HOUR_S, delays_of, kaplan_meier
from driftline.store.performance import HourDelays

DAY = 24


def hours_of(random, count, *, now, a_day, delay_h, ever=1.0, truth="1", replayed=0, first=0):
    """Return hours of predictions, of which those have a truth whose delay is over by now."""
    hours = []
    for hour in range(first, count):
        rows = random.poisson(a_day / DAY)
        ages = now - (hour + random.random(rows))
        delays = np.where(random.random(rows) < ever, delay_h(random, rows), math.inf)
        known = delays <= ages
        places, counts = np.unique(np.searchsorted(DELAY_EDGES_S, delays[known] * HOUR_S), return_counts=True)
        hours.append(HourDelays(hour, "known", truth, int(known.sum()), replayed, (places, counts)))
        hours.append(HourDelays(hour, "unknown", "", int((~known).sum()), replayed, ([], [])))
    return [each for each in hours if each.count]


def exponential(random, rows):
    return random.exponential(6.0, rows)


def test_what_is_known_by_age_is_estimated_though_much_is_still_to_come():
    """Half of the predictions are younger than most truths take, and a tenth never have one."""
    random = np.random.default_rng(1)
    found = kaplan_meier(
        hours_of(random, 60, now=60, a_day=20_000, delay_h=exponential, ever=0.9), 60 * HOUR_S
    )
    for age_h in (1, 3, 6, 12, 24):
        assert found.at(age_h * HOUR_S) == pytest.approx(0.9 * (1 - math.exp(-age_h / 6)), abs=0.015)
    assert found.final == pytest.approx(0.9, abs=0.01)


def test_the_interval_of_what_is_known_covers_it():
    random, held = np.random.default_rng(2), []
    place = DELAY_EDGES_S.index(6 * HOUR_S)
    for _ in range(200):
        hours = hours_of(random, 48, now=48, a_day=100, delay_h=exponential)
        found = kaplan_meier(hours, 48 * HOUR_S)
        held.append(found.low[place] <= 1 - math.exp(-1) <= found.high[place])
    assert 0.93 - 0.05 <= np.mean(held) <= 0.97 + 0.03


def test_only_predictions_that_are_much_older_show_that_no_more_truths_come():
    random = np.random.default_rng(3)
    slow = hours_of(random, 30, now=30, a_day=5_000, delay_h=lambda r, n: r.uniform(0, 100, n))
    assert delays_of(slow, now_s=30 * HOUR_S).coverage.maturity_s == math.inf
    assert not delays_of(slow, now_s=30 * HOUR_S).by_truth
    fast = hours_of(random, 30, now=30, a_day=5_000, delay_h=lambda r, n: r.uniform(0, 2, n))
    delays = delays_of(fast, now_s=30 * HOUR_S)
    assert delays.coverage.maturity_s == 2 * HOUR_S
    assert (delays.is_mature(27), delays.is_mature(28)) == (True, False)


def test_what_somebody_acted_on_is_not_waited_for():
    random = np.random.default_rng(4)
    hours = hours_of(random, 30, now=30, a_day=2_000, delay_h=lambda r, n: r.uniform(0, 2, n))
    acted_on = [HourDelays(hour, "acted_on", "", 100, 0, ([], [])) for hour in range(30)]
    with_it, without = (kaplan_meier(own, 30 * HOUR_S) for own in ([*hours], hours))
    assert delays_of([*hours, *acted_on], now_s=30 * HOUR_S).coverage.final == with_it.final == without.final


def test_of_replayed_predictions_the_newest_says_how_late_it_is():
    random = np.random.default_rng(5)
    hours = hours_of(
        random, 30, now=30, a_day=2_000, delay_h=lambda r, n: r.uniform(0, 2, n), replayed=10_000
    )
    assert delays_of(hours, now_s=1e9).horizon_s == 30 * HOUR_S


def test_each_kind_of_truth_has_its_own_delay():
    random = np.random.default_rng(6)
    early = hours_of(random, 60, now=60, a_day=5_000, delay_h=lambda r, n: r.uniform(0, 1, n), truth="0")
    late = hours_of(random, 60, now=60, a_day=5_000, delay_h=lambda r, n: r.uniform(0, 10, n), truth="1")
    delays = delays_of([*early, *late], now_s=60 * HOUR_S)
    shares = delays.shares_known(57)  # Two to three hours old.
    assert shares["0"] == pytest.approx(1.0)
    assert shares["1"] == pytest.approx(0.25, abs=0.03)
    assert delays.shares_known(59) is None  # Of the late ones too little is known.
    assert (delays.knows("0"), delays.knows("2")) == (True, False)
