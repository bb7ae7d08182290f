"""Reading what the trigger decides by: incidents, completeness, invalid values, performance, earlier runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from driftline.domain.hours import hour_of, hour_time
from driftline.domain.streams import PRODUCTION, Stream
from driftline.lifecycle.defining import Wanted, incomplete_hours, invalid_hours, is_a_fault
from driftline.lifecycle.trigger import BUDGET_PERIOD, Facts
from driftline.performance.drops import standings_of
from driftline.store.gates import read_gates
from driftline.store.incidents import read_incidents
from driftline.store.pipelines import read_claims, read_steps
from driftline.store.registry import read_registry
from driftline.store.retraining import read_decisions, read_permissions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from driftline.domain.incidents import Incident
    from driftline.domain.retraining import Permission, RetrainDecision
    from driftline.domain.snapshots import LeftOut
    from driftline.lifecycle.trigger import TriggerSettings
    from driftline.registry.state import ModelState
    from driftline.store.connection import Connection

REQUEST_HOLDS: Final = timedelta(days=2)
"""A request to train that made no version for so long is given up."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at.

    Args:
        model_name: which model.
        environment: where it serves.
        version: that serves.
    """

    model_name: str
    environment: str = PRODUCTION
    version: str = ""

    @property
    def stream(self) -> Stream:
        """Its predictions."""
        return Stream(self.model_name, self.version, self.environment)


def subject_of(connection: Connection, model_name: str, environment: str = PRODUCTION) -> Subject:
    """Return a model with the version that is declared to serve; empty: none is."""
    state = read_registry(connection, model_name).get(model_name)
    version = state.in_production(environment) if state else None
    return Subject(model_name, environment, version or "")


def read_facts(
    connection: Connection, subject: Subject, settings: TriggerSettings, *, now: datetime
) -> Facts:
    """Return what is known of a model.

    Args:
        connection: to the store.
        subject: the model.
        settings: how long the window is.
        now: the time, UTC.
    """
    end = hour_of(now)
    span = (end - settings.window_hours, end)
    wanted = Wanted(
        model_name=subject.model_name,
        environment=subject.environment,
        since=hour_time(span[0]),
        as_of=now,
    )
    incidents = [
        each
        for each in read_incidents(connection, model_name=subject.model_name)
        if each.stream.environment == subject.environment and hour_time(each.detected) <= now
    ]
    standings = standings_of(connection, subject.stream, now_s=now.timestamp()) if subject.version else []
    starts = [each for each in _decisions(connection, subject, "retrain") if each.decided_at <= now]
    last = starts[0] if starts else None
    state = read_registry(connection, subject.model_name).get(subject.model_name)
    given = read_permissions(connection, subject.model_name)
    permissions = [each for each in given if each.given_at <= now]
    failed = list(_failed_gates(connection, subject.model_name, now))
    return Facts(
        now=now,
        drops=[(each.metric, each.drop) for each in standings if each.drop > 0],
        accepted=list(_accepted(incidents, last, now)),
        faults=[_named(each) for each in _within(incidents, span) if each.acknowledged == "real"],
        unacknowledged=[_named(each) for each in _within(incidents, span) if each.acknowledged is None],
        incomplete=list(map(_hours, incomplete_hours(connection, wanted, span))),
        invalid=list(map(_hours, invalid_hours(connection, wanted, span))),
        mature_labels=round(max((each.recent.sample for each in standings), default=0)),
        drop_since=_drop_since(connection, subject, now),
        in_flight=_in_flight(connection, subject, last, state, now),
        last_started=last.decided_at if last else None,
        started=len({each.decision_id for each in starts if now - each.decided_at <= BUDGET_PERIOD}),
        failed_gates=len(failed),
        last_failed=failed[0] if failed else None,
        stopped=_stopped(permissions),
        approved=_approved(permissions, last),
    )


def _decisions(connection: Connection, subject: Subject, action: str = "") -> Sequence[RetrainDecision]:
    return read_decisions(
        connection, model_name=subject.model_name, environment=subject.environment, action=action
    )


def _within(incidents: Sequence[Incident], span: tuple[int, int]) -> Iterator[Incident]:
    """Yield incidents that may be faults and have hours in a span; an open one goes on."""
    for each in incidents:
        last = span[1] if each.state == "open" else each.last
        if is_a_fault(each) and each.since < span[1] and last > span[0]:
            yield each


def _named(incident: Incident) -> str:
    return f"{incident.incident_id}: {incident.headline}"


def _accepted(
    incidents: Sequence[Incident], last: RetrainDecision | None, now: datetime
) -> Iterator[tuple[str, datetime]]:
    """Yield changes that are the new normal, and came after the last training began."""
    for each in incidents:
        if each.state != "accepted" or each.accepted_at is None:
            continue
        at = hour_time(each.accepted_at)
        if at <= now and (last is None or at > last.decided_at):
            yield each.incident_id, at


def _hours(hours: LeftOut) -> str:
    first, end = hour_time(hours.first_hour), hour_time(hours.end_hour)
    return f"{first:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}: {hours.detail}"


def _drop_since(connection: Connection, subject: Subject, now: datetime) -> datetime | None:
    """Return since when each decision saw the drop; what was decided before is what remembers it."""
    since = None
    for decision in _decisions(connection, subject):
        if decision.decided_at > now:
            continue
        if decision.cause != "performance_drop":
            break
        since = decision.cause_since or decision.decided_at
    return since


def _failed_gates(connection: Connection, model_name: str, now: datetime) -> Iterator[datetime]:
    """Yield when candidates failed since the last one passed, the newest first; what held says nothing."""
    for line in read_gates(connection, model_name):
        if line.made_at > now or line.decision == "hold":
            continue
        if line.decision == "pass":
            return
        yield line.made_at


def _in_flight(
    connection: Connection,
    subject: Subject,
    last: RetrainDecision | None,
    state: ModelState | None,
    now: datetime,
) -> str:
    """Return the pipeline's run or the request to train that is under way; empty: none is."""
    for claim in read_claims(connection, subject.model_name, limit=1):
        if "end" not in read_steps(connection, subject.model_name, claim.run_id):
            return f"run {claim.number} ({claim.run_id}), claimed by {claim.claimed_by}"
    if last is None or now - last.decided_at > REQUEST_HOLDS:
        return ""
    versions = state.versions.values() if state else ()
    if any(version.registered_at > last.decided_at for version in versions):
        return ""
    return f"request {last.decision_id} of {last.decided_at:%Y-%m-%d %H:%M}"


def _stopped(permissions: Sequence[Permission]) -> str:
    """Return who stopped the model, or all of them, and did not allow it again; empty: nobody."""
    last: dict[str, Permission] = {}
    for each in permissions:
        if each.permission in {"stop", "allow"}:
            last.setdefault(each.model_name, each)
    stop = next((each for each in last.values() if each.permission == "stop"), None)
    return f"stopped by {stop.given_by} at {stop.given_at:%Y-%m-%d %H:%M}: {stop.reason}" if stop else ""


def _approved(permissions: Sequence[Permission], last: RetrainDecision | None) -> datetime | None:
    """Return when somebody approved it last, since the last training began."""
    approvals = (each.given_at for each in permissions if each.permission == "approve")
    return next((at for at in approvals if last is None or at > last.decided_at), None)
