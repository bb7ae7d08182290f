"""Having the gate decide: which rows, what both models answered, and whether they may decide at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.errors import SettingError
from driftline.lifecycle.gate import GateRules, decide_gate
from driftline.lifecycle.overlap import overlaps
from driftline.performance.pairs import pairs_of
from driftline.store.paired import COMPARED, read_answered_rows, read_availability, read_candidate_answers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.domain.snapshots import Definition
    from driftline.lifecycle.gate import Verdict
    from driftline.lifecycle.overlap import Learned
    from driftline.store.connection import Connection
    from driftline.store.paired import Answer

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
