"""Windows: what is summed over which hours."""

from __future__ import annotations

import numpy as np

from driftline.drift.statistics.comparison import Windows

SCALES = (1, 6, 24)


def hours_of(count):
    """Hours whose sums round differently in every order."""
    random = np.random.default_rng(5)
    return random.random((count, 4)) * 10.0 ** random.integers(-8, 8, (count, 1))


def test_a_window_is_the_sum_of_its_hours():
    hours = hours_of(60)
    sums = Windows(np.array([23, 40, 59]), SCALES).sums(hours)
    assert sums.shape == (3, 3, 4)
    for row, end in enumerate((23, 40, 59)):
        for place, scale in enumerate(SCALES):
            np.testing.assert_allclose(sums[row, place], hours[end + 1 - scale : end + 1].sum(0), rtol=1e-12)


def test_a_windows_sum_is_the_same_to_the_bit_whatever_came_before_it_and_is_asked_with_it():
    hours = hours_of(60)
    among_others = Windows(np.arange(23, 60), SCALES).sums(hours)
    for end in range(23, 60):
        alone = Windows(np.array([23]), SCALES).sums(hours[end - 23 : end + 1])
        assert (alone[0] == among_others[end - 23]).all()
