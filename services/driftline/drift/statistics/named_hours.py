"""Hours that the calendar names: what their like were, and how far they may stray without being news.

What a holiday brings nobody knows before the first one. So in its hours values may move as far as
`UNLIKE_SD` would move them, and a page needs surely more than that: the minimum effect grows, in proportion
to the share of a window's rows that lie in such hours, and a large fault is found all the same. Where the
reference holds hours of the same name, they say how such hours differ, and half as far again is news.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from driftline.drift.settings import HOURS_PER_WEEK
from driftline.drift.statistics.channels import NULLS, RARE_PER_FEATURE
from driftline.drift.statistics.hours import stack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.calendars import Calendar
    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.baseline import Baseline
    from driftline.drift.statistics.hours import HourCounts

UNLIKE_SD = 0.6
"""In hours like none before values may move as far as a mean that moved by so many standard deviations."""

_MORE_NULLS, _MORE_INVALID = 0.05, 0.02
"""By how many of the rows missing and invalid values, and new ones, may become more: holidays bring few."""

_FEWEST_HOURS = 4
"""Fewer hours of one name say nothing of their like."""

_AS_FAR_AGAIN, _LEAST_PART = 0.5, 0.25
_ORDINARY, _UNKNOWN = 0, 1


@dataclass(frozen=True, slots=True)
class NamedHours:
    """What is known of hours by their name: ordinary ones, those of an unknown name, then each known one.

    Args:
        hours: how many of each name the reference holds, in the order of the rows behind the first two.
        shift: what their shares differ by from those of ordinary hours, (2 + names, c).
        allowed: by what share of rows a channel may move further without being news, (2 + names, c).
        behind: rows that the shift is known from, at least 1, (2 + names, c).
    """

    hours: Mapping[str, int]
    shift: FloatArray
    allowed: FloatArray
    behind: FloatArray

    def places(self, names: Sequence[str]) -> IntArray:
        """Return the row of each hour by its name, empty for an ordinary one. Shape (h,)."""
        known = {"": _ORDINARY} | {name: place for place, name in enumerate(self.hours, _UNKNOWN + 1)}
        return np.array([known.get(name, _UNKNOWN) for name in names], dtype=np.int64)


def with_named_hours(
    baseline: Baseline,
    calendar: Calendar,
    hours: Sequence[HourCounts] = (),
    counts: BoolArray | None = None,
) -> Baseline:
    """Return a baseline that knows what it can of the hours that a calendar names, if it names any.

    Args:
        baseline: what is expected of ordinary hours.
        calendar: that named the hours.
        hours: of the reference, those with a name, (h,).
        counts: which of them count for which of the baseline's features, (h, f).
    """
    if not calendar:
        return baseline
    counts = np.zeros((0, len(baseline.features)), dtype=np.bool_) if counts is None else counts
    return replace(baseline, named=learn_named_hours(baseline, hours, counts))


def learn_named_hours(baseline: Baseline, hours: Sequence[HourCounts], counts: BoolArray) -> NamedHours:
    """Learn what named hours were like.

    Args:
        baseline: what is expected of ordinary hours.
        hours: of the reference, those with a name, (h,).
        counts: which of them count for which of the baseline's features, (h, f).
    """
    channels = baseline.channels
    unknown = _unlike(baseline)
    shifts, allowed = [np.zeros(channels.size)] * 2, [np.zeros(channels.size), unknown]
    behind, known = [np.ones(channels.size)] * 2, {}
    for name in sorted({hour.entry for hour in hours}):
        own = [place for place, hour in enumerate(hours) if hour.entry == name]
        if len(own) < _FEWEST_HOURS:
            continue
        known[name] = len(own)
        stacked = stack([hours[place] for place in own], baseline.features).only(counts[own])
        counted = baseline.count(stacked, np.array([hours[place].local_hour for place in own]))
        rows = np.concatenate([stacked.present, np.where(stacked.known, stacked.rows[:, None], 0.0)], axis=1)
        n = rows[:, channels.group]
        slots = (counted.slots.astype(np.int64) - baseline.origin) % HOURS_PER_WEEK
        share = baseline.channel_shares[slots]
        strayed = channels.collect(counted.columns, counted.rare) - n * share
        total = np.maximum(n.sum(0), 1.0)
        shift = strayed.sum(0) / total
        spread = np.sqrt((n * (strayed / np.maximum(n, 1.0) - shift) ** 2).sum(0) / total)
        further = np.maximum(_AS_FAR_AGAIN * np.abs(shift) + spread, _LEAST_PART * unknown)
        shifts.append(shift)
        allowed.append(np.where(n.sum(0) > 0, np.minimum(further, unknown), unknown))
        behind.append(total)
    return NamedHours(known, np.stack(shifts), np.stack(allowed), np.stack(behind))


def _unlike(baseline: Baseline) -> FloatArray:
    """Return how far each channel may move in hours like none before, (c,)."""
    channels = baseline.channels
    usual = ndtri(np.clip(baseline.channel_shares.mean(0), 1e-6, 1 - 1e-6))
    moved = np.maximum(
        ndtr(usual + UNLIKE_SD) - ndtr(usual),
        ndtr(usual) - ndtr(usual - UNLIKE_SD),
    )
    kinds = channels.rare % RARE_PER_FEATURE
    moved[channels.size - channels.rare.size :] = np.where(kinds == NULLS, _MORE_NULLS, _MORE_INVALID)
    return np.asarray(moved, dtype=np.float64)
