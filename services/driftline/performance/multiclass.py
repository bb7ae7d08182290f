"""How right answers are that are one of several labels: from counts by predicted label and truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.performance.binary import binary_of, f1_of, proper_scores
from driftline.performance.intervals import Measured, auc, insufficient, proportion, resampled
from driftline.performance.tally import of_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.performance.tally import Floats, Group


@dataclass(frozen=True, slots=True)
class Matrix:
    """How often each label was answered, by what came true.

    Args:
        labels: answered or true, ascending.
        weights: by answered label and true label. Shape (k, k).
        ratio: sum of squares of weights by sum of weights.
    """

    labels: Sequence[str]
    weights: Floats
    ratio: float


def confusion(groups: Sequence[Group]) -> Matrix:
    """Return the confusion matrix of the known answers that are labels."""
    known = [each for each in of_status(groups, "known") if each.decision and each.truth]
    labels = sorted({each.decision for each in known} | {each.truth for each in known})
    place = {label: number for number, label in enumerate(labels)}
    weights = np.zeros((len(labels), len(labels)))
    for each in known:
        weights[place[each.decision], place[each.truth]] += each.count
    count = float(weights.sum())
    ratio = sum(each.squared for each in known) / count if count > 0 else 1.0
    return Matrix(labels, weights, ratio)


def measure_multiclass(groups: Sequence[Group]) -> Mapping[str, Measured]:
    """Return every metric of answers that are labels, by name; those of one label have it behind a colon."""
    matrix = confusion(groups)
    measured: dict[str, Measured] = {}
    if matrix.labels:
        weights = matrix.weights
        whole = float(weights.sum())
        baseline = float(weights.sum(axis=0).max()) / whole
        measured["accuracy"] = proportion(float(np.trace(weights)), whole, matrix.ratio, baseline)
        measured["f1_macro"] = _macro_f1(matrix)
        for place, label in enumerate(matrix.labels):
            measured |= {f"{name}:{label}": own for name, own in _of_label(matrix, place).items()}
    known = of_status(groups, "known")
    if any(each.sum_of("proper") for each in known):
        weight = sum(each.count for each in known)
        measured |= proper_scores(known, sum(each.squared for each in known) / weight)
    return measured | _areas(of_status(groups, "known", "class"))


def _of_label(matrix: Matrix, place: int) -> Mapping[str, Measured]:
    weights, ratio = matrix.weights, matrix.ratio
    hit = float(weights[place, place])
    answered, true = float(weights[place].sum()), float(weights[:, place].sum())
    others = float(weights.sum()) - true
    return {
        "precision": proportion(hit, answered, ratio),
        "recall": proportion(hit, true, ratio),
        "specificity": proportion(others - (answered - hit), others, ratio),
        "f1": f1_of(hit, answered - hit, true - hit, ratio),
    }


def _macro_f1(matrix: Matrix) -> Measured:
    size = len(matrix.labels)

    def measure(cells: Floats) -> Floats:
        weights = cells.reshape(-1, size, size)
        hits = np.einsum("sii->si", weights)
        sides = weights.sum(axis=1) + weights.sum(axis=2)
        found: Floats = np.where(sides > 0, 2 * hits / np.maximum(sides, 1e-300), 0.0).mean(axis=1)
        return found

    cells = matrix.weights.ravel()
    low, high = resampled(cells, measure, matrix.ratio) or (None, None)
    return Measured(float(measure(cells[None])[0]), low, high, float(cells.sum()) / matrix.ratio)


def _areas(groups: Sequence[Group]) -> dict[str, Measured]:
    """Return AUC of each class against all others, and their mean."""
    found: dict[str, Measured] = {}
    for label in sorted({each.decision for each in groups}):
        binary = binary_of([each for each in groups if each.decision == label], lambda _: None)
        found[f"roc_auc:{label}"] = auc(binary.positive, binary.negative, binary.ratio)
    values = [each.value for each in found.values() if each.value is not None]
    if found:
        sample = next(iter(found.values())).sample
        mean = float(np.mean(values)) if len(values) == len(found) else None
        bound = float(np.mean([each.bound for each in found.values()]))
        found["roc_auc_macro"] = (
            insufficient(sample) if mean is None else Measured(mean, None, None, sample, bound, 0.5)
        )
    return found
