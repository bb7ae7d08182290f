"""Values that the reference never held: numbers far outside its range, categories it did not know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.verdicts import Feature
from driftline.drift.settings import HOURS_PER_DAY, HOURS_PER_WEEK
from driftline.drift.statistics.hours import KEY_BITS, bucket_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.hours import Stack
    from driftline.drift.statistics.layout import Layout
    from driftline.profiles import Grid

Extremes = dict[Feature, tuple[float, float]]
"""Smallest and largest value by feature, in its own unit."""

_WIDENED_BY = 0.5
_LOWEST_KEY, _HIGHEST_KEY = 0, (1 << KEY_BITS) - 1


@dataclass(frozen=True, slots=True)
class KnownValues:
    """What counts as novel.

    Args:
        layout: knows the values of categories.
        least: smallest value of each numeric feature, NaN where none, (f,).
        most: largest value, (f,).
        low: lowest key of each numeric feature that is in range, (f,).
        high: highest key that is in range, (f,).
    """

    layout: Layout
    least: FloatArray
    most: FloatArray
    low: IntArray
    high: IntArray

    @classmethod
    def of(
        cls,
        stacked: Stack,
        layout: Layout,
        grids: Mapping[str, Grid],
        *,
        inside: BoolArray | None = None,
        lent: Extremes | None = None,
        young: BoolArray | None = None,
    ) -> KnownValues:
        """Take the range of a reference, widened by half its width on both sides.

        Args:
            stacked: the hours of the reference.
            layout: of its features.
            grids: of the numeric ones.
            inside: hours that make the range, (h,); all where left out.
            lent: extremes of another reference: a dry fortnight does not know what rain is.
            young: features whose own range is not known yet and is made to hold what was lent, (f,).
                So are those that only ever showed one value.
        """
        inside = np.ones(stacked.rows.size, dtype=np.bool_) if inside is None else inside
        least, most = _extremes(stacked.minimum[inside], stacked.maximum[inside])
        known_least, known_most = least.copy(), most.copy()
        for index, feature in enumerate(layout.features):
            if (
                lent
                and feature in lent
                and (least[index] == most[index] or (young is not None and young[index]))
            ):
                known_least[index] = np.fmin(least[index], lent[feature][0])
                known_most[index] = np.fmax(most[index], lent[feature][1])
        low, high = _range_keys(known_least, known_most, layout, grids)
        return cls(layout, least, most, low[0], high[0])

    def novel(self, stacked: Stack) -> FloatArray:
        """Count values out of range and values never seen per hour and feature, (h, f, 2)."""
        unseen = self.layout.empty[self.layout.locate(stacked.entry_feature, stacked.entry_key)]
        low, high = self.low[stacked.entry_feature], self.high[stacked.entry_feature]
        outside = (stacked.entry_key < low) | (stacked.entry_key > high)
        return np.stack([_sum_entries(stacked, outside), _sum_entries(stacked, unseen)], axis=-1)

    def novel_among_cycles(
        self,
        stacked: Stack,
        entries: tuple[IntArray, IntArray],
        position: IntArray,
        *,
        weeks: int,
        by_day: BoolArray,
        grids: Mapping[str, Grid],
    ) -> FloatArray:
        """Count, in the reference itself, the values that would be novel had their week not been part of it.

        So a feature whose new values come and go is known to be one.

        Args:
            stacked: the hours of the reference.
            entries: `stacked.distinct()`.
            position: of each hour in the reference, (h,).
            weeks: how many weeks the reference has.
            by_day: features too young for weeks; each of their days is left out instead, (f,).
            grids: of every numeric feature.

        Returns:
            Values out of range and values never seen, (h, f, 2).
        """
        distinct, place = entries
        week = position // HOURS_PER_WEEK
        cell = place * weeks + week[stacked.entry_hour]
        held = np.zeros((distinct.size, weeks), dtype=np.bool_)
        held.ravel()[cell] = True
        lonely = held.sum(1) == 1
        owner, key = distinct >> KEY_BITS, distinct & ((1 << KEY_BITS) - 1)
        if by_day.any():
            chosen = np.flatnonzero(by_day[stacked.entry_feature])
            daily = np.zeros((distinct.size, weeks * HOURS_PER_WEEK // HOURS_PER_DAY), dtype=np.bool_)
            daily[place[chosen], position[stacked.entry_hour[chosen]] // HOURS_PER_DAY] = True
            lonely = np.where(by_day[owner], daily.sum(1) == 1, lonely)
        minimum = np.full((weeks, stacked.minimum.shape[1]), np.nan)
        maximum = minimum.copy()
        for index in range(weeks):
            others = week != index
            minimum[index], maximum[index] = _extremes(stacked.minimum[others], stacked.maximum[others])
        low, high = _range_keys(minimum, maximum, self.layout, grids)
        outside = (key[:, None] < low[:, owner].T) | (key[:, None] > high[:, owner].T)
        outside[by_day[owner]] = False
        # Few entries are novel: these are counted, not all.
        gone = np.flatnonzero(outside.ravel()[cell]) if (held & outside).any() else cell[:0]
        alone = np.flatnonzero(lonely[place])
        return np.stack([_sum_entries(stacked, gone), _sum_entries(stacked, alone)], axis=-1)


def _sum_entries(stacked: Stack, chosen: BoolArray | IntArray) -> FloatArray:
    hours, features = stacked.present.shape
    cell = stacked.entry_hour[chosen] * features + stacked.entry_feature[chosen]
    counts = np.bincount(cell, stacked.entry_count[chosen], hours * features)
    return counts.astype(np.float64).reshape(hours, features)


def _extremes(minimum: FloatArray, maximum: FloatArray) -> tuple[FloatArray, FloatArray]:
    if minimum.shape[0] == 0:
        nothing = np.full(minimum.shape[1], np.nan)
        return nothing, nothing
    low = np.fmin.reduce(minimum, axis=0)
    return low, np.fmax.reduce(maximum, axis=0)


def _range_keys(
    minimum: FloatArray, maximum: FloatArray, layout: Layout, grids: Mapping[str, Grid]
) -> tuple[IntArray, IntArray]:
    """Return lowest and highest keys in range, (..., f) made (r, f); everything where nothing is known."""
    minimum, maximum = np.atleast_2d(minimum), np.atleast_2d(maximum)
    low = np.full(minimum.shape, _LOWEST_KEY, dtype=np.int64)
    high = np.full(minimum.shape, _HIGHEST_KEY, dtype=np.int64)
    for index, feature in enumerate(layout.features):
        if feature.kind == "numeric":
            known = np.isfinite(minimum[:, index])
            least, most = minimum[known, index], maximum[known, index]
            grid = grids[feature.name]
            with np.errstate(over="ignore"):  # Numbers as large as they get: everything is in range.
                margin = _WIDENED_BY * (most - least)
                low[known, index] = bucket_key(grid.bucket(least - margin).astype(np.int64))
                high[known, index] = bucket_key(grid.bucket(most + margin).astype(np.int64))
    return low, high
