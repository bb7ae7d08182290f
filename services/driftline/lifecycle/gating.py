"""Having the gate decide: which rows, what both models answered, and whether they may decide at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.errors import SettingError
from driftline.lifecycle.gate import GateRules, Pairs, decide_gate
from driftline.lifecycle.overlap import overlaps
from driftline.store.paired import COMPARED, read_answered_rows, read_availability, read_candidate_answers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.domain.snapshots import Definition
    from driftline.lifecycle.gate import Task, Verdict
    from driftline.lifecycle.overlap import Learned
    from driftline.performance.tally import Floats
    from driftline.store.connection import Connection
    from driftline.store.paired import Answer, AnsweredRow

MOST_ROWS: Final = 200_000
"""Of more a sample decides, always the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Which versions are compared, on which rows.

    Args:
        candidate: the version that is to serve.
        production: the version that serves.
        definition: of the rows, which production answered.
        part: of the definition's split; empty: all of it.
        learned: what both learned from.
        features: that the candidate was trained on.
        scores: the candidate's answers by event; None: those that it logged beside production.
    """

    candidate: str
    production: str
    definition: Definition
    part: str = ""
    learned: Sequence[Learned] = ()
    features: Sequence[str] = ()
    scores: Mapping[str, Answer] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """What the gate decided, and by what.

    Args:
        report_id: its own.
        model_name: whose versions.
        candidate: the version that is to serve.
        production: the version that serves.
        made_at: when, UTC.
        definition: of the rows.
        part: of the definition's split; empty: all of it.
        answers: where the candidate's came from.
        rules: that held.
        verdict: what was decided.
    """

    report_id: str
    model_name: str
    candidate: str
    production: str
    made_at: datetime
    definition: Definition
    part: str
    answers: str
    rules: GateRules
    verdict: Verdict


def run_gate(
    connection: Connection, asked: Comparison, rules: GateRules, *, report_id: str, now: datetime
) -> GateReport:
    """Return what the gate decides.

    Raises:
        SettingError: the rows are some that one of the two learned from.
        StoreError: the store is away.
    """
    if problems := list(overlaps(asked.definition, asked.part, asked.learned)):
        raise SettingError(f"these rows may not decide: {'; '.join(problems)}")
    keys = sorted({each.partition("=")[0] for each in rules.slices})
    rows = read_answered_rows(connection, asked.definition, keys, part=asked.part, limit=MOST_ROWS)
    if asked.scores is None:
        by_request = read_candidate_answers(connection, asked.definition, asked.candidate)
        answers = [by_request.get(row.request_id) if row.request_id else None for row in rows]
        source = f"logged in {' or '.join(COMPARED)}, by request"
    else:
        answers = [asked.scores.get(row.event_id) for row in rows]
        source = "a file of scores, by event"
    available = read_availability(connection, asked.definition, asked.features)
    pairs = pairs_of(rows, answers, keys, rules.slices, available)
    return GateReport(
        report_id=report_id,
        model_name=asked.definition.model_name,
        candidate=asked.candidate,
        production=asked.production,
        made_at=now,
        definition=asked.definition,
        part=asked.part,
        answers=source,
        rules=rules,
        verdict=decide_gate(pairs, rules),
    )


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


def task_of_rows(rows: Sequence[AnsweredRow]) -> Task:
    """Return what is compared: labels, probabilities of yes, or numbers."""
    if any(row.actual_label is not None for row in rows):
        return "labels"
    truths = {row.actual_number for row in rows}
    scores = [row.answer.number for row in rows if row.answer.number is not None]
    is_binary = truths <= {0.0, 1.0} and all(0 <= score <= 1 for score in scores)
    return "binary" if is_binary else "numbers"


def _is_answer(answer: Answer, task: Task) -> bool:
    if task == "labels":
        return answer.label is not None
    if answer.number is None or not math.isfinite(answer.number):
        return False
    return task == "numbers" or 0 <= answer.number <= 1


def _value(answer: Answer, row: AnsweredRow, task: Task) -> float:
    if task == "labels":
        return float(answer.label == row.actual_label)
    return math.nan if answer.number is None else answer.number


def _floats(values: Sequence[Any]) -> Floats:
    return np.array(values, dtype=float)


def report_as_plain(report: GateReport) -> dict[str, Any]:
    """Return a report as JSON can hold it."""
    verdict = report.verdict
    return {
        "report_id": report.report_id,
        "model_name": report.model_name,
        "candidate": report.candidate,
        "production": report.production,
        "made_at": report.made_at.isoformat(),
        "decision": verdict.decision,
        "reason": verdict.reason,
        "rows": verdict.rows,
        "metric": verdict.metric,
        "answers": report.answers,
        "part": report.part,
        "definition": report.definition.as_plain(),
        "level": report.rules.level,
        "checks": [
            {
                "name": each.name,
                "segment": each.segment,
                "decision": each.decision,
                "detail": each.detail,
                "margin": each.margin,
                "low": each.low,
                "high": each.high,
                **(
                    {
                        "candidate": each.difference.candidate,
                        "production": each.difference.production,
                        "difference": each.difference.value,
                        "rows": each.difference.rows,
                        "method": each.difference.method,
                        "p_worse": each.difference.p_worse,
                    }
                    if each.difference
                    else {}
                ),
            }
            for each in verdict.checks
        ],
    }


def report_as_markdown(report: GateReport) -> str:
    """Return a report for a person, such as the comment of a pull request."""
    verdict, definition = report.verdict, report.definition
    rows = (
        f"{verdict.rows} rows from {definition.since:%Y-%m-%d %H:%M} until {definition.until:%Y-%m-%d %H:%M} "
        f"UTC, truths as of {definition.as_of:%Y-%m-%d %H:%M}; the candidate's answers: {report.answers}."
    )
    lines = [
        f"# {verdict.decision.upper()}: {report.model_name} {report.candidate} against {report.production}",
        "",
        f"{verdict.reason}.",
        "",
        rows,
        "",
        "| check | slice | decision | candidate | production | why |",
        "|---|---|---|---|---|---|",
    ]
    for each in verdict.checks:
        held = each.difference
        values = (f"{held.candidate:.4g}", f"{held.production:.4g}") if held else ("", "")
        cells = (each.name, each.segment or "all", each.decision, *values, each.detail)
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join([*lines, ""])
