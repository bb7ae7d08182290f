"""How two models differ on the same rows, with what that is sure of.

Every difference is the candidate's less production's, so that more is better whatever the metric. AUC: the
paired test of DeLong, DeLong and Clarke-Pearson (1988), by ranks (Sun and Xu 2014). Accuracy: the exact test
of McNemar (1947), and the interval of Bonett and Price (2012). All that is a function of mean losses: the
paired bootstrap, of 500 draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import scipy  # Its parts are imported when they are used: that of statistics takes long.
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.performance.tally import Floats

Metric: TypeAlias = Literal["roc_auc", "accuracy", "brier_score", "log_loss", "mae", "rmse"]
Flags: TypeAlias = NDArray[np.bool_]

RELATIVE: Final = frozenset({"brier_score", "log_loss", "mae", "rmse"})
"""Of these, a difference is a share of production's value: 0.05 is a loss lower by 5 %."""

LEAST_OF_A_CLASS: Final = 10
"""AUC with fewer of a class has no variance worth the name."""

_DRAWS = 500
_MOST_CELLS = 2000
_CALIBRATION_BINS = 10
_SMALLEST = 2.220446049250313e-16


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better a candidate is than production, on the same rows.

    Args:
        metric: its name.
        candidate: the metric of the candidate.
        production: the metric of production.
        value: how much better the candidate is; negative: worse. Of `RELATIVE` metrics a share.
        error: standard error of the value; 0: the two do not differ at all.
        rows: of how many.
        method: how it was tested.
        p_worse: probability of a value so low or lower, if the candidate were as good.
    """

    metric: str
    candidate: float
    production: float
    value: float
    error: float
    rows: int
    method: str
    p_worse: float

    def low(self, level: float) -> float:
        """Return what the true value exceeds, but for a share of cases that is the level."""
        return self.value - float(ndtri(1 - level)) * self.error

    def high(self, level: float) -> float:
        """Return what the true value stays below, but for a share of cases that is the level."""
        return self.value + float(ndtri(1 - level)) * self.error

    def is_not_worse_by(self, margin: float, level: float) -> bool:
        """Return whether it is sure, at a level, that the candidate is not worse by the margin or more."""
        return self.low(level) > -margin


def difference_of(metric: Metric, truth: Floats, candidate: Floats, production: Floats) -> Difference | None:
    """Return how two models differ; None: the rows do not suffice for any test.

    Args:
        metric: which.
        truth: 0 or 1, or numbers. For accuracy: unused. Shape (n,).
        candidate: scores or numbers; for accuracy: whether it was right, as 0 and 1. Shape (n,).
        production: likewise. Shape (n,).
    """
    if len(truth) < 2:
        return None
    if metric == "roc_auc":
        return _auc(truth > 0.5, candidate, production)
    if metric == "accuracy":
        return _accuracy(candidate > 0.5, production > 0.5)
    own, other = (_LOSSES[metric](truth, each) for each in (candidate, production))
    return _bootstrapped(metric, own, other, then=np.sqrt if metric == "rmse" else None)


def _tail(value: float, error: float) -> float:
    if error <= 0:
        return 1.0 if value >= 0 else 0.0
    return float(ndtr(value / error))


def _auc(positive: Flags, candidate: Floats, production: Floats) -> Difference | None:
    ours, others = int(positive.sum()), int((~positive).sum())
    if min(ours, others) < LEAST_OF_A_CLASS:
        return None
    own, against = zip(*(_placements(scores, positive) for scores in (candidate, production)), strict=True)
    areas = [float(each.mean()) for each in own]
    value = areas[0] - areas[1]
    spread = float(np.var(own[0] - own[1], ddof=1)) / ours
    spread += float(np.var(against[0] - against[1], ddof=1)) / others
    error = math.sqrt(spread)
    rows = len(positive)
    return Difference(
        "roc_auc", areas[0], areas[1], value, error, rows, "DeLong, paired", _tail(value, error)
    )


def _placements(scores: Floats, positive: Flags) -> tuple[Floats, Floats]:
    """Return the share of the other class that each stands above, or below; equal ones count half."""
    ranks = scipy.stats.rankdata(scores)
    own, other = scores[positive], scores[~positive]
    above = (ranks[positive] - scipy.stats.rankdata(own)) / len(other)
    below = 1 - (ranks[~positive] - scipy.stats.rankdata(other)) / len(own)
    return np.asarray(above, dtype=float), np.asarray(below, dtype=float)


def _accuracy(candidate: Flags, production: Flags) -> Difference:
    rows = len(candidate)
    better, worse = int((candidate & ~production).sum()), int((~candidate & production).sum())
    # Bonett and Price: one more of each of the two kinds, so that none has no variance.
    up, down = (better + 1) / (rows + 2), (worse + 1) / (rows + 2)
    error = math.sqrt(max(up + down - (up - down) ** 2, 0.0) / (rows + 2)) if better + worse else 0.0
    return Difference(
        "accuracy",
        float(candidate.mean()),
        float(production.mean()),
        up - down if better + worse else 0.0,
        error,
        rows,
        "McNemar, exact",
        float(scipy.stats.binom.cdf(better, better + worse, 0.5)) if better + worse else 1.0,
    )


def _log_loss(truth: Floats, scores: Floats) -> Floats:
    held = np.clip(scores, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(-np.where(truth > 0.5, np.log(held), np.log1p(-held)), dtype=float)


_LOSSES: Final[Mapping[Metric, Callable[[Floats, Floats], Floats]]] = MappingProxyType(
    {
        "rmse": lambda truth, answer: np.square(answer - truth),
        "mae": lambda truth, answer: np.abs(answer - truth),
        "brier_score": lambda truth, answer: np.square(answer - truth),
        "log_loss": _log_loss,
    }
)


def _bootstrapped(
    metric: Metric,
    candidate: Floats,
    production: Floats,
    *,
    then: Callable[[Floats], Floats] | None = None,
) -> Difference | None:
    """Return how much lower a loss is, as a share of production's."""
    held = then if then is not None else np.asarray
    values = [float(held(np.asarray([loss.mean()]))[0]) for loss in (candidate, production)]
    if values[1] <= 0:
        return None  # Nothing is a share of nothing.
    draws = [held(each) for each in _resampled_means(np.stack([candidate, production]))]
    error = float(np.std(1 - draws[0] / np.maximum(draws[1], _SMALLEST), ddof=1))
    value = 1 - values[0] / values[1]
    if np.array_equal(candidate, production):
        value = error = 0.0
    rows = len(candidate)
    return Difference(
        metric, values[0], values[1], value, error, rows, "bootstrap, paired", _tail(value, error)
    )


def _resampled_means(columns: Floats) -> Floats:
    """Return means of columns over resampled rows, the same rows in each. Shape (c, 500).

    Many rows are put together to cells first, each row with its neighbour: rows come in no order, so cells
    vary as their rows do.

    Args:
        columns: shape (c, n).
    """
    random = np.random.Generator(np.random.PCG64(0))  # The same rows have the same interval.
    rows = columns.shape[1]
    cells = min(rows, _MOST_CELLS)
    place = np.arange(rows) % cells
    sums = np.stack([np.bincount(place, each, minlength=cells) for each in columns])
    sizes = np.bincount(place, minlength=cells).astype(float)
    means = np.empty((len(columns), _DRAWS))
    step = max(1, 4_000_000 // cells)
    for first in range(0, _DRAWS, step):
        drawn = random.multinomial(cells, np.full(cells, 1 / cells), min(step, _DRAWS - first)).astype(float)
        means[:, first : first + len(drawn)] = (sums @ drawn.T) / (drawn @ sizes)
    return means


def calibration_difference(truth: Floats, candidate: Floats, production: Floats) -> Difference | None:
    """Return how much better calibrated the candidate is: expected calibration error in ten bins of a size.

    Args:
        truth: 0 or 1. Shape (n,).
        candidate: probabilities. Shape (n,).
        production: likewise. Shape (n,).
    """
    rows = len(truth)
    if rows < 2 * _CALIBRATION_BINS:
        return None
    columns, values = [], []
    for scores in (candidate, production):
        bins = (scipy.stats.rankdata(scores, "ordinal") - 1).astype(int) * _CALIBRATION_BINS // rows
        gaps = truth - scores
        columns.append([np.where(bins == each, gaps, 0.0) for each in range(_CALIBRATION_BINS)])
        values.append(float(sum(abs(column.mean()) for column in columns[-1])))
    means = np.abs(_resampled_means(np.concatenate([np.stack(each) for each in columns])))
    drawn = means[:_CALIBRATION_BINS].sum(axis=0) - means[_CALIBRATION_BINS:].sum(axis=0)
    value, error = values[1] - values[0], float(np.std(drawn, ddof=1))
    method = "bootstrap, paired"
    return Difference(
        "calibration_error", values[0], values[1], value, error, rows, method, _tail(value, error)
    )


def quantile_bounds(values: Floats, quantile: float, level: float) -> tuple[float, float, float]:
    """Return a quantile and its one-sided bounds, which assume nothing of the distribution.

    Args:
        values: as measured, in whatever order. Shape (n,), n at least 1.
        quantile: such as 0.95.
        level: of each bound.
    """
    ordered = np.sort(values)
    rows = len(ordered)
    low, high = (scipy.stats.binom.ppf(each, rows, quantile) for each in (level, 1 - level))
    places = [int(min(max(place, 0), rows - 1)) for place in (low - 1, quantile * rows, high)]
    return float(ordered[places[1]]), float(ordered[places[0]]), float(ordered[places[2]])


def holm(p_values: dict[str, float], level: float) -> frozenset[str]:
    """Return the names whose hypotheses are rejected, so that any is wrongly in at most a share of cases.

    Args:
        p_values: by name.
        level: that share (Holm 1979).
    """
    rejected: set[str] = set()
    for place, (name, value) in enumerate(sorted(p_values.items(), key=lambda each: each[1])):
        if value > level / (len(p_values) - place):
            break
        rejected.add(name)
    return frozenset(rejected)
