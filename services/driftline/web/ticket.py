"""An incident in Markdown, for a ticket: what its page says, with links back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from driftline.printable import printable
from driftline.web import formatting
from driftline.web.addresses import incident_path, prediction_path, run_path, runbook_path
from driftline.web.period import DEFAULT_DAYS
from driftline.web.views.streams import stream_feature_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.web.views.incident import FindingRow, IncidentView

_FINDINGS = 20
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~&@])")


def write_ticket(view: IncidentView, url: str) -> str:
    """Return an incident as Markdown. Names and notes in it stay text: none becomes markup.

    Args:
        view: the incident.
        url: of the pages, such as ``https://driftline.example``.
    """
    known, incident = view.known, view.known.incident
    model, version, environment = incident.stream
    names = formatting.listing([formatting.feature_name(name) for name in known.features[:3]])
    lines = [
        f"# {_text(names)} drifted: {_text(model)}, version {_text(version)} ({_text(environment)})",
        "",
        f"**{_text(incident.headline)}.** It {formatting.INCIDENT_STATES[incident.state]}.",
        "",
        *(f"- {line}" for line in _facts(view, url)),
        "",
        "## What moved",
        "",
        *(f"- {_finding(view, row, url)}" for row in view.rows[:_FINDINGS]),
    ]
    if len(view.rows) > _FINDINGS:
        lines.append(f"- and {len(view.rows) - _FINDINGS} more")
    if view.examples:
        lines += ["", "## Predictions that show it", ""]
        lines += [
            f"- [{each.event_id}]({url}{prediction_path(str(each.event_id))})" for each in view.examples
        ]
        lines.append(f"- [all of them]({url}{view.explorer})")
    lines += ["", "## What was it?", ""]
    lines += [f"- {line}" for line in _acknowledgements(view)] or ["Nobody has acknowledged it yet."]
    return printable("\n".join(lines) + "\n", keep="\n")


def _facts(view: IncidentView, url: str) -> Iterator[str]:
    known, incident, evidence = view.known, view.known.incident, view.evidence
    until = "until now" if incident.state == "open" else f"to {formatting.at(known.last)}"
    yield f"since {formatting.at(known.since)} {until} ({formatting.duration(view.lasts)})"
    if evidence:
        yield f"{formatting.percent(evidence.completeness)} of the events of the surest window arrived"
        drivers = [f"{part} ({formatting.percent(share)})" for part, share in evidence.drivers.items()]
        if drivers:
            yield f"comes from {_text(', '.join(drivers))}"
    if view.version_began is not None:
        yield f"the version began to serve at {formatting.at(view.version_began)}, shortly before"
    if view.run:
        address = url + run_path(incident.stream.model_name, view.run.training_run_id)
        commit = f", commit {_text(view.run.git_commit)}" if view.run.git_commit else ""
        yield f"training run [{_text(view.run.training_run_id)}]({address}){commit}"
    if view.triage:
        yield f"{formatting.BLAMES[view.triage.blame]}: {_text(view.triage.why)}"
    yield f"[incident {_text(incident.incident_id)}]({url}{incident_path(incident.incident_id)})"
    yield f"[runbook of {view.runbook}]({url}{runbook_path(view.runbook)})"


def _finding(view: IncidentView, row: FindingRow, url: str) -> str:
    one, stream = row.finding, view.known.incident.stream
    # A ticket is read later: the link keeps the window that it tells of.
    address = stream_feature_path(stream, one.feature, days=DEFAULT_DAYS, kind=one.kind, at=one.last)
    where = f" in {one.segment}" if one.segment else ""
    moved = f"{formatting.finding(one)}{where}, against {formatting.REFERENCE_LABELS[one.reference]}"
    return f"[{_text(formatting.feature_name(one.feature))}]({url}{address}): {_text(moved)}"


def _acknowledgements(view: IncidentView) -> Iterator[str]:
    for one in view.known.acknowledgements:
        when = f" at {formatting.clock(one.given_at)} UTC" if one.given_at else ""
        note = f": {_text(one.note)}" if one.note else ""
        yield f"**{one.name}**, by {_text(one.given_by or 'somebody')}{when}{note}"


def _text(text: str) -> str:
    """Return a text of one line in which no character is markup."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
