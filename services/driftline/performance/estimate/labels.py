"""How right answers are likely to be that are one of several labels: from the probabilities of the classes.

Whether an answer is right follows from the calibrated probability of its label, how many of each label come
true from those of all classes. So no table of every answer by every truth is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import xlogy

from driftline.performance.estimate.binary import by_place, distinct, expected_of, over, ranking
from driftline.performance.estimate.drawn import drawn_of
from driftline.performance.estimate.scored import scored_of, worth_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.random import Generator

    from driftline.performance.estimate.drawn import Drawn
    from driftline.performance.tally import Floats, Group

_SMALLEST = 2.220446049250313e-16
_ENOUGH = 50
"""So many truths beside the answers of one label calibrate these; with fewer all answers together do."""


@dataclass(frozen=True, slots=True)
class Class:
    """One class of a period.

    Args:
        true: how many come true, most likely and drawn. Shape (1 + draws,).
        loss: log loss of these, in all. Shape (1 + draws,).
        brier: their part of the Brier score, in all. Shape (1 + draws,).
        area: AUC against all others. Shape (1 + draws,).
    """

    true: Floats
    loss: Floats
    brier: Floats
    area: Floats


def estimate_labels(
    groups: Sequence[Group], days: Sequence[Sequence[Group]], random: Generator, *, span: float = 1.0
) -> Mapping[str, Drawn]:
    """Return each metric as it is likely to be once truths are there, by name.

    Args:
        groups: of a period.
        days: the groups of each day whose truths are known.
        random: draws.
        span: days that the period is long.
    """
    kind = "chosen" if any(each.kind == "chosen" for each in groups) else "answer"
    hits, counts = _answers(_right(groups, kind), [_right(day, kind) for day in days], random, span)
    if not hits:
        return {}
    whole = np.sum(list(counts.values()), axis=0)
    values = {"accuracy": over(np.sum(list(hits.values()), axis=0), whole)}
    classes = _classes(groups, days, random, span)
    if classes:
        values |= _of_classes(classes, hits, counts, whole)
    return drawn_of(values, float(whole[0]))


def _right(groups: Sequence[Group], kind: str) -> Sequence[Group]:
    """Return answers whose truth is whether they were right."""
    used = [each for each in groups if each.kind == kind and each.decision]
    if kind == "chosen":
        return used
    return [
        replace(each, truth=str(int(each.truth == each.decision)) if each.status == "known" else "")
        for each in used
    ]


def _answers(
    groups: Sequence[Group], days: Sequence[Sequence[Group]], random: Generator, span: float
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return how many answers of each label are right, and how many there are that get a truth."""
    hits, counts = {}, {}
    for label in sorted({each.decision for each in groups if each.status != "acted_on"}):
        scored = scored_of([each for each in groups if each.decision == label], _is_yes)
        own = [scored_of([each for each in day if each.decision == label], _is_yes) for day in days]
        if sum(float(each.known.sum()) for each in own) < _ENOUGH:
            own = [scored_of(day, _is_yes) for day in days]
        worth = worth_of(own, scored, random)
        if worth is None:
            return {}, {}
        expected, _ = expected_of(scored, worth, random, days=span)
        hits[label], counts[label] = expected.positive.sum(axis=1), expected.counts.sum(axis=1)
    return hits, counts


def _is_yes(_: str) -> bool:
    return True


def _classes(
    groups: Sequence[Group], days: Sequence[Sequence[Group]], random: Generator, span: float
) -> dict[str, Class]:
    """Return how many of each class are likely to come true; none, where classes have no probability."""
    found = {}
    of_class = [each for each in groups if each.kind == "class"]
    past = [[each for each in day if each.kind == "class"] for day in days]
    for label in sorted({each.decision for each in of_class}):
        scored = scored_of([each for each in of_class if each.decision == label], _is_yes)
        own = [scored_of([each for each in day if each.decision == label], _is_yes) for day in past]
        worth = worth_of(own, scored, random)
        if worth is None or not len(scored.bins):
            return {}
        expected, cells = expected_of(scored, worth, random, days=span)
        weight, score = (
            np.bincount(cells, scored.counts),
            np.clip(scored.scores / scored.counts, _SMALLEST, 1.0),
        )
        loss, share, square = (
            np.bincount(cells, scored.counts * each) / weight for each in (-xlogy(1, score), score, score**2)
        )
        negative = expected.counts - expected.positive
        places = expected.places
        area = ranking(
            by_place(expected.positive, places), by_place(negative, places), distinct(scored, worth)
        )["roc_auc"]
        brier = expected.counts @ square + expected.positive @ (1 - 2 * share)
        found[label] = Class(expected.positive.sum(axis=1), expected.positive @ loss, brier, area)
    return found


def _of_classes(
    classes: Mapping[str, Class], hits: Mapping[str, Floats], counts: Mapping[str, Floats], whole: Floats
) -> dict[str, Floats]:
    """Return the metrics that need to know how many of each class come true.

    Classes are calibrated by themselves, so what they come to is made as many as there are predictions.
    """
    many = whole / np.maximum(np.sum([each.true for each in classes.values()], axis=0), 1e-9)
    values = {
        "log_loss": over(np.sum([each.loss * many for each in classes.values()], axis=0), whole),
        "brier_score": over(np.sum([each.brier for each in classes.values()], axis=0), whole),
        "roc_auc_macro": np.mean([each.area for each in classes.values()], axis=0),
    }
    both = []
    for label, each in classes.items():
        hit, answered = hits.get(label, np.zeros_like(whole)), counts.get(label, np.zeros_like(whole))
        # What came true beside the right answers varies by itself.
        true = hit + np.maximum(each.true * many - hit, 0.0)
        f1 = over(2 * hit, answered + true)
        values[f"precision:{label}"] = over(hit, answered)
        values[f"recall:{label}"] = over(hit, true)
        values[f"specificity:{label}"] = over(np.maximum(whole - true - (answered - hit), 0.0), whole - true)
        values[f"f1:{label}"] = f1
        values[f"roc_auc:{label}"] = each.area
        both.append(f1)
    values["f1_macro"] = np.mean(both, axis=0)
    return values
