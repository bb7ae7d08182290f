"""Units: whether values are those of the reference in another unit.

Season moves a distribution and changes its shape with it; a unit changes every value by the same factor. So
where the quantiles lie far from the reference's, and near them once divided by a factor that people convert
by, it is that. Factors of which a season may be made (a night has half of the day's) only warn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.drift.statistics.arrays import FloatArray

_QUANTILES = np.arange(1, 20) / 20
_NEAR_ENOUGH = 0.25
"""How near values lie once converted by a factor that no season comes to."""
_FEWEST_BUCKETS, _FEWEST_ROWS = 5, 100
_EXTREME, _WIDER = 10.0, 2.0
_ROUNDED = 0.03
"""Values stand for buckets so wide, as a share of themselves."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What values were converted by.

    Args:
        text: what was done to them, as people say it.
        factor: they were multiplied by it.
        offset: and this was added.
        pages: whether no season looks like it.
    """

    text: str
    factor: float
    offset: float = 0.0
    pages: bool = False


class Values(NamedTuple):
    """Values of a feature, each standing for its bucket.

    Args:
        values: distinct, ascending, (n,).
        counts: how often each, (n,).
        minimum: the smallest, exactly.
        maximum: the largest, exactly.
    """

    values: FloatArray
    counts: FloatArray
    minimum: float
    maximum: float


def _scaled(factor: float, named: str, inverse: str, *, pages: bool = False) -> Sequence[Conversion]:
    return (
        Conversion(f"multiplied by {factor:,.6g}, as {named}", factor, pages=pages),
        Conversion(f"divided by {factor:,.6g}, as {inverse}", 1 / factor, pages=pages),
    )


CONVERSIONS: Sequence[Conversion] = (
    *_scaled(1000.0, "kilometres to metres", "metres to kilometres", pages=True),
    *_scaled(100.0, "fractions to percent or pounds to pence", "percent to fractions", pages=True),
    *_scaled(60.0, "minutes to seconds", "seconds to minutes", pages=True),
    *_scaled(3600.0, "hours to seconds", "seconds to hours", pages=True),
    *_scaled(86_400.0, "days to seconds", "seconds to days", pages=True),
    *_scaled(1e6, "units to millionths", "millionths to units", pages=True),
    *_scaled(1e9, "units to billionths", "billionths to units", pages=True),
    Conversion("turned round, as by another sign", -1.0, pages=True),
    *_scaled(1.609344, "miles to kilometres", "kilometres to miles"),
    *_scaled(1.852, "nautical miles to kilometres", "kilometres to nautical miles"),
    *_scaled(3.28084, "metres to feet", "feet to metres"),
    *_scaled(2.54, "inches to centimetres", "centimetres to inches"),
    *_scaled(2.204623, "kilograms to pounds", "pounds to kilograms"),
    *_scaled(24.0, "days to hours", "hours to days"),
    *_scaled(10.0, "centimetres to millimetres", "millimetres to centimetres"),
    Conversion("turned from Celsius to Fahrenheit", 1.8, 32.0),
    Conversion("turned from Fahrenheit to Celsius", 1 / 1.8, -32 / 1.8),
    Conversion("turned from Celsius to kelvin", 1.0, 273.15),
    Conversion("turned from kelvin to Celsius", 1.0, -273.15),
)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How sure one has to be, in shares of the reference's values.

    Args:
        far: the quantiles lie at least so far from the reference's.
        near: and at most so far once they are converted.
    """

    far: float
    near: float


AMONG_SEASONS = Likeness(far=0.5, near=0.15)
"""Where season moves values, too."""

OF_ALIKE_ROWS = Likeness(far=0.15, near=0.03)
"""Where both are samples of the same rows, but for what was done to them."""


def find_conversion(
    reference: Values, current: Values, likeness: Likeness = AMONG_SEASONS
) -> Conversion | None:
    """Return what the reference's values were converted by to become the current ones; None: by nothing.

    Args:
        reference: what is expected.
        current: what came.
        likeness: how sure one has to be.
    """
    if not reference.values.size or not current.values.size:
        return None
    below = np.cumsum(current.counts) / current.counts.sum()
    quantiles = current.values[np.searchsorted(below, _QUANTILES * (1 - 1e-9))]
    if current.minimum == current.maximum or _distance(reference, quantiles) < likeness.far:
        return None  # One single value has no shape to be recognized by.
    if np.unique(quantiles).size < _FEWEST_BUCKETS:
        return _by_extremes(reference, current)
    found = [(_distance(reference, (quantiles - each.offset) / each.factor), each) for each in CONVERSIONS]
    distance, best = min(found, key=lambda pair: pair[0])
    chance = 1 / float(np.sqrt(current.counts.sum()))
    return best if distance <= max(likeness.near, _NEAR_ENOUGH if best.pages else 0.0) + chance else None


def _by_extremes(reference: Values, current: Values) -> Conversion | None:
    """Return what brings the smallest and the largest value to those of the reference; None: nothing does.

    The buckets are as wide as the reference needs them: what was divided by a thousand lies in one.
    """
    rows = float(current.counts.sum())
    if current.minimum <= 0 or rows < _FEWEST_ROWS:
        return None
    running = np.append(0.0, np.cumsum(reference.counts)) / reference.counts.sum()
    for each in CONVERSIONS:
        if each.pages and each.factor > 0:
            low, high = current.minimum / each.factor, current.maximum / each.factor
            below, upto = running[np.searchsorted(reference.values, (low, high), side="right")]
            is_inside = low >= reference.minimum / _WIDER and high <= reference.maximum * _WIDER
            if is_inside and below <= _EXTREME / rows and upto >= 1 - _EXTREME / rows:
                return each
    return None


def _distance(reference: Values, quantiles: FloatArray) -> float:
    """Return how far quantiles lie from those of a reference, the largest difference of shares."""
    ascending = np.sort(quantiles)
    running = np.append(0.0, np.cumsum(reference.counts)) / reference.counts.sum()
    slack = _ROUNDED * np.abs(ascending)
    least = running[np.searchsorted(reference.values, ascending - slack, side="left")]
    most = running[np.searchsorted(reference.values, ascending + slack, side="right")]
    return float(np.maximum(np.maximum(least - _QUANTILES, _QUANTILES - most), 0.0).max())
