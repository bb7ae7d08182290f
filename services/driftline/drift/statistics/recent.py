"""The newest hours, projected onto a baseline: each hour is projected once, then moves back by one row."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.statistics.baseline import Counted
from driftline.drift.statistics.hours import stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.drift.statistics.arrays import FloatArray, IntArray
    from driftline.drift.statistics.baseline import Baseline
    from driftline.drift.statistics.hours import HourCounts

_ARRAYS = tuple(field.name for field in fields(Counted))
_EMPTY = {"minimum": np.nan, "maximum": np.nan}


class Recent:
    """The hours of the longest window, without gaps; hours that had no traffic hold zeros."""

    def __init__(self, baseline: Baseline, hours: Sequence[HourCounts], *, length: int, newest: int) -> None:
        """Project what is remembered of the last hours.

        Args:
            baseline: to project onto.
            hours: remembered hours, ascending; those outside the window are left out.
            length: hours in the longest window.
            newest: the last hour of the window.
        """
        self.baseline = baseline
        self._length = length
        self._newest = newest
        inside = [hour for hour in hours if newest - length < hour.hour <= newest]
        local_hours = np.array([hour.local_hour for hour in inside], dtype=np.int64)
        counted = baseline.count(stack(inside, baseline.features), local_hours)
        place = np.array([hour.hour - (newest - length + 1) for hour in inside], dtype=np.int64)
        self.counted = Counted(
            *(_placed(getattr(counted, name), place, length, _EMPTY.get(name, 0.0)) for name in _ARRAYS)
        )

    def push(self, hour: HourCounts) -> None:
        """Add the next hour, which must be later than the newest one."""
        counted = self.baseline.count(
            stack([hour], self.baseline.features), np.array([hour.local_hour], dtype=np.int64)
        )
        gap = min(hour.hour - self._newest, self._length)
        self._newest = hour.hour
        for name in _ARRAYS:
            rows = getattr(self.counted, name)
            rows[:-gap] = rows[gap:]
            rows[-gap:] = _EMPTY.get(name, 0.0)
            rows[-1] = getattr(counted, name)[0]


def _placed(values: FloatArray, place: IntArray, length: int, empty: float) -> FloatArray:
    placed = np.full((length, *values.shape[1:]), empty)
    placed[place] = values
    return placed
