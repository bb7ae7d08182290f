"""The content of the first page: all models, the urgent ones first. Hours count from the Unix epoch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_time
from driftline.domain.incidents import settled_features
from driftline.domain.verdicts import Feature, VerdictName, gravest
from driftline.errors import NotFoundError
from driftline.registry.fold import listed_projects
from driftline.store.drops import read_drops_by_hour
from driftline.store.judged import read_states
from driftline.store.registry import read_registry
from driftline.web import formatting
from driftline.web.draw import charts
from driftline.web.draw.charts import Span
from driftline.web.incidents import read_known_incidents
from driftline.web.period import Period
from driftline.web.views.streams import (
    REFERENCE_ROWS,
    find_span,
    landed_by_model,
    least_complete,
    spans_by_model,
    that_count,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection
    from driftline.store.judged import JudgedSpan, State
    from driftline.web.incidents import KnownIncident
    from driftline.web.views.streams import Choice


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One model.

    Args:
        name: of the model.
        span: the stream that serves, and its judged windows; None before anything is judged.
        state: the gravest verdict of its newest windows; `page` as long as an incident needs attention.
        open: incidents that need attention.
        warned: features that warn.
        reason: the verdict's reason why nothing is judged; empty where something is.
        features: how many are judged.
        complete: the share of events that arrived of the newest longest window; None: not judged.
        strip: its incidents over the period; None before anything is judged.
        dropped: events that its senders dropped in the period.
        has_landed: whether any event of it has landed.
    """

    name: str
    span: JudgedSpan | None
    state: str
    open: Sequence[KnownIncident] = ()
    warned: Sequence[str] = ()
    reason: str = ""
    features: int = 0
    complete: float | None = None
    strip: Markup | None = None
    dropped: int = 0
    has_landed: bool = True

    @property
    def is_judged(self) -> bool:
        """Whether the newest windows came to something."""
        return self.state in {"page", "warn", "ok"}


@dataclass(frozen=True, slots=True)
class FleetView:
    """All models.

    Args:
        rows: the models that need attention first.
        open: the incidents that need attention, the largest effect first.
        recent: other incidents of the period, the newest first.
        period: what strips show: it ends with the newest window of any model; None before there is one.
        axis: the time axis of the strips.
        projects: that there are; none: no model is in one.
        project: whose models these are; empty: all.
    """

    rows: Sequence[FleetRow]
    open: Sequence[KnownIncident]
    recent: Sequence[KnownIncident]
    period: Period | None
    axis: Markup | None
    projects: Sequence[str] = ()
    project: str = ""

    @property
    def drifted(self) -> Sequence[str]:
        """Models with an incident that needs attention, in the order of the incidents."""
        return list(dict.fromkeys(known.incident.stream.model_name for known in self.open))

    @property
    def headline(self) -> str:
        """The title: how many models have drifted."""
        if not self.rows:
            return "No model yet"
        if not self.drifted:
            unjudged = sum(not row.is_judged for row in self.rows)
            if unjudged == len(self.rows):
                return "Not judged yet"
            is_quiet = all(row.state != "page" for row in self.rows)
            quiet = "No model drifts now" if is_quiet else "No incident needs anybody now"
            return f"{quiet}, {unjudged} not judged yet" if unjudged else quiet
        if len(self.drifted) == 1:
            return f"{self.drifted[0]} has drifted"
        return f"{len(self.drifted)} of {len(self.rows)} models have drifted"


def view_fleet(connection: Connection, choice: Choice, project: str = "") -> FleetView:
    """Return all models, or those of a project. The number of queries does not depend on how many there are.

    Raises:
        NotFoundError: no model is in that project.
    """
    in_project = {name: state.project for name, state in read_registry(connection).items() if state.project}
    if project and project not in in_project.values():
        there = listed_projects(in_project.values(), project)
        raise NotFoundError(f"no model is in project {project!r}; {there}")
    landed, spans = landed_by_model(connection), spans_by_model(connection)
    drops = {
        stream: hours
        for stream, hours in read_drops_by_hour(connection).items()
        if stream.environment != REFERENCE_ROWS
    }
    names = {*landed, *spans, *(stream.model_name for stream in drops)}
    if project:
        names = {name for name in names if in_project.get(name) == project}
    shown = {name: find_span(spans.get(name, ()), landed.get(name, {}), choice) for name in names}
    ends = {span.stream: span.last_end for span in shown.values() if span is not None}
    period = Period(max(ends.values()), choice.days) if ends else None
    dropped = _dropped_by_model(drops, period)
    incidents = _incidents_by_model(connection, period)
    states = read_states(connection, ends)
    rows = [
        _row(
            name,
            span,
            incidents.get(name, ()),
            states.get(span.stream, ()) if span else (),
            period=period,
        )
        for name, span in shown.items()
    ]
    rows = [
        replace(row, dropped=dropped.get(row.name, 0), has_landed=row.name in {*landed, *spans})
        for row in rows
    ]
    still_open = [known for row in rows for known in row.open]
    return FleetView(
        rows=sorted(
            rows,
            key=lambda row: (
                not row.open,
                row.has_landed,
                -VerdictName(row.state).severity,
                row.name,
            ),
        ),
        open=sorted(still_open, key=lambda known: (known.main.segment != "", -abs(known.main.effect))),
        recent=sorted(
            (known for name in names for known in incidents.get(name, ()) if not known.needs_somebody),
            key=lambda known: -known.since,
        ),
        period=period,
        axis=charts.time_axis(period) if period else None,
        projects=sorted(set(in_project.values())),
        project=project,
    )


def _dropped_by_model(drops: Mapping[Stream, Mapping[int, int]], period: Period | None) -> Mapping[str, int]:
    """Return how many events of each model were dropped since the period began."""
    found: Counter[str] = Counter()
    for stream, hours in drops.items():
        since_hour = period.first_hour if period else 0
        found[stream.model_name] += sum(count for hour, count in hours.items() if hour >= since_hour)
    return found


def _incidents_by_model(
    connection: Connection, period: Period | None
) -> Mapping[str, Sequence[KnownIncident]]:
    found: dict[str, list[KnownIncident]] = {}
    for known in read_known_incidents(connection, since=hour_time(period.first_hour)) if period else ():
        found.setdefault(known.incident.stream.model_name, []).append(known)
    return found


def _row(
    name: str,
    span: JudgedSpan | None,
    incidents: Sequence[KnownIncident],
    newest: Sequence[State],
    *,
    period: Period | None,
) -> FleetRow:
    if span is None or period is None:
        return FleetRow(name, None, "learning")
    still_open = [known for known in incidents if known.needs_somebody]
    newest = that_count(newest)
    by_feature: dict[Feature, list[str]] = {}
    for each in newest:
        by_feature.setdefault(Feature(each.feature, each.kind), []).append(each.verdict)
    settled = settled_features((each.incident for each in incidents), span.stream, span.last_end)
    now = {
        feature: gravest("ok" if each == "page" and feature in settled else each for each in verdicts)
        for feature, verdicts in by_feature.items()
    }
    state = "page" if still_open else gravest(now.values())
    reasons = [each.reason for each in newest if each.verdict == state]
    is_judged = state in {"page", "warn", "ok"}
    return FleetRow(
        name=name,
        span=span,
        state=state,
        open=still_open,
        warned=sorted(feature for (feature, _), verdict in now.items() if verdict == "warn"),
        reason=reasons[-1] if reasons and not is_judged else "",
        features=len(now),
        complete=least_complete(newest),
        strip=charts.incident_strip(
            [Span(known.since, known.last) for known in incidents],
            Span(span.first_end, span.last_end),
            period,
            label=f"{name}: {_incidents_label(incidents)}",
        ),
    )


def _incidents_label(incidents: Sequence[KnownIncident]) -> str:
    if not incidents:
        return "no incident in this period."
    spans = [f"{formatting.at(known.since)} to {formatting.at(known.last)}" for known in reversed(incidents)]
    return f"incidents {formatting.listing(spans)}."
