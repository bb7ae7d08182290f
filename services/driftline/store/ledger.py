"""The completeness ledger: of what each session accepted, how much landed, how much is missing or doubled.

A session numbers its predictions 1, 2, 3, ... and reports in its heartbeats how far it is. The landed numbers
of an hour are derived as bitmaps, exact and mergeable, so that the ledger reads raw rows only of hours that
are not settled yet, and of those only sessions and numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING

from driftline.domain.streams import Stream
from driftline.store.drops import read_drops_by_hour
from driftline.store.hours import (
    HOUR,
    KEYS,
    LARGE_QUERY,
    MODEL,
    STREAM,
    of_model,
    of_stream,
    read_sources,
    stream_parameters,
)
from driftline.store.set_aside import read_set_aside
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from driftline.store.connection import Connection
    from driftline.store.hours import Sources

# What landed of sessions: derived, and of hours that are not settled yet counted from the raw rows.
LANDED = """
SELECT session_id, model_name, model_version, environment, hour, rows, sequences, last_sequence, newest
FROM session_hours WHERE {where} AND {derived} AND {visible}
UNION ALL
SELECT
    session_id, model_name, model_version, environment, hour,
    count() AS rows, groupBitmapState(toUInt64(sequence)) AS sequences,
    toUInt64(max(sequence)) AS last_sequence, maxIf(counted_time, set_aside = '') AS newest
FROM predictions WHERE {where} AND {raw}
GROUP BY session_id, model_name, model_version, environment, hour
"""

# One row a session. A session without a heartbeat yet has sent at least its highest landed number.
_SESSIONS = """
SELECT
    if(l.session_id != '', l.session_id, b.session_id) AS session_id,
    if(l.session_id != '', l.model_name, b.model_name) AS model_name,
    if(l.session_id != '', l.model_version, b.model_version) AS model_version,
    if(l.session_id != '', l.environment, b.environment) AS environment,
    greatest(l.last_sequence, b.last_sequence) AS sent,
    l.landed AS landed,
    l.rows - l.landed AS duplicates,
    l.last_sequence AS last_landed,
    l.first_hour AS first_hour,
    l.last_hour AS last_hour,
    greatest((l.last_hour + 1) * 3600, toUnixTimestamp(b.beat_time)) AS last_sign_s,
    arraySum(mapValues(b.abandoned)) AS abandoned,
    arraySum(mapValues(b.dropped)) AS refused,
    least(d.dead_letters, sent - landed) AS dead_lettered,
    sent - landed - least(abandoned + dead_lettered, sent - landed) AS missing
FROM
(
    SELECT
        toString(session_id) AS session_id,
        toString(model_name) AS model_name,
        toString(model_version) AS model_version,
        toString(environment) AS environment,
        sum(rows) AS rows, groupBitmapMerge(sequences) AS landed, max(last_sequence) AS last_sequence,
        intDiv(toUnixTimestamp(min(hour)), 3600) AS first_hour,
        intDiv(toUnixTimestamp(max(hour)), 3600) AS last_hour
    FROM ({landed})
    GROUP BY session_id, model_name, model_version, environment
) AS l
FULL JOIN
(
    SELECT
        session_id,
        toString(model_name) AS model_name,
        toString(model_version) AS model_version,
        toString(environment) AS environment,
        last_sequence, dropped, abandoned, beat_time
    FROM sessions FINAL WHERE {{model:String}} = '' OR sessions.model_name = {{model:String}}
) AS b USING (session_id, model_name, model_version, environment)
LEFT JOIN
(
    SELECT session_id, count() AS dead_letters FROM dead_letters FINAL
    WHERE topic = 'driftline.predictions' AND session_id != '' AND replayed_at IS NULL GROUP BY session_id
) AS d ON d.session_id = if(l.session_id != '', l.session_id, b.session_id)
"""

# What a session's hours hold, from its bitmaps. Where the numbers ascend with the hours, that tells all.
_HELD = """
SELECT at, bitmapMin(numbers), bitmapMax(numbers), bitmapCardinality(numbers)
FROM
(
    SELECT intDiv(toUnixTimestamp(hour), 3600) AS at, groupBitmapMergeState(sequences) AS numbers
    FROM ({landed}) GROUP BY at
)
ORDER BY at
"""

_GAPS = """
SELECT before_hour, at, sequence - before - 1 AS missing
FROM
(
    SELECT
        sequence,
        intDiv(toUnixTimestamp(hour), 3600) AS at,
        lagInFrame(sequence, 1, 0) OVER session AS before,
        lagInFrame(at, 1, at) OVER session AS before_hour
    FROM predictions
    WHERE {stream} AND session_id = {{session:String}}
        AND hour >= toDateTime({{first:UInt32}} * 3600, 'UTC')
        AND hour < toDateTime({{end:UInt32}} * 3600, 'UTC')
    WINDOW session AS (ORDER BY sequence ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE sequence > before + 1
"""

_LONGEST_GAP_HOURS = 5 * 7 * 24
"""What is missing between an event of years ago and the next one is missing of the last of these hours."""

_OF_SESSION = f"{STREAM} AND session_id = {{session:String}}"


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """What is known of one model version's predictions in one environment.

    Args:
        model_name: the model.
        model_version: its version.
        environment: where it served.
        sent: predictions that its sessions accepted (the highest number they gave).
        landed: different predictions in the store.
        missing: sent, and neither landed nor given up nor a dead letter: still under way, or lost.
        duplicates: rows in the store beyond the first of a prediction.
        dropped: predictions that sessions refused (which are not among those sent) or gave up (which are),
            and counted.
        dead_lettered: predictions that can't be landed as they are, and are kept as dead letters.
        ratio: landed, of what was to be logged: of those sent and those refused. 1 where there were none.
        set_aside: of those that landed, which are in no profile or verdict since their time cannot be right,
            by reason: ``future``, ``old`` or ``late``.
    """

    model_name: str
    model_version: str
    environment: str
    sent: int
    landed: int
    missing: int
    duplicates: int
    dropped: int
    dead_lettered: int
    ratio: float
    set_aside: Mapping[str, int] = field(default_factory=dict)


def read_ledger(
    connection: Connection, *, model_name: str = "", since: datetime | None = None
) -> Sequence[LedgerLine]:
    """Return the ledger, a line a model version and environment.

    Args:
        connection: to the store.
        model_name: of this model only; empty: of all.
        since: of sessions only that logged or reported something after this time, and of these all.
    """
    aside = read_set_aside(connection, model_name=model_name)
    lines = [line for line, _ in _read(connection, model_name, since)]
    return [
        replace(line, set_aside=aside.get(Stream(line.model_name, line.model_version, line.environment), {}))
        for line in lines
    ]


def landed(sources: Sources, where: str, *, hours: str = "1") -> str:
    """Return a query of what landed of sessions, an hour of a session a row.

    Args:
        sources: where to ask; its parameters are to be bound.
        where: SQL condition on streams and sessions.
        hours: SQL condition on the pointers of the hours that are read.
    """
    parts = {"derived": sources.derived, "raw": sources.raw, "visible": visible(hours)}
    return LANDED.format(where=where, **parts)


def read_landed(connection: Connection, *, model_name: str = "") -> Mapping[Stream, int]:
    """Return how many rows of each stream landed; of one model only, where it is named. Reads no bitmaps."""
    sources = read_sources(connection, of_model(model_name))
    rows = connection.rows(
        f"SELECT {KEYS}, sum(held) FROM (SELECT {KEYS}, rows AS held FROM derived_hours FINAL "
        f"WHERE {MODEL} AND {sources.derived} UNION ALL SELECT {KEYS}, count() AS held FROM predictions "
        f"WHERE {MODEL} AND {sources.raw} GROUP BY {KEYS}) GROUP BY {KEYS}",
        parameters={**sources.bound, "model": model_name},
        settings=dict(LARGE_QUERY),
    )
    return {Stream(*names): int(held) for *names, held in rows}


@dataclass(frozen=True, slots=True)
class _Hole:
    """A session of which predictions are missing or given up: what was sent and landed, and when."""

    session_id: str
    sent: int
    landed: int
    last_sequence: int
    first_hour: int
    last_hour: int


def _read(
    connection: Connection, model_name: str = "", since: datetime | None = None
) -> Sequence[tuple[LedgerLine, Sequence[_Hole]]]:
    sources = read_sources(connection, of_model(model_name))
    sessions = _SESSIONS.format(landed=landed(sources, MODEL, hours=MODEL))
    rows = connection.rows(
        f"SELECT {KEYS}, sum(sent), sum(landed), sum(missing), sum(duplicates), sum(refused), "
        "sum(abandoned), sum(dead_lettered), "
        "groupArrayIf(tuple(session_id, sent, landed, last_landed, first_hour, last_hour), "
        "missing + abandoned > 0) "
        f"FROM ({sessions}) WHERE last_sign_s > {{since_s:Float64}} GROUP BY {KEYS} ORDER BY {KEYS}",
        parameters={
            **sources.bound,
            "model": model_name,
            "since_s": since.timestamp() if since else -1.0,
        },
        settings={**LARGE_QUERY, "join_use_nulls": 0},
    )
    return [
        (
            LedgerLine(
                *(model, version, where, sent, landed, gone, twice, refused + given_up, dead),
                _share(landed, sent + refused),
            ),
            [_Hole(*hole) for hole in holes],
        )
        for model, version, where, sent, landed, gone, twice, refused, given_up, dead, holes in rows
    ]


def _share(landed: int, offered: int) -> float:
    return landed / offered if offered else 1.0


class Ledger:
    """The ledger as it was when it was asked first; ``refresh`` lets it be read anew. For one thread.

    What is missing when is looked up again only for sessions of which something landed since.

    Args:
        connection: to the store.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read: Sequence[tuple[LedgerLine, Sequence[_Hole]]] | None = None
        self._known: dict[_Hole, Mapping[int, float]] = {}
        self._by_stream: Mapping[Stream, Sequence[_Hole]] = {}
        self._asked: Mapping[Stream, object] = {}
        self._drops: Mapping[Stream, Mapping[int, int]] = {}

    def refresh(self) -> None:
        """Read anew when asked next: something has landed."""
        self._read = None

    def lines(self) -> Sequence[LedgerLine]:
        """Return a line a model version and environment."""
        return [line for line, _ in self._rows()]

    def missing(self, stream: Stream, *, since_hour: int = 0) -> Mapping[int, float]:
        """Return how many predictions of a stream are missing in which hour (since the Unix epoch, UTC).

        Those that its sessions gave up are missing, too, and so are those that they refused, in the hour in
        which they reported it. A missing prediction has no time; it is counted, in equal parts, in the hours
        from the landed prediction before it to the landed one behind it. Those at a session's end are counted
        in its last hour; those of a session of which nothing landed, in the hour of its newest heartbeat.
        Sessions without loss cost nothing here.

        Args:
            stream: which.
            since_hour: sessions that ended before this hour are left aside.
        """
        holes = self._holes().get(stream, ())
        dropped = self._drops.get(stream, {})
        missing = {hour: float(count) for hour, count in dropped.items() if hour >= since_hour}
        for hole in holes:
            if hole.landed and hole.last_hour < since_hour:
                continue
            if hole not in self._known:
                self._known[hole] = _missing_of(self._connection, stream, hole)
            for hour, count in self._known[hole].items():
                missing[hour] = missing.get(hour, 0.0) + count
        return missing

    def moved(self) -> Collection[Stream]:
        """Return the streams of which something else is missing than when this was asked last."""
        holes = self._holes()
        now = {stream: (holes.get(stream), self._drops.get(stream)) for stream in {*holes, *self._drops}}
        known, self._asked = self._asked, now
        return {stream for stream in {*known, *now} if known.get(stream) != now.get(stream)}

    def _holes(self) -> Mapping[Stream, Sequence[_Hole]]:
        self._rows()
        return self._by_stream

    def _rows(self) -> Sequence[tuple[LedgerLine, Sequence[_Hole]]]:
        if self._read is None:
            self._read = _read(self._connection)
            self._by_stream = {
                Stream(line.model_name, line.model_version, line.environment): holes
                for line, holes in self._read
                if holes
            }
            self._drops = read_drops_by_hour(self._connection)
            present = {hole for _, holes in self._read for hole in holes}
            self._known = {hole: hours for hole, hours in self._known.items() if hole in present}
        return self._read


def _missing_of(connection: Connection, stream: Stream, hole: _Hole) -> Mapping[int, float]:
    """Return what is missing of one session, by hour."""
    bound = {**stream_parameters(stream), "session": hole.session_id}
    if not hole.landed:
        heartbeats = connection.rows(
            "SELECT intDiv(toUnixTimestamp(beat_time), 3600) FROM sessions FINAL "
            "WHERE session_id = {session:String}",
            parameters=bound,
        )
        return {heartbeats[0][0]: float(hole.sent)}
    sources = read_sources(connection, of_stream(stream))
    query = _HELD.format(landed=landed(sources, _OF_SESSION, hours=STREAM))
    held = connection.rows(query, parameters={**sources.bound, **bound}, settings=dict(LARGE_QUERY))
    gaps = _gaps_between([(row[0], row[1], row[2], row[3]) for row in held])
    if gaps is None:  # Its events do not ascend with their numbers: the rows tell which follows which.
        hours = {"first": hole.first_hour, "end": hole.last_hour + 1}
        found = connection.rows(_GAPS.format(stream=STREAM), parameters={**bound, **hours})
        gaps = [(row[0], row[1], row[2]) for row in found]
    if hole.sent > hole.last_sequence:
        gaps = [*gaps, (hole.last_hour, hole.last_hour, hole.sent - hole.last_sequence)]
    missing: dict[int, float] = {}
    for before_hour, hour, count in gaps:
        end = max(before_hour, hour) + 1
        first = max(min(before_hour, hour), end - _LONGEST_GAP_HOURS)
        for each in range(first, end):
            missing[each] = missing.get(each, 0.0) + count / (end - first)
    return missing


def _gaps_between(held: Sequence[tuple[int, int, int, int]]) -> Sequence[tuple[int, int, int]] | None:
    """Return gaps as (hour before, hour behind, how many), or None where hours overlap in their numbers.

    Args:
        held: hour, lowest and highest number, how many numbers; the hours ascend.
    """
    gaps: list[tuple[int, int, int]] = []
    before_hour, before = (held[0][0] if held else 0), 0
    for hour, low, high, count in held:
        if low <= before:
            return None
        gaps += [(before_hour, hour, low - before - 1), (hour, hour, high - low + 1 - count)]
        before_hour, before = hour, high
    return [gap for gap in gaps if gap[2]]


def read_rows_by_hour(
    connection: Connection, stream: Stream, *, first_hour: int, end_hour: int
) -> Mapping[int, int]:
    """Return how many rows of a stream are derived, by hour (since the Unix epoch, UTC) in [first, end)."""
    rows = connection.rows(
        "SELECT intDiv(toUnixTimestamp(hour), 3600), counted FROM derived_hours FINAL "
        f"WHERE {STREAM} AND counted > 0 AND hour >= toDateTime({{first:UInt32}} * 3600, 'UTC') "
        "AND hour < toDateTime({end:UInt32} * 3600, 'UTC')",
        parameters={**stream_parameters(stream), "first": first_hour, "end": end_hour},
    )
    return {row[0]: row[1] for row in rows}


def read_last_landings(
    connection: Connection, stream: Stream, hours: Sequence[int]
) -> Mapping[int, datetime]:
    """Return when the last row of each of some hours landed, in UTC; hours without rows are left out."""
    rows = connection.rows(
        f"SELECT {HOUR} AS at, max(landed_at) FROM predictions WHERE {STREAM} AND set_aside = '' "
        "AND hour IN (SELECT toDateTime(arrayJoin({hours:Array(UInt32)}) * 3600, 'UTC')) GROUP BY at",
        parameters={**stream_parameters(stream), "hours": list(hours)},
    )
    return {hour: time.replace(tzinfo=UTC) for hour, time in rows}
