"""How right answers of yes and no are likely to be: the confusion that is expected of calibrated scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import xlog1py, xlogy

from driftline.domain.performance import NO_SCORE, is_probability
from driftline.performance.estimate.drawn import drawn_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.random import Generator

    from driftline.performance.estimate.drawn import Drawn
    from driftline.performance.estimate.scored import Scored, Worth
    from driftline.performance.tally import Floats, Integers

_SMALLEST = 2.220446049250313e-16
"""As where truths are counted: no probability is nearer to 0 or 1 when its logarithm is taken."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Predictions of a period by answer and place, and how many of them are likely to come true.

    Args:
        yes: whether the answer was yes. Shape (c,).
        places: of the score. Shape (c,).
        counts: that are to get a truth, most likely and drawn. Shape (1 + draws, c).
        positive: of them, those that come true. Shape (1 + draws, c).
    """

    yes: Integers
    places: Integers
    counts: Floats
    positive: Floats


def expected_of(
    scored: Scored, worth: Worth, random: Generator, *, days: float = 1.0
) -> tuple[Expected, Integers]:
    """Return what is likely to come true, and to which of its cells each of the given counts belongs.

    Args:
        scored: predictions of a period.
        worth: what their scores are worth.
        random: draws what comes true.
        days: that the predictions are of; what differs from day to day evens out over several.
    """
    keys, cells = np.unique(worth.places(scored) * 2 + scored.yes, return_inverse=True)
    places = keys // 2
    counts = np.bincount(cells, scored.counts) * worth.labelled[places]
    shares = worth.wander.drawn(worth.shares[:, places], days, random)
    whole = np.rint(counts).astype(np.int64)
    positive = np.vstack([shares[0] * counts, random.binomial(whole, shares[1:])])
    counted = np.vstack([counts, np.broadcast_to(whole, (len(shares) - 1, len(whole)))])
    return Expected(keys % 2, places, counted.astype(float), positive.astype(float)), cells


def estimate_binary(
    scored: Scored, worth: Worth, random: Generator, *, days: float = 1.0
) -> Mapping[str, Drawn]:
    """Return each metric as it is likely to be once truths are there, by name.

    Args:
        scored: predictions of a period.
        worth: what their scores are worth.
        random: draws what comes true.
        days: that the predictions are of.
    """
    if not len(scored.bins):
        return {}
    expected, cells = expected_of(scored, worth, random, days=days)
    values = dict(_decided(expected))
    held = scored.bins != NO_SCORE
    if held.any():
        ranked = expected.places < len(worth.edges)
        places = expected.places[ranked]
        positive = by_place(expected.positive[:, ranked], places)
        negative = by_place((expected.counts - expected.positive)[:, ranked], places)
        values |= ranking(positive, negative, distinct(scored, worth))
        if held.all() and is_probability(int(scored.bins.min()), int(scored.bins.max())):
            values |= _proper(scored, expected, cells)
    return drawn_of(values, float(expected.counts[0].sum()))


def distinct(scored: Scored, worth: Worth) -> Floats:
    """Return how many different bins of scores there are, by place that has any, ascending."""
    bins = np.unique(scored.bins[scored.bins != NO_SCORE])
    places = np.maximum(np.searchsorted(worth.edges, bins, side="right") - 1, 0)
    return np.unique(places, return_counts=True)[1].astype(float)


def by_place(values: Floats, places: Integers) -> Floats:
    """Return sums by place, ascending. Shape (r, p) of (r, c)."""
    return np.add.reduceat(values, np.flatnonzero(np.r_[True, np.diff(places) > 0]), axis=1)


def _decided(expected: Expected) -> Mapping[str, Floats]:
    positive, negative = expected.positive, expected.counts - expected.positive
    yes = expected.yes == 1
    hit, missed = positive[:, yes].sum(axis=1), positive[:, ~yes].sum(axis=1)
    false, rejected = negative[:, yes].sum(axis=1), negative[:, ~yes].sum(axis=1)
    return {
        "accuracy": over(hit + rejected, hit + rejected + false + missed),
        "precision": over(hit, hit + false),
        "recall": over(hit, hit + missed),
        "specificity": over(rejected, rejected + false),
        "f1": over(2 * hit, 2 * hit + false + missed),
    }


def over(part: Floats, whole: Floats) -> Floats:
    """Return shares; of nothing, NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def ranking(positive: Floats, negative: Floats, bins: Floats) -> dict[str, Floats]:
    """Return AUC, where equal scores count a half, and average precision.

    Args:
        positive: by place of scores, ascending. Shape (r, p).
        negative: likewise.
        bins: how many different scores stand in each place. Shape (p,).
    """
    below = np.cumsum(negative, axis=1) - negative / 2
    whole, others = positive.sum(axis=1), negative.sum(axis=1)
    own, other = positive[:, ::-1], negative[:, ::-1]
    # Of a place with many scores half stands before each, on average; of equal scores none does.
    before = ((bins - 1) / (2 * bins))[::-1]
    hits = np.cumsum(own, axis=1) - own * before
    answered = hits + np.cumsum(other, axis=1) - other * before
    precision = over(hits, answered)
    return {
        "roc_auc": over((positive * below).sum(axis=1), whole * others),
        "average_precision": over(np.where(own > 0, own * precision, 0.0).sum(axis=1), whole),
    }


def _proper(scored: Scored, expected: Expected, cells: Integers) -> Mapping[str, Floats]:
    """Return log loss and Brier score: each cell's of truths that are yes, and of those that are no."""
    weight = np.bincount(cells, scored.counts)
    score = np.clip(scored.scores / scored.counts, 0.0, 1.0)
    found = {}
    clipped = np.clip(score, _SMALLEST, 1 - _SMALLEST)
    for name, came, failed in (
        ("log_loss", -xlogy(1, clipped), -xlog1py(1, -clipped)),
        ("brier_score", (1 - score) ** 2, score**2),
    ):
        own, other = (np.bincount(cells, scored.counts * each) / weight for each in (came, failed))
        total = expected.positive @ own + (expected.counts - expected.positive) @ other
        found[name] = over(total, expected.counts.sum(axis=1))
    return found
