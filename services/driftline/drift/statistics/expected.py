"""Expected shares: what the reference leads to expect of an hour, matched as finely as it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.settings import HOURS_PER_DAY

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import FloatArray, IntArray

PRIOR_ROWS = 20.0
"""Rows of the wider slot that each slot borrows."""

LEVELS = ("all hours", "hour of day", "hour of week")
"""How finely a channel may be matched, coarsest first."""


def sizes_by_level(sizes: FloatArray) -> list[FloatArray]:
    """Return the rows behind each slot if all hours, hours of the day, hours of the week are matched.

    Args:
        sizes: rows per slot, (..., slots, k); slots is 24, which leaves hours of the week out, or 168.

    Returns:
        By level, with as many slots as differ: (..., 1, k), (..., 24, k) and (..., 168, k).
    """
    slots = sizes.shape[-2]
    if slots == HOURS_PER_DAY:
        return [sizes.sum(-2, keepdims=True), sizes]
    days = slots // HOURS_PER_DAY
    daily = sizes.reshape((*sizes.shape[:-2], days, HOURS_PER_DAY, sizes.shape[-1])).sum(-3)
    return [daily.sum(-2, keepdims=True), daily, sizes]


def shares_by_level(counts: FloatArray, sized: list[FloatArray], group: IntArray) -> list[FloatArray]:
    """Return expected shares by level; each finer slot is drawn to the wider one that holds it.

    Shrinking an hour of the week straight to the share of all hours would pull quiet hours far off.

    Args:
        counts: rows in the channel per slot, (..., slots, k).
        sized: `sizes_by_level` of the denominators, (..., slots, g).
        group: which denominator each channel has, (k,).

    Returns:
        By level, with as many slots as differ.
    """
    counted = sizes_by_level(counts)
    shares = [counted[0] / np.maximum(sized[0], 1.0)[..., group]]
    for count, size in zip(counted[1:], sized[1:], strict=True):
        share = _by_slot(np.add, count, PRIOR_ROWS * shares[-1])
        share /= (size + PRIOR_ROWS)[..., group]
        shares.append(share)
    return shares


def expected_rows(rows: FloatArray, share: FloatArray) -> FloatArray:
    """Return rows times their share. Shapes (..., slots, k) and (..., fewer slots, k) in, the first out."""
    return _by_slot(np.multiply, rows, share)


def _by_slot(combine: np.ufunc, values: FloatArray, fewer: FloatArray) -> FloatArray:
    """Combine values with what was made for fewer slots, each of which stands for several."""
    slots, coarse = values.shape[-2], fewer.shape[-2]
    by_cycle = values.reshape((*values.shape[:-2], slots // coarse, coarse, values.shape[-1]))
    combined = combine(by_cycle, fewer[..., None, :, :])
    return np.asarray(combined.reshape(values.shape), dtype=np.float64)


def repeat_slots(values: FloatArray, slots: int) -> FloatArray:
    """Repeat what was made for fewer slots. Shape (..., 1 | 24 | 168, k) in, (..., slots, k) out."""
    times = slots // values.shape[-2]
    return values if times == 1 else np.concatenate([values] * times, axis=-2)
