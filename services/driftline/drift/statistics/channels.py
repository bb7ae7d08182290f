"""Channels: everything is a proportion.

A numeric feature is watched through the share of its values at or below each of 19 cuts, a category
through the share of each value of its dictionary; both among the values present. Among all rows, each
feature has its rare channels: nulls, NaN, infinities, and values that the reference never held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.channels import Channel, ChannelKind
from driftline.drift.statistics.arrays import run_starts
from driftline.drift.statistics.layout import CategoricalColumns, Layout, NumericColumns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray

CUT_SHARES = np.arange(1, 20) / 20
RARE_PER_FEATURE = 5
"""Nulls, NaN, infinities, values out of range, values never seen: the last axis of rare counts."""

NULLS, NANS, INFINITIES, OUT_OF_RANGE, NEVER_SEEN = range(RARE_PER_FEATURE)


def nearest_cuts(counts: FloatArray, shares: FloatArray = CUT_SHARES) -> IntArray:
    """Choose the columns whose upper edges cut nearest to the given shares of the reference.

    A column that holds a large share by itself (a constant, zeros) is thus cut on both sides.

    Args:
        counts: the reference's values per column of one numeric feature, (k,).
        shares: the shares wanted, ascending, (q,).

    Returns:
        Columns, ascending, without repeats, (at most q,).
    """
    below = np.cumsum(counts) / max(counts.sum(), 1.0)
    above = np.minimum(np.searchsorted(below, shares), below.size - 1)
    before = np.maximum(above - 1, 0)
    nearer = np.where(shares - below[before] <= below[above] - shares, before, above)
    # Several columns may end at the same share where the reference holds nothing: take the first.
    ends: IntArray = np.searchsorted(below, below[nearer])
    return ends[run_starts(ends)]


@dataclass(frozen=True, slots=True)
class Channels:
    """All channels of a model: first those of values, then the rare ones.

    Args:
        low: first column of each value channel, (v,).
        high: the column after its last, (v,).
        rare: place of each rare channel in (f, 5) flattened, (c - v,).
        feature: which feature each channel belongs to, (c,).
        named: what each is, (c,).
        by_feature: channels of each feature, padded with the first one, (f, most).
    """

    low: IntArray
    high: IntArray
    rare: IntArray
    feature: IntArray
    named: tuple[Channel, ...]
    by_feature: IntArray

    @classmethod
    def of(cls, layout: Layout) -> Channels:
        """Choose the channels for the columns of a reference."""
        low: list[int] = []
        high: list[int] = []
        owner: list[int] = []
        named: list[Channel] = []
        for index, (columns, start) in enumerate(zip(layout.columns, layout.starts.tolist(), strict=False)):
            for first, last, channel in _value_channels(columns):
                low.append(start + first)
                high.append(start + last + 1)
                owner.append(index)
                named.append(channel)
        rare: list[int] = []
        for index, feature in enumerate(layout.features):
            for kind, channel in _rare_channels(feature.kind):
                rare.append(index * RARE_PER_FEATURE + kind)
                owner.append(index)
                named.append(channel)
        feature_of = np.array(owner, dtype=np.int64)
        return cls(
            low=np.array(low, dtype=np.int64),
            high=np.array(high, dtype=np.int64),
            rare=np.array(rare, dtype=np.int64),
            feature=feature_of,
            named=tuple(named),
            by_feature=_padded(feature_of, len(layout.features)),
        )

    @property
    def objects(self) -> NDArray[np.object_]:
        """What each channel is, as an array, (c,)."""
        named = np.empty(len(self.named), dtype=np.object_)
        named[:] = self.named
        return named

    @property
    def size(self) -> int:
        """C, the number of channels."""
        return self.feature.size

    @property
    def features(self) -> int:
        """The number of features."""
        return int(self.by_feature.shape[0])

    @property
    def sizes(self) -> IntArray:
        """How many channels each feature has, (f,)."""
        return np.bincount(self.feature, minlength=self.features)

    @property
    def is_rare(self) -> BoolArray:
        """Which channels are rare ones, (c,)."""
        return np.arange(self.size) >= self.low.size

    @property
    def is_invalid(self) -> BoolArray:
        """Which channels count what ordinary traffic does not hold: missing, invalid, out of range, (c,)."""
        ordinary = self.rare % RARE_PER_FEATURE == NEVER_SEEN
        return np.concatenate([np.zeros(self.low.size, dtype=np.bool_), ~ordinary])

    @property
    def is_new_number(self) -> BoolArray:
        """Which channels count numbers that are out of range or were never seen, (c,)."""
        kind, feature = self.rare % RARE_PER_FEATURE, self.rare // RARE_PER_FEATURE
        numeric = np.isin(feature, feature[kind == OUT_OF_RANGE])
        new = numeric & ((kind == OUT_OF_RANGE) | (kind == NEVER_SEEN))
        return np.concatenate([np.zeros(self.low.size, dtype=np.bool_), new])

    @property
    def group(self) -> IntArray:
        """Which denominator each channel has: f values present, then f times the rows, (c,)."""
        return self.feature + self.features * self.is_rare

    def collect(self, columns: FloatArray, rare: FloatArray) -> FloatArray:
        """Sum columns and rare counts, or shares, into channels.

        Args:
            columns: (..., columns).
            rare: (..., f, 5).

        Returns:
            (..., c).
        """
        running = np.zeros((*columns.shape[:-1], columns.shape[-1] + 1))
        np.cumsum(columns, axis=-1, out=running[..., 1:])
        flat = rare.reshape(*rare.shape[:-2], -1)
        return np.concatenate(
            [
                np.take(running, self.high, axis=-1) - np.take(running, self.low, axis=-1),
                np.take(flat, self.rare, axis=-1),
            ],
            axis=-1,
        )


def _value_channels(columns: NumericColumns | CategoricalColumns) -> list[tuple[int, int, Channel]]:
    """Return the first and last column of each channel of values."""
    if isinstance(columns, NumericColumns):
        cuts = nearest_cuts(columns.counts).tolist()
        return [(0, cut, Channel(ChannelKind.AT_MOST, float(columns.upper_edges[cut]))) for cut in cuts]
    found = [(place, place, Channel(ChannelKind.VALUE, value)) for place, value in enumerate(columns.values)]
    others = len(columns.values)
    if columns.keys.size > others:
        # A value that the reference held once is "other" there, and one like it never seen now: their sum
        # is what can be compared.
        last = others + (1 if columns.frequent is None else 3)
        found.append((others, last, Channel(ChannelKind.OTHER_VALUES)))
    if columns.frequent is not None:
        # Where values that are not named take each other's places, those that held more hold less.
        found.append((others + 2, others + 3, Channel(ChannelKind.FREQUENT_OTHERS)))
    return found


_OF_ALL = ((NULLS, Channel(ChannelKind.NULLS)), (NEVER_SEEN, Channel(ChannelKind.NEVER_SEEN)))
_OF_NUMBERS = (
    (NANS, Channel(ChannelKind.NANS)),
    (INFINITIES, Channel(ChannelKind.INFINITIES)),
    (OUT_OF_RANGE, Channel(ChannelKind.OUT_OF_RANGE)),
)


def _rare_channels(kind: str) -> Sequence[tuple[int, Channel]]:
    return (*_OF_ALL, *_OF_NUMBERS) if kind == "numeric" else _OF_ALL


def _padded(owner: IntArray, features: int) -> IntArray:
    own = [np.flatnonzero(owner == feature) for feature in range(features)]
    padded = np.empty((features, max((channels.size for channels in own), default=0)), dtype=np.int64)
    for feature, channels in enumerate(own):
        padded[feature] = channels[0]
        padded[feature, : channels.size] = channels
    return padded
