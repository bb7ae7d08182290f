"""What two models answered of the same rows, with their truths, as tests of differences take it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.performance.paired import Flags
    from driftline.performance.tally import Floats
    from driftline.store.paired import Answer, AnsweredRow

PairedTask: TypeAlias = Literal["binary", "labels", "numbers"]
"""What is compared: scores of yes, whether labels are right, or numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Rows whose truth is known and that both models answered.

    Args:
        task: ``binary``: scores of yes; ``labels``: whether each was right; ``numbers``.
        truth: 0 or 1, or numbers; of labels unused. Shape (n,).
        candidate: its answers; of labels 1 where right. Shape (n,).
        production: likewise. Shape (n,).
        slices: which rows are in which slice. Each of shape (n,).
        candidate_latency: microseconds, of the rows where both are logged. Shape (m,).
        production_latency: likewise.
        invalid: answers of the candidate that are none; they are not among the n.
        asked: rows that production answered, of which the truth is known.
        available: share of the rows that have it, by feature that the candidate was trained on.
    """

    task: PairedTask
    truth: Floats
    candidate: Floats
    production: Floats
    slices: Mapping[str, Flags] = field(default_factory=dict)
    candidate_latency: Floats = field(default_factory=lambda: np.zeros(0))
    production_latency: Floats = field(default_factory=lambda: np.zeros(0))
    invalid: int = 0
    asked: int = 0
    available: Mapping[str, float] = field(default_factory=dict)


def pairs_of(
    rows: Sequence[AnsweredRow],
    answers: Sequence[Answer | None],
    keys: Sequence[str],
    slices: Sequence[str],
    available: Mapping[str, float],
) -> Pairs:
    """Return what both models answered, as the gate takes it.

    Args:
        rows: production's answers and the truths.
        answers: the candidate's, one a row; None: it did not answer.
        keys: what the segments of the rows are values of.
        slices: ``key=value``.
        available: share of rows by feature.
    """
    task = task_of_rows(rows)
    usable = [
        (row, answer)
        for row, answer in zip(rows, answers, strict=True)
        if answer is not None and _is_answer(row.answer, task)
    ]
    valid = [(row, answer) for row, answer in usable if _is_answer(answer, task)]
    timed = [
        (answer.latency_us, row.answer.latency_us)
        for row, answer in valid
        if answer.latency_us is not None and row.answer.latency_us is not None
    ]
    own, other = zip(*timed, strict=True) if timed else ((), ())
    return Pairs(
        task=task,
        truth=_floats([0.0 if task == "labels" else row.actual_number for row, _ in valid]),
        candidate=_floats([_value(answer, row, task) for row, answer in valid]),
        production=_floats([_value(row.answer, row, task) for row, _ in valid]),
        slices={
            name: np.array([row.segments[keys.index(key)] == value for row, _ in valid], dtype=bool)
            for name in slices
            for key, _, value in (name.partition("="),)
        },
        candidate_latency=_floats(own),
        production_latency=_floats(other),
        invalid=len(usable) - len(valid),
        asked=sum(_is_answer(row.answer, task) for row in rows),
        available=available,
    )


def task_of_rows(rows: Sequence[AnsweredRow]) -> PairedTask:
    """Return what is compared: labels, probabilities of yes, or numbers."""
    if any(row.actual_label is not None for row in rows):
        return "labels"
    truths = {row.actual_number for row in rows}
    scores = [row.answer.number for row in rows if row.answer.number is not None]
    is_binary = truths <= {0.0, 1.0} and all(0 <= score <= 1 for score in scores)
    return "binary" if is_binary else "numbers"


def _is_answer(answer: Answer, task: PairedTask) -> bool:
    if task == "labels":
        return answer.label is not None
    if answer.number is None or not math.isfinite(answer.number):
        return False
    return task == "numbers" or 0 <= answer.number <= 1


def _value(answer: Answer, row: AnsweredRow, task: PairedTask) -> float:
    if task == "labels":
        return float(answer.label == row.actual_label)
    return math.nan if answer.number is None else answer.number


def _floats(values: Sequence[Any]) -> Floats:
    return np.array(values, dtype=float)
