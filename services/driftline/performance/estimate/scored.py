"""Predictions by what was answered and by score, and which share of them came true where that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.performance import NO_SCORE
from driftline.performance.estimate.calibration import DRAWS, Evidence, Wander, shares_of, wander_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator

    from driftline.performance.tally import Floats, Group, Integers

_MOST = 96
"""Bins are put together into so many at most: nothing that can be estimated differs by less."""

_WORTH = 20.0
"""The share of a bin that gets a truth is drawn to that of all as if by so many predictions."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Predictions, counted by answer and bin of the score.

    Args:
        yes: whether the answer was yes. Shape (c,).
        bins: of the score. Shape (c,).
        counts: predictions that nobody acted on. Shape (c,).
        scores: sum of their scores. Shape (c,).
        known: of them, those whose truth is known. Shape (c,).
        positive: of these, those that came true. Shape (c,).
    """

    yes: Integers
    bins: Integers
    counts: Floats
    scores: Floats
    known: Floats
    positive: Floats


def scored_of(groups: Sequence[Group], decides: Callable[[str], bool | None]) -> Scored:
    """Return predictions by answer and score.

    Args:
        groups: of one kind; truths are ``0`` or ``1``, or not known.
        decides: whether a label means yes; None: the score decides, from 0.5 on.
    """
    used = [each for each in groups if each.status != "acted_on" and len(each.bins)]
    if not used:
        empty = np.zeros(0)
        return Scored(empty.astype(np.int64), empty.astype(np.int64), empty, empty, empty, empty)
    yes = []
    for each in used:
        decided = decides(each.decision)
        yes.append(each.bins >= 0 if decided is None else np.full(len(each.bins), decided))
    return Scored(
        np.concatenate(yes).astype(np.int64),
        np.concatenate([each.bins for each in used]),
        np.concatenate([each.counts for each in used]),
        np.concatenate([each.scores for each in used]),
        np.concatenate([each.counts * (each.status == "known") for each in used]),
        np.concatenate([each.counts * (each.status == "known" and each.truth == "1") for each in used]),
    )


@dataclass(frozen=True, slots=True)
class Worth:
    """What the predictions of a period are worth, by place: bins of scores, put together.

    The last two places are those of answers without a score: no, and yes.

    Args:
        edges: a bin belongs to the place of the last edge not above it. Shape (m,).
        shares: the share that comes true, most likely and drawn. Shape (1 + draws, m + 2).
        labelled: the share that gets a truth. Shape (m + 2,).
        known: how many truths that was seen of.
        fewer: how many of these came true, or did not: whichever is less.
        wander: by how much that differs from day to day.
    """

    edges: Integers
    shares: Floats
    labelled: Floats
    known: float
    fewer: float
    wander: Wander

    def places(self, scored: Scored) -> Integers:
        """Return the place of each."""
        return _places(self.edges, scored)


def _places(edges: Integers, scored: Scored) -> Integers:
    place = np.maximum(np.searchsorted(edges, scored.bins, side="right") - 1, 0)
    return np.where(scored.bins == NO_SCORE, len(edges) + scored.yes, place)


def worth_of(days: Sequence[Scored], period: Scored, random: Generator) -> Worth | None:
    """Return what scores are worth; None: no truth is known.

    Args:
        days: whose truths are known; what has none by now will have none.
        period: among whose scores differences matter.
        random: draws.
    """
    held = [each for each in days if each.known.sum() > 0]
    if not held:
        return None
    edges = _edges(held, period)
    size = len(edges) + 2
    places = [_places(edges, each) for each in held]
    known, positive = (
        np.array([np.bincount(at, getattr(each, name), size) for at, each in zip(places, held, strict=True)])
        for name in ("known", "positive")
    )
    shares = np.full((1 + DRAWS, size), 0.5)
    if len(edges):
        both = [*places, _places(edges, period)]
        weight = np.maximum(_total(both, [each.counts for each in (*held, period)], size), 1e-9)
        scores = _total(both, [each.scores for each in (*held, period)], size) / weight
        shares[:, :-2] = shares_of(Evidence(scores[:-2], positive[:, :-2], known[:, :-2]), random)
    seen, came = known.sum(axis=0), positive.sum(axis=0)
    for place in (size - 2, size - 1):
        mine, others = came[place] + 0.5, seen[place] - came[place] + 0.5
        shares[:, place] = random.beta(mine, others, len(shares))
        shares[0, place] = mine / (mine + others)
    counts = _total(places, [each.counts for each in held], size)
    overall = seen.sum() / counts.sum()
    labelled = (seen + _WORTH * overall) / (counts + _WORTH)
    whole, true = float(seen.sum()), float(came.sum())
    wander = wander_of(positive[:, :-2], known[:, :-2], shares[0, :-2])
    return Worth(edges, shares, labelled, whole, min(true, whole - true), wander)


def _total(places: Sequence[Integers], values: Sequence[Floats], size: int) -> Floats:
    sums: Floats = np.bincount(np.concatenate(places), np.concatenate(values), size).astype(float)
    return sums


def _edges(days: Sequence[Scored], period: Scored) -> Integers:
    """Return where places begin, so that each holds about as many of the days and of the period together."""
    bins = np.concatenate([each.bins for each in (*days, period)])
    past, now = sum(each.counts.sum() for each in days), max(period.counts.sum(), 1e-9)
    counts = np.concatenate([*(each.counts / past for each in days), period.counts / now])
    held = bins != NO_SCORE
    found, index = np.unique(bins[held], return_inverse=True)
    if not len(found):
        return found
    sums = np.bincount(index, counts[held])
    place = np.floor((np.cumsum(sums) - sums / 2) / sums.sum() * _MOST).astype(int)
    return found[np.r_[True, np.diff(place) > 0]]
