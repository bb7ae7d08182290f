"""Counts of one hour: what the lander's views wrote and the drift worker judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class NumericCounts:
    """One numeric feature in one hour.

    Args:
        buckets: the grid's buckets that hold a value, ascending, shape (k,).
        counts: how many values each holds, shape (k,).
        minimum: the smallest finite value; NaN where there is none.
        maximum: the largest finite value; NaN where there is none.
        nulls: events that carried the feature without a value.
        nans: values that were NaN.
        infinities: values that were infinite, of either sign.
    """

    buckets: NDArray[np.int32]
    counts: NDArray[np.int64]
    minimum: float
    maximum: float
    nulls: int = 0
    nans: int = 0
    infinities: int = 0


HASH_PLACES = 1024
"""Values of a category are distinguished by so many places of a hash where there are too many to be named."""


@dataclass(frozen=True, slots=True)
class CategoricalCounts:
    """One categorical feature in one hour: how often each value, and how often none.

    Args:
        counts: events by value.
        nulls: events that carried the feature without a value.
        folded: events with values that are not named in ``counts``, since there were too many different ones.
        hashed: events by the place of their value's hash, of all values, (1024,): the last ten bits of the
            first six bytes of SHA-256. Empty where none is folded, hardly any repeats, or nobody counted.
    """

    counts: Mapping[str, int]
    nulls: int = 0
    folded: int = 0
    hashed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HourProfile:
    """Everything counted of one model version, environment and segment in one hour.

    Args:
        hour: hours since the Unix epoch, UTC.
        rows: prediction events in that hour; a feature that was absent from some has fewer values.
        numeric: by feature name.
        categorical: by feature name.
    """

    hour: int
    rows: int
    numeric: Mapping[str, NumericCounts]
    categorical: Mapping[str, CategoricalCounts]
