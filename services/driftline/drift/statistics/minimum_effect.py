"""The minimum-effect test: surely more than delta, not merely something (Murphy and Myors 1999)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import rel_entr

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import FloatArray

_STEPS = 4

_SMALL = 0.05
"""Where shares may differ by more, the two samples' mean is no longer near what makes both likeliest."""

_HALVINGS = 40


def divergence(p: FloatArray, q: FloatArray) -> FloatArray:
    """Return KL(p || q) of two Bernoulli distributions. Infinite where q is 0 or 1 and p is not."""
    return rel_entr(p, q) + rel_entr(1 - p, 1 - q)  # type: ignore[no-any-return]  # scipy


def surprise(
    p: FloatArray, e: FloatArray, window: FloatArray, reference: FloatArray, delta: FloatArray | float
) -> FloatArray:
    """Return how surely p lies further than delta from e; 0 where it does not.

    The signed root of the profile likelihood ratio of two binomial samples whose shares differ by delta.
    Where many rows stand behind e this is sqrt(2 n KL(p || e +- delta)); where few do, an expected share
    of exactly 0 is not taken for certain.

    Args:
        p: observed shares, any shape.
        e: expected shares, the same shape.
        window: effective rows behind p, N / phi, the same shape.
        reference: effective rows behind e, m / phi, the same shape.
        delta: the minimum effect, one or the same shape; 0 tests for any effect.

    Returns:
        Standard normal deviates, at least 0.
    """
    beyond = np.abs(p - e) > delta
    shift = np.where(p > e, delta, -delta)
    common = (window * (p - shift) + reference * e) / (window + reference)
    # The floor keeps z finite where a share that was exactly 0 or 1 moves.
    low, high = np.maximum(1e-9, 1e-9 - shift), np.minimum(1 - 1e-9, 1 - 1e-9 - shift)
    common = np.clip(common, low, high)
    if (is_large := np.abs(shift) > _SMALL).any():
        known = (np.broadcast_to(each, shift.shape)[is_large] for each in (p, e, window, reference))
        bounds = low[is_large], high[is_large]
        common[is_large] = _likeliest(*known, shift=shift[is_large], bounds=bounds)
    ratio = window * divergence(p, common + shift) + reference * divergence(e, common)
    return np.where(beyond, np.sqrt(2 * np.maximum(ratio, 0.0)), 0.0)


def _likeliest(
    p: FloatArray,
    e: FloatArray,
    window: FloatArray,
    reference: FloatArray,
    *,
    shift: FloatArray,
    bounds: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Return the share, within bounds, that makes e from it and p from it and the shift likeliest."""
    low, high = bounds
    for _ in range(_HALVINGS):
        common = (low + high) / 2
        moved = common + shift
        slope = window * (moved - p) / (moved * (1 - moved))
        slope += reference * (common - e) / (common * (1 - common))
        low, high = np.where(slope < 0, common, low), np.where(slope < 0, high, common)
    return np.asarray((low + high) / 2, dtype=np.float64)


def detectable_effect(
    e: FloatArray, window: FloatArray, reference: FloatArray, critical: FloatArray, delta: FloatArray | float
) -> FloatArray:
    """Return the smallest shift of a share, towards one half, that would have paged; NaN where none would.

    Args:
        e: expected shares, any shape.
        window: effective rows behind the window's share, the same shape.
        reference: effective rows behind e, the same shape.
        critical: the value that z has to exceed, the same shape.
        delta: the minimum effect, one or the same shape.
    """
    base = np.minimum(e, 1 - e)
    most = 1 - base
    reachable = surprise(base + most, base, window, reference, delta) > critical
    deviation = np.sqrt(np.maximum(base * (1 - base), 1e-4) * (1 / window + 1 / reference))
    effect = np.minimum(delta + critical * deviation, most)
    for _ in range(_STEPS):
        # Beyond delta, z is nearly a straight line through it.
        z = surprise(base + effect, base, window, reference, delta)
        effect = np.clip(delta + (effect - delta) * critical / np.maximum(z, 1e-3), delta * 1.001, most)
    return np.where(reachable, effect, np.nan)


def effect_interval(
    p: FloatArray, e: FloatArray, window: FloatArray, reference: FloatArray, quantile: float = 1.96
) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the interval of p - e, by Newcombe's hybrid of Wilson's score intervals (1998).

    Args:
        p: observed shares.
        e: expected shares.
        window: effective rows behind p, N / phi.
        reference: effective rows behind e, m / phi.
        quantile: of the standard normal distribution.
    """
    low_p, high_p = _wilson(p, window, quantile)
    low_e, high_e = _wilson(e, reference, quantile)
    low = p - e - np.sqrt((p - low_p) ** 2 + (high_e - e) ** 2)
    high = p - e + np.sqrt((high_p - p) ** 2 + (e - low_e) ** 2)
    return np.maximum(low, -1.0), np.minimum(high, 1.0)


def _wilson(share: FloatArray, rows: FloatArray, quantile: float) -> tuple[FloatArray, FloatArray]:
    rows = np.maximum(rows, 1e-9)
    squared = quantile**2
    center = (share + squared / (2 * rows)) / (1 + squared / rows)
    half = quantile / (1 + squared / rows) * np.sqrt(share * (1 - share) / rows + squared / (4 * rows**2))
    return center - half, center + half
