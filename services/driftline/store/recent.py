"""The last hours of a stream: how much of it arrived, and whether its training runs are known.

What is read here grows with the hours that are asked for, and not with what the store holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.store.drops import read_drops_by_hour
from driftline.store.hours import LARGE_QUERY, STREAM, read_sources, stream_parameters
from driftline.store.ledger import landed as landed_rows

if TYPE_CHECKING:
    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection

_SINCE = "toDateTime({since:UInt32} * 3600, 'UTC')"
_HEARTBEATS = f"beat_time >= {_SINCE} AND beat_time < {_SINCE} + INTERVAL {{hours:UInt32}} * 2 HOUR"

# Of each session that has rows in these hours: its numbers behind the last that stood before them, up to the
# last that landed, or to where its newest heartbeat is. Where times do not ascend with numbers, so that one
# of these stands before those hours as well, they begin with the lowest in them, and the session is named. A
# session of which nothing landed at all is known by its heartbeat.
_ARRIVED = f"""
SELECT max(newest), sum(last - before), sum(there), groupArrayIf((session_id, low), is_mixed)
FROM
(
    SELECT
        l.session_id AS session_id, l.low AS low, l.there AS there, toUnixTimestamp(l.newest) AS newest,
        l.low <= a.before AS is_mixed,
        toUInt64(if(is_mixed, l.low - 1, a.before)) AS before,
        toUInt64(greatest(a.top, b.last_sequence)) AS last
    FROM
    (
        SELECT
            toString(session_id) AS session_id, max(newest) AS newest,
            groupBitmapMergeState(sequences) AS numbers,
            bitmapMin(numbers) AS low, bitmapCardinality(numbers) AS there
        FROM (%(recent)s) GROUP BY session_id
    ) AS l
    INNER JOIN
    (
        SELECT
            toString(session_id) AS session_id, maxIf(last_sequence, hour < {_SINCE}) AS before,
            max(last_sequence) AS top
        FROM (%(all)s) GROUP BY session_id
    ) AS a USING (session_id)
    LEFT JOIN (SELECT session_id, last_sequence FROM sessions FINAL WHERE {STREAM}) AS b USING (session_id)
    UNION ALL
    SELECT session_id, 0, 0, 0, 0, toUInt64(0), last_sequence FROM sessions FINAL
    WHERE {STREAM} AND {_HEARTBEATS} AND session_id NOT IN (SELECT session_id FROM (%(alive)s))
)
"""

# How many numbers, from the lowest of these hours on, stand before them. Reads only rows that hold such ones.
_BEFORE = """
WITH transform(session_id, {sessions:Array(String)}, {lows:Array(UInt64)}, toUInt64(0)) AS low
SELECT sum(bitmapCardinality(bitmapSubsetInRange(numbers, low, toUInt64(-1))))
FROM
(
    SELECT toString(session_id) AS session_id, groupBitmapMergeState(sequences) AS numbers
    FROM (%s) WHERE last_sequence >= low GROUP BY session_id
)
"""
_MIXED_AT_ONCE = 1000

_UNREGISTERED = f"""
SELECT count() FROM predictions
WHERE {STREAM} AND hour >= {_SINCE}
    AND training_run_id NOT IN (SELECT training_run_id FROM training_runs WHERE model_name = {{model:String}})
"""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What arrived of a stream in some hours.

    Args:
        newest_s: time of its newest event, seconds since the Unix epoch.
        sent: predictions that its sessions accepted.
        landed: different ones of them in the store.
        refused: predictions that its sessions dropped besides.
    """

    newest_s: int
    sent: int
    landed: int
    refused: int = 0

    @property
    def ratio(self) -> float:
        """Landed, of those sent and refused; 1 where there were none."""
        offered = self.sent + self.refused
        return self.landed / offered if offered else 1.0


def read_arrived(connection: Connection, stream: Stream, *, since_hour: int, hours: int) -> Arrived:
    """Return what arrived of a stream's events of some hours, by event time.

    A gap in a session's numbers counts where the number behind it stands, its end with its last hours; what
    was refused, where sessions reported it.

    Args:
        connection: to the store.
        stream: which.
        since_hour: the first of them, hours since the Unix epoch, UTC.
        hours: how many; there should be none of it behind them.
    """
    sources = read_sources(connection)
    bound = {**sources.bound, **stream_parameters(stream), "since": since_hour, "hours": hours}
    since_sql, before_sql = f"hour >= {_SINCE}", f"hour < {_SINCE}"
    settings = {**LARGE_QUERY, "join_use_nulls": 0}
    recent = (
        f"SELECT * FROM ({landed_rows(sources, STREAM, hours=f'{STREAM} AND {since_sql}')}) WHERE {since_sql}"
    )
    in_them = f"{STREAM} AND session_id IN (SELECT session_id FROM ({recent}))"
    alive = f"{STREAM} AND session_id IN (SELECT session_id FROM sessions WHERE {STREAM} AND {_HEARTBEATS})"
    parts = {
        "recent": recent,
        "all": landed_rows(sources, in_them, hours=STREAM),
        "alive": landed_rows(sources, alive, hours=STREAM),
    }
    newest, sent, landed, mixed = connection.rows(_ARRIVED % parts, parameters=bound, settings=settings)[0]
    before = landed_rows(
        sources, f"{STREAM} AND session_id IN {{sessions:Array(String)}}", hours=f"{STREAM} AND {before_sql}"
    )
    for begin in range(0, len(mixed), _MIXED_AT_ONCE):
        sessions, lows = zip(*mixed[begin : begin + _MIXED_AT_ONCE], strict=True)
        chosen = {**bound, "sessions": list(sessions), "lows": list(lows)}
        query = _BEFORE % f"SELECT * FROM ({before}) WHERE {before_sql}"
        landed += connection.rows(query, parameters=chosen, settings=settings)[0][0]
    dropped = read_drops_by_hour(connection, stream).get(stream, {})
    refused = sum(count for hour, count in dropped.items() if hour >= since_hour)
    return Arrived(newest, sent, landed, refused)


def count_unregistered(connection: Connection, stream: Stream, *, since_hour: int) -> int:
    """Return how many of a stream's predictions name a training run that is not registered for its model.

    Reads one column of their rows.

    Args:
        connection: to the store.
        stream: which.
        since_hour: of events of this hour or later, hours since the Unix epoch, UTC.
    """
    bound = {**stream_parameters(stream), "since": since_hour}
    return int(connection.rows(_UNREGISTERED, parameters=bound)[0][0])
