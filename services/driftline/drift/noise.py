"""Noise, learned: how far the shares of real windows stray from what past weeks lead to expect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from driftline.drift.expected import slot_shares

if TYPE_CHECKING:
    from driftline.drift.arrays import FloatArray
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
    """

    phi: FloatArray
    df: FloatArray
    information: FloatArray


def learn_noise(counts: FloatArray, sizes: FloatArray, scales_hours: tuple[int, ...]) -> Noise:
    """Learn the noise from residuals of each cycle against the slots of all other cycles.

    phi follows Rao and Scott (1981). A week of similar weather is not seven observations, so df falls
    with the lag-1 autocorrelation of the residuals.

    Args:
        counts: rows in the channel, (cycles, slots, c), in the order of time; 0 where unusable.
        sizes: rows, the same shape; 0 where unusable.
        scales_hours: lengths of the windows; each divides the hours or the rest is left out.

    Returns:
        Noise of shape (scales, c), phi not yet the running maximum over scales.
    """
    slot_counts, slot_sizes = counts.sum(0), sizes.sum(0)
    other_sizes = slot_sizes - sizes
    shares = slot_shares(slot_counts - counts, other_sizes)
    # An hour that no other cycle holds cannot be predicted, so it says nothing about the noise.
    usable = other_sizes > 0
    n = np.where(usable, sizes, 0.0)
    flat = (-1, counts.shape[-1])
    parts = (
        n.reshape(flat),
        np.where(usable, counts, 0.0).reshape(flat),
        (n * shares).reshape(flat),
        (n * n / np.maximum(other_sizes, 1.0)).reshape(flat),
    )
    learned = [_scale_noise(parts, scale) for scale in scales_hours]
    information = (n * shares * (1 - shares)).sum((0, 1))
    return Noise(np.stack([phi for phi, _ in learned]), np.stack([df for _, df in learned]), information)


def _scale_noise(parts: tuple[FloatArray, ...], scale: int) -> tuple[FloatArray, FloatArray]:
    total, observed, expected, borrowed = (_blocks(part, scale) for part in parts)
    seen = total > 0
    rows = np.where(seen, total, 1.0)
    e = np.clip(expected / rows, 0.0, 1.0)
    r = np.where(seen, (observed - expected) / rows, 0.0)
    squares = r * r / (1 / rows + borrowed / rows**2)
    spread = np.where(seen, e * (1 - e), 0.0).sum(0)
    phi = np.maximum(np.where(spread > 0, squares.sum(0) / np.where(spread > 0, spread, 1.0), 1.0), 1.0)
    standard = np.sqrt(squares) * np.sign(r)
    power = (standard**2).sum(0)
    lagged = (standard[1:] * standard[:-1]).sum(0)
    rho = np.clip(
        np.where(power > 0, lagged / np.where(power > 0, power, 1.0), 0.0), 0.0, _LARGEST_CORRELATION
    )
    df = _BLOCK_WORTH * seen.sum(0) * (1 - rho) / (1 + rho)
    return phi, np.maximum(df, 1.0)


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
    features = channels.by_feature.shape[0]
    information = np.where(rare, 0.0, noise.information)

    def by_feature(values: FloatArray) -> FloatArray:
        return np.bincount(owner, weights=values, minlength=features)

    known = by_feature(information)
    enough = known >= _LITTLE_INFORMATION
    pooled = np.ones(features)
    pooled[enough] = by_feature(information * noise.phi[0])[enough] / known[enough]
    if enough.any():
        pooled[~enough] = np.median(pooled[enough])
    trust = np.where(rare, 0.0, information / (information + _LITTLE_INFORMATION * pooled[owner]))
    lent = trust * noise.phi + (1 - trust) * pooled[owner]
    return replace(noise, phi=np.maximum.accumulate(np.maximum(noise.phi, lent), axis=0))


def critical_values(df: FloatArray, alpha: float) -> FloatArray:
    """Return Student's two-sided critical values, computed once per distinct df. Shape of df."""
    rounded = np.round(df, 1)
    distinct, place = np.unique(rounded, return_inverse=True)
    return -stdtrit(distinct, alpha / 2)[place].reshape(df.shape)  # type: ignore[no-any-return]
