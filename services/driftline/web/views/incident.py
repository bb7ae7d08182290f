"""The content of an incident's page, read from the store. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from driftline.domain.channels import ChannelKind
from driftline.domain.hours import HOUR_S, hour_time
from driftline.domain.incidents import MEANINGS
from driftline.domain.names import is_answer
from driftline.driver.explain import explain_incident
from driftline.features.triage import triage_incident
from driftline.store.evidence import EvidenceKey, read_evidence, read_joint_reason
from driftline.store.features import has_definitions
from driftline.store.incidents import find_incident
from driftline.store.judged import read_effects, read_training_runs
from driftline.store.predictions import Filter, read_predictions
from driftline.web import formatting
from driftline.web.addresses import explorer_path
from driftline.web.draw import charts
from driftline.web.draw.charts import Span
from driftline.web.incidents import with_acknowledgements
from driftline.web.period import Period
from driftline.web.views.streams import spans_by_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from driftline.domain.incidents import Finding
    from driftline.driver.explain import Explanation
    from driftline.features.triage import Triage
    from driftline.store.connection import Connection
    from driftline.store.evidence import Evidence
    from driftline.store.judged import TrainingRun
    from driftline.store.predictions import PredictionLine
    from driftline.web.incidents import KnownIncident

EXAMPLES = 5

_EFFECT_SCALE_HOURS = 24
_DAYS = 28
_AFTER_HOURS = 3 * 24
_NEW_VERSION_HOURS = 48
_DIVIDED = 50_000
"""So many rows are divided into parts: a page is not to take long; the command takes more."""

_NOT_FINITE = {ChannelKind.NANS: "nan", ChannelKind.INFINITIES: "inf"}


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding of an incident.

    Args:
        finding: as it is stored.
        evidence: of its surest window; None: its verdicts have aged out.
        is_over: whether it stopped before the incident's newest window.
    """

    finding: Finding
    evidence: Evidence | None
    is_over: bool


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One incident.

    Args:
        known: the incident with its acknowledgements.
        rows: its findings, the gravest first.
        judged_until: when the stream's newest window ended, in hours.
        version_began: when the version began to serve, if that was shortly before; else None.
        run: the one that made the version; None: it was never registered.
        joint: the reason of the joint check's verdict at the time; empty: there is none.
        effects: how much of the traffic moved, over time; None where nothing was compared.
        wanted: which predictions show it.
        examples: some of them, the newest first.
        explorer: the address of all of them.
        hours: the address of all predictions of the incident's hours and part of the traffic.
        runbook: the name of the alert.
        driver: which part of the traffic carries it.
        triage: who is to blame, by what was logged and what was stored; None: no feature is registered.
    """

    known: KnownIncident
    rows: Sequence[FindingRow]
    judged_until: int
    version_began: int | None
    run: TrainingRun | None
    joint: str
    effects: Markup | None
    wanted: Filter
    examples: Sequence[PredictionLine]
    explorer: str
    hours: str
    runbook: str
    driver: Explanation
    triage: Triage | None

    @property
    def evidence(self) -> Evidence | None:
        """The evidence of the gravest finding."""
        return self.rows[0].evidence

    @property
    def lasts(self) -> int:
        """How long it goes on, or went on, in hours."""
        until = self.judged_until if self.known.incident.state == "open" else self.known.last
        return until - self.known.since

    @property
    def commands(self) -> Mapping[str, str]:
        """The command for each acknowledgement."""
        incident_id = shlex.quote(self.known.incident.incident_id)
        return {name: f"driftline ack {incident_id} --{name} --note '...'" for name in MEANINGS}


def view_incident(connection: Connection, incident_id: str) -> IncidentView:
    """Return an incident with its evidence.

    Args:
        connection: to the store.
        incident_id: its id, or as much of its beginning as no other incident's begins with.

    Raises:
        NotFoundError: there is no such incident, or there are several.
    """
    (known,) = with_acknowledgements(connection, [find_incident(connection, incident_id)])
    incident, main = known.incident, known.main
    evidence = read_evidence(connection, incident)
    rows = [_row(finding, evidence, known) for finding in incident.findings]
    spans = {span.stream: span for span in spans_by_model(connection).get(incident.stream.model_name, ())}
    span = spans.get(incident.stream)
    judged_until = max(span.last_end, known.last) if span else known.last
    first_end = span.first_end if span else 0
    is_first = all(each.first_end >= first_end for each in spans.values())
    runs = {run.model_version: run for run in read_training_runs(connection, incident.stream.model_name)}
    wanted = example_filter(main, known.since, known.last)
    return IncidentView(
        known=known,
        rows=rows,
        judged_until=judged_until,
        version_began=None if is_first or known.since - first_end > _NEW_VERSION_HOURS else first_end - 1,
        run=runs.get(incident.stream.model_version),
        joint=read_joint_reason(connection, incident),
        effects=_effects(connection, known, judged_until),
        wanted=wanted,
        examples=read_predictions(connection, incident.stream, wanted, limit=EXAMPLES),
        explorer=_explorer(known, wanted),
        hours=_explorer(known, replace(wanted, kind="", value=None, low=None, high=None, is_missing=False)),
        runbook="DriftlinePredictionDrift" if is_answer(main.feature) else "DriftlineDataDrift",
        driver=explain_incident(connection, incident, limit=_DIVIDED),
        triage=triage_incident(connection, incident, now_s=judged_until * HOUR_S)
        if has_definitions(connection)
        else None,
    )


def example_filter(finding: Finding, since: int, last: int) -> Filter:
    """Return a filter for predictions that show a finding: its hours, its segment, the side that grew."""
    of_hours = Filter(
        since=hour_time(since), until=hour_time(last), part=finding.segment, feature=finding.feature
    )
    channel, has_grown = finding.channel, finding.effect >= 0
    if channel is None:
        return of_hours
    if channel.kind is ChannelKind.VOLUME:
        return replace(of_hours, feature="")
    if isinstance(channel.value, float):
        low, high = (None, channel.value) if has_grown else (channel.value, None)
        return replace(of_hours, low=low, high=high)
    if channel.kind is ChannelKind.TYPE_CHANGED:
        return replace(of_hours, kind=str(channel.value))
    if not has_grown:
        return of_hours
    value = _NOT_FINITE.get(channel.kind, channel.value)
    return replace(of_hours, value=value, is_missing=channel.kind is ChannelKind.NULLS)


def _row(finding: Finding, evidence: Mapping[EvidenceKey, Evidence], known: KnownIncident) -> FindingRow:
    found = evidence.get((finding.segment, finding.feature, finding.kind, finding.reference))
    return FindingRow(finding, found, is_over=finding.last < known.last)


def _effects(connection: Connection, known: KnownIncident, judged_until: int) -> Markup | None:
    main = known.main
    period = Period(min(known.last + _AFTER_HOURS, judged_until), _DAYS)
    effects = read_effects(
        connection,
        known.incident.stream,
        main.feature_key,
        period.span,
        reference=main.reference,
        scale_hours=_EFFECT_SCALE_HOURS,
        segment=main.segment,
    )
    return charts.effect_chart(
        effects,
        period,
        [Span(known.since, known.last)],
        title=f"How much of the traffic moved in {formatting.feature_name(main.feature)}",
        description=f"Effect of {_EFFECT_SCALE_HOURS} h windows over {_DAYS} days to "
        f"{formatting.at(period.end_hour)}; the incident is shaded.",
    )


def _explorer(known: KnownIncident, wanted: Filter) -> str:
    incident = known.incident
    return explorer_path(
        incident.stream.model_name,
        version=incident.stream.model_version,
        environment=incident.stream.environment,
        since=formatting.minute(wanted.since),
        until=formatting.minute(wanted.until),
        part=wanted.part or None,
        feature=wanted.feature or None,
        kind=wanted.kind or None,
        value=wanted.value or None,
        empty="1" if wanted.value == "" else None,
        low=None if wanted.low is None else repr(wanted.low),
        high=None if wanted.high is None else repr(wanted.high),
        missing="1" if wanted.is_missing else None,
    )
