"""Incidents, which the drift worker writes, and what engineers on call said of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from driftline.domain.channels import Channel, channel_row
from driftline.domain.hours import hour_of, hour_time
from driftline.domain.incidents import DEFAULT_QUIET_HOURS, MEANINGS, Finding
from driftline.domain.streams import Stream
from driftline.errors import NotFoundError, SettingError
from driftline.store.verdicts import last_judged_hour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.domain.verdicts import Feature
    from driftline.store.connection import Connection

STATES = ("open", "dismissed", "ended", "accepted", "withdrawn")
"""Only an open incident needs somebody; a dismissed one goes on, and was called a false page."""

SERVED_HOURS = 24
"""A version that was judged so much less far than another of its model serves no more."""

_STREAM = (
    "model_name = {model:String} AND model_version = {version:String} AND environment = {environment:String}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIncident:
    """One row of ``incidents``; the columns are documented in ``schemas/clickhouse``. Times are in UTC."""

    model_name: str
    model_version: str
    environment: str
    incident_id: str
    detected: datetime
    since: datetime
    last: datetime
    state: str
    accepted_at: datetime | None
    headline: str
    findings: Sequence[Finding]
    word: str
    revision: int
    quiet_hours: int = DEFAULT_QUIET_HOURS

    @property
    def stream(self) -> Stream:
        """Of which model version and environment."""
        return Stream(self.model_name, self.model_version, self.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAcknowledgement:
    """One row of ``acknowledgements``: somebody's word on an incident. Times are in UTC.

    Args:
        model_name: of the incident's stream.
        model_version: of the incident's stream.
        environment: of the incident's stream.
        incident_id: which incident.
        detected: when it was detected.
        word: ``real``, ``noise`` or ``accept``.
        known_from: when the newest window that was judged by then ended.
        given_by: who said it.
        note: why.
        given_at: when it was said.
    """

    model_name: str
    model_version: str
    environment: str
    incident_id: str
    detected: datetime
    word: str
    known_from: datetime
    given_by: str
    note: str
    given_at: datetime

    @property
    def stream(self) -> Stream:
        """Of which model version and environment."""
        return Stream(self.model_name, self.model_version, self.environment)


_SAID_NAMES = ("word", "accepted_at", "state")
_INCIDENT_NAMES = [field.name for field in dataclasses.fields(StoredIncident)]
_FINDING_HOURS = ("since", "detected", "last", "accepted_at")
_CHANNEL_NAMES = ("channel_kind", "channel_value", "channel_feature")
_FINDING_NAMES = [field.name for field in dataclasses.fields(Finding) if field.name != "channel"]
_WORD_NAMES = [field.name for field in dataclasses.fields(StoredAcknowledgement)]

# An incident that was accepted stays so; else the last word counts.
_AS_SAID = f"""
SELECT {", ".join(f"written.{name} AS {name}" for name in _INCIDENT_NAMES if name not in _SAID_NAMES)},
    if(said.last_word = '', written.word, said.last_word) AS word,
    coalesce(written.accepted_at, if(said.is_accepted, said.accepted_from, NULL)) AS accepted_at,
    multiIf(
        written.state = 'withdrawn', 'withdrawn',
        said.is_accepted, 'accepted',
        written.state NOT IN ('open', 'dismissed'), written.state,
        serving.newest >= serving.judged + INTERVAL {SERVED_HOURS} HOUR, 'ended',
        word = 'noise', 'dismissed',
        'open') AS state
FROM incidents AS written FINAL
LEFT JOIN
(
    SELECT incident_id, argMax(acknowledgements.word, given_at) AS last_word,
        countIf(acknowledgements.word = 'accept') > 0 AS is_accepted,
        minIf(known_from, acknowledgements.word = 'accept') AS accepted_from
    FROM acknowledgements FINAL GROUP BY incident_id
) AS said ON written.incident_id = said.incident_id
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


def write_incidents(connection: Connection, incidents: Sequence[StoredIncident]) -> None:
    """Insert incidents; a later revision replaces an earlier one.

    Raises:
        StoreError: the store did not take them.
    """
    if not incidents:
        return
    rows = [
        [
            [_as_tuple(finding) for finding in incident.findings]
            if name == "findings"
            else getattr(incident, name)
            for name in _INCIDENT_NAMES
        ]
        for incident in incidents
    ]
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
) -> Sequence[StoredIncident]:
    """Return incidents as they are at this moment, the newest first.

    What was said of an incident decides at once: the drift worker, which writes them, hears of it a little
    later. So does that its version serves no more, while others of its model are judged.

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
        _STREAM: stream,
        "model_name = {name:String}": model_name,
        "startsWith(incident_id, {incident:String})": incident_id or None,
        "state IN {states:Array(String)}": states or None,
        "last > {since:DateTime('UTC')}": since,
    }
    chosen = [condition for condition, value in conditions.items() if value is not None] or ["1"]
    bound: dict[str, Any] = {
        **_bound(stream or Stream("", "", "")),
        "name": model_name or "",
        "incident": incident_id,
        "states": list(states),
        "since": since or hour_time(0),
        "limit": limit,
    }
    rows = connection.rows(
        f"SELECT {', '.join(_INCIDENT_NAMES)} FROM ({_AS_SAID}) WHERE {' AND '.join(chosen)} "
        "ORDER BY detected DESC, model_name, model_version, environment LIMIT {limit:UInt32}",
        parameters=bound,
    )
    return [_incident(dict(zip(_INCIDENT_NAMES, row, strict=True))) for row in rows]


def read_written_incidents(connection: Connection, stream: Stream) -> Sequence[StoredIncident]:
    """Return a stream's incidents as the drift worker wrote them last, the newest first."""
    rows = connection.rows(
        f"SELECT {', '.join(_INCIDENT_NAMES)} FROM incidents FINAL WHERE {_STREAM} ORDER BY detected DESC",
        parameters=_bound(stream),
    )
    return [_incident(dict(zip(_INCIDENT_NAMES, row, strict=True))) for row in rows]


def settled_features(
    incidents: Iterable[StoredIncident], stream: Stream, end: datetime
) -> frozenset[Feature]:
    """Return the features whose drift needs nobody any more, though windows that ended by then page for it.

    Args:
        incidents: that may tell of it.
        stream: whose features.
        end: when the windows ended.
    """
    names: dict[bool, set[Feature]] = {True: set(), False: set()}
    for incident in incidents:
        if incident.stream == stream and incident.last >= end and incident.state != "withdrawn":
            names[incident.state == "open"].update(finding.feature_key for finding in incident.findings)
    return frozenset(names[False] - names[True])


def read_acknowledgements(
    connection: Connection, *, stream: Stream | None = None
) -> Sequence[StoredAcknowledgement]:
    """Return everything that was said of incidents, or of one stream's, in the order in which it was said."""
    rows = connection.rows(
        f"SELECT {', '.join(_WORD_NAMES)} FROM acknowledgements FINAL "
        f"WHERE {_STREAM if stream else '1'} ORDER BY given_at, incident_id",
        parameters=_bound(stream or Stream("", "", "")),
    )
    return [StoredAcknowledgement(**_in_utc(dict(zip(_WORD_NAMES, row, strict=True)))) for row in rows]


def write_acknowledgement(
    connection: Connection, incident_id: str, *, word: str, given_by: str, note: str, given_at: datetime
) -> tuple[StoredIncident, StoredAcknowledgement]:
    """Say something of an incident; return it as it is now, and what was written. Again changes nothing.

    Args:
        connection: to the store.
        incident_id: the incident's id, or as much of its beginning as no other incident's begins with.
        word: ``real``, ``noise`` or ``accept``.
        given_by: who says it.
        note: why.
        given_at: now.

    Raises:
        NotFoundError: there is no such incident, or there are several.
        SettingError: the word is none of these, or the incident was withdrawn.
        StoreError: the store did not take it.
    """
    if word not in MEANINGS:
        raise SettingError(f"{word!r} is nothing to say of an incident; say one of {', '.join(MEANINGS)}")
    incident = find_incident(connection, incident_id)
    if incident.state == "withdrawn":
        raise SettingError(
            f"incident {incident.incident_id} was withdrawn: events that arrived late took it back, so there "
            "is nothing to say of it"
        )
    judged = last_judged_hour(connection, incident.stream)
    said = StoredAcknowledgement(
        model_name=incident.model_name,
        model_version=incident.model_version,
        environment=incident.environment,
        incident_id=incident.incident_id,
        detected=incident.detected,
        word=word,
        known_from=incident.last if judged is None else max(hour_time(judged), incident.last),
        given_by=given_by,
        note=note,
        given_at=given_at,
    )
    connection.insert(
        "acknowledgements", [[getattr(said, name) for name in _WORD_NAMES]], column_names=_WORD_NAMES
    )
    return find_incident(connection, incident.incident_id), said


def find_incident(connection: Connection, incident_id: str) -> StoredIncident:
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


def _incident(row: Mapping[str, Any]) -> StoredIncident:
    findings = [_finding(dict(finding)) for finding in row["findings"]]
    return StoredIncident(**_in_utc({**row, "findings": findings}))


def _finding(row: dict[str, Any]) -> Finding:
    kind, value, feature = (row.pop(name) for name in _CHANNEL_NAMES)
    hours = {name: None if row[name] is None else hour_of(row[name]) for name in _FINDING_HOURS}
    values = {**row, "episode_ids": tuple(row["episode_ids"]), **hours}
    return Finding(channel=Channel.from_row(kind, value, feature), **values)


def _in_utc(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose times say that they are in UTC."""
    return {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def _bound(stream: Stream) -> dict[str, Any]:
    return {
        "model": stream.model_name,
        "version": stream.model_version,
        "environment": stream.environment,
    }
