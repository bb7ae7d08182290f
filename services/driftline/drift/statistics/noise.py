"""Noise, learned: how far the shares of real windows stray from what past weeks lead to expect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from driftline.drift.statistics.expected import shares_by_level, sizes_by_level

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.channels import Channels

_LARGEST_CORRELATION = 0.95
_BLOCK_WORTH = 1.5
_LITTLE_INFORMATION = 20.0


@dataclass(frozen=True, slots=True)
class Noise:
    """Overdispersion and the degrees of freedom behind it.

    Args:
        phi: variance over that of independent rows, at least 1, (scales, c).
        dependence: (1 + rho) / (1 - rho) of neighbouring blocks, how many of them make one
            observation, at least 1, (scales, c).
        blocks: how many blocks phi was learned from, (scales, c); in `learn_noise` those seen.
        effective: how many blocks of ordinary noise would tell phi as well as these do, (scales, c).
        information: rows' worth of variance that phi was learned from, sum(N e (1 - e)), (c,).
        level: how finely the channel is matched, a place in `expected.LEVELS`, (c,).
    """

    phi: FloatArray
    dependence: FloatArray
    blocks: FloatArray
    effective: FloatArray
    information: FloatArray
    level: IntArray

    @property
    def df(self) -> FloatArray:
        """Degrees of freedom behind phi, at least 1, (scales, c)."""
        return np.maximum(_BLOCK_WORTH * self.blocks / self.dependence, 1.0)

    @property
    def reference_dependence(self) -> FloatArray:
        """How many rows of the reference make one, because its hours depend on each other, (scales, c).

        Where all hours are matched these are neighbours; hours of the day lie a day apart; hours of the
        week lie a week apart and are taken to be independent.
        """
        daily = np.broadcast_to(self.dependence[-1], self.dependence.shape)
        return np.select([self.level == 0, self.level == 1], [self.dependence, daily], 1.0)


@dataclass(frozen=True, slots=True)
class _Residuals:
    """Blocks of one scale, each array (blocks, c)."""

    seen: BoolArray
    error: FloatArray
    variance: FloatArray
    spread: FloatArray


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
    flat = (-1, counts.shape[-1])
    shares = [share.reshape(flat) for share in shares_by_level(counts.sum(0) - counts, others)]
    matched = [size.reshape(flat) for size in sizes_by_level(others)]
    # An hour that no other cycle holds cannot be predicted, so it says nothing about the noise.
    usable = others.reshape(flat) > 0
    n, k = (np.where(usable, values.reshape(flat), 0.0) for values in (sizes, counts))
    level = _best_level(n, k, shares, scales_hours)
    e, m = _chosen(level, shares), _chosen(level, matched)
    blocks = [_residuals(n, k, e, m, pooled=level == 0, scale=scale) for scale in scales_hours]
    return Noise(
        phi=np.stack([_overdispersion(block) for block in blocks]),
        dependence=np.stack([_dependence(block) for block in blocks]),
        blocks=np.stack([block.seen.sum(0).astype(np.float64) for block in blocks]),
        effective=np.stack([_effective(block) for block in blocks]),
        information=(n * e * (1 - e)).sum(0),
        level=level,
    )


def _chosen(level: IntArray, by_level: list[FloatArray]) -> FloatArray:
    chosen = by_level[0]
    for index, values in enumerate(by_level[1:], start=1):
        chosen = np.where(level == index, values, chosen)
    return chosen


def _best_level(
    n: FloatArray, k: FloatArray, shares: list[FloatArray], scales_hours: tuple[int, ...]
) -> IntArray:
    """Return the level whose predictions of whole blocks err least, the coarser one if equal, (c,)."""
    errors = []
    for e in shares:
        missed = k - n * e
        by_scale = []
        # Single hours are mostly chance; blocks show what matching gains.
        for scale in scales_hours[1:] or scales_hours:
            rows, error = _blocks(n, scale), _blocks(missed, scale)
            by_scale.append(np.log(np.maximum((error**2 / np.maximum(rows, 1.0)).sum(0), 1e-12)))
        errors.append(np.sum(by_scale, axis=0))
    return np.asarray(np.argmin(errors, axis=0), dtype=np.int64)


def _residuals(
    n: FloatArray, k: FloatArray, e: FloatArray, m: FloatArray, *, pooled: BoolArray, scale: int
) -> _Residuals:
    rows, observed, expected = (_blocks(hours, scale) for hours in (n, k, n * e))
    seen = rows > 0
    at_least_one = np.maximum(rows, 1.0)
    # Where all hours are matched they share one expectation, which does not average out.
    borrowed = np.where(
        pooled,
        1 / np.maximum(_blocks(m, scale) / scale, 1.0),
        _blocks(n * n / np.maximum(m, 1.0), scale) / at_least_one**2,
    )
    share = np.clip(expected / at_least_one, 0.0, 1.0)
    return _Residuals(
        seen=seen,
        error=np.where(seen, (observed - expected) / at_least_one, 0.0),
        variance=1 / at_least_one + borrowed,
        spread=np.where(seen, share * (1 - share), 0.0),
    )


def _overdispersion(blocks: _Residuals) -> FloatArray:
    squares, spread = (blocks.error**2 / blocks.variance).sum(0), blocks.spread.sum(0)
    phi = np.where(spread > 0, squares / np.where(spread > 0, spread, 1.0), 1.0)
    return np.maximum(phi, 1.0)


def _effective(blocks: _Residuals) -> FloatArray:
    """Return the number of blocks of normal noise that would tell the variance as well as these do, (c,).

    A variance that two rainy hours of a dry month make up is known from two blocks and not from 700: the
    estimate's own variance grows with the kurtosis of what it is made of (Satterthwaite 1946). Blocks of
    normal noise count in full. Where nothing ever strayed, all count.
    """
    seen = blocks.seen.sum(0).astype(np.float64)
    power = blocks.error**2 / blocks.variance
    total, squares = power.sum(0), (power**2).sum(0)
    spread = 3 * total**2 / np.where(squares > 0, squares, 1.0)
    return np.asarray(np.where(squares > 0, np.minimum(spread, seen), seen), dtype=np.float64)


def _dependence(blocks: _Residuals) -> FloatArray:
    standard = blocks.error / np.sqrt(blocks.variance)
    power, lagged = (standard**2).sum(0), (standard[1:] * standard[:-1]).sum(0)
    rho = np.clip(
        np.where(power > 0, lagged / np.where(power > 0, power, 1.0), 0.0), 0.0, _LARGEST_CORRELATION
    )
    return np.asarray((1 + rho) / (1 - rho), dtype=np.float64)


def _blocks(hours: FloatArray, scale: int) -> FloatArray:
    whole = hours.shape[0] // scale * scale
    # Blocks end where the reference ends; an incomplete one lies at its beginning.
    recent = hours[hours.shape[0] - whole :]
    return recent.reshape(-1, scale, hours.shape[1]).sum(1) if scale > 1 else recent


def lend_noise(noise: Noise, channels: Channels) -> Noise:
    """Give channels that hardly ever varied the noise of their feature, or that of the model.

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
    by_scale = np.stack([of_features(phi) for phi in noise.phi])[:, owner]
    phi_lent = np.where(channels.is_invalid, by_scale[0], by_scale)
    lent = np.stack([of_features(dependence) for dependence in noise.dependence])[:, owner]
    # New values come as the feature's values come: in a burst of rain, or one by one.
    own = np.maximum(known, 1e-9)[owner]
    of_values = np.stack(
        [np.bincount(owner, weights=information * blocks)[owner] / own for blocks in noise.effective]
    )
    of_values = np.where(known[owner] > 0, of_values, noise.blocks)
    trust = information / (information + _LITTLE_INFORMATION * by_scale[0])
    phi = np.maximum(noise.phi, trust * noise.phi + (1 - trust) * phi_lent)
    dependence = np.maximum(noise.dependence, trust * noise.dependence + (1 - trust) * lent)
    return replace(
        noise,
        phi=np.maximum.accumulate(phi, axis=0),
        blocks=np.select([channels.is_invalid, rare], [noise.blocks, of_values], noise.effective),
        dependence=np.where(channels.is_invalid, noise.dependence, dependence),
    )


def critical_values(df: FloatArray, alpha: float) -> FloatArray:
    """Return Student's two-sided critical values, computed once per distinct df. Shape of df."""
    rounded = np.round(df, 1)
    distinct, place = np.unique(rounded, return_inverse=True)
    return -stdtrit(distinct, alpha / 2)[place].reshape(df.shape)  # type: ignore[no-any-return]  # scipy
