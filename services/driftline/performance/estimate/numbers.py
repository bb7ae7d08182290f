"""How far answers that are numbers are likely to be from the truth: from how far such answers were before.

The error of an answer is that of past answers of about the same size, which is what counts by bin of the
answer hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.performance import NO_SCORE
from driftline.performance.estimate.calibration import DRAWS, ENOUGH_DAYS, memory_of, over_days
from driftline.performance.estimate.drawn import drawn_of
from driftline.performance.tally import sum_by
from driftline.store.performance import BY_BIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.random import Generator

    from driftline.performance.estimate.drawn import Drawn
    from driftline.performance.tally import Floats, Group, Integers

_MOST = 40
"""Bins are put together into so many at most."""

_SQUARES = {
    "error": "error_squared",
    "error_absolute": "error_squared",
    "error_squared": "error_fourth",
    "error_relative": "error_relative_squared",
}
_METRICS = {"bias": "error", "mae": "error_absolute", "rmse": "error_squared", "mape": "error_relative"}


def estimate_numbers(
    groups: Sequence[Group], days: Sequence[Sequence[Group]], random: Generator, *, span: float = 1.0
) -> Mapping[str, Drawn]:
    """Return each metric as it is likely to be once truths are there, by name.

    Args:
        groups: of a period.
        days: the groups of each day whose truths are known.
        random: draws.
        span: days that the period is long.
    """
    bins, counts = answers_of(groups)
    past = [errors_of(day) for day in days]
    past = [(own, sums) for own, sums in past if len(own)]
    if not len(bins) or not past:
        return {}
    edges = _edges(past)
    size = len(edges)
    by_day = np.array([[np.bincount(_places(edges, own), each, size) for each in sums] for own, sums in past])
    mean, spread = _means(by_day, random)
    weights = np.bincount(_places(edges, bins), counts, size)
    whole = float(weights.sum())
    values = {}
    for name, summed in _METRICS.items():
        likely = (mean[summed] @ weights) / whole
        # The errors of the period vary, too, and those of one day together.
        wander = _wander(by_day, summed, mean[summed][0], spread[summed], span)
        noise = np.hypot(np.sqrt(max(float(spread[summed] @ weights), 0.0)) / whole, wander)
        likely[1:] += noise * random.standard_normal(len(likely) - 1)
        values[name] = np.sqrt(np.maximum(likely, 0.0)) if name == "rmse" else likely
    return drawn_of(values, whole)


def _wander(by_day: Floats, name: str, mean: Floats, spread: Floats, span: float) -> float:
    """Return by how much the mean of a period differs from others, more than by chance."""
    if len(by_day) < ENOUGH_DAYS:
        return 0.0
    counts = by_day[:, 0]
    off = (by_day[:, BY_BIN.index(name)] - counts * mean).sum(axis=1)
    own = counts.sum(axis=1)
    more = (off**2 - counts @ spread).sum() / max(float((own**2).sum()), 1e-9)
    return math.sqrt(max(float(more), 0.0)) * over_days(memory_of(off / np.maximum(own, 1.0)), span)


def answers_of(groups: Sequence[Group]) -> tuple[Integers, Floats]:
    """Return the bins of all answers that nobody acted on, and how many there are in each."""
    used = [each for each in groups if each.kind == "answer" and each.status != "acted_on"]
    if not used:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    bins, (counts,) = sum_by([each.bins for each in used], [each.counts for each in used])
    held = bins != NO_SCORE
    return bins[held], counts[held]


def errors_of(groups: Sequence[Group]) -> tuple[Integers, Floats]:
    """Return the bins of known answers, and what is summed by bin as `BY_BIN` names it. Shape (7, b)."""
    known = [each for each in groups if each.kind == "answer" and each.status == "known"]
    parts = [(each.error_bins, each.errors) for each in known if len(each.error_bins)]
    parts += [_of_whole(each) for each in known if each.truth in {"0", "1"}]
    if not parts:
        return np.zeros(0, dtype=np.int64), np.zeros((len(BY_BIN), 0))
    bins, sums = sum_by(
        [own for own, _ in parts], *([each[place] for _, each in parts] for place in range(len(BY_BIN)))
    )
    return bins, np.array(sums)


def _of_whole(group: Group) -> tuple[Integers, Floats]:
    """Return the errors of answers whose truth is 0 or 1, as if all of a bin were as large."""
    held = group.bins != NO_SCORE
    counts = group.counts[held]
    error = group.scores[held] / counts - float(group.truth)
    relative = np.abs(error) / max(float(group.truth), np.finfo(float).eps)
    ones = np.ones_like(error)
    return group.bins[held], counts * np.array(
        [ones, error, np.abs(error), error**2, error**4, relative, relative**2]
    )


def _edges(past: Sequence[tuple[Integers, Floats]]) -> Integers:
    bins, (counts,) = sum_by([own for own, _ in past], [sums[0] for _, sums in past])
    place = np.floor((np.cumsum(counts) - counts / 2) / counts.sum() * _MOST).astype(int)
    return bins[np.r_[True, np.diff(place) > 0]]


def _places(edges: Integers, bins: Integers) -> Integers:
    return np.maximum(np.searchsorted(edges, bins, side="right") - 1, 0)


def _means(by_day: Floats, random: Generator) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return by what is summed its mean by place, most likely and drawn, and its variance by place.

    Args:
        by_day: sums. Shape (d, 7, p).
        random: draws.
    """
    total = by_day.sum(axis=0)
    count = np.maximum(total[0], 1.0)
    sums = {name: total[BY_BIN.index(name)] for name in BY_BIN}
    mean, spread = {}, {}
    weights = random.standard_exponential((DRAWS, len(by_day)))
    for name, squares in _SQUARES.items():
        own = sums[name] / count
        spread[name] = np.maximum(sums[squares] / count - own**2, 0.0)
        if len(by_day) >= ENOUGH_DAYS:
            counts = np.maximum(weights @ by_day[:, 0], 1e-9)
            drawn = (weights @ by_day[:, BY_BIN.index(name)]) / counts
            drawn = np.where(total[0] > 0, drawn, own)
        else:
            drawn = own + np.sqrt(spread[name] / count) * random.standard_normal((DRAWS, len(own)))
        mean[name] = np.vstack([own, drawn])
    return mean, spread
