"""Incidents, which the drift worker writes, and what engineers on call decided about them."""

from __future__ import annotations

import dataclasses
from datetime import UTC
from typing import TYPE_CHECKING, Any

from driftline.domain.channels import Channel, channel_row
from driftline.domain.hours import hour_of, hour_time
from driftline.domain.incidents import MEANINGS, Acknowledgement, Finding, Incident
from driftline.domain.streams import Stream
from driftline.errors import NotFoundError, SettingError
from driftline.store.hours import STREAM, stream_parameters
from driftline.store.verdicts import last_judged_hour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.store.connection import Connection

SERVED_HOURS = 24
"""A version that was judged so much less far than another of its model serves no more."""


_AT_ONCE = ("acknowledged", "accepted_at", "state")
_STREAM_NAMES = list(Stream._fields)
_INCIDENT_NAMES = [
    *_STREAM_NAMES,
    *"incident_id detected since last state accepted_at headline findings acknowledged".split(),
    *"revision quiet_hours".split(),
]
_FINDING_HOURS = ("since", "detected", "last", "accepted_at")
_CHANNEL_NAMES = ("channel_kind", "channel_value", "channel_feature")
_FINDING_NAMES = [field.name for field in dataclasses.fields(Finding) if field.name != "channel"]
_ACKNOWLEDGEMENT_NAMES = [
    *_STREAM_NAMES,
    *"incident_id detected acknowledgement known_from given_by note given_at".split(),
]

# An incident that was accepted stays so; else the last acknowledgement counts.
_AS_ACKNOWLEDGED = f"""
SELECT {", ".join(f"written.{name} AS {name}" for name in _INCIDENT_NAMES if name not in _AT_ONCE)},
    if(given.last_one = '', written.acknowledged, given.last_one) AS acknowledged,
    coalesce(written.accepted_at, if(given.is_accepted, given.accepted_from, NULL)) AS accepted_at,
    multiIf(
        written.state = 'withdrawn', 'withdrawn',
        given.is_accepted, 'accepted',
        written.state NOT IN ('open', 'dismissed'), written.state,
        serving.newest >= serving.judged + INTERVAL {SERVED_HOURS} HOUR, 'ended',
        acknowledged = 'noise', 'dismissed',
        'open') AS state
FROM incidents AS written FINAL
LEFT JOIN
(
    SELECT incident_id, argMax(acknowledgement, given_at) AS last_one,
        countIf(acknowledgement = 'accept') > 0 AS is_accepted,
        minIf(known_from, acknowledgement = 'accept') AS accepted_from
    FROM acknowledgements FINAL GROUP BY incident_id
) AS given ON written.incident_id = given.incident_id
LEFT JOIN
(
    SELECT *, max(judged) OVER (PARTITION BY model_name) AS newest FROM
    (
        SELECT model_name, model_version, environment, max(hour) AS judged
        FROM judged_hours GROUP BY model_name, model_version, environment
    )
) AS serving ON written.model_name = serving.model_name AND written.model_version = serving.model_version
    AND written.environment = serving.environment
"""


def write_incidents(connection: Connection, incidents: Sequence[Incident]) -> None:
    """Insert incidents; a later revision replaces an earlier one.

    Raises:
        StoreError: the store did not take them.
    """
    if not incidents:
        return
    rows = [_incident_row(incident) for incident in incidents]
    connection.insert("incidents", rows, column_names=_INCIDENT_NAMES)


def read_incidents(
    connection: Connection,
    *,
    stream: Stream | None = None,
    model_name: str | None = None,
    incident_id: str = "",
    states: Sequence[str] = (),
    since: datetime | None = None,
    limit: int = 100_000,
) -> Sequence[Incident]:
    """Return incidents as they are at this moment, the newest first.

    An acknowledgement counts at once: the drift worker, which writes incidents, reads it a little later. So
    does that its version serves no more, while others of its model are judged.

    Args:
        connection: to the store.
        stream: of this one only.
        model_name: of this model only.
        incident_id: of those whose id begins so only.
        states: in one of these states only.
        since: of those that paged after this time only.
        limit: at most so many.
    """
    conditions = {
        STREAM: stream,
        "model_name = {name:String}": model_name,
        "startsWith(incident_id, {incident:String})": incident_id or None,
        "state IN {states:Array(String)}": states or None,
        "last > {since:DateTime('UTC')}": since,
    }
    chosen = [condition for condition, value in conditions.items() if value is not None] or ["1"]
    bound: dict[str, Any] = {
        **stream_parameters(stream or Stream("", "", "")),
        "name": model_name or "",
        "incident": incident_id,
        "states": list(states),
        "since": since or hour_time(0),
        "limit": limit,
    }
    rows = connection.rows(
        f"SELECT {', '.join(_INCIDENT_NAMES)} FROM ({_AS_ACKNOWLEDGED}) WHERE {' AND '.join(chosen)} "
        "ORDER BY detected DESC, model_name, model_version, environment LIMIT {limit:UInt32}",
        parameters=bound,
    )
    return [_incident(dict(zip(_INCIDENT_NAMES, row, strict=True))) for row in rows]


def read_written_incidents(connection: Connection, stream: Stream) -> Sequence[Incident]:
    """Return a stream's incidents as the drift worker wrote them last, the newest first."""
    rows = connection.rows(
        f"SELECT {', '.join(_INCIDENT_NAMES)} FROM incidents FINAL WHERE {STREAM} ORDER BY detected DESC",
        parameters=stream_parameters(stream),
    )
    return [_incident(dict(zip(_INCIDENT_NAMES, row, strict=True))) for row in rows]


def read_acknowledgements(
    connection: Connection, stream: Stream | None = None
) -> Mapping[Stream, Sequence[Acknowledgement]]:
    """Return all acknowledgements, or one stream's, by stream, in the order in which they were given."""
    rows = connection.rows(
        f"SELECT {', '.join(_ACKNOWLEDGEMENT_NAMES)} FROM acknowledgements FINAL "
        f"WHERE {STREAM if stream else '1'} ORDER BY given_at, incident_id",
        stream_parameters(stream or Stream("", "", "")),
    )
    found: dict[Stream, list[Acknowledgement]] = {}
    for *names, incident_id, detected, name, known_from, given_by, note, given_at in rows:
        one = Acknowledgement(
            incident_id,
            hour_of(detected),
            name,
            hour_of(known_from),
            given_by,
            note,
            given_at.replace(tzinfo=UTC),
        )
        found.setdefault(Stream(*names), []).append(one)
    return found


def write_acknowledgement(
    connection: Connection, incident_id: str, *, name: str, given_by: str, note: str, given_at: datetime
) -> tuple[Incident, Acknowledgement]:
    """Say something of an incident; return it as it is now, and what was written. Again changes nothing.

    Args:
        connection: to the store.
        incident_id: the incident's id, or as much of its beginning as no other incident's begins with.
        name: ``real``, ``noise`` or ``accept``.
        given_by: who says it.
        note: why.
        given_at: now.

    Raises:
        NotFoundError: there is no such incident, or there are several.
        SettingError: the name is none of these, or the incident was withdrawn.
        StoreError: the store did not take it.
    """
    if name not in MEANINGS:
        raise SettingError(f"{name!r} is nothing to say of an incident; say one of {', '.join(MEANINGS)}")
    incident = find_incident(connection, incident_id)
    if incident.state == "withdrawn":
        raise SettingError(
            f"incident {incident.incident_id} was withdrawn: events that arrived late took it back, so there "
            "is nothing to say of it"
        )
    judged = last_judged_hour(connection, incident.stream)
    given = Acknowledgement(
        incident.incident_id,
        incident.detected,
        MEANINGS[name].name,
        max(incident.last, judged or 0),
        given_by,
        note,
        given_at,
    )
    times = [hour_time(given.detected), given.name, hour_time(given.known_from)]
    row = [*incident.stream, given.incident_id, *times, given_by, note, given_at]
    connection.insert("acknowledgements", [row], column_names=_ACKNOWLEDGEMENT_NAMES)
    return find_incident(connection, incident.incident_id), given


def find_incident(connection: Connection, incident_id: str) -> Incident:
    """Return the incident with an id, or with the only id that begins so.

    Raises:
        NotFoundError: there is no such incident, or there are several.
    """
    found = read_incidents(connection, incident_id=incident_id, limit=3) if incident_id else []
    if not found:
        raise NotFoundError(
            f"there is no incident {incident_id!r}; `driftline incidents` lists those that there are"
        )
    if len(found) > 1:
        raise NotFoundError(
            f"several incidents begin with {incident_id!r}, such as {found[0].incident_id} and "
            f"{found[1].incident_id}; "
            "name one of those that `driftline incidents` lists in full"
        )
    return found[0]


def _as_tuple(finding: Finding) -> tuple[Any, ...]:
    """Return a finding as the table's tuple: its channel, then its other fields."""
    values = {name: getattr(finding, name) for name in _FINDING_NAMES}
    hours = {name: None if values[name] is None else hour_time(values[name]) for name in _FINDING_HOURS}
    return (
        *channel_row(finding.channel),
        *{**values, "episode_ids": list(finding.episode_ids), **hours}.values(),
    )


def _incident_row(incident: Incident) -> Sequence[Any]:
    return [
        *incident.stream,
        incident.incident_id,
        *(hour_time(hour) for hour in (incident.detected, incident.since, incident.last)),
        incident.state,
        None if incident.accepted_at is None else hour_time(incident.accepted_at),
        incident.headline,
        [_as_tuple(finding) for finding in incident.findings],
        incident.acknowledged or "",
        incident.revision,
        incident.quiet_hours,
    ]


def _incident(row: Mapping[str, Any]) -> Incident:
    """Return a row as an incident; what follows from its findings is not read."""
    return Incident(
        stream=Stream(*(row[name] for name in _STREAM_NAMES)),
        incident_id=row["incident_id"],
        detected=hour_of(row["detected"]),
        state=row["state"],
        findings=tuple(_finding(dict(finding)) for finding in row["findings"]),
        acknowledged=row["acknowledged"] or None,
        accepted_at=None if row["accepted_at"] is None else hour_of(row["accepted_at"]),
        revision=row["revision"],
        quiet_hours=row["quiet_hours"],
    )


def _finding(row: dict[str, Any]) -> Finding:
    kind, value, feature = (row.pop(name) for name in _CHANNEL_NAMES)
    hours = {name: None if row[name] is None else hour_of(row[name]) for name in _FINDING_HOURS}
    values = {**row, "episode_ids": tuple(row["episode_ids"]), **hours}
    return Finding(channel=Channel.from_row(kind, value, feature), **values)
