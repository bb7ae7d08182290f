"""Hours as flat arrays: what a judge remembers of a profile, in a form that stacks without loops."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from driftline.domain.verdicts import Feature
from driftline.drift.statistics.vocabulary import FOLDED_AT, KEY_BITS, folded_by_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.vocabulary import Vocabulary
    from driftline.profiles import CategoricalCounts, HourProfile

_BUCKET_SHIFT = 1 << 31
_DENSE_KEYS = 1 << 17
"""Buckets of one feature lie within this, unless its values are absurd; hashes of values never do."""

_TALLIES = ("present", "nans", "infinities", "minimum", "maximum")


def bucket_key(buckets: IntArray) -> IntArray:
    """Return the keys of grid buckets; their order is kept. Shape (n,) in, (n,) out."""
    return np.asarray(buckets, dtype=np.int64) + _BUCKET_SHIFT


def key_bucket(keys: IntArray) -> IntArray:
    """Return the grid buckets of keys, the inverse of `bucket_key`."""
    return np.asarray(keys, dtype=np.int64) - _BUCKET_SHIFT


class Clock:
    """The clock that the traffic follows: people keep to local time, also when it is put forward or back.

    Args:
        timezone: a name of the IANA database.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such time zone.
    """

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)

    def local(self, hour: int) -> int:
        """Return the local hour, counted from local 1970, of an hour since the Unix epoch."""
        offset = datetime.fromtimestamp(hour * 3600, self._zone).utcoffset()
        return hour if offset is None else hour + int(offset.total_seconds() // 3600)


@dataclass(frozen=True, slots=True)
class HourCounts:
    """One hour, flat.

    Args:
        hour: hours since the Unix epoch.
        local_hour: the same by the clock that the traffic follows.
        rows: prediction events.
        completeness: the share of the hour's events that arrived.
        features: in the order of their names, (f,).
        sizes: how many entries each feature has, (f,).
        keys: buckets or values, feature after feature, ascending within each, (n,).
        counts: how often each key, (n,).
        tallies: per feature the values present, NaN, infinities, minimum, maximum, (f, 5).
        entry: what the calendar calls it; empty: it is an ordinary hour.
    """

    hour: int
    local_hour: int
    rows: int
    completeness: float
    features: tuple[Feature, ...]
    sizes: IntArray
    keys: IntArray
    counts: FloatArray
    tallies: FloatArray
    entry: str = ""

    @classmethod
    def from_profile(
        cls,
        profile: HourProfile,
        vocabulary: Vocabulary,
        *,
        clock: Clock,
        completeness: float = 1.0,
        entry: str = "",
    ) -> HourCounts:
        """Flatten a profile. The order of its mappings and buckets makes no difference."""
        features, numeric, categorical = _places(tuple(profile.numeric), tuple(profile.categorical))
        numbers = list(profile.numeric.values())
        values, value_counts, value_sizes = _flat_values(profile.categorical.values(), vocabulary)
        sizes = np.empty(len(features), dtype=np.int64)
        sizes[numeric], sizes[categorical] = [each.buckets.size for each in numbers], value_sizes
        keys = np.concatenate([bucket_key(_joined([each.buckets for each in numbers], np.int64)), values])
        counts = np.concatenate([_joined([each.counts for each in numbers], np.float64), value_counts])
        places = np.concatenate([numeric, categorical])
        owner = np.repeat(places, sizes[places])
        order = np.argsort((owner << KEY_BITS) + keys, kind="stable")
        tallies = np.full((len(features), len(_TALLIES)), np.nan)
        tallies[:, 0] = np.bincount(owner, counts, len(features))
        tallies[categorical, 1:3] = 0.0
        if numbers:
            tallies[numeric, 1:] = [
                (each.nans, each.infinities, each.minimum, each.maximum) for each in numbers
            ]
        return cls(
            hour=profile.hour,
            local_hour=clock.local(profile.hour),
            rows=profile.rows,
            completeness=completeness,
            features=features,
            sizes=sizes,
            keys=keys[order],
            counts=counts[order],
            tallies=tallies,
            entry=entry,
        )

    def __deepcopy__(self, _memo: dict[int, object]) -> HourCounts:
        """Return itself: nobody changes an hour, and copies of a judge would each copy a thousand."""
        return self


@lru_cache(maxsize=256)
def _places(
    numeric: tuple[str, ...], categorical: tuple[str, ...]
) -> tuple[tuple[Feature, ...], IntArray, IntArray]:
    """Return features in their order, and where the numeric and the categorical ones stand there.

    Most hours have those of the hour before.
    """
    named = [Feature(name, "numeric") for name in numeric]
    named += [Feature(name, "categorical") for name in categorical]
    features = tuple(sorted(named))
    place = {feature: index for index, feature in enumerate(features)}
    places = np.array([place[feature] for feature in named], dtype=np.int64)
    return features, places[: len(numeric)], places[len(numeric) :]


def _flat_values(
    features: Iterable[CategoricalCounts], vocabulary: Vocabulary
) -> tuple[IntArray, FloatArray, list[int]]:
    """Return the keys of values, feature after feature, how often each, and how many each feature has."""
    keys: list[int] = []
    numbers: list[int] = []
    sizes: list[int] = []
    for each in features:
        held = [(value, count) for value, count in each.counts.items() if count]
        own, counts = vocabulary.keys(value for value, _ in held), [count for _, count in held]
        if each.folded:
            known = folded_by_place(each, own, counts)
            own += known
            counts += known.values()
        keys += own
        numbers += counts
        sizes.append(len(own))
    return np.array(keys, dtype=np.int64), np.array(numbers, dtype=np.float64), sizes


def _joined(parts: Sequence[Sequence[int] | np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts, dtype=dtype, casting="unsafe") if parts else np.empty(0, dtype=dtype)


@dataclass(frozen=True, slots=True)
class Stack:
    """Several hours over one list of features.

    Args:
        rows: prediction events, (h,).
        known: whether the hour carried the feature at all, (h, f).
        present: values present, (h, f).
        invalid: nulls, NaN and infinities, (h, f, 3). A row without the feature counts as a null.
        minimum: smallest value, NaN where none, (h, f).
        maximum: largest value, NaN where none, (h, f).
        entry_hour: the hour's place in the stack, per entry, (n,).
        entry_feature: the feature's place, (n,).
        entry_key: bucket or value, (n,).
        entry_count: how often, (n,).
    """

    rows: FloatArray
    known: BoolArray
    present: FloatArray
    invalid: FloatArray
    minimum: FloatArray
    maximum: FloatArray
    entry_hour: IntArray
    entry_feature: IntArray
    entry_key: IntArray
    entry_count: FloatArray

    def distinct(self) -> tuple[IntArray, IntArray]:
        """Return the distinct feature << 48 | key, ascending, (d,), and each entry's place there, (n,)."""
        features = self.present.shape[1]
        low, wide = _key_ranges(self, features)
        hashed = wide > _DENSE_KEYS
        width = np.where(hashed, 0, wide)
        start = np.cumsum(width) - width
        # Buckets of a feature lie close together: counting through them is far faster than to sort millions.
        cell = self.entry_key + (start - low)[self.entry_feature]
        rest, others = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        if hashed.any():
            others = np.flatnonzero(hashed[self.entry_feature])
            combined = (self.entry_feature[others] << KEY_BITS) + self.entry_key[others]
            rest = np.unique(combined)
            cell[others] = int(width.sum()) + np.searchsorted(rest, combined)
        seen = np.zeros(int(width.sum()) + rest.size, dtype=np.bool_)
        seen[cell] = True
        held = np.flatnonzero(seen)
        dense = held[: held.size - rest.size]
        owner = np.searchsorted(start + width, dense, side="right")
        distinct = np.concatenate([(owner << KEY_BITS) + dense - start[owner] + low[owner], rest])
        rank = np.zeros(seen.size, dtype=np.int64)
        order = np.argsort(distinct)
        rank[held[order]] = np.arange(held.size)
        return distinct[order], rank[cell]

    def novel_counts(self) -> FloatArray:
        """Return how often each entry counts where the share of new values is asked for, (n,).

        Of values that an hour does not name as many are taken to be new as of its rarest named ones, which
        they are like: so the share of new values does not depend on how many an hour names.
        """
        folded = np.flatnonzero(self.entry_key >= FOLDED_AT)
        if not folded.size:
            return self.entry_count
        hours, features = self.present.shape
        cell = self.entry_hour * features + self.entry_feature
        unnamed = np.bincount(cell[folded], self.entry_count[folded], hours * features)
        named = np.flatnonzero((unnamed[cell] > 0) & (self.entry_key < FOLDED_AT))
        rarest = np.full(hours * features, np.inf)
        np.minimum.at(rarest, cell[named], self.entry_count[named])
        tail = named[self.entry_count[named] == rarest[cell[named]]]
        held = np.bincount(cell[tail], self.entry_count[tail], hours * features)
        counts = self.entry_count.astype(np.float64)
        counts[folded] = 0.0
        counts[tail] *= 1.0 + unnamed[cell[tail]] / held[cell[tail]]
        return counts

    def only(self, usable: BoolArray) -> Stack:
        """Return the stack without the features of those hours that are not usable, (h, f)."""
        known = self.known & usable
        # There are millions of entries, and most of the time all are kept.
        kept = slice(None) if usable.all() else known[self.entry_hour, self.entry_feature]
        return Stack(
            rows=self.rows,
            known=known,
            present=np.where(known, self.present, 0.0),
            invalid=np.where(known[..., None], self.invalid, 0.0),
            minimum=np.where(known, self.minimum, np.nan),
            maximum=np.where(known, self.maximum, np.nan),
            entry_hour=self.entry_hour[kept],
            entry_feature=self.entry_feature[kept],
            entry_key=self.entry_key[kept],
            entry_count=self.entry_count[kept],
        )


def _key_ranges(stacked: Stack, features: int) -> tuple[IntArray, IntArray]:
    """Return each feature's lowest key and how many keys lie between that and its highest, (f,) each."""
    low, high = np.zeros(features, dtype=np.int64), np.full(features, -1, dtype=np.int64)
    feature, key = stacked.entry_feature, stacked.entry_key
    if feature.size:
        # Keys ascend within an hour's feature, so only the ends of such runs matter.
        ends = np.flatnonzero(
            (feature[1:] != feature[:-1]) | (stacked.entry_hour[1:] != stacked.entry_hour[:-1])
        )
        first, last = np.append(0, ends + 1), np.append(ends, feature.size - 1)
        low[:] = np.iinfo(np.int64).max
        np.minimum.at(low, feature[first], key[first])
        np.maximum.at(high, feature[last], key[last])
        low[high < 0] = 0
    return low, high - low + 1


def stack(hours: Sequence[HourCounts], features: tuple[Feature, ...]) -> Stack:
    """Put hours on top of each other; features that are not in the list are left out."""
    place = {feature: index for index, feature in enumerate(features)}
    shape = (len(hours), len(features))
    tallies = np.zeros((*shape, len(_TALLIES)))
    tallies[..., 3:] = np.nan
    known: BoolArray = np.zeros(shape, dtype=np.bool_)
    owners: list[IntArray] = [np.empty(0, dtype=np.int64)] * len(hours)
    # Most hours have the same features: those are taken together.
    for own, where in _alike(hours).items():
        ids = np.array([place.get(feature, -1) for feature in own], dtype=np.int64)
        listed = np.flatnonzero(ids >= 0)
        block = np.ix_(np.array(where), ids[listed])
        tallies[block] = np.stack([hours[index].tallies for index in where])[:, listed]
        known[block] = True
        for index in where:
            owners[index] = ids
    entry_feature = np.repeat(_joined(owners, np.int64), _joined([hour.sizes for hour in hours], np.int64))
    entry_hour = np.repeat(np.arange(len(hours)), [hour.keys.size for hour in hours])
    entry_key = _joined([hour.keys for hour in hours], np.int64)
    entry_count = _joined([hour.counts for hour in hours], np.float64)
    if (entry_feature < 0).any():
        kept = entry_feature >= 0
        entry_feature, entry_hour = entry_feature[kept], entry_hour[kept]
        entry_key, entry_count = entry_key[kept], entry_count[kept]
    rows = np.array([hour.rows for hour in hours], dtype=np.float64)
    present, nans, infinities = tallies[..., 0], tallies[..., 1], tallies[..., 2]
    nulls = np.maximum(rows[:, None] - present - nans - infinities, 0.0)
    return Stack(
        rows=rows,
        known=known,
        present=present,
        invalid=np.stack([nulls, nans, infinities], axis=-1),
        minimum=tallies[..., 3],
        maximum=tallies[..., 4],
        entry_hour=entry_hour,
        entry_feature=entry_feature,
        entry_key=entry_key,
        entry_count=entry_count,
    )


def known_features(hours: Sequence[HourCounts], features: tuple[Feature, ...]) -> BoolArray:
    """Return which hour carries which feature, (h, f)."""
    known = np.zeros((len(hours), len(features)), dtype=np.bool_)
    for own, where in _alike(hours).items():
        held = set(own)
        known[np.array(where)] = np.array([feature in held for feature in features], dtype=np.bool_)
    return known


def _alike(hours: Sequence[HourCounts]) -> Mapping[tuple[Feature, ...], list[int]]:
    """Return the places of the hours by the features that they carry."""
    places: dict[tuple[Feature, ...], list[int]] = {}
    # Hours mostly share one tuple: hashing its many names for each of them would take longer than the rest.
    known: dict[int, list[int]] = {}
    for index, hour in enumerate(hours):
        own = known.get(id(hour.features))
        if own is None:
            own = known[id(hour.features)] = places.setdefault(hour.features, [])
        own.append(index)
    return places
