"""What features know of each other's noise: variances are drawn together as far as they are alike.

A month holds 28 days, and a variance that is known from 28 days asks for much before it says "surely".
Where the noises of all features are alike, each is known from all of them (Smyth 2004, who shares the
variances of genes; with a trend, as Sartor et al. 2006). Where they differ, as weather does from
schedules, or where what moves one feature moves them all, each stays alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma, polygamma

from driftline.drift.statistics.arrays import run_starts

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray

_NARROW = 1e-3
"""Where shares spread less than this, they draw no line."""


@dataclass(frozen=True, slots=True)
class Moderated:
    """Noise of one scale after features were compared.

    Args:
        phi: overdispersion, (c,).
        added: degrees of freedom that other features add, (c,).
    """

    phi: FloatArray
    added: FloatArray


class FeaturePower:
    """How the noise of features rises and falls together: their power, block by block.

    Args:
        features: how many there may be.
    """

    def __init__(self, features: int) -> None:
        self._sums: FloatArray | None = None
        self._channels = np.zeros(features)

    def add(self, power: FloatArray, feature: IntArray) -> None:
        """Take some channels.

        Args:
            power: squared residuals, (blocks, c).
            feature: which feature each channel belongs to, ascending, (c,).
        """
        if self._sums is None:
            self._sums = np.zeros((power.shape[0], self._channels.size))
        mean = power.mean(0)
        varies = np.flatnonzero(mean > 0)
        if varies.size:
            relative = (power if varies.size == mean.size else power[:, varies]) / mean[varies]
            first = run_starts(feature[varies])
            own = feature[varies[first]]
            self._sums[:, own] += np.add.reduceat(relative, first, axis=1)
            self._channels[own] += np.diff(first, append=varies.size)

    @property
    def independent(self) -> float:
        """From how many independent features the noise is known: 1 where one cause moves all alike.

        The power of blocks, averaged over features, varies as much as that of one feature where they move
        together, and the less the more of them move by themselves.
        """
        known = np.flatnonzero(self._channels)
        if self._sums is None or not known.size:
            return 1.0
        by_feature = self._sums[:, known] / self._channels[known]
        together = by_feature.mean(1).var()
        return float(np.clip(by_feature.var(0).mean() / max(together, 1e-12), 1.0, known.size))


def moderate(
    phi: FloatArray,
    df: FloatArray,
    share: FloatArray,
    feature: IntArray,
    *,
    like: BoolArray,
    independent: float,
) -> Moderated:
    """Draw the noise of all channels to what is usual among features, as far as these are alike.

    Args:
        phi: overdispersion as it was measured, may be below 1, (c,).
        df: degrees of freedom behind it, (c,).
        share: expected share of each channel, (c,): noise that moves a mean moves middle shares most.
        feature: which feature each channel belongs to, (c,).
        like: channels that are compared, those of values; others are only ever raised, (c,).
        independent: from how many independent features the noise is known.
    """
    alone = Moderated(phi, np.zeros_like(df))
    chosen = like & (phi > 0)
    _, owner, sizes = np.unique(feature[chosen], return_inverse=True, return_counts=True)
    if sizes.size < 3 or independent <= 1:
        return alone
    weight = df[chosen] / sizes[owner]
    log = np.log(phi[chosen]) - digamma(df[chosen] / 2) + np.log(df[chosen] / 2)
    usual = _usual(share, share[chosen], log, weight)
    chance = polygamma(1, df[chosen] / 2)
    squares = (log - usual[chosen]) ** 2
    total = weight.sum()
    # What all features share by chance does not make them differ.
    common = (sizes.size / independent - 1) / (sizes.size - 1)
    spread = weight @ squares / total
    expected = (1 - common) * (weight @ chance) / total
    # The spread of a few features is itself known badly: it is taken to be larger by one standard error.
    between = max(spread - expected, 0.0) + max(spread, expected) * np.sqrt(2 / (sizes.size - 1))
    prior = (1 + np.sqrt(1 + 2 * between)) / max(between, 1e-9)
    added = np.minimum(prior, (independent - 1) * df)
    drawn = (added * np.exp(usual) + df * phi) / (added + df)
    return Moderated(np.where(like, drawn, np.maximum(phi, drawn)), added)


def _usual(share: FloatArray, shares: FloatArray, log: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the logarithm of the noise that is usual at each share, (c,): a line through what was measured.

    Args:
        share: of all channels, (c,).
        shares: of those that were measured, (n,).
        log: logarithms of their noise, (n,).
        weight: of each, (n,).
    """
    x, center = 4 * shares * (1 - shares), np.average(4 * shares * (1 - shares), weights=weight)
    width = weight @ (x - center) ** 2
    slope = weight @ ((x - center) * log) / width if width > _NARROW * weight.sum() else 0.0
    return np.asarray(np.average(log, weights=weight) + slope * (4 * share * (1 - share) - center))
