"""Gate reports as the store keeps them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from driftline.lifecycle.gating import report_as_plain
from driftline.store.gates import GateLine

if TYPE_CHECKING:
    from driftline.lifecycle.gating import GateReport


def line_of(report: GateReport) -> GateLine:
    """Return a report as the store keeps it."""
    verdict = report.verdict
    return GateLine(
        report.report_id,
        report.model_name,
        report.candidate,
        report.production,
        report.made_at,
        verdict.decision,
        verdict.reason,
        verdict.rows,
        json.dumps(report_as_plain(report)),
    )
