"""Expected shares: what the reference leads to expect of an hour, matched as finely as it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.settings import HOURS_PER_DAY

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import FloatArray

PRIOR_ROWS = 20.0
"""Rows of the wider slot that each slot borrows."""

LEVELS = ("all hours", "hour of day", "hour of week")
"""How finely a channel may be matched, coarsest first."""


def sizes_by_level(sizes: FloatArray) -> list[FloatArray]:
    """Return the rows behind each slot if all hours, hours of the day, hours of the week are matched.

    Args:
        sizes: rows per slot, (..., slots, k); slots is 24, which leaves hours of the week out, or 168.

    Returns:
        By level, each of the shape of sizes.
    """
    slots = sizes.shape[-2]
    overall = np.broadcast_to(sizes.sum(-2, keepdims=True), sizes.shape)
    if slots == HOURS_PER_DAY:
        return [overall, sizes]
    days = slots // HOURS_PER_DAY
    daily = sizes.reshape((*sizes.shape[:-2], days, HOURS_PER_DAY, sizes.shape[-1])).sum(-3)
    return [overall, np.concatenate([daily] * days, axis=-2), sizes]


def shares_by_level(counts: FloatArray, sizes: FloatArray) -> list[FloatArray]:
    """Return expected shares by level; each finer slot is drawn to the wider one that holds it.

    Shrinking an hour of the week straight to the share of all hours would pull quiet hours far off.

    Args:
        counts: rows in the channel per slot, (..., slots, k).
        sizes: rows per slot, the same shape.

    Returns:
        By level, each of the shape of counts.
    """
    counted, sized = sizes_by_level(counts), sizes_by_level(sizes)
    shares = [counted[0] / np.maximum(sized[0], 1.0)]
    for count, size in zip(counted[1:], sized[1:], strict=True):
        shares.append((count + PRIOR_ROWS * shares[-1]) / (size + PRIOR_ROWS))
    return shares
