"""What the demo found, read back from the store: the books, the faults and their delay, other incidents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from driftline.domain.hours import hour_time
from driftline.domain.incidents import Answer
from driftline.store.ledger import read_ledger
from driftline.store.summary import (
    PageVerdict,
    count_rows,
    count_verdicts,
    read_judged_windows,
    read_page_verdicts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.demo.flights import FeedError
    from driftline.domain.incidents import Incident as AlertedIncident
    from driftline.store.connection import Connection

_QUIET = timedelta(hours=24)
_LONGEST_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """An injected fault, as the inference service announced it. Times are UTC."""

    name: str
    features: tuple[str, ...]
    start: datetime
    end: datetime

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> PlannedFault:
        """Read one entry of the service's announcement."""
        return cls(
            message["fault"],
            tuple(message["features"]),
            datetime.fromisoformat(message["start"]),
            datetime.fromisoformat(message["end"]),
        )


@dataclass(frozen=True, slots=True)
class Incident:
    """What the engineer gets: all that pages for the model, until 24 hours are quiet."""

    verdicts: tuple[PageVerdict, ...]

    @property
    def time(self) -> datetime:
        """When it went out: the end of the first window that pages."""
        return self.verdicts[0].window_end

    @property
    def until(self) -> datetime:
        """The end of the last window that pages."""
        return self.verdicts[-1].window_end

    @property
    def first(self) -> PageVerdict:
        """The foremost verdict of the first window."""
        at_once = [verdict for verdict in self.verdicts if verdict.window_end == self.time]
        return min(at_once, key=lambda verdict: (verdict.rank, verdict.scale_hours))

    @property
    def features(self) -> Sequence[str]:
        """Every feature that pages in it, the first one first."""
        return list(dict.fromkeys([self.first.feature, *(verdict.feature for verdict in self.verdicts)]))


def incidents_of(verdicts: Sequence[PageVerdict]) -> Sequence[Incident]:
    """Gather verdicts into incidents: what follows within 24 quiet hours belongs to the one before it."""
    groups: list[list[PageVerdict]] = []
    for verdict in verdicts:
        if groups and verdict.window_end - groups[-1][-1].window_end <= _QUIET:
            groups[-1].append(verdict)
        else:
            groups.append([verdict])
    return [Incident(tuple(group)) for group in groups]


def find_fault(fault: PlannedFault, verdicts: Sequence[PageVerdict]) -> PageVerdict | None:
    """Return the first verdict that found a fault: of its features, in an episode that began after it did."""
    begun: dict[str, datetime] = {}
    for verdict in verdicts:
        begun.setdefault(verdict.episode_id, verdict.window_end)
    for verdict in verdicts:
        if (
            verdict.feature in fault.features
            and fault.start < verdict.window_end <= fault.end + _LONGEST_WINDOW
            and begun[verdict.episode_id] > fault.start
        ):
            return verdict
    return None


def confirm(incident: AlertedIncident, faults: Sequence[PlannedFault], *, now: datetime) -> Answer | None:
    """Say that an incident is real where a fault explains it, as an engineer on call would; else return None.

    Incidents that nobody confirms count as false, and make the next one harder to get.
    """
    names = {finding.feature for finding in incident.findings}
    detected = hour_time(incident.detected)
    explained = any(
        fault.start < detected <= fault.end + _LONGEST_WINDOW and names.intersection(fault.features)
        for fault in faults
    )
    return Answer("real", given_by="the demo", note="a fault of its own", given_at=now) if explained else None


def explain(incident: Incident, errors: Sequence[FeedError]) -> str | None:
    """Return the error of the published feed that an incident found, or None."""
    for verdict in incident.verdicts:
        start = verdict.window_end - timedelta(hours=verdict.scale_hours)
        for error in errors:
            if verdict.feature in error.features and error.start < verdict.window_end and error.end > start:
                return error.what
    return None


def summarize(
    connection: Connection, faults: Sequence[PlannedFault], errors: Sequence[FeedError]
) -> dict[str, Any]:
    """Return the summary: plain values, times in ISO 8601, durations in hours."""
    books = {line.environment: line for line in read_ledger(connection)}
    production = books["production"]
    verdicts = read_page_verdicts(connection)
    incidents = incidents_of(verdicts)
    counted = count_verdicts(connection)
    first_judged, last_judged = read_judged_windows(connection)
    first_fault = faults[0].start if faults else last_judged
    hours = 0.0
    if first_judged is not None and first_fault is not None:
        hours = max((first_fault - first_judged) / timedelta(hours=1), 0.0)
    rows = [_incident_row(incident, errors) | {"fault": _cause(incident, faults)} for incident in incidents]
    before = [
        incident
        for incident in rows
        if first_fault and datetime.fromisoformat(incident["time"]) <= first_fault
    ]
    unexplained = [incident for incident in before if incident["found_in_the_data"] is None]
    return {
        "served": production.sent,
        "landed": production.landed,
        "missing": production.missing,
        "duplicates": production.duplicates,
        "dropped": production.dropped,
        "reference_rows": books["reference"].landed if "reference" in books else 0,
        "outcomes": count_rows(connection, "outcomes"),
        "dead_letters": count_rows(connection, "dead_letters"),
        "verdicts": sum(counted.values()),
        "verdicts_by_name": counted,
        "judged_from": first_judged.isoformat() if first_judged else None,
        "judged_until": last_judged.isoformat() if last_judged else None,
        "faults": [_fault_row(fault, find_fault(fault, verdicts)) for fault in faults],
        "hours_before_faults": hours,
        "pages_before_faults": before,
        "pages_per_1000_hours_before_faults": 1000 * len(unexplained) / hours if hours else 0.0,
        "pages_after_first_fault_without_fault": [
            incident for incident in rows if incident not in before and incident["fault"] is None
        ],
    }


def _incident_row(incident: Incident, errors: Sequence[FeedError]) -> dict[str, Any]:
    return {
        "time": incident.time.isoformat(),
        "until": incident.until.isoformat(),
        "feature": incident.first.feature,
        "features": incident.features,
        "reference": incident.first.reference,
        "channel": incident.first.channel,
        "reason": incident.first.reason,
        "found_in_the_data": explain(incident, errors),
    }


def _cause(incident: Incident, faults: Sequence[PlannedFault]) -> str | None:
    """Return the fault that was on, or had left its traces in the longest window, while an incident was."""
    for fault in faults:
        if incident.until > fault.start and incident.time <= fault.end + _LONGEST_WINDOW:
            return fault.name
    return None


def _fault_row(fault: PlannedFault, found: PageVerdict | None) -> dict[str, Any]:
    return {
        "fault": fault.name,
        "features": list(fault.features),
        "injected_at": fault.start.isoformat(),
        "mended_at": fault.end.isoformat(),
        "paged_at": found.window_end.isoformat() if found else None,
        "feature": found.feature if found else None,
        "channel": found.channel if found else None,
        "reason": found.reason if found else None,
        "delay_hours": (found.window_end - fault.start) / timedelta(hours=1) if found else None,
    }
