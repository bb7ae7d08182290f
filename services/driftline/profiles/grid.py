"""The analytic grid on which numeric values are counted.

A value x lands in bucket round(R * asinh((x - c) / s)): linear around the centre c, logarithmic in
the tails, without end on both sides. Counts per bucket are exact and merge exactly, and the share of
values at or below any bucket's upper edge is known exactly, so that one profile serves the verdicts,
the descriptive statistics and every plot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DEFAULT_RESOLUTION = 32
"""R: buckets per unit of asinh; near the centre a bucket is s / R wide."""

_CROWDED_SHARE = 0.02
_MAX_RESOLUTION = 256
_LARGEST = np.finfo(np.float64).max
"""Distances from the centre, in scales, that are larger count as this, as in the views of the store."""

_MIDDLE_BOUND = 1e140


@dataclass(frozen=True, slots=True)
class Grid:
    """Centre, scale and resolution of one model's feature.

    Args:
        center: c, in the feature's own unit; the median of the first reference.
        scale: s > 0, in the feature's own unit; half the interquartile range of the first reference.
        resolution: R, buckets per unit of asinh.
    """

    center: float = 0.0
    scale: float = 1.0
    resolution: int = DEFAULT_RESOLUTION

    def bucket(self, values: ArrayLike) -> NDArray[np.int32]:
        """Return each finite value's bucket. Shape (n,) in, (n,) out. Rounds half to even, as ClickHouse."""
        with np.errstate(over="ignore"):
            z = (np.asarray(values, dtype=np.float64) - self.center) / self.scale
        z = np.clip(z, -_LARGEST, _LARGEST)
        return np.asarray(np.rint(self.resolution * np.arcsinh(z)), dtype=np.int32)

    def upper_edge(self, bucket: ArrayLike) -> NDArray[np.float64]:
        """Return the largest value of each bucket, in the feature's own unit."""
        return self._value(np.asarray(bucket, dtype=np.float64) + 0.5)

    def midpoint(self, bucket: ArrayLike) -> NDArray[np.float64]:
        """Return the value in the middle of each bucket, in the feature's own unit, within +-1e140.

        So that means, squares and sums of it over any number of rows are finite.
        """
        return np.clip(self._value(np.asarray(bucket, dtype=np.float64)), -_MIDDLE_BOUND, _MIDDLE_BOUND)

    def _value(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(over="ignore"):
            value = self.center + self.scale * np.sinh(position / self.resolution)
        return np.clip(value, -_LARGEST, _LARGEST)

    @classmethod
    def from_values(cls, values: ArrayLike) -> Self:
        """Choose the grid from a sample of the reference. Values that are not finite are left aside.

        The scale is half the interquartile range; where that is 0, a quarter of q95 - q5, an eighth of
        the range, the centre's size, 1. The resolution doubles while one bucket that holds more than
        one distinct value has more than 2 % of the sample.
        """
        sample = np.asarray(values, dtype=np.float64)
        sample = sample[np.isfinite(sample)]
        if sample.size == 0:
            return cls()
        # Of the largest numbers, the difference of two is none; of a quarter of each, it is.
        unit = 4.0 if np.abs(sample).max() > _LARGEST / 4 else 1.0
        quantiles = np.quantile(sample / unit, (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1))
        low, q5, q25, q50, q75, q95, high = (float(quantile) for quantile in quantiles)
        candidates = ((q75 - q25) / 2, (q95 - q5) / 4, (high - low) / 8, abs(q50), 1 / unit)
        grid = cls(q50 * unit, next(scale for scale in candidates if scale > 0) * unit)
        while grid.resolution < _MAX_RESOLUTION and grid.is_crowded(sample):
            grid = cls(grid.center, grid.scale, grid.resolution * 2)
        return grid

    def is_crowded(self, sample: NDArray[np.float64]) -> bool:
        """Return whether one bucket of several distinct values holds more than 2 % of the sample."""
        values, counts = np.unique(sample, return_counts=True)
        buckets, start, distinct = np.unique(self.bucket(values), return_index=True, return_counts=True)
        del buckets
        held = np.add.reduceat(counts, start)
        return bool(np.any((distinct > 1) & (held > _CROWDED_SHARE * sample.size)))
