"""Stuck sensors: one single value for hours, where the reference never showed such a thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.hours import Stack

LONGEST_HOURS = 7 * 24
"""A run that must be longer to be one that was never seen is not waited for."""

_AS_LONG = 3


def longest_constant_run(stacked: Stack, minimum_sample: int) -> IntArray:
    """Return each feature's longest run of hours with one single value.

    Hours without values are bridged and not counted.

    Args:
        stacked: the usable hours of a reference, ascending.
        minimum_sample: runs of fewer values say nothing.

    Returns:
        Hours, 0 where no hour has one single value, (f,).
    """
    features = stacked.present.shape[1]
    return np.array(
        [
            _longest(stacked.minimum[:, f], stacked.maximum[:, f], stacked.present[:, f], minimum_sample)
            for f in range(features)
        ],
        dtype=np.int64,
    )


def _longest(minimum: FloatArray, maximum: FloatArray, present: FloatArray, minimum_sample: int) -> int:
    held = np.isfinite(minimum) & (present > 0)
    if not held.any():
        return 0
    low, constant = minimum[held], minimum[held] == maximum[held]
    continues = np.zeros(low.size, dtype=np.bool_)
    continues[1:] = constant[1:] & constant[:-1] & (low[1:] == low[:-1])
    begins = np.flatnonzero(~continues)
    hours = np.diff(np.append(begins, low.size))
    enough = np.add.reduceat(present[held], begins) >= minimum_sample
    return int(hours[constant[begins] & enough].max(initial=0))


def is_stuck(
    minimum: FloatArray,
    maximum: FloatArray,
    present: FloatArray,
    *,
    stuck_hours: int,
    minimum_sample: int,
    longest_known: IntArray,
    before: Callable[[tuple[int, ...], float], int] = lambda _place, _value: 0,
) -> BoolArray:
    """Return which features show one single value throughout a window although the reference never did.

    The run must be three times as long as any of the reference: where the longest of 700 hours is L, one of
    2 L comes too often by chance among a hundred features and segments.

    Args:
        minimum: smallest value of each hour of the window, NaN where none, (..., h, f).
        maximum: largest value, (..., h, f).
        present: values present, (..., h, f).
        stuck_hours: hours with values that a run needs.
        minimum_sample: windows with fewer values say nothing.
        longest_known: the reference's longest constant run in hours, (f,).
        before: returns for how many hours before a window, up to `LONGEST_HOURS`, a feature had a value, by
            the window's place and the feature's; asked where the window alone is too short to tell.

    Returns:
        (..., f).
    """
    held = present > 0
    low = np.where(held, minimum, np.inf).min(-2)
    high = np.where(held, maximum, -np.inf).max(-2)
    hours = held.sum(-2)
    enough = (hours >= stuck_hours) & (present.sum(-2) >= minimum_sample)
    needed = _AS_LONG * longest_known
    constant = enough & (low == high)
    stuck = np.asarray(constant & (hours >= needed), dtype=np.bool_)
    for place in map(tuple, np.argwhere(constant & ~stuck & (needed <= LONGEST_HOURS)).tolist()):
        stuck[place] = hours[place] + before(place, float(low[place])) >= needed[place[-1]]
    return stuck
