"""How the answers of two versions differ, whatever came true, and how long they took."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import scipy  # Its parts are imported when they are used.
from scipy.spatial.distance import jensenshannon

from driftline.performance.paired import quantile_bounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.performance.tally import Floats
    from driftline.store.compared import BothAnswered
    from driftline.store.paired import Answer

QUANTILES: Final = (0.5, 0.95, 0.99)

_LEVEL = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDrift:
    """How the answers of two versions differ.

    Args:
        kind: of the answers that are compared.
        statistic: a descriptive statistic, KS of numbers, Jensen-Shannon distance of labels.
        distance: its value, 0 to 1. It describes; it decides nothing.
        one: the mean of the first version's numbers, or the share of each label.
        other: of the second's.
        same_share: of rows that both answered, those with the same answer; None: there is none.
        apart: how far numbers are apart on such rows, on average; None: there is none, or no numbers.
    """

    kind: Literal["numbers", "labels"]
    statistic: Literal["ks", "js"]
    distance: float
    one: Mapping[str, float]
    other: Mapping[str, float]
    same_share: float | None
    apart: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers took.

    Args:
        answers: of which that was logged, in the sample.
        quantiles_us: by `QUANTILES`: the value, and its interval of 95 %, microseconds.
    """

    answers: int
    quantiles_us: Sequence[tuple[float, float, float]]


def latency_of(answers: Sequence[Answer]) -> Latency | None:
    """Return how long answers took; None: nobody logged it."""
    taken = np.array([each.latency_us for each in answers if each.latency_us is not None], dtype=float)
    if not len(taken):
        return None
    return Latency(len(taken), [quantile_bounds(taken, each, _LEVEL) for each in QUANTILES])


def answer_drift(
    one: Sequence[Answer], other: Sequence[Answer], both: Sequence[BothAnswered]
) -> AnswerDrift | None:
    """Return how answers differ: by their numbers where both have such, else by their labels.

    Args:
        one: answers of the first version, in no order.
        other: of the second.
        both: rows that both answered.
    """
    numbers = [_numbers(each) for each in (one, other)]
    if all(map(len, numbers)):
        return _of_numbers(numbers[0], numbers[1], both)
    labels = [Counter(each.label for each in own if each.label is not None) for own in (one, other)]
    return _of_labels(labels[0], labels[1], both) if all(labels) else None


def _numbers(answers: Sequence[Answer]) -> Floats:
    found = [each.number for each in answers if each.number is not None and math.isfinite(each.number)]
    return np.array(found, dtype=float)


def _of_numbers(one: Floats, other: Floats, both: Sequence[BothAnswered]) -> AnswerDrift:
    gaps = np.abs(
        [
            each.other.number - each.row.answer.number
            for each in both
            if each.other.number is not None and each.row.answer.number is not None
        ]
    )
    return AnswerDrift(
        kind="numbers",
        statistic="ks",
        distance=float(scipy.stats.ks_2samp(one, other, method="asymp").statistic),
        one={"mean": float(one.mean())},
        other={"mean": float(other.mean())},
        same_share=float((gaps == 0).mean()) if len(gaps) else None,
        apart=float(gaps.mean()) if len(gaps) else None,
    )


def _of_labels(one: Counter[str], other: Counter[str], both: Sequence[BothAnswered]) -> AnswerDrift:
    names = sorted(one.keys() | other.keys())
    shares = [np.array([own[name] for name in names], dtype=float) / own.total() for own in (one, other)]
    same = [each.other.label == each.row.answer.label for each in both]
    return AnswerDrift(
        kind="labels",
        statistic="js",
        distance=float(jensenshannon(shares[0], shares[1], base=2)),
        one=dict(zip(names, map(float, shares[0]), strict=True)),
        other=dict(zip(names, map(float, shares[1]), strict=True)),
        same_share=float(np.mean(same)) if same else None,
        apart=None,
    )
