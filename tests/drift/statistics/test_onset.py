"""Since when a channel has moved."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.drift.statistics.onset import moved_before

ROWS, SHARE, EFFECT = 400.0, 0.3, 0.04
VARIANCE = SHARE * (1 - SHARE)


def excess(hours, shifted, seed):
    drawn = np.random.default_rng(seed).binomial(int(ROWS), SHARE, hours) - ROWS * SHARE
    drawn[hours - shifted :] += ROWS * EFFECT
    return drawn


@pytest.mark.parametrize("seed", range(5))
def test_hours_that_held_the_shift_already_are_found(seed):
    rows = np.full(168, ROWS)
    found = moved_before(rows, excess(168, 40, seed), effect=EFFECT, variance=VARIANCE)
    assert abs(found - 40) <= 8


@pytest.mark.parametrize("seed", range(20))
def test_ordinary_hours_move_no_onset(seed):
    rows = np.full(168, ROWS)
    assert moved_before(rows, excess(168, 0, seed), effect=EFFECT, variance=VARIANCE) <= 2


def test_hours_of_which_nothing_is_known_say_nothing():
    assert moved_before(np.zeros(168), np.zeros(168), effect=EFFECT, variance=VARIANCE) == 0
    assert moved_before(np.zeros(0), np.zeros(0), effect=EFFECT, variance=VARIANCE) == 0
