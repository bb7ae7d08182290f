"""What scores are worth: the share that comes true by score, learned from truths that are known.

A logistic curve in the logarithms of the score and of what is left of 1 (beta calibration: Kull, Silva Filho
and Flach 2017), and where there are rows enough what these say beyond it (isotonic regression). How unsure
that is, is drawn: days are weighed anew (the Bayesian bootstrap, Rubin 1981), since rows of one day have more
in common than chance; where there are too few days, rows are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy  # Its parts are imported when they are used: that of optimizing takes long, and pages need none.
from scipy.special import expit, logit

if TYPE_CHECKING:
    from numpy.random import Generator

    from driftline.performance.tally import Floats

DRAWS: Final = 100
ENOUGH_DAYS: Final = 10
"""Of so many days on their differences tell how unsure a calibration is."""

_SMALLEST = 1e-9
_RIDGE = 1e-3
_WORTH = 50.0
"""The curve weighs as much as so many rows, where rows say something else."""

_STEPS = 25


@dataclass(frozen=True, slots=True)
class Evidence:
    """Truths by score, from which scores are calibrated.

    Args:
        scores: mean score by bin, ascending. Shape (b,).
        positive: those that came true, by day and bin. Shape (d, b).
        counts: all whose truth is known, by day and bin. Shape (d, b).
    """

    scores: Floats
    positive: Floats
    counts: Floats

    @property
    def known(self) -> float:
        """How many truths it is made of."""
        return float(self.counts.sum())

    @property
    def fewer(self) -> float:
        """How many came true, or did not: whichever is less."""
        came = float(self.positive.sum())
        return min(came, self.known - came)


def shares_of(evidence: Evidence, random: Generator, *, draws: int = DRAWS) -> Floats:
    """Return the share that comes true by bin of the evidence: as it is most likely, and draws of it.

    Args:
        evidence: of which some came true, and some did not.
        random: draws.
        draws: how many.

    Returns:
        Shape (1 + draws, b).
    """
    positive, counts = _drawn(evidence, random, draws)
    # One of each, spread over all scores, so that nothing is impossible.
    whole = counts.sum(axis=1, keepdims=True)
    spread = counts / np.maximum(whole, _SMALLEST)
    positive, counts = positive + spread, counts + 2 * spread
    curve = _curve(_shape(evidence.scores), positive, counts)
    return _isotonic(positive, counts, curve)


@dataclass(frozen=True, slots=True)
class Wander:
    """By how much what scores are worth differs from day to day, more than by chance.

    Args:
        shift: of the log-odds of all that comes true, standard deviation; 0: too few days to tell, or none.
        slope: of how much the log-odds rise with the calibrated ones, likewise.
        middle: the calibrated log-odds about which they rise.
        memory: how alike a day is to the one before: their correlation.
    """

    shift: float = 0.0
    slope: float = 0.0
    middle: float = 0.0
    memory: float = 0.0

    def over(self, days: float) -> float:
        """Return what is left of it over several days, as a share of one day's."""
        return over_days(self.memory, days)

    def drawn(self, shares: Floats, days: float, random: Generator) -> Floats:
        """Return shares as they may be in a period, the first of them as they are.

        Args:
            shares: of what comes true, most likely and drawn. Shape (1 + draws, b).
            days: that the period is long.
            random: draws.
        """
        odds = logit(np.clip(shares, _SMALLEST, 1 - _SMALLEST))
        moves = self.over(days) * random.standard_normal((2, len(shares), 1))
        moves[:, 0] = 0.0
        return np.asarray(expit(odds + self.shift * moves[0] + self.slope * moves[1] * (odds - self.middle)))


def over_days(memory: float, days: float) -> float:
    """Return by how much the mean of several days varies, as a share of how much one day does.

    Args:
        memory: correlation of a day with the one before.
        days: how many.
    """
    if days <= 1:
        return 1.0
    apart = np.arange(1, math.ceil(days))
    return float(np.sqrt((1 + 2 * ((1 - apart / days) * memory**apart).sum()) / days))


def memory_of(off: Floats) -> float:
    """Return the correlation of what is off on a day with the day before, where there is any: up to 0.8."""
    around = off - off.mean()
    whole = float(around @ around)
    return min(max(float(around[1:] @ around[:-1]) / whole, 0.0), 0.8) if whole > 0 else 0.0


def wander_of(positive: Floats, counts: Floats, shares: Floats) -> Wander:
    """Return how days differ, by the method of moments.

    Args:
        positive: by day and bin, the oldest day first. Shape (d, b).
        counts: likewise.
        shares: that come true on the whole, by bin. Shape (b,).
    """
    if len(counts) < ENOUGH_DAYS:
        return Wander()
    odds = logit(np.clip(shares, _SMALLEST, 1 - _SMALLEST))
    chance = counts * shares * (1 - shares)
    middle = float((chance @ odds).sum() / max(chance.sum(), _SMALLEST))
    off = positive - counts * shares
    found = []
    for along in (np.ones_like(odds), odds - middle):
        moved, by_chance = off @ along, chance @ along**2
        more = (moved**2 - by_chance).sum() / max(float((by_chance**2).sum()), _SMALLEST)
        found.append(math.sqrt(max(float(more), 0.0)))
    daily = off.sum(axis=1) / np.sqrt(np.maximum(chance.sum(axis=1), _SMALLEST))
    return Wander(found[0], found[1], middle, memory_of(daily))


def _drawn(evidence: Evidence, random: Generator, draws: int) -> tuple[Floats, Floats]:
    """Return positive and all counts by bin: as they are, and weighed anew. Two of shape (1 + draws, b)."""
    positive, negative = evidence.positive, evidence.counts - evidence.positive
    all_of_them = positive.sum(axis=0), negative.sum(axis=0)
    if len(positive) >= ENOUGH_DAYS:
        weights = random.standard_exponential((draws, len(positive)))
        weights *= len(positive) / weights.sum(axis=1, keepdims=True)
        # So few days vary by less than those that they are a sample of.
        weights = np.maximum(1 + math.sqrt((len(positive) + 1) / (len(positive) - 1)) * (weights - 1), 0.0)
        came, failed = weights @ positive, weights @ negative
    else:
        came, failed = (
            random.standard_gamma(np.broadcast_to(each, (draws, len(each)))) for each in all_of_them
        )
    came, failed = np.vstack([all_of_them[0], came]), np.vstack([all_of_them[1], failed])
    return came, came + failed


def _shape(scores: Floats) -> Floats:
    """Return what the curve is linear in, by bin. Shape (b, k)."""
    ones = np.ones_like(scores)
    if scores.min() >= 0 and scores.max() <= 1:
        own = np.clip(scores, _SMALLEST, 1 - _SMALLEST)
        return np.stack([ones, np.log(own), -np.log1p(-own)], axis=1)
    spread = float(scores.std()) or 1.0
    return np.stack([ones, (scores - scores.mean()) / spread], axis=1)


def _curve(shape: Floats, positive: Floats, counts: Floats) -> Floats:
    """Return the logistic curves that fit best, by Newton's steps, of all draws at once. Shape (r, b)."""
    expected = np.zeros(shape.shape[1])
    if shape.shape[1] == 3:
        expected[1:] = 1.0  # What a score says of itself, unless the rows say otherwise.
    weights = np.tile(expected, (len(positive), 1))
    ridge = _RIDGE * np.eye(len(expected))
    squares = np.einsum("bi,bj->bij", shape, shape).reshape(len(shape), -1)
    for _ in range(_STEPS):
        share = expit(weights @ shape.T)
        slope = (positive - counts * share) @ shape - _RIDGE * (weights - expected)
        bend = ((counts * share * (1 - share)) @ squares).reshape(-1, *ridge.shape) + ridge
        step = np.clip(np.linalg.solve(bend, slope[..., None])[..., 0], -2.0, 2.0)
        weights += step
        if float(np.abs(step).max()) < 1e-6:
            break
    return np.asarray(expit(weights @ shape.T))


def _isotonic(positive: Floats, counts: Floats, curve: Floats) -> Floats:
    """Return rising shares: of each span that rows hold to be level, theirs and the curve's.

    Where there are no rows, the curve says it alone.
    """
    found = curve.copy()
    held = np.flatnonzero(counts[0] > 0)
    for row in range(len(curve)):
        weights = counts[row, held] + _SMALLEST
        level = scipy.optimize.isotonic_regression(positive[row, held] / weights, weights=weights)
        starts = level.blocks[:-1]
        own = np.add.reduceat(weights, starts)
        weight = np.repeat(own / (own + _WORTH), np.diff(level.blocks))
        found[row, held] = weight * level.x + (1 - weight) * curve[row, held]
    return found
