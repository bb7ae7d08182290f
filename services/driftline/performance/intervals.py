"""Intervals of what is measured of a sample: 95 % of them hold what they estimate.

Proportions: Wilson (1927). Means: Student's t on the sums of squares; of what cannot be negative, on the
logarithm. AUC: the variance of DeLong, DeLong and Clarke-Pearson (1988) from counts by bin, on the logit.
Where predictions have weights, the sample is as large as one of equal weights that varies as much (Kish
1965).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import betaincinv, stdtrit

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.performance.tally import Floats

Z: Final = 1.959963984540054
"""What a standard normal number exceeds in absolute value in 5 % of cases."""

_DRAWS = 400


@dataclass(frozen=True, slots=True)
class Measured:
    """A value that was measured of a sample.

    Args:
        value: None: the sample does not suffice.
        low: of the interval; None: it has none.
        high: of the interval.
        sample: how many predictions it is made of, at equal weights.
        bound: it may be off by so much, since scores are counted in bins; 0: exact.
        baseline: what answering the same always would come to; None: that is not defined.
    """

    value: float | None
    low: float | None
    high: float | None
    sample: float
    bound: float = 0.0
    baseline: float | None = None


def insufficient(sample: float = 0.0) -> Measured:
    """Return what stands where a sample does not suffice."""
    return Measured(None, None, None, sample)


def effective(count: float, squared: float) -> float:
    """Return how large a sample of equal weights is worth as much as this one.

    Args:
        count: sum of the weights.
        squared: sum of their squares.
    """
    return count**2 / squared if squared > 0 else 0.0


def wilson(share: float, sample: float) -> tuple[float, float]:
    """Return the interval of a proportion (Wilson's, without correction for continuity).

    Args:
        share: as measured.
        sample: how many it was measured of; larger than 0.
    """
    middle = (share + Z**2 / (2 * sample)) / (1 + Z**2 / sample)
    half = Z / (1 + Z**2 / sample) * math.sqrt(share * (1 - share) / sample + Z**2 / (4 * sample**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def proportion(part: float, whole: float, ratio: float = 1.0, baseline: float | None = None) -> Measured:
    """Return a proportion of predictions.

    Args:
        part: those that are meant; the sum of their weights.
        whole: all.
        ratio: sum of squares of weights by the sum of weights; 1 where all weigh 1.
        baseline: of answering the same always.
    """
    if whole <= 0:
        return insufficient()
    share = min(max(part / whole, 0.0), 1.0)
    sample = whole / ratio
    return Measured(share, *wilson(share, sample), sample, baseline=baseline)


def mean(
    total: float,
    squares: float,
    count: float,
    ratio: float = 1.0,
    *,
    is_positive: bool = False,
    then: Callable[[float], float] = float,
    baseline: float | None = None,
) -> Measured:
    """Return the mean of something measured.

    Args:
        total: weighted sum.
        squares: weighted sum of squares.
        count: sum of weights.
        ratio: as in `proportion`.
        is_positive: whether it can't be negative: then its interval is that of the logarithm.
        then: what is made of the mean in the end; rising.
        baseline: of answering the same always.
    """
    sample = count / ratio
    if sample < 2 or count <= 0:
        return insufficient(sample)
    middle = total / count
    error = math.sqrt(max(squares / count - middle**2, 0.0) / (sample - 1))
    step = float(stdtrit(sample - 1, 0.975)) * error
    if is_positive and middle > 0:
        low, high = middle * math.exp(-step / middle), middle * math.exp(step / middle)
    else:
        low, high = middle - step, middle + step
    return Measured(then(middle), then(low), then(high), sample, baseline=baseline)


def delong(positive: Floats, negative: Floats) -> tuple[float, float, float]:
    """Return AUC, its variance, and by how much it may be off for what stands in the same bin.

    Equal scores count a half. Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988); the placement
    of each prediction follows from the counts alone.

    Args:
        positive: weights by bin of scores, ascending. Shape (b,).
        negative: likewise.
    """
    all_positive, all_negative = float(positive.sum()), float(negative.sum())
    below = np.cumsum(negative) - negative / 2
    above = all_positive - np.cumsum(positive) + positive / 2
    placed_positive, placed_negative = below / all_negative, above / all_positive
    area = float(positive @ placed_positive) / all_positive
    variance = 0.0
    for weights, placed, size in (
        (positive, placed_positive, all_positive),
        (negative, placed_negative, all_negative),
    ):
        if size > 1:
            variance += float(weights @ (placed - area) ** 2) / (size - 1) / size
    bound = float(positive @ negative) / (2 * all_positive * all_negative)
    return area, variance, bound


def auc(positive: Floats, negative: Floats, ratio: float = 1.0) -> Measured:
    """Return the area under the ROC curve; of one class only there is none.

    Where no pair is in doubt, the right way round or the wrong one, the interval goes as far as chance would
    allow with as many of the smaller class (Clopper-Pearson).

    Args:
        positive: weights by bin of scores, ascending. Shape (b,).
        negative: likewise.
        ratio: as in `proportion`.
    """
    count = float(positive.sum() + negative.sum())
    fewer = min(float(positive.sum()), float(negative.sum())) / ratio
    if fewer < 2:
        return insufficient(count / ratio)
    area, variance, bound = delong(positive, negative)
    if variance <= 0 or not 0 < area < 1:
        edge = float(betaincinv(1.0, fewer, 0.95))
        low, high = (max(area - edge, 0.0), min(area + edge, 1.0))
    else:
        low, high = on_logit(area, variance * ratio)
    return Measured(area, low, high, count / ratio, bound, 0.5)


def on_logit(value: float, variance: float) -> tuple[float, float]:
    """Return the interval of something between 0 and 1, as wide to both sides on the logit."""
    if not 0 < value < 1:
        return value, value
    step = Z * math.sqrt(variance) / (value * (1 - value))
    logit = math.log(value / (1 - value))
    return _expit(logit - step), _expit(logit + step)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def resampled(
    cells: Floats, measure: Callable[[Floats], Floats], ratio: float = 1.0
) -> tuple[float, float] | None:
    """Return the interval of whatever follows from counts: the Bayesian bootstrap (Rubin 1981).

    Args:
        cells: weights of predictions that count the same. Shape (c,).
        measure: from several such arrays, shape (400, c), to as many values; NaN: undefined.
        ratio: as in `proportion`.
    """
    random = np.random.Generator(np.random.PCG64(0))  # The same counts have the same interval.
    drawn = random.standard_gamma(cells / ratio, (_DRAWS, len(cells))) * ratio
    values = measure(drawn)
    values = values[np.isfinite(values)]
    if len(values) < _DRAWS // 2:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
