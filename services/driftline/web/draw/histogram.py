"""Counts per grid bucket, binned anew for a chart that a person reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.profiles import Grid
    from driftline.store.distributions import Layer, LayerName

    FloatArray = NDArray[np.float64]

_BINS = 50
_TAIL = 0.005
_FEW_BUCKETS = 12


@dataclass(frozen=True, slots=True)
class Histogram:
    """Shares of the finite values per bin of equal width.

    Args:
        edges: of the bins, in the feature's own unit, ascending, one more than bins.
        shares: by layer, one a bin, of all finite values.
        outside: by layer, the share of values left and right of the bins.
    """

    edges: Sequence[float]
    shares: Mapping[LayerName, Sequence[float]]
    outside: Mapping[LayerName, float]


def nice_step(least: float) -> float:
    """Return the smallest 1, 2, 2.5 or 5 times a power of ten that is not smaller than a positive number."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))


def rebin(layers: Mapping[LayerName, Layer], grid: Grid) -> Histogram | None:
    """Bin the layers alike; None where no layer holds a value.

    The bins span the middle 99 % of every layer, so that one far value does not squeeze the rest, and
    are centred on multiples of their width, where whole numbers would otherwise fall on edges. A bucket
    that several bins share is divided by length.
    """
    curves = {name: _Curve.of(layer, grid) for name, layer in layers.items() if sum(layer.counts)}
    if not curves:
        return None
    low = min(curve.quantile(_TAIL) for curve in curves.values())
    high = max(curve.quantile(1 - _TAIL) for curve in curves.values())
    width = nice_step(max(high - low, abs(high) * 1e-9, 1e-12) / _BINS)
    first, last = math.floor(low / width + 0.5), math.floor(high / width + 0.5)
    edges = (np.arange(first, last + 2, dtype=np.float64) - 0.5) * width
    shares = {name: np.diff(curve.below(edges)) for name, curve in curves.items()}
    return Histogram(
        edges=edges.tolist(),
        shares={name: each.tolist() for name, each in shares.items()},
        outside={name: max(1 - float(each.sum()), 0.0) for name, each in shares.items()},
    )


def few_values(
    layers: Mapping[LayerName, Layer], grid: Grid
) -> Sequence[tuple[float, Mapping[LayerName, float]]]:
    """Return values and their shares by layer, ascending; nothing where there are enough for a histogram."""
    buckets = sorted({bucket for layer in layers.values() for bucket in layer.buckets})
    if len(buckets) > _FEW_BUCKETS:
        return ()
    held = {
        name: dict(zip(layer.buckets, layer.counts, strict=True))
        for name, layer in layers.items()
        if sum(layer.counts)
    }
    totals = {name: sum(counts.values()) for name, counts in held.items()}
    return [
        (value, {name: counts.get(bucket, 0) / totals[name] for name, counts in held.items()})
        for bucket, value in zip(buckets, grid.midpoint(buckets).tolist(), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Curve:
    """The share of values at or below any value: exact at the edges of buckets, straight in between."""

    values: FloatArray
    shares: FloatArray

    @classmethod
    def of(cls, layer: Layer, grid: Grid) -> _Curve:
        buckets = np.asarray(layer.buckets, dtype=np.int64)
        below = np.cumsum(layer.counts) / sum(layer.counts)
        values = np.column_stack([grid.upper_edge(buckets - 1), grid.upper_edge(buckets)]).ravel()
        shares = np.column_stack([np.append(0.0, below[:-1]), below]).ravel()
        # The outermost buckets reach no further than the values in them.
        if layer.minimum is not None and layer.maximum is not None:
            values = np.clip(values, layer.minimum, layer.maximum)
        return cls(values, shares)

    def below(self, edges: FloatArray) -> FloatArray:
        """Return the share of values at or below each edge."""
        # At a step (a constant, a zero) one value has several shares: the highest holds from there on.
        keep = np.append(self.values[1:] > self.values[:-1], True)
        lower = np.interp(edges, self.values[keep], self.shares[keep], left=0.0, right=1.0)
        return np.where(edges >= self.values[-1], 1.0, np.where(edges < self.values[0], 0.0, lower))

    def quantile(self, share: float) -> float:
        """Return the smallest value that so many values lie at or below."""
        return float(self.values[min(int(np.searchsorted(self.shares, share)), self.values.size - 1)])
