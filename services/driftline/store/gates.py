"""Comparisons of versions, as the gate decided them; only ever added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.store.connection import Connection

_NAMES = [
    "report_id",
    "model_name",
    "candidate",
    "production",
    "made_at",
    "decision",
    "reason",
    "rows",
    "report",
]


@dataclass(frozen=True, slots=True)
class GateLine:
    """One comparison.

    Args:
        report_id: its own.
        model_name: whose versions.
        candidate: the version that was to serve.
        production: the version that served.
        made_at: when, UTC.
        decision: pass, fail or hold.
        reason: what decided.
        rows: pairs that were looked at.
        report: all of it, as JSON.
    """

    report_id: str
    model_name: str
    candidate: str
    production: str
    made_at: datetime
    decision: str
    reason: str
    rows: int
    report: str


def write_gate(connection: Connection, line: GateLine) -> None:
    """Write a comparison. Again changes nothing."""
    connection.insert("gate_reports", [[getattr(line, name) for name in _NAMES]], column_names=_NAMES)


def read_gates(connection: Connection, model_name: str, *, limit: int = 100) -> Sequence[GateLine]:
    """Return a model's comparisons, the newest first."""
    rows = connection.rows(
        f"SELECT {', '.join(_NAMES)} FROM gate_reports FINAL WHERE model_name = {{model:String}} "
        "ORDER BY made_at DESC, report_id LIMIT {limit:UInt32}",
        {"model": model_name, "limit": limit},
    )
    return [_line(dict(zip(_NAMES, row, strict=True))) for row in rows]


def _line(row: dict[str, Any]) -> GateLine:
    return GateLine(**{**row, "made_at": row["made_at"].replace(tzinfo=UTC)})
