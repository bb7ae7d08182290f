"""How long truths take: their delay, what share is known at which age, and what that makes of early ones.

A prediction without a truth is censored at its age: its truth may still come, or never. So the share known
at an age is Kaplan and Meier's (1958), with Greenwood's variance. Truths that have come are no sample of
all: those of one kind may take longer. So each counts for as many as there are of its kind in the end
(Horvitz and Thompson 1952), as far as old predictions show how long that kind takes.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.domain.performance import DELAY_EDGES_S
from driftline.performance.intervals import Z

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.performance.tally import Floats
    from driftline.store.performance import HourDelays

HOUR_S: Final = 3600.0
MATURE_SHARE: Final = 0.995
"""Once so many of the truths that will ever come are known, a value is final."""

_LEAST_KNOWN = 0.1
"""Truths of a kind of which less is known at their age stand for too many others."""

_ENOUGH = 50
"""So many old truths of a kind show how long it takes."""

_PLACES = len(DELAY_EDGES_S) + 1
_EDGES = np.array((0.0, *DELAY_EDGES_S))


@dataclass(frozen=True, slots=True)
class Coverage:
    """What share of predictions has a truth, by age.

    Args:
        ages_s: seconds, ascending. Shape (k,).
        known: share known at that age. Shape (k,).
        low: of its interval. Shape (k,).
        high: of its interval. Shape (k,).
    """

    ages_s: Floats
    known: Floats
    low: Floats
    high: Floats

    @property
    def final(self) -> float:
        """The share that will ever be known, as far as the oldest predictions tell."""
        return float(self.known[-1]) if len(self.known) else 0.0

    @property
    def maturity_s(self) -> float:
        """The age at which nearly all are known that will be, seconds; infinite: nobody can tell.

        That takes predictions twice as old, of which hardly any has become known since.
        """
        if not self.final:
            return math.inf
        age_s = float(self.ages_s[np.argmax(self.known >= MATURE_SHARE * self.final)])
        return age_s if 2 * age_s <= self.ages_s[-1] else math.inf

    def at(self, age_s: float) -> float:
        """Return the share that is known at an age."""
        return float(np.interp(age_s, np.r_[0.0, self.ages_s], np.r_[0.0, self.known])) if self.final else 0.0


@dataclass(frozen=True, slots=True)
class Delays:
    """How long the truths of a model's predictions take.

    Args:
        coverage: by age, of all predictions that nobody acted on.
        by_truth: by truth, the share known at each of `DELAY_EDGES_S` of those that will be, and how many old
            truths that was seen of; kinds of which too few are old are left out.
        horizon_s: up to when truths can have come, seconds since the epoch.
    """

    coverage: Coverage
    by_truth: Mapping[str, tuple[Floats, float]]
    horizon_s: float

    def age_s(self, hour: int) -> float:
        """Return how old the youngest prediction of an hour is."""
        return max(self.horizon_s - (hour + 1) * HOUR_S, 0.0)

    def is_mature(self, hour: int) -> bool:
        """Return whether nearly all truths of an hour are known that will be."""
        return self.age_s(hour) >= self.coverage.maturity_s

    def knows(self, truth: str) -> bool:
        """Return whether old truths of a kind show how long it takes."""
        return truth in self.by_truth

    def seen(self, truth: str) -> float:
        """Return of how many old truths of a kind that is known."""
        return self.by_truth[truth][1]

    def shares_known(self, hour: int) -> Mapping[str, float] | None:
        """Return by kind the share known by now of an hour's truths; None: of one of them too little is."""
        ages = np.maximum(self.horizon_s - (hour + np.array([0.125, 0.375, 0.625, 0.875])) * HOUR_S, 0.0)
        shares = {
            truth: float(np.interp(ages, _EDGES, np.r_[0.0, known]).mean())
            for truth, (known, _) in self.by_truth.items()
        }
        return shares if shares and min(shares.values()) >= _LEAST_KNOWN else None


def delays_of(hours: Sequence[HourDelays], *, now_s: float) -> Delays:
    """Return how long truths take.

    Args:
        hours: of one stream, of one environment of a model, or of a part of it.
        now_s: the time now, seconds since the epoch. Where predictions are replayed it is the end of the
            newest hour instead: how long ago that was says nothing of them.
    """
    counted = [each for each in hours if each.status != "acted_on"]
    replayed = sum(each.replayed for each in counted) > sum(each.count for each in counted) / 2
    horizon_s = (max(each.hour for each in counted) + 1) * HOUR_S if replayed and counted else now_s
    coverage = kaplan_meier(counted, horizon_s)
    mature = [
        each
        for each in counted
        if each.status == "known" and horizon_s - (each.hour + 1) * HOUR_S >= coverage.maturity_s
    ]
    by_truth: dict[str, Floats] = defaultdict(lambda: np.zeros(_PLACES))
    for each in mature:
        np.add.at(by_truth[each.truth], list(each.delays[0]), list(each.delays[1]))
    shares = {
        truth: ((np.cumsum(counts) / counts.sum())[:-1], float(counts.sum()))
        for truth, counts in by_truth.items()
        if counts.sum() >= _ENOUGH
    }
    return Delays(coverage, shares, horizon_s)


def kaplan_meier(hours: Iterable[HourDelays], horizon_s: float) -> Coverage:
    """Return the share of predictions whose truth is known, by age.

    Args:
        hours: predictions; those without a truth are censored at their age.
        horizon_s: the time until which truths can have come.
    """
    events, lost, oldest = np.zeros(_PLACES), np.zeros(_PLACES), 0
    for each in hours:
        # Looked at up to the last edge that its age has passed.
        age_s = max(horizon_s - (each.hour + 0.5) * HOUR_S, 0.0)
        passed = int(np.searchsorted(_EDGES[1:], age_s, side="right"))
        oldest = max(oldest, passed)
        if each.status == "known":
            np.add.at(events, list(each.delays[0]), list(each.delays[1]))
        else:
            lost[passed] += each.count
    if not oldest or not events.sum():
        return Coverage(*(np.zeros(0) for _ in range(4)))
    # Those that are lost sight of between two edges were looked at for half of it, as in a table of lives.
    before = np.r_[0.0, np.cumsum(events + lost)[:-1]]
    at_risk = np.maximum(events.sum() + lost.sum() - before - lost / 2, events)[:oldest]
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(at_risk > 0, events[:oldest] / at_risk, 0.0)
        spread = np.cumsum(np.where((hazard > 0) & (hazard < 1), hazard / ((1 - hazard) * at_risk), 0.0))
    unknown = np.cumprod(1 - hazard)
    error = Z * unknown * np.sqrt(spread)
    return Coverage(
        np.array(DELAY_EDGES_S)[:oldest],
        1 - unknown,
        np.maximum(1 - unknown - error, 0.0),
        np.minimum(1 - unknown + error, 1.0),
    )
