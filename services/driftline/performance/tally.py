"""Counts of predictions with the same answer and truth: added up over hours, weighted where that is due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from driftline.store.performance import BY_BIN, SUMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.store.performance import CountedGroup

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Predictions with the same answer and truth, counted.

    Args:
        kind: ``answer``; ``class``: the probability of one class; ``chosen``: of the one that was answered.
        status: ``known``, ``unknown`` or ``acted_on``.
        decision: the predicted label, or the class; empty: none.
        truth: the label that came true, or ``0`` or ``1``; empty: a number, or not known.
        count: predictions; each counts as much as its weight.
        squared: sum of the squares of their weights.
        replayed: of them, those that landed long after their time.
        bins: of scores, ascending. Shape (b,).
        counts: by bin. Shape (b,).
        scores: sum of the scores by bin. Shape (b,).
        sums: as `SUMS` names them. Shape (13,).
        largest: the largest absolute error.
        moments: of truths that are numbers: how many, mean, and sum of squares about it. Shape (m, 3).
        error_bins: of scores, ascending, where truths are other numbers than 0 and 1. Shape (e,).
        errors: sums by bin, as `BY_BIN` names them. Shape (7, e).
    """

    kind: str
    status: str
    decision: str
    truth: str
    count: float
    squared: float
    replayed: float
    bins: Integers
    counts: Floats
    scores: Floats
    sums: Floats
    largest: float
    moments: Floats
    error_bins: Integers
    errors: Floats

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What the predictions have in common."""
        return (self.kind, self.status, self.decision, self.truth)

    def sum_of(self, name: str) -> float:
        """Return one of the sums."""
        return float(self.sums[SUMS.index(name)])

    def weighted(self, weight: float) -> Group:
        """Return the group with each prediction counting as much."""
        return replace(
            self,
            count=self.count * weight,
            squared=self.squared * weight**2,
            counts=self.counts * weight,
            scores=self.scores * weight,
            sums=self.sums * weight,
            moments=self.moments * np.array([weight, 1.0, weight]),
            errors=self.errors * weight,
        )


def group_of(counted: CountedGroup) -> Group:
    """Return a group as the store has it, each prediction weighing 1."""
    bins, counts, scores = counted.scores
    return Group(
        kind=counted.kind,
        status=counted.status,
        decision=counted.decision,
        truth=counted.truth,
        count=float(counted.count),
        squared=float(counted.count),
        replayed=float(counted.replayed),
        bins=np.asarray(bins, dtype=np.int64),
        counts=np.asarray(counts, dtype=float),
        scores=np.asarray(scores, dtype=float),
        sums=np.asarray(counted.sums, dtype=float),
        largest=counted.largest,
        moments=np.asarray(counted.moments, dtype=float).reshape(-1, 3),
        error_bins=np.asarray(counted.errors[0], dtype=np.int64),
        errors=np.asarray(counted.errors[1:], dtype=float).reshape(len(BY_BIN), -1),
    )


def add_up(groups: Iterable[Group]) -> Sequence[Group]:
    """Return the groups with those that have the same answer and truth added up."""
    by_key: dict[tuple[str, str, str, str], list[Group]] = {}
    for each in groups:
        by_key.setdefault(each.key, []).append(each)
    return [own[0] if len(own) == 1 else _sum(own) for own in by_key.values()]


def _sum(groups: Sequence[Group]) -> Group:
    bins, (counts, scores) = sum_by(
        [each.bins for each in groups],
        [each.counts for each in groups],
        [each.scores for each in groups],
    )
    error_bins, errors = sum_by(
        [each.error_bins for each in groups],
        *([each.errors[place] for each in groups] for place in range(len(BY_BIN))),
    )
    return replace(
        groups[0],
        count=sum(each.count for each in groups),
        squared=sum(each.squared for each in groups),
        replayed=sum(each.replayed for each in groups),
        bins=bins,
        counts=counts,
        scores=scores,
        sums=np.sum([each.sums for each in groups], axis=0),
        largest=max(each.largest for each in groups),
        moments=np.concatenate([each.moments for each in groups]),
        error_bins=error_bins,
        errors=np.array(errors),
    )


def sum_by(keys: Sequence[Integers], *values: Sequence[Floats]) -> tuple[Integers, Sequence[Floats]]:
    """Return keys, ascending and each once, and the sums of values that stand at them.

    Args:
        keys: several arrays of keys.
        values: for each of the results, as many arrays, of the same lengths.
    """
    found, places = np.unique(np.concatenate(keys), return_inverse=True)
    sums: list[Floats] = [
        np.bincount(places, np.concatenate(each), minlength=len(found)).astype(float) for each in values
    ]
    return found, sums


def of_status(groups: Iterable[Group], status: str, kind: str = "answer") -> Sequence[Group]:
    """Return the groups of one status and kind."""
    return [each for each in groups if each.kind == kind and each.status == status]


def total(groups: Iterable[Group], name: str) -> float:
    """Return one of the sums over all groups."""
    return sum(each.sum_of(name) for each in groups)
