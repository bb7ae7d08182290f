"""The newest hours, projected onto a baseline: each hour is projected once, then moves back by one row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.baseline import Counted
from driftline.drift.hours import stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.drift.arrays import FloatArray
    from driftline.drift.baseline import Baseline
    from driftline.drift.hours import HourCounts


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
        counted = baseline.count(stack(inside, baseline.features))
        place = np.array([hour.hour - (newest - length + 1) for hour in inside], dtype=np.int64)
        self.local_hours = np.zeros(length, dtype=np.int64)
        self.local_hours[place] = [hour.local_hour for hour in inside]
        self.counted = Counted(
            columns=_placed(counted.columns, place, length, 0.0),
            rare=_placed(counted.rare, place, length, 0.0),
            groups=_placed(counted.groups, place, length, 0.0),
            minimum=_placed(counted.minimum, place, length, np.nan),
            maximum=_placed(counted.maximum, place, length, np.nan),
        )

    def push(self, hour: HourCounts) -> None:
        """Add the next hour, which must be later than the newest one."""
        counted = self.baseline.count(stack([hour], self.baseline.features))
        gap = min(hour.hour - self._newest, self._length)
        self._newest = hour.hour
        now = self.counted
        self.local_hours[:-gap] = self.local_hours[gap:]
        self.local_hours[-1] = hour.local_hour
        for rows, row, empty in (
            (now.columns, counted.columns, 0.0),
            (now.rare, counted.rare, 0.0),
            (now.groups, counted.groups, 0.0),
            (now.minimum, counted.minimum, np.nan),
            (now.maximum, counted.maximum, np.nan),
        ):
            rows[:-gap] = rows[gap:]
            rows[-gap:] = empty
            rows[-1] = row[0]


def _placed(values: FloatArray, place: IntArray, length: int, empty: float) -> FloatArray:
    placed = np.full((length, *values.shape[1:]), empty)
    placed[place] = values
    return placed
