"""The columns that the counts of several features share, and where each entry falls.

All features lie side by side in one row of columns. A numeric column holds a run of neighbouring
buckets, a categorical one holds one value; so every channel is a range of columns, and windows,
references and statistics of all features are computed in one sweep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.statistics.hours import bucket_key, key_bucket
from driftline.drift.statistics.vocabulary import FOLDED, FOLDED_AT, KEY_BITS
from driftline.profiles import HASH_PLACES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.domain.verdicts import Feature
    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.hours import Stack
    from driftline.drift.statistics.vocabulary import Vocabulary
    from driftline.profiles import Grid

COLUMN_LIMIT = 512
"""Columns of one numeric feature; more are merged, which costs KS at most 1 / 512."""

DICTIONARY_LIMIT = 128
"""Values of one categorical feature that are kept apart; the rarer ones are counted as "other"."""

_SURELY = 4.0
"""Where there are more, by so many standard errors each has to be more frequent than those that are not."""


@dataclass(frozen=True, slots=True)
class NumericColumns:
    """The columns of one numeric feature.

    Args:
        lower_keys: the key at which each column begins, ascending, (k,); a column ends where the next
            begins, the first also holds everything below it, the last everything above.
        counts: the reference's values in each, (k,).
        positions: the value that stands for each column, in the feature's unit, (k,).
        upper_edges: the largest value in each column that the reference holds, (k,).
    """

    lower_keys: IntArray
    counts: FloatArray
    positions: FloatArray
    upper_edges: FloatArray


def numeric_columns(keys: IntArray, counts: FloatArray, grid: Grid) -> NumericColumns:
    """Choose the columns for a feature whose reference has these distinct keys, ascending, (n,).

    Between two buckets of the reference that are no neighbours lies a column of its own, and one
    below the first: so values where the reference has none change no share at a reference's value.
    """
    if keys.size == 0:
        keys, counts = bucket_key(np.zeros(1, dtype=np.int64)), np.zeros(1)
    if keys.size > COLUMN_LIMIT // 2:
        step = np.floor(np.cumsum(counts) / counts.sum() * (COLUMN_LIMIT // 2 - 1))
        begins = np.flatnonzero(np.diff(step, prepend=-1.0))
    else:
        begins = np.arange(keys.size)
    ends = np.append(begins[1:], keys.size) - 1
    held = np.add.reduceat(counts, begins)
    middle = np.add.reduceat(counts * grid.midpoint(key_bucket(keys)), begins) / np.maximum(held, 1e-300)
    lower = np.unique(np.concatenate([keys[:1] - 1, keys[begins], keys[ends] + 1]))
    buckets = key_bucket(lower)
    column_counts = np.zeros(lower.size)
    positions = grid.midpoint(buckets)
    upper_edges = grid.upper_edge(buckets)
    filled = np.searchsorted(lower, keys[begins])
    column_counts[filled] = held
    positions[filled] = np.where(held > 0, middle, positions[filled])
    upper_edges[filled] = grid.upper_edge(key_bucket(keys[ends]))
    return NumericColumns(lower, column_counts, positions, upper_edges)


_FEWEST_WEEKS = 3
_LEAST_REST, _MOST_UNPLACED = 0.02, 0.01


@dataclass(frozen=True, slots=True)
class FrequentPlaces:
    """The more frequent half of the places of a hash: by them values are distinguished that are not named.

    Where values take each other's places these hold as much as any that are as many.

    Args:
        now: which places are, by all weeks of the reference, (1024,).
        but: by all weeks but one, so that none tells of itself, (weeks, 1024).
    """

    now: BoolArray
    but: BoolArray

    @classmethod
    def of(cls, mass: FloatArray, *, unplaced: float, total: float) -> FrequentPlaces | None:
        """Choose the places; None where they could tell nothing.

        Args:
            mass: events of values without a column of their own, by week and place, (weeks, 1024).
            unplaced: events of such values whose place is not known.
            total: all events of the feature.
        """
        rest = mass.sum()
        is_worth_it = rest > _LEAST_REST * total and unplaced <= _MOST_UNPLACED * rest
        if not is_worth_it or (mass.sum(1) > 0).sum() < _FEWEST_WEEKS:
            return None
        return cls(_upper_half(mass.sum(0)), np.stack([_upper_half(mass.sum(0) - own) for own in mass]))


def _upper_half(mass: FloatArray) -> BoolArray:
    """Return the fewest places that hold half of it."""
    order = np.argsort(-mass, kind="stable")
    half: BoolArray = np.zeros(mass.size, dtype=np.bool_)
    half[order[: int(np.searchsorted(np.cumsum(mass[order]), mass.sum() / 2)) + 1]] = True
    return half


@dataclass(frozen=True, slots=True)
class CategoricalColumns:
    """The columns of one categorical feature: its dictionary, "other", and values never seen.

    Args:
        values: the dictionary, most frequent first, (k,).
        keys: all keys of the reference, ascending, (n,).
        column: the column of each key, (n,); k is "other", k + 1 is never seen. What an hour does not name
            is "other". Where there are frequent places, k + 2 is never seen in these, k + 3 other in these.
        frequent: places by which other values are distinguished; None: they are not.
    """

    values: tuple[str, ...]
    keys: IntArray
    column: IntArray
    frequent: FrequentPlaces | None = None


def categorical_columns(
    keys: IntArray, counts: FloatArray, vocabulary: Vocabulary, by_week: FloatArray | None = None
) -> CategoricalColumns:
    """Freeze the dictionary of a feature whose reference has these distinct keys, ascending, (n,).

    Args:
        keys: ascending, (n,).
        counts: of each, (n,).
        vocabulary: that knows the values.
        by_week: the same counts by week, (n, weeks); None: other values are not distinguished.
    """
    named = np.flatnonzero(keys < FOLDED_AT)
    order = named[np.lexsort((keys[named], -counts[named]))]
    distinguished = order[:DICTIONARY_LIMIT]
    if order.size > DICTIONARY_LIMIT:
        # Of many values that are about as frequent, the first were so by chance and won't be again.
        last = counts[order[DICTIONARY_LIMIT]]
        distinguished = distinguished[counts[distinguished] > last + _SURELY * np.sqrt(last)]
    column = np.full(keys.size, distinguished.size, dtype=np.int64)
    column[distinguished] = np.arange(distinguished.size)
    frequent = None
    if by_week is not None and order.size > DICTIONARY_LIMIT:
        rest = np.flatnonzero((column == distinguished.size) & (keys != FOLDED))
        mass = np.zeros((HASH_PLACES, by_week.shape[1]))
        np.add.at(mass, places_of(keys[rest]), by_week[rest])
        unplaced = float(counts[keys == FOLDED].sum())
        frequent = FrequentPlaces.of(mass.T, unplaced=unplaced, total=float(counts.sum()))
        if frequent is not None:
            column[rest] += 3 * frequent.now[places_of(keys[rest])]
    values = tuple(vocabulary.value(int(key)) for key in keys[distinguished])
    return CategoricalColumns(values, keys, column, frequent)


def places_of(keys: IntArray) -> IntArray:
    """Return the places of hashes: of values, and of what is folded by place. Shape (n,) in, (n,) out."""
    return np.where(keys < FOLDED_AT, keys % HASH_PLACES, np.minimum(keys - FOLDED_AT, HASH_PLACES - 1))


def _by_week(stacked: Stack, place: IntArray, own: slice, week: IntArray) -> FloatArray:
    """Return the counts of a feature's distinct keys by week, (n, weeks).

    Args:
        stacked: the hours of the reference.
        place: of each entry among the distinct keys of all features, (n,).
        own: those of the feature.
        week: of each hour, (h,).
    """
    weeks = int(week.max(initial=0)) + 1
    mine = np.flatnonzero((place >= own.start) & (place < own.stop))
    cell = (place[mine] - own.start) * weeks + week[stacked.entry_hour[mine]]
    counts = np.bincount(cell, stacked.entry_count[mine], (own.stop - own.start) * weeks)
    return counts.astype(np.float64, copy=False).reshape(-1, weeks)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where every entry of every feature falls.

    Args:
        features: in the order of their names, (f,).
        columns: each feature's own columns, (f,).
        starts: the first column of each feature, and the number of columns at the end, (f + 1,).
        lookup: feature << 48 | key, ascending, (p,).
        lookup_column: the column of each, (p,).
        empty: columns that hold nothing of the reference, and never-seen ones, (columns,).
        first: the first column of each numeric feature, -1 for categorical ones, (f,).
        never_seen: the column for unknown values of each categorical feature, -1 for numeric, (f,).
        often: 1 for frequent places, in which unknown values have the column after that, (f, 1024).
    """

    features: tuple[Feature, ...]
    columns: tuple[NumericColumns | CategoricalColumns, ...]
    starts: IntArray
    lookup: IntArray
    lookup_column: IntArray
    empty: BoolArray
    first: IntArray
    never_seen: IntArray
    often: IntArray

    @classmethod
    def of(
        cls,
        stacked: Stack,
        entries: tuple[IntArray, IntArray],
        features: tuple[Feature, ...],
        grids: Mapping[str, Grid],
        vocabulary: Vocabulary,
        *,
        week: IntArray | None = None,
    ) -> Layout:
        """Lay out the features of a reference.

        Args:
            stacked: its usable hours.
            entries: `stacked.distinct()`.
            features: in the order of their names, (f,).
            grids: of every numeric feature.
            vocabulary: that knows the categorical values.
            week: of each hour, counted from 0, (h,); None: values that are not named are not distinguished.
        """
        distinct, place = entries
        totals = np.bincount(place, stacked.entry_count, distinct.size).astype(np.float64)
        bounds = np.searchsorted(distinct, np.arange(len(features) + 1) << KEY_BITS)
        columns: list[NumericColumns | CategoricalColumns] = []
        for index, feature in enumerate(features):
            own = slice(bounds[index], bounds[index + 1])
            keys = distinct[own] - (index << KEY_BITS)
            if feature.kind == "numeric":
                columns.append(numeric_columns(keys, totals[own], grids[feature.name]))
            else:
                by_week = None
                if week is not None and keys.size > DICTIONARY_LIMIT:
                    by_week = _by_week(stacked, place, own, week)
                columns.append(categorical_columns(keys, totals[own], vocabulary, by_week))
        return cls._assemble(features, tuple(columns))

    @classmethod
    def _assemble(
        cls, features: tuple[Feature, ...], columns: tuple[NumericColumns | CategoricalColumns, ...]
    ) -> Layout:
        lookup, lookup_column, empty, starts, never_seen = [], [], [], [0], []
        often = np.zeros((len(features), HASH_PLACES), dtype=np.int64)
        for index, own in enumerate(columns):
            start = starts[-1]
            if isinstance(own, NumericColumns):
                keys, column, width, unseen = (
                    own.lower_keys,
                    np.arange(own.lower_keys.size),
                    own.lower_keys.size,
                    -1,
                )
            else:
                others = len(own.values)
                known = own.keys < FOLDED_AT
                # Where places are not distinguished, one key stands for all that follow it.
                folded = np.arange(FOLDED_AT, FOLDED_AT + 1 if own.frequent is None else FOLDED + 1)
                keys = np.append(own.keys[known], folded)
                where = np.full(folded.size, others)
                if own.frequent is not None:
                    often[index] = own.frequent.now
                    where[:HASH_PLACES] += 3 * own.frequent.now
                column = np.append(own.column[known], where)
                width = others + (2 if own.frequent is None else 4)
                unseen = start + others + 1
            if isinstance(own, NumericColumns):
                empty.append(own.counts <= 0)
            else:
                empty.append(np.isin(np.arange(width), (others + 1, others + 2)))
            lookup.append((index << KEY_BITS) + keys)
            lookup_column.append(start + column)
            starts.append(start + width)
            never_seen.append(unseen)
        unseen_columns = np.array(never_seen, dtype=np.int64)
        return cls(
            features=features,
            columns=columns,
            starts=np.array(starts, dtype=np.int64),
            lookup=np.concatenate(lookup),
            lookup_column=np.concatenate(lookup_column),
            empty=np.concatenate(empty),
            first=np.where(unseen_columns < 0, np.array(starts[:-1]), -1),
            never_seen=unseen_columns,
            often=often,
        )

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.starts[-1])

    @property
    def column_feature(self) -> IntArray:
        """Which feature each column belongs to, (columns,)."""
        return np.repeat(np.arange(len(self.features)), np.diff(self.starts))

    def locate(self, entry_feature: IntArray, entry_key: IntArray) -> IntArray:
        """Return the column of each entry. Shapes (n,) and (n,) in, (n,) out."""
        combined = (entry_feature << KEY_BITS) + entry_key
        place = np.maximum(np.searchsorted(self.lookup, combined, side="right") - 1, 0)
        column = np.maximum(self.lookup_column[place], self.first[entry_feature])
        unseen = self.never_seen[entry_feature]
        new = np.flatnonzero((unseen >= 0) & (self.lookup[place] != combined) & (entry_key < FOLDED_AT))
        column[new] = unseen[new] + self.often[entry_feature[new], places_of(entry_key[new])]
        return column

    def locate_all(self, distinct: IntArray, place: IntArray) -> IntArray:
        """Return the column of each entry, (n,), from what `Stack.distinct` returns."""
        return self.locate(distinct >> KEY_BITS, distinct & ((1 << KEY_BITS) - 1))[place]

    def left_out(self, stacked: Stack, column: IntArray, week: IntArray) -> IntArray:
        """Return the columns of a reference's own entries, each as its week would have it were it left out.

        Args:
            stacked: the hours of the reference.
            column: of each entry, (n,).
            week: of each hour, (h,).
        """
        for index, own in enumerate(self.columns):
            if isinstance(own, CategoricalColumns) and own.frequent is not None:
                others = int(self.starts[index]) + len(own.values)
                entries = np.flatnonzero((stacked.entry_feature == index) & (column >= others))
                places = places_of(stacked.entry_key[entries])
                is_often = own.frequent.but[week[stacked.entry_hour[entries]], places]
                column[entries] = others + 3 * (is_often & (stacked.entry_key[entries] != FOLDED))
        return column

    def count(
        self, stacked: Stack, place: IntArray, places: int, *, column: IntArray | None = None
    ) -> FloatArray:
        """Sum the values of all hours into places (hours, slots) and columns.

        Args:
            stacked: the hours.
            place: where each hour is summed, (h,).
            places: how many there are.
            column: of each entry, where that is known, (n,).

        Returns:
            (places, columns).
        """
        if column is None:
            column = self.locate(stacked.entry_feature, stacked.entry_key)
        cell = place[stacked.entry_hour] * self.width + column
        counts = np.bincount(cell, stacked.entry_count, places * self.width)
        return counts.astype(np.float64).reshape(places, -1)
