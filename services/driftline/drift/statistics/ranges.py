"""Values that the reference never held: numbers far outside its range, categories it did not know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.verdicts import Feature
from driftline.drift.settings import HOURS_PER_DAY, HOURS_PER_WEEK
from driftline.drift.statistics.hours import bucket_key
from driftline.drift.statistics.vocabulary import KEY_BITS

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
        return np.stack(
            [
                _sum_entries(stacked, outside),
                _sum_entries(stacked, unseen, stacked.novel_counts()),
            ],
            axis=-1,
        )

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
        owner, key = distinct >> KEY_BITS, distinct & ((1 << KEY_BITS) - 1)
        alike = self._alike(owner, key)
        cycles = _cycles(held, alike)
        if by_day.any():
            chosen = np.flatnonzero(by_day[stacked.entry_feature])
            daily = np.zeros((distinct.size, weeks * HOURS_PER_WEEK // HOURS_PER_DAY), dtype=np.bool_)
            daily[place[chosen], position[stacked.entry_hour[chosen]] // HOURS_PER_DAY] = True
            cycles = np.where(by_day[owner], _cycles(daily, alike), cycles)
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
        counts = stacked.novel_counts()
        among = cycles[place]
        alone = np.flatnonzero(among == 1)
        pairs = np.flatnonzero(among == 2)
        share = self._share_with_all_cycles(stacked, counts, (alone, pairs), position, by_day=by_day)
        return np.stack([_sum_entries(stacked, gone), _sum_entries(stacked, alone, counts) * share], axis=-1)

    def _alike(self, owner: IntArray, key: IntArray) -> IntArray:
        """Return which of the reference's distinct keys are one value: numbers of one column are, (d,)."""
        is_category = self.layout.never_seen[owner] >= 0
        own = self.layout.width + np.arange(owner.size)
        groups = np.where(is_category, own, self.layout.locate(owner, key))
        return np.unique(groups, return_inverse=True)[1]

    def _share_with_all_cycles(
        self,
        stacked: Stack,
        counts: FloatArray,
        held: tuple[IntArray, IntArray],
        position: IntArray,
        *,
        by_day: BoolArray,
    ) -> FloatArray:
        """Return which share of a category's values that one cycle alone holds is new to all of them, (f,).

        A cycle is left out of c, so its values are new to c - 1; a window's are new to c, which know more.
        From c - 2 to c - 1 the share of new values fell by a known factor, and by the same from there on: so
        it is with values that never repeat, with those that live for one cycle, and with any fixed number of
        equally frequent ones.

        Args:
            stacked: the hours of the reference.
            counts: how often each entry counts, (n,).
            held: the entries whose values one cycle holds, and those whose values two do.
            position: of each hour in the reference, (h,).
            by_day: features whose cycle is a day, (f,).
        """
        features = stacked.present.shape[1]
        once, twice = (np.bincount(stacked.entry_feature[own], counts[own], features) for own in held)
        week, day = position // HOURS_PER_WEEK, position // HOURS_PER_DAY
        there = stacked.present > 0
        share = np.ones(features)
        for index in np.flatnonzero((self.layout.never_seen >= 0) & (once > 0)).tolist():
            others = np.unique((day if by_day[index] else week)[there[:, index]]).size - 1
            if others > 0:
                share[index] = once[index] / (once[index] + twice[index] / others)
        return share


def _cycles(held: BoolArray, alike: IntArray) -> IntArray:
    """Return how many cycles hold each key or one like it, (d,), from which hold which, (d, cycles)."""
    together = np.zeros((int(alike.max(initial=-1)) + 1, held.shape[1]), dtype=np.bool_)
    rows, cycle = np.nonzero(held)
    together[alike[rows], cycle] = True
    return np.asarray(together.sum(1)[alike], dtype=np.int64)


def new_after(stacked: Stack, entries: tuple[IntArray, IntArray], layout: Layout) -> FloatArray:
    """Count the events of a reference whose category stands in it once, by feature, 0 for numbers, (f,).

    As many in as many further rows are to be expected to be new (Good 1953).

    Args:
        stacked: the hours of the reference.
        entries: `stacked.distinct()`.
        layout: of its features.
    """
    distinct, place = entries
    totals = np.bincount(place, stacked.entry_count, distinct.size)
    alone = np.flatnonzero((totals[place] == 1) & (layout.never_seen[stacked.entry_feature] >= 0))
    return np.asarray(_sum_entries(stacked, alone, stacked.novel_counts()).sum(0), dtype=np.float64)


def _sum_entries(
    stacked: Stack, chosen: BoolArray | IntArray, entry_counts: FloatArray | None = None
) -> FloatArray:
    hours, features = stacked.present.shape
    cell = stacked.entry_hour[chosen] * features + stacked.entry_feature[chosen]
    held = stacked.entry_count if entry_counts is None else entry_counts
    counts = np.bincount(cell, held[chosen], hours * features)
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
