"""How right answers of yes and no are: from counts by bin of the score, decision and truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma, xlogy

from driftline.domain.performance import NO_SCORE, is_probability
from driftline.performance.intervals import Measured, auc, insufficient, mean, on_logit, proportion, wilson
from driftline.performance.tally import of_status, sum_by, total

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.performance.tally import Floats, Group, Integers

_CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class Binary:
    """Predictions whose truth is yes or no.

    Args:
        bins: of scores, ascending; without those that have none. Shape (b,).
        positive: weights of those that came true, by bin. Shape (b,).
        negative: of the others. Shape (b,).
        scores: sum of scores by bin. Shape (b,).
        matrix: weights by decision (no, yes) and truth (no, yes). Shape (2, 2).
        ratio: sum of squares of weights by sum of weights.
    """

    bins: Integers
    positive: Floats
    negative: Floats
    scores: Floats
    matrix: Floats
    ratio: float


def binary_of(groups: Sequence[Group], decides: Callable[[str], bool | None]) -> Binary:
    """Return known groups as predictions of yes and no.

    Args:
        groups: of one kind; truths are ``0`` or ``1``.
        decides: whether a label means yes; None: the score decides, from 0.5 on.
    """
    matrix = np.zeros((2, 2))
    for each in groups:
        yes, truth = decides(each.decision), int(each.truth == "1")
        if yes is not None:
            matrix[int(yes), truth] += each.count
        else:
            above = float(each.counts[each.bins >= 0].sum())
            scored = float(each.counts[each.bins != NO_SCORE].sum())
            matrix[:, truth] += [scored - above, above]
    known = [np.where(each.truth == "1", each.counts, 0.0) for each in groups]
    bins, (positive, counts, scores) = sum_by(
        [each.bins for each in groups],
        known,
        [each.counts for each in groups],
        [each.scores for each in groups],
    )
    held = bins != NO_SCORE
    weight, squares = sum(each.count for each in groups), sum(each.squared for each in groups)
    ratio = squares / weight if weight > 0 else 1.0
    return Binary(bins[held], positive[held], (counts - positive)[held], scores[held], matrix, ratio)


def measure_binary(groups: Sequence[Group], decides: Callable[[str], bool | None]) -> Mapping[str, Measured]:
    """Return every metric of answers of yes and no, by name.

    Args:
        groups: of which the known ones count.
        decides: as in `binary_of`.
    """
    known = [each for each in of_status(groups, "known") if each.truth in {"0", "1"}]
    if not known:
        return {}
    binary = binary_of(known, decides)
    share = _share(sum(each.count for each in known if each.truth == "1"), sum(each.count for each in known))
    measured = dict(_decided(binary, share))
    if len(binary.bins):
        measured |= _ranked(binary, share)
        if is_probability(int(binary.bins[0]), int(binary.bins[-1])):
            measured |= proper_scores(known, binary.ratio, share)
            measured["calibration_error"] = calibration_error(binary)
    return measured


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


def _decided(binary: Binary, share: float) -> Mapping[str, Measured]:
    (true_no, missed), (false_yes, hit) = binary.matrix.tolist()
    ratio = binary.ratio
    whole = float(binary.matrix.sum())
    return {
        "accuracy": proportion(true_no + hit, whole, ratio, max(share, 1 - share)),
        "precision": proportion(hit, hit + false_yes, ratio, share),
        "recall": proportion(hit, hit + missed, ratio),
        "specificity": proportion(true_no, true_no + false_yes, ratio),
        "f1": f1_of(hit, false_yes, missed, ratio, 2 * share / (1 + share) if share > 0 else None),
    }


def f1_of(hit: float, false: float, missed: float, ratio: float, baseline: float | None = None) -> Measured:
    """Return F1, whose interval is that of the share of hits among hits, false ones and misses.

    Args:
        hit: weight of what was answered and came true.
        false: of what was answered and did not.
        missed: of what came true and was not answered.
        ratio: sum of squares of weights by sum of weights.
        baseline: of answering the same always.
    """
    whole = hit + false + missed
    if whole <= 0:
        return insufficient()
    sample, part = whole / ratio, hit / whole
    value, low, high = (2 * each / (1 + each) for each in (part, *wilson(part, sample)))
    return Measured(value, low, high, sample, baseline=baseline)


def _ranked(binary: Binary, share: float) -> Mapping[str, Measured]:
    area = auc(binary.positive, binary.negative, binary.ratio)
    if area.value is None:
        return {"roc_auc": area, "average_precision": insufficient(area.sample)}
    value, variance = average_precision(binary.positive, binary.negative)
    low, high = on_logit(value, variance * binary.ratio)
    best, worst = _precision_bounds(binary.positive, binary.negative)
    bound = max(best - value, value - worst, 0.0)
    return {
        "roc_auc": area,
        "average_precision": Measured(value, low, high, area.sample, bound, share),
    }


def average_precision(positive: Floats, negative: Floats) -> tuple[float, float]:
    """Return average precision, as scikit-learn defines it, and its variance (infinitesimal jackknife).

    Args:
        positive: weights by bin of scores, ascending. Shape (b,).
        negative: likewise.
    """
    own, other = positive[::-1], negative[::-1]
    hits = np.cumsum(own)
    answered = np.maximum(hits + np.cumsum(other), 1e-300)
    precision, total_own = hits / answered, float(hits[-1])
    value = float(own @ precision) / total_own
    # What one more prediction changes: the precision at its own score and at all lower ones.
    gained = np.cumsum((own * (1 - precision) / answered)[::-1])[::-1]
    lost = np.cumsum((own * precision / answered)[::-1])[::-1]
    variance = own @ (precision + gained - value) ** 2 + other @ lost**2
    return value, float(variance) / total_own**2


def _precision_bounds(positive: Floats, negative: Floats) -> tuple[float, float]:
    """Return the best and the worst average precision that the bins allow, whatever the order in them."""
    own, other = positive[::-1], negative[::-1]
    hits, misses = np.cumsum(own) - own, np.cumsum(other) - other
    with np.errstate(divide="ignore", invalid="ignore"):
        best = np.where(own > 0, own * (hits + own) / (hits + own + misses), 0.0)
    wrong = misses + other
    worst = own - wrong * (digamma(hits + wrong + own + 1) - digamma(hits + wrong + 1))
    return float(best.sum() / own.sum()), float(worst.sum() / own.sum())


def proper_scores(groups: Sequence[Group], ratio: float, share: float = math.nan) -> dict[str, Measured]:
    """Return log loss and Brier score, exact.

    Args:
        groups: that are known.
        ratio: sum of squares of weights by sum of weights.
        share: of those that came true, for the baselines; NaN: there are none.
    """
    count = total(groups, "proper")
    entropy = None if math.isnan(share) else float(-xlogy(share, share) - xlogy(1 - share, 1 - share))
    return {
        "log_loss": mean(
            total(groups, "log_loss"),
            total(groups, "log_loss_squared"),
            count,
            ratio,
            is_positive=True,
            baseline=entropy,
        ),
        "brier_score": mean(
            total(groups, "brier"),
            total(groups, "brier_squared"),
            count,
            ratio,
            is_positive=True,
            baseline=None if math.isnan(share) else share * (1 - share),
        ),
    }


def calibration_error(binary: Binary) -> Measured:
    """Return the expected calibration error over ten bins of the score, whose edges are those of its bins."""
    counts = binary.positive + binary.negative
    held = counts > 0
    middle = binary.scores[held] / counts[held]
    place = np.minimum((middle * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    gap = np.bincount(place, (binary.scores - binary.positive)[held], minlength=_CALIBRATION_BINS)
    count = float(counts.sum())
    return Measured(float(np.abs(gap).sum() / count), None, None, count / binary.ratio)
