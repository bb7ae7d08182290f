"""Noise, learned: how far the shares of real windows stray from what past weeks lead to expect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from driftline.drift.expected import shares_by_level, sizes_by_level

if TYPE_CHECKING:
    from driftline.drift.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.channels import Channels

_LARGEST_CORRELATION = 0.95
_BLOCK_WORTH = 1.5
_LITTLE_INFORMATION = 20.0


@dataclass(frozen=True, slots=True)
class Noise:
    """Overdispersion and the degrees of freedom behind it.

    Args:
        phi: variance over that of independent rows, at least 1, (scales, c).
        df: degrees of freedom, at least 1, (scales, c).
        information: rows' worth of variance that phi was learned from, sum(N e (1 - e)), (c,).
        level: how finely the channel is matched, a place in `expected.LEVELS`, (c,).
    """

    phi: FloatArray
    df: FloatArray
    information: FloatArray
    level: IntArray


@dataclass(frozen=True, slots=True)
class _Residuals:
    """Blocks of one scale at one level, each array (blocks, c)."""

    seen: BoolArray
    error: FloatArray
    variance: FloatArray
    spread: FloatArray
    rows: FloatArray


def learn_noise(counts: FloatArray, sizes: FloatArray, scales_hours: tuple[int, ...]) -> Noise:
    """Learn the noise from residuals of each cycle against the slots of all other cycles.

    phi follows Rao and Scott (1981). A week of similar weather is not seven observations, so df falls
    with the lag-1 autocorrelation of the residuals. Each channel is matched at the level that predicted
    the left-out cycles best: matching more finely than that only costs reference rows.

    Args:
        counts: rows in the channel, (cycles, slots, c), in the order of time; 0 where unusable.
        sizes: rows, the same shape; 0 where unusable.
        scales_hours: lengths of the windows; an incomplete block at the beginning is left out.

    Returns:
        Noise of shape (scales, c), phi not yet the running maximum over scales.
    """
    others = sizes.sum(0) - sizes
    shares = shares_by_level(counts.sum(0) - counts, others)
    matched = sizes_by_level(others)
    # An hour that no other cycle holds cannot be predicted, so it says nothing about the noise.
    usable = others > 0
    n, k = (np.where(usable, values, 0.0).reshape(-1, counts.shape[-1]) for values in (sizes, counts))
    chosen = np.zeros(counts.shape[-1], dtype=np.int64)
    best = np.full(counts.shape[-1], np.inf)
    phi = np.ones((len(scales_hours), counts.shape[-1]))
    df = np.ones_like(phi)
    information = np.zeros_like(best)
    for level, (share, size) in enumerate(zip(shares, matched, strict=True)):
        e, m = share.reshape(n.shape), size.reshape(n.shape)
        blocks = [_residuals(n, k, e, m, scale, pooled=level == 0) for scale in scales_hours]
        error = np.sum([np.log(np.maximum((b.rows * b.error**2).sum(0), 1e-12)) for b in blocks], axis=0)
        better = error < best
        best, chosen = np.where(better, error, best), np.where(better, level, chosen)
        for scale, block in enumerate(blocks):
            phi[scale] = np.where(better, _overdispersion(block), phi[scale])
            df[scale] = np.where(better, _freedom(block), df[scale])
        information = np.where(better, (n * e * (1 - e)).sum(0), information)
    return Noise(phi, df, information, chosen)


def _residuals(
    n: FloatArray, k: FloatArray, e: FloatArray, m: FloatArray, scale: int, *, pooled: bool
) -> _Residuals:
    rows, observed, expected = (_blocks(hours, scale) for hours in (n, k, n * e))
    seen = rows > 0
    at_least_one = np.maximum(rows, 1.0)
    if pooled:
        borrowed = 1 / np.maximum(_blocks(m, scale) / scale, 1.0)
    else:
        borrowed = _blocks(n * n / np.maximum(m, 1.0), scale) / at_least_one**2
    share = np.clip(expected / at_least_one, 0.0, 1.0)
    return _Residuals(
        seen=seen,
        error=np.where(seen, (observed - expected) / at_least_one, 0.0),
        variance=1 / at_least_one + borrowed,
        spread=np.where(seen, share * (1 - share), 0.0),
        rows=rows,
    )


def _overdispersion(blocks: _Residuals) -> FloatArray:
    squares, spread = (blocks.error**2 / blocks.variance).sum(0), blocks.spread.sum(0)
    return np.maximum(np.where(spread > 0, squares / np.where(spread > 0, spread, 1.0), 1.0), 1.0)


def _freedom(blocks: _Residuals) -> FloatArray:
    standard = blocks.error / np.sqrt(blocks.variance)
    power, lagged = (standard**2).sum(0), (standard[1:] * standard[:-1]).sum(0)
    rho = np.clip(
        np.where(power > 0, lagged / np.where(power > 0, power, 1.0), 0.0), 0.0, _LARGEST_CORRELATION
    )
    return np.maximum(_BLOCK_WORTH * blocks.seen.sum(0) * (1 - rho) / (1 + rho), 1.0)


def _blocks(hours: FloatArray, scale: int) -> FloatArray:
    whole = hours.shape[0] // scale * scale
    # Blocks end where the reference ends; an incomplete one lies at its beginning.
    recent = hours[hours.shape[0] - whole :]
    return recent.reshape(-1, scale, hours.shape[1]).sum(1) if scale > 1 else recent


def lend_noise(noise: Noise, channels: Channels) -> Noise:
    """Give channels that hardly ever varied the noise of their feature, and features that did not the model's.

    Forty rows that share one reading are one observation, also when the reading goes missing, or is
    something else than 0 for the first time in a month.

    Args:
        noise: as it was learned, (scales, c).
        channels: whose noise it is.

    Returns:
        The noise with phi as a running maximum over scales.
    """
    rare, owner = channels.is_rare, channels.feature
    information = np.where(rare, 0.0, noise.information)
    known = np.bincount(owner, weights=information, minlength=channels.features)

    def of_features(values: FloatArray) -> FloatArray:
        """Return the informed mean of each feature, drawn to the model's median where little is known."""
        sums = np.bincount(owner, weights=information * values, minlength=channels.features)
        own = sums / np.maximum(known, 1e-9)
        typical = float(np.median(own[known > 0])) if (known > 0).any() else 1.0
        return (sums + needed * typical) / (known + needed)

    needed = _LITTLE_INFORMATION
    needed *= float(np.median(of_features(noise.phi[0])))
    phi_lent, df_lent = (
        of_features(noise.phi[0])[owner],
        np.stack([of_features(df) for df in noise.df])[:, owner],
    )
    trust = information / (information + _LITTLE_INFORMATION * phi_lent)
    phi = np.maximum(noise.phi, trust * noise.phi + (1 - trust) * phi_lent)
    df = np.where(rare, noise.df, np.minimum(noise.df, trust * noise.df + (1 - trust) * df_lent))
    return replace(noise, phi=np.maximum.accumulate(phi, axis=0), df=np.maximum(df, 1.0))


def critical_values(df: FloatArray, alpha: float) -> FloatArray:
    """Return Student's two-sided critical values, computed once per distinct df. Shape of df."""
    rounded = np.round(df, 1)
    distinct, place = np.unique(rounded, return_inverse=True)
    return -stdtrit(distinct, alpha / 2)[place].reshape(df.shape)  # type: ignore[no-any-return]
