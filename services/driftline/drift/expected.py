"""Expected shares: what the reference leads to expect at each hour of the week."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from driftline.drift.arrays import FloatArray

PRIOR_ROWS = 20.0
"""Rows of the wider slot that each slot borrows."""

_DAY = 24


def slot_shares(counts: FloatArray, sizes: FloatArray) -> FloatArray:
    """Return the expected share of each slot: hour of week, shrunk to hour of day, shrunk to all.

    Shrinking straight to the share of all hours would pull a quiet hour far off: at 60 rows a week an
    hour's share lies by a twelfth of its distance to the mean beside the truth.

    Args:
        counts: rows in the channel per slot, (..., slots, c); slots is 24 or a multiple of it.
        sizes: rows per slot, broadcastable to counts.

    Returns:
        Shares, the shape of counts.
    """
    overall = _ratio(counts.sum(-2, keepdims=True), sizes.sum(-2, keepdims=True))
    days = counts.shape[-2] // _DAY
    if days == 1:
        return (counts + PRIOR_ROWS * overall) / (sizes + PRIOR_ROWS)
    by_day = (*counts.shape[:-2], days, _DAY, counts.shape[-1])
    daily_counts = counts.reshape(by_day).sum(-3)
    daily_sizes = sizes.reshape((*sizes.shape[:-2], days, _DAY, sizes.shape[-1])).sum(-3)
    daily = (daily_counts + PRIOR_ROWS * overall) / (daily_sizes + PRIOR_ROWS)
    prior = np.concatenate([daily] * days, axis=-2)
    return (counts + PRIOR_ROWS * prior) / (sizes + PRIOR_ROWS)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    return numerator / np.maximum(denominator, 1.0)
