"""The newest hours beside a baseline: each is projected once, a day's windows are compared at once."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.verdict_table import NUMBER
from driftline.drift.margins import margin_of
from driftline.drift.statistics.baseline import Counted
from driftline.drift.statistics.comparison import compare
from driftline.drift.statistics.hours import stack
from driftline.drift.statistics.onset import EARLIEST_HOURS, moved_before
from driftline.drift.statistics.stuck import LONGEST_HOURS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.drift.margins import Margin
    from driftline.drift.settings import DriftSettings
    from driftline.drift.statistics.arrays import BoolArray, FloatArray
    from driftline.drift.statistics.baseline import Baseline
    from driftline.drift.statistics.comparison import Comparison
    from driftline.drift.statistics.hours import HourCounts

_ARRAYS = tuple(field.name for field in fields(Counted))
_EMPTY = {"minimum": np.nan, "maximum": np.nan}


class Recent:
    """The hours that windows reach back to, and those to come that are known, without gaps.

    Hours that had no traffic hold zeros.

    Args:
        baseline: to compare with.
        hours: remembered hours, ascending; those that no window reaches are left out.
        scales_hours: lengths of the windows, ascending.
        settings: how to compare.
        newest: the hour that windows end with.
        coming: hours after it, ascending, as far as they are known.
    """

    def __init__(
        self,
        baseline: Baseline,
        hours: Sequence[HourCounts],
        *,
        scales_hours: tuple[int, ...],
        settings: DriftSettings,
        newest: int,
        coming: Sequence[HourCounts] = (),
    ) -> None:
        self.baseline = baseline
        self._scales, self._settings = scales_hours, settings
        self._first = newest - scales_hours[-1] + 1
        self._known = [hour for hour in hours if newest - LONGEST_HOURS < hour.hour <= newest]
        self._known += coming
        self._offset = hours[-1].local_hour - hours[-1].hour
        inside = [hour for hour in hours if self._first <= hour.hour <= newest]
        self._counted = _projected(baseline, [*inside, *coming], first=self._first)
        self._ends = [newest, *(hour.hour for hour in coming)]
        self._place = 0
        self._compared: Comparison | None = None
        self._compared_place = 0
        self._margins = np.empty((0, 0))
        self._may_page = b""

    def push(self, hour: HourCounts, coming: Sequence[HourCounts] = ()) -> None:
        """Go on to the next hour, which must be later than the newest one.

        Args:
            hour: that windows end with from now on.
            coming: hours after it, as far as they are known.
        """
        self._place += 1
        if self._place < len(self._ends) and self._ends[self._place] == hour.hour:
            return
        known = self._ends[self._place - 1] + 1
        self._known = [each for each in self._known if each.hour < known] + [hour, *coming]
        first = hour.hour - self._scales[-1] + 1
        kept = {
            name: getattr(self._counted, name)[max(first - self._first, 0) : known - self._first]
            for name in _ARRAYS
        }
        new = _projected(self.baseline, [hour, *coming], first=max(first, known))
        self._counted = Counted(
            **{name: np.concatenate([rows, getattr(new, name)]) for name, rows in kept.items()}
        )
        self._first = max(first, self._first)
        self._ends = [hour.hour, *(each.hour for each in coming)]
        self._place, self._compared = 0, None

    def onset(self, comparison: Comparison, scale: int, feature: int) -> int:
        """Return since which hour a channel has moved, at the latest the first of the window that shows it.

        Args:
            comparison: of the windows that end with the newest hour.
            scale: the place of the window's length.
            feature: its place; what moved is its worst channel.
        """
        newest = self._ends[self._place]
        start, past = newest + 1 - self._scales[scale], self.baseline.past
        if past is None:
            return start
        channel = int(comparison.worst[scale, feature])
        numbers = comparison.numbers[scale, feature]
        observed, expected, phi = (
            numbers[NUMBER[name]] for name in ("observed", "expected", "overdispersion")
        )
        rows, excess = (np.zeros(EARLIEST_HOURS) for _ in range(2))
        # Hours that both know are the newer one's.
        known = past.before(self.baseline, channel, self._first + self._offset)
        later = self._excess(channel, start)
        for end, values in ((past.first + known[0].size - self._offset, known), (start, later)):
            first = end - values[0].size - start + EARLIEST_HOURS
            kept = max(-first, 0)
            if values[0].size > kept:
                place = slice(first + kept, first + values[0].size)
                rows[place], excess[place] = values[0][kept:], values[1][kept:]
        variance = phi * expected * (1 - expected)
        return start - moved_before(rows, excess, effect=observed - expected, variance=variance)

    def _excess(self, channel: int, end: int) -> tuple[FloatArray, FloatArray]:
        """Return the rows of a channel's hours before one, and what it held beyond what was expected."""
        until = end - self._first
        if until <= 0:
            return np.zeros(0), np.zeros(0)
        channels, counted = self.baseline.channels, self._counted
        held = channels.collect(counted.columns[:until], counted.rare[:until])[:, channel]
        rows = counted.groups[:until, channels.group[channel]]
        return rows, held - counted.expected_channels[:until, channel]

    def _constant_before(self, place: int, feature: int, value: float) -> int:
        """Return for how many hours before one a feature had one single value; hours without any are bridged.

        Args:
            place: of the hour, counted from the first that is counted.
            feature: its place.
            value: the only one.
        """
        name, hours = self.baseline.features[feature], 0
        for hour in reversed(self._known):
            if hour.hour >= self._first + place or name not in hour.features:
                continue
            present, _, _, least, most = hour.tallies[hour.features.index(name)].tolist()
            if present and not least == most == value:
                break
            hours += bool(present)
        return hours

    def compare(
        self, *, may_page: BoolArray, margin: Margin, later: Callable[[int], Margin] | None = None
    ) -> Comparison:
        """Compare the windows that end with the newest hour, and at the same time those of hours to come.

        Args:
            may_page: which channels may page, (c,).
            margin: what a page needs is multiplied by it.
            later: returns the same for an hour to come, as far as that is known; the same if left out.

        Returns:
            Arrays of the shape (scales, f).
        """
        place = self._place - self._compared_place
        own = self._by_feature(margin)
        is_known = self._may_page == may_page.tobytes() and np.array_equal(
            self._margins[place : place + 1], own[None]
        )
        if self._compared is None or not is_known:
            ends = self._ends[self._place :]
            coming = [own if later is None else self._by_feature(later(end)) for end in ends[1:]]
            self._margins, self._may_page = np.stack([own, *coming]), may_page.tobytes()
            self._compared = compare(
                self.baseline,
                self._counted,
                np.array(ends, dtype=np.int64) - self._first,
                self._scales,
                settings=self._settings,
                may_page=may_page,
                margins=self._margins,
                constant_before=self._constant_before,
            )
            self._compared_place, place = self._place, 0
        return self._compared.at(place)

    def _by_feature(self, margin: Margin) -> FloatArray:
        """Return the margin of each of the baseline's features, (f,)."""
        return np.array([margin_of(margin, feature.name) for feature in self.baseline.features])


def _projected(baseline: Baseline, hours: Sequence[HourCounts], *, first: int) -> Counted:
    """Project hours onto a baseline's columns, from one hour to the last of them without gaps."""
    local_hours = np.array([hour.local_hour for hour in hours], dtype=np.int64)
    counted = baseline.count(stack(hours, baseline.features), local_hours, [hour.entry for hour in hours])
    place = np.array([hour.hour - first for hour in hours], dtype=np.int64)
    size = int(place[-1]) + 1
    if size == len(hours):
        return counted
    return Counted(
        **{name: _spread(getattr(counted, name), place, size, _EMPTY.get(name, 0.0)) for name in _ARRAYS}
    )


def _spread(values: FloatArray, place: np.ndarray, size: int, empty: float) -> FloatArray:
    spread = np.full((size, *values.shape[1:]), empty)
    spread[place] = values
    return spread
