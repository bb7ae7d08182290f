"""Expected shares: matched by all hours, by hours of the day, by hours of the week."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.drift.statistics.expected import (
    PRIOR_ROWS,
    expected_rows,
    repeat_slots,
    shares_by_level,
    sizes_by_level,
)

GROUP = np.array([0, 0, 1])


@pytest.fixture
def week():
    """Rows in three channels with two denominators, by week and slot."""
    random = np.random.default_rng(3)
    sizes = random.integers(0, 50, (2, 168, 2)).astype(float)
    return random.binomial(sizes.astype(int)[..., GROUP], 0.3).astype(float), sizes


def share_by_hand(counts, sizes, slot, channel, level):
    """Return a slot's share as the docstrings say it, one slot at a time."""
    own = {0: slice(None), 1: slice(slot % 24, None, 24), 2: slice(slot, slot + 1)}[level]
    count, size = counts[own, channel].sum(), sizes[own, GROUP[channel]].sum()
    if level == 0:
        return count / max(size, 1.0)
    wider = share_by_hand(counts, sizes, slot, channel, level - 1)
    return (count + PRIOR_ROWS * wider) / (size + PRIOR_ROWS)


def test_each_slot_is_drawn_to_the_wider_one_that_holds_it(week):
    counts, sizes = week
    shares = shares_by_level(counts, sizes_by_level(sizes), GROUP)
    for level, share in enumerate(shares):
        whole = repeat_slots(share, 168)
        for slot in (0, 23, 24, 100, 167):
            for channel in range(GROUP.size):
                by_hand = share_by_hand(counts[1], sizes[1], slot, channel, level)
                assert whole[1, slot, channel] == pytest.approx(by_hand)


def test_hours_of_the_day_have_no_hours_of_the_week_to_be_matched_by():
    sizes = np.arange(48.0).reshape(2, 24, 1)
    assert [size.shape for size in sizes_by_level(sizes)] == [(2, 1, 1), (2, 24, 1)]


@pytest.mark.parametrize("slots", [1, 24, 168])
def test_a_share_of_fewer_slots_stands_for_all_of_their_hours(slots):
    random = np.random.default_rng(4)
    rows, share = random.random((3, 168, 5)), random.random((3, slots, 5))
    assert (expected_rows(rows, share) == rows * repeat_slots(share, 168)).all()
