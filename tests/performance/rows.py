"""Raw rows, and the groups that counting them by hand makes: what the store has to make of them, too."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.performance import HIGHEST, LOWEST, NO_SCORE, OUTSIDE, RESOLUTION
from driftline.performance.tally import Group
from driftline.store.performance import SUMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SMALLEST = np.finfo(float).eps


@dataclass(frozen=True)
class Made:
    """One prediction, and what became of it; None: not there."""

    score: float | None = None
    label: str | None = None
    truth: float | str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    acted_on: bool = False
    weight: float = 1.0


def bin_of(score: float | None) -> int:
    if score is None or not np.isfinite(score):
        return NO_SCORE
    if score < 0 or score > 1:
        own = np.floor(RESOLUTION * np.arcsinh(score))
        return int(-OUTSIDE + max(own, -50000) if score < 0 else OUTSIDE + min(own, 50000))
    if score in {0, 1}:
        return LOWEST if score == 0 else HIGHEST
    return int(np.clip(np.floor(RESOLUTION * np.log(score / (1 - score))), LOWEST, HIGHEST))


def groups_of(rows: Sequence[Made]) -> list[Group]:
    """Return the groups of rows, of answers and of classes."""
    held = defaultdict(list)
    for row in rows:
        status = "acted_on" if row.acted_on else "unknown" if row.truth is None else "known"
        truth = row.truth if isinstance(row.truth, str) else {0: "0", 1: "1"}.get(row.truth, "")
        truth = truth if status == "known" else ""
        held["answer", status, row.label or "", truth].append(row)
        if row.label in row.probabilities and not isinstance(row.truth, float | int):
            right = str(int(row.truth == row.label)) if status == "known" else ""
            held["chosen", status, row.label, right].append(
                Made(score=row.probabilities[row.label], weight=row.weight)
            )
        for name, share in row.probabilities.items():
            if status == "known" and not isinstance(row.truth, str):
                continue
            came = str(int(row.truth == name)) if status == "known" else ""
            held["class", status, name, came].append(Made(score=share, weight=row.weight))
    return [_group(key, own) for key, own in held.items()]


def _group(key, rows) -> Group:
    kind, status, _, truth = key
    weights = np.array([row.weight for row in rows])
    places = np.array([bin_of(row.score) for row in rows])
    numbers = np.array([np.nan if row.score is None else row.score for row in rows])
    finite = np.where(np.isfinite(numbers), numbers, 0.0)
    bins, index = np.unique(places, return_inverse=True)
    sums = dict.fromkeys(SUMS, 0.0)
    moments, largest = np.zeros((0, 3)), 0.0
    error_bins, errors = np.zeros(0, dtype=int), np.zeros((7, 0))
    if status == "known" and kind == "answer":
        losses = [_scores(row) for row in rows]
        for weight, found in zip(weights, losses, strict=True):
            if found is not None:
                for name, value in zip(
                    SUMS[:5], (1, found[0], found[0] ** 2, found[1], found[1] ** 2), strict=True
                ):
                    sums[name] += weight * value
        both = np.array(
            [
                not isinstance(row.truth, str) and np.isfinite(number)
                for row, number in zip(rows, numbers, strict=True)
            ]
        )
        if both.any():
            truths = np.array([row.truth for row, own in zip(rows, both, strict=True) if own], dtype=float)
            error, own = numbers[both] - truths, weights[both]
            relative = np.abs(error) / np.maximum(np.abs(truths), SMALLEST)
            values = (np.ones_like(own), error, np.abs(error), error**2, error**4, relative, relative**2)
            sums["error_over_squared"] = float(own @ np.maximum(error, 0) ** 2)
            for name, value in zip(SUMS[6:], values, strict=True):
                sums[name] = float(own @ value)
            middle = float(np.average(truths, weights=own))
            moments = np.array([[own.sum(), middle, float(own @ (truths - middle) ** 2)]])
            largest = float(np.abs(error).max())
            if not truth:
                error_bins, errors = by_bin(places[both], [own * value for value in values])
    return Group(
        kind=kind,
        status=status,
        decision=key[2],
        truth=truth,
        count=float(weights.sum()),
        squared=float((weights**2).sum()),
        replayed=0.0,
        bins=bins,
        counts=np.bincount(index, weights),
        scores=np.bincount(index, weights * finite),
        sums=np.array([sums[name] for name in SUMS]),
        largest=largest,
        moments=moments,
        error_bins=error_bins,
        errors=errors,
    )


def by_bin(places, values):
    """Return bins, and the sums of each of several values in them."""
    bins, index = np.unique(places, return_inverse=True)
    return bins, np.array([np.bincount(index, value) for value in values])


def groups_of_columns(score: np.ndarray, truth: np.ndarray) -> list[Group]:
    """Return the groups of many answers that are numbers, without labels. NaN: the truth is not known."""
    found = []
    others = ~np.isin(truth, [0, 1]) & ~np.isnan(truth)
    for name, own in (("0", truth == 0), ("1", truth == 1), ("", others)):
        if not own.any():
            continue
        answer, came = score[own], truth[own]
        error = answer - came
        relative = np.abs(error) / np.maximum(np.abs(came), SMALLEST)
        values = [np.ones_like(error), error, np.abs(error), error**2, error**4, relative, relative**2]
        likely = np.clip(np.where(came == 1, answer, 1 - answer), SMALLEST, 1 - SMALLEST)
        proper = [np.ones_like(error), -np.log(likely), np.log(likely) ** 2, error**2, error**4]
        sums = [each.sum() for each in proper] if name else [0.0] * 5
        places = bins_of(answer)
        bins, index = np.unique(places, return_inverse=True)
        count = float(len(answer))
        error_bins, errors = by_bin(
            places[:0] if name else places, [each[: len(each) * (not name)] for each in values]
        )
        found.append(
            Group(
                kind="answer",
                status="known",
                decision="",
                truth=name,
                replayed=0.0,
                count=count,
                squared=count,
                largest=float(np.abs(error).max()),
                bins=bins,
                counts=np.bincount(index).astype(float),
                scores=np.bincount(index, answer),
                sums=np.array([*sums, (np.maximum(error, 0) ** 2).sum(), *(each.sum() for each in values)]),
                moments=np.array([[count, came.mean(), ((came - came.mean()) ** 2).sum()]]),
                error_bins=error_bins,
                errors=errors,
            )
        )
    if np.isnan(truth).any():
        found.append(unknown_group(score[np.isnan(truth)]))
    return found


def unknown_group(score: np.ndarray) -> Group:
    """Return the group of answers that are numbers, of which no truth is known."""
    bins, index = np.unique(bins_of(score), return_inverse=True)
    return Group(
        kind="answer",
        status="unknown",
        decision="",
        truth="",
        replayed=0.0,
        count=float(len(score)),
        squared=float(len(score)),
        largest=0.0,
        bins=bins,
        counts=np.bincount(index).astype(float),
        scores=np.bincount(index, score),
        sums=np.zeros(len(SUMS)),
        moments=np.zeros((0, 3)),
        error_bins=np.zeros(0, dtype=int),
        errors=np.zeros((7, 0)),
    )


def bins_of(score: np.ndarray) -> np.ndarray:
    """Return the bins of many scores."""
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.clip(np.floor(RESOLUTION * np.log(score / (1 - score))), LOWEST, HIGHEST)
    size = np.floor(RESOLUTION * np.arcsinh(score))
    outside = np.where(score < 0, np.maximum(size, -50000) - OUTSIDE, np.minimum(size, 50000) + OUTSIDE)
    return np.where((score < 0) | (score > 1), outside, odds).astype(int)


def _scores(row: Made) -> tuple[float, float] | None:
    """Return log loss and Brier score of a row; None: it has no probability of what came true."""
    if isinstance(row.truth, str):
        if not row.probabilities:
            return None
        own = row.probabilities.get(row.truth, 0.0)
        brier = sum(share**2 for share in row.probabilities.values()) - 2 * own + 1
    elif row.truth in {0, 1} and row.score is not None and 0 <= row.score <= 1:
        own = row.score if row.truth == 1 else 1 - row.score
        brier = (1 - own) ** 2
    else:
        return None
    return -np.log(np.clip(own, SMALLEST, 1 - SMALLEST)), brier
