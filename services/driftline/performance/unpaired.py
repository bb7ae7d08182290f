"""By how much two metrics of different rows differ: intervals out of the intervals of both.

Method of variance estimates recovery (MOVER): Zou and Donner, Statistics in Medicine 27 (2008); of two
proportions with Wilson's intervals that is Newcombe's (1998).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftline.performance.intervals import Measured


def gain(one: Measured, other: Measured, *, is_relative: bool) -> tuple[float, float, float] | None:
    """Return by how much the second is better, and the interval of that; None: one of them has none.

    Args:
        one: the first.
        other: the second, of other rows.
        is_relative: whether less is better, and the gain a share of the first; else more is better, and the
            gain is a difference.
    """
    if None in (one.value, one.low, one.high, other.value, other.low, other.high):
        return None
    first = (float(one.value or 0), float(one.low or 0), float(one.high or 0))
    second = (float(other.value or 0), float(other.low or 0), float(other.high or 0))
    if not is_relative:
        return _mover(second, first)
    if min(*first, *second) <= 0:
        return None  # Nothing is a share of nothing.
    logs = [(math.log(value), math.log(low), math.log(high)) for value, low, high in (second, first)]
    ratio, low, high = map(math.exp, _mover(*logs))
    return 1 - ratio, 1 - high, 1 - low


def _mover(own: tuple[float, float, float], other: tuple[float, float, float]) -> tuple[float, float, float]:
    value = own[0] - other[0]
    low = value - math.hypot(own[0] - own[1], other[2] - other[0])
    high = value + math.hypot(own[2] - own[0], other[0] - other[1])
    return value, low, high
