"""Precedents: what strayed as far on two other occasions of the past weeks is a habit and no news.

Noise is one number per channel, so a campaign, a batch job or a bot, rare and large, lies many times beyond
it each time. Here single windows are looked at: those of the reference, and those under pages that ended
and that nobody called a fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from driftline.drift.settings import HOURS_PER_DAY, HOURS_PER_WEEK
from driftline.drift.statistics.minimum_effect import surprise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.baseline import Baseline

AS_FAR = 1.5
"""A window recurs where its evidence, or its effect, is at most so many times that of its precedents."""

_NEARLY_AS_FAR, _BY_CHANCE = 2.0, 3.0
"""For one channel of a feature so many times, and so many standard deviations of chance more, are enough
where another of them strayed as far before."""

SURELY = 0.8
"""What is no precedent by chance alone: what was as sure as this part of what a page needs."""

_NONE = -np.inf


class Precedent(NamedTuple):
    """How far a channel strayed on the second of two occasions; minus infinity where there are no two.

    Args:
        z: how surely.
        effect: by which share of the rows, on occasions that were nearly sure.
        hours: the last hours of two such windows, by the traffic's clock, ascending.
    """

    z: float
    effect: float
    hours: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Past:
    """The hours of a reference and those under pages, without gaps.

    Args:
        counts: rows in each channel; 0 where nothing counts, (h, c).
        sizes: values present, then rows, (h, 2 f).
        held: hours under pages that ended, and that nobody called a fault, (h, f).
        first: the local hour of the first.
        ordinary: how many, from the first on, are no more so young that a fault that nobody found could
            have begun in them and still go on.
    """

    counts: NDArray[np.float32]
    sizes: NDArray[np.float32]
    held: BoolArray
    first: int
    ordinary: int
    _known: dict[tuple[int, int, bool, int], Precedent] = field(default_factory=dict)

    def find(
        self, baseline: Baseline, scale: int, asked: list[tuple[int, bool, int]], *, hours: int, delta: float
    ) -> list[Precedent]:
        """Return the precedents of some channels.

        Args:
            baseline: of which this is the past.
            scale: its place in the baseline's noise.
            asked: channel, whether it rose, and the hour of the week in which the window ends, each. Of what
                is missing, invalid or new only windows at the same hour of the week are precedents: an
                outage is no habit since there were two before.
            hours: the window's length.
            delta: the minimum effect.
        """
        is_rare = baseline.channels.is_rare
        keys = [(scale, c, rises, slot if is_rare[c] else -1) for c, rises, slot in asked]
        unknown = list(dict.fromkeys(key for key in keys if key not in self._known))
        if unknown:
            found = self._look(baseline, scale, unknown, hours=hours, delta=delta)
            self._known.update(zip(unknown, found, strict=True))
        return [self._known[key] for key in keys]

    def before(self, baseline: Baseline, channel: int, end: int) -> tuple[FloatArray, FloatArray]:
        """Return the rows of a channel's hours before a local one, and what it held beyond what is expected.

        Args:
            baseline: of which this is the past.
            channel: its place.
            end: hours from it on are left out.
        """
        until = max(min(end - self.first, len(self.counts)), 0)
        slots = (self.first + np.arange(until) - baseline.origin) % HOURS_PER_WEEK
        rows = self.sizes[:until, baseline.channels.group[channel]].astype(np.float64)
        return rows, self.counts[:until, channel] - rows * baseline.channel_shares[slots, channel]

    def _look(
        self,
        baseline: Baseline,
        scale: int,
        keys: list[tuple[int, int, bool, int]],
        *,
        hours: int,
        delta: float,
    ) -> list[Precedent]:
        channel = np.array([key[1] for key in keys])
        sign = np.where([key[2] for key in keys], 1.0, -1.0)
        phi = baseline.noise.phi[scale, channel]
        level = baseline.noise.level[channel]
        slots = (self.first + np.arange(len(self.counts)) - baseline.origin) % HOURS_PER_WEEK
        size = self.sizes[:, baseline.channels.group[channel]]
        n = np.maximum(_summed(size, hours), 1e-9)
        observed = _summed(self.counts[:, channel], hours) / n
        share = baseline.channel_shares[np.ix_(slots, channel)]
        expected = np.clip(_summed(size * share, hours) / n, 0.0, 1.0)
        behind = np.maximum(baseline.slot_sizes[np.ix_(slots, channel)], 1.0)
        inverse = np.where(level == 0, 1 / behind[0], _summed(size**2 / behind, hours) / n**2)
        m = 1 / np.maximum(inverse * baseline.reference_dependence[scale, channel], 1e-12)
        under_page = _summed(self.held[:, baseline.channels.feature[channel]], hours) > 0
        # Where an hour of the week is expected from few weeks, each of them draws what is expected to itself.
        drawn = (level == 2) & ~under_page
        observed = np.where(drawn, expected + (observed - expected) * 4 / 3, observed)
        deviation = np.sqrt(np.maximum(expected * (1 - expected), 1e-6) * phi * (1 / n + 1 / m))
        strayed = sign * (observed - expected) / deviation
        end = np.arange(len(self.counts))
        local_slot = (self.first + end) % HOURS_PER_WEEK
        wanted = np.array([key[3] for key in keys])
        is_same_hour = (wanted < 0) | (local_slot[:, None] == wanted)
        counts_as = (under_page & is_same_hour) | (~under_page & (end < self.ordinary)[:, None])
        strayed = np.where(counts_as & (n >= 1) & (end >= hours - 1)[:, None], strayed, _NONE)
        by_z = _two_occasions(strayed, apart_hours=HOURS_PER_DAY + hours)
        chosen = by_z.second, np.arange(channel.size)
        z = surprise(
            np.clip(observed[chosen], 0.0, 1.0), expected[chosen], n[chosen] / phi, m[chosen] / phi, delta
        )
        is_sure = strayed > SURELY * baseline.critical[scale, channel]
        effect = np.where(is_sure, sign * (observed - expected), _NONE)
        by_effect = _two_occasions(effect, apart_hours=HOURS_PER_DAY + hours)
        first, second = (
            np.where(by_effect.there, of_effect, of_z)
            for of_effect, of_z in zip(by_effect[:2], by_z[:2], strict=True)
        )
        return [
            Precedent(own_z, own_effect, (self.first + min(ends), self.first + max(ends)))
            for own_z, own_effect, ends in zip(
                np.where(by_z.there, z, _NONE).tolist(),
                np.where(by_effect.there, effect[by_effect.second, chosen[1]], _NONE).tolist(),
                zip(first.tolist(), second.tolist(), strict=True),
                strict=True,
            )
        ]


class _Occasions(NamedTuple):
    """Where a channel strayed most, and where it did at another time; whether there is another, (k,) each."""

    first: IntArray
    second: IntArray
    there: BoolArray


def _two_occasions(strayed: FloatArray, *, apart_hours: int) -> _Occasions:
    """Return the two largest of each column, (h, k), that are further apart than so many hours."""
    end, place = np.arange(strayed.shape[0]), np.arange(strayed.shape[1])
    first = strayed.argmax(0)
    others = np.where(np.abs(end[:, None] - first) > apart_hours, strayed, _NONE)
    second = others.argmax(0)
    return _Occasions(first, second, others[second, place] > 0)


def _summed(values: NDArray[Any], hours: int) -> FloatArray:
    """Return the sums of so many hours up to each, (h, k)."""
    running = np.cumsum(values, axis=0, dtype=np.float64)
    running[hours:] -= running[:-hours].copy()
    return running


class Recurring(NamedTuple):
    """Which channels of which windows have precedents.

    Args:
        is_known: that strayed no further than twice before, (ends, scales, c).
        hours: of these, by (end, scale, channel), the hours of both.
    """

    is_known: BoolArray
    hours: dict[tuple[int, int, int], tuple[int, int]]


def find_recurring(
    baseline: Baseline,
    beyond: BoolArray,
    z: FloatArray,
    effect: FloatArray,
    slots: IntArray,
    *,
    scales_hours: tuple[int, ...],
    delta: float,
) -> Recurring:
    """Look for precedents of what would page.

    Args:
        baseline: that it was compared with.
        beyond: which channels of which windows would page, (ends, scales, c).
        z: their evidence, (ends, scales, c).
        effect: observed - expected, (ends, scales, c).
        slots: the hour of the week of each window's last hour, (ends,).
        scales_hours: lengths of the windows.
        delta: the minimum effect.
    """
    is_known = np.zeros_like(beyond)
    hours: dict[tuple[int, int, int], tuple[int, int]] = {}
    if baseline.past is None:
        return Recurring(is_known, hours)
    for scale, length in enumerate(scales_hours):
        places = np.argwhere(beyond[:, scale]).tolist()
        asked = [(c, bool(effect[end, scale, c] > 0), int(slots[end])) for end, c in places]
        found = baseline.past.find(baseline, scale, asked, hours=length, delta=delta) if asked else []
        surest: dict[tuple[int, int], float] = {}
        for (end, channel), precedent in zip(places, found, strict=True):
            own = end, int(baseline.channels.feature[channel])
            if precedent.z >= SURELY * baseline.critical[scale, channel]:
                surest[own] = max(surest.get(own, _NONE), precedent.z)
        for (end, channel), precedent in zip(places, found, strict=True):
            own_z, feature = z[end, scale, channel], int(baseline.channels.feature[channel])
            as_far = AS_FAR * surest.get((end, feature), _NONE)
            # Of twenty cuts through one shift, one is by chance further out than it was.
            nearly = own_z <= min(_NEARLY_AS_FAR * precedent.z + _BY_CHANCE, as_far)
            if nearly or abs(effect[end, scale, channel]) <= AS_FAR * precedent.effect:
                is_known[end, scale, channel] = True
                hours[end, scale, channel] = precedent.hours
    return Recurring(is_known, hours)
