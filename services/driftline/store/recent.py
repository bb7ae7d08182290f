"""The last hours of a stream: how much of it arrived, and whether its training runs are known.

What is read here grows with the hours that are asked for, and not with what the store holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from driftline.store.drops import read_drops_by_hour
from driftline.store.hours import LARGE_QUERY, STREAM, of_stream, read_sources, stream_parameters
from driftline.store.ledger import landed as landed_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection

_SINCE = "toDateTime({since:UInt32} * 3600, 'UTC')"

# Asked in turn, with the sessions that the first two name: one query would name what landed five times over,
# and take an engine longer to plan than all of these to answer.
_HEARTBEATS = f"""
SELECT session_id, last_sequence, beat_time < {_SINCE} + INTERVAL {{hours:UInt32}} * 2 HOUR
FROM sessions FINAL WHERE {STREAM} AND beat_time >= {_SINCE}
"""
_OLDER_HEARTBEATS = f"""
SELECT session_id, last_sequence FROM sessions FINAL
WHERE {STREAM} AND session_id IN {{sessions:Array(String)}}
"""
_RECENT = f"""
SELECT
    session_id, toUnixTimestamp(newest), bitmapMin(numbers), bitmapMax(numbers), bitmapCardinality(numbers)
FROM
(
    SELECT
        toString(session_id) AS session_id, max(newest) AS newest, groupBitmapMergeState(sequences) AS numbers
    FROM (%s) WHERE hour >= {_SINCE} GROUP BY session_id
)
"""
_LAST_BEFORE = f"""
SELECT toString(session_id) AS session_id, toUInt64(max(last_sequence))
FROM (%s) WHERE hour < {_SINCE} GROUP BY session_id
"""

# How many numbers, from the lowest of these hours on, stand before them. Reads only rows that hold such ones.
_LANDED_BEFORE = f"""
WITH transform(session_id, {{sessions:Array(String)}}, {{lows:Array(UInt64)}}, toUInt64(0)) AS low
SELECT sum(bitmapCardinality(bitmapSubsetInRange(numbers, low, toUInt64(-1))))
FROM
(
    SELECT toString(session_id) AS session_id, groupBitmapMergeState(sequences) AS numbers
    FROM (%s) WHERE hour < {_SINCE} AND last_sequence >= low GROUP BY session_id
)
"""
_AT_ONCE = 1000

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
    sessions = _Sessions(connection, stream, since_hour, hours)
    # Heartbeats first: what lands between two questions is then neither sent nor landed.
    heartbeats = sessions.heartbeats()
    recent = sessions.recent()
    before = sessions.last_before(recent)
    last = sessions.older_heartbeats(recent.keys() - heartbeats) | {
        name: each.last_sequence for name, each in heartbeats.items()
    }
    # Where times do not ascend with numbers, so that one of these stands before those hours as well, they
    # begin with the lowest in them.
    mixed = {name: each.low for name, each in recent.items() if each.low <= before.get(name, 0)}
    sent = sum(
        max(each.high, last.get(name, 0), before.get(name, 0)) - mixed.get(name, before.get(name, 0) + 1) + 1
        for name, each in recent.items()
    )
    unknown = {name for name, each in heartbeats.items() if each.is_within and name not in recent}
    sent += sum(heartbeats[name].last_sequence for name in unknown - sessions.landed_ever(unknown))
    landed = sum(each.landed for each in recent.values()) + sessions.landed_before(mixed)
    newest = max((each.newest_s for each in recent.values()), default=0)
    dropped = read_drops_by_hour(connection, stream).get(stream, {})
    refused = sum(count for hour, count in dropped.items() if hour >= since_hour)
    return Arrived(newest, sent, landed, refused)


class _Heartbeat(NamedTuple):
    """How far a session had counted, and whether that was about these hours, not behind them."""

    last_sequence: int
    is_within: bool


class _Held(NamedTuple):
    """What landed of a session in some hours: the newest event's time, numbers from and to, how many."""

    newest_s: int
    low: int
    high: int
    landed: int


class _Sessions:
    """The sessions of a stream, asked about some hours."""

    def __init__(self, connection: Connection, stream: Stream, since_hour: int, hours: int) -> None:
        self._connection = connection
        self._sources = read_sources(connection, of_stream(stream))
        span = {"since": since_hour, "hours": hours}
        self._bound = {**self._sources.bound, **stream_parameters(stream), **span}

    def heartbeats(self) -> Mapping[str, _Heartbeat]:
        """Return the newest of sessions that were alive in these hours or later."""
        return {name: _Heartbeat(last, bool(within)) for name, last, within in self._rows(_HEARTBEATS)}

    def older_heartbeats(self, sessions: Collection[str]) -> dict[str, int]:
        """Return how far sessions had counted that were not alive any more."""
        return {name: int(last) for name, last in self._each(_OLDER_HEARTBEATS, list(sessions))}

    def recent(self) -> Mapping[str, _Held]:
        """Return what landed in these hours, by session."""
        rows = landed_rows(self._sources, STREAM, hours=f"{STREAM} AND hour >= {_SINCE}")
        return {name: _Held(*held) for name, *held in self._rows(_RECENT % rows)}

    def last_before(self, sessions: Collection[str]) -> Mapping[str, int]:
        """Return where numbers of sessions stood before these hours; those without any are left out."""
        query = _LAST_BEFORE % self._of_chosen(before=True)
        return {name: int(last) for name, last in self._each(query, list(sessions))}

    def landed_before(self, mixed: Mapping[str, int]) -> int:
        """Return how many numbers landed before these hours, of each session from the named one on."""
        query = _LANDED_BEFORE % self._of_chosen(before=True)
        return sum(count for (count,) in self._each(query, list(mixed), lows=list(mixed.values())))

    def landed_ever(self, sessions: Collection[str]) -> set[str]:
        """Return those of which anything landed, in whichever hour."""
        query = f"SELECT DISTINCT toString(session_id) FROM ({self._of_chosen()})"
        return {name for (name,) in self._each(query, list(sessions))}

    def _of_chosen(self, *, before: bool = False) -> str:
        chosen = f"{STREAM} AND session_id IN {{sessions:Array(String)}}"
        hours = f"{STREAM} AND hour < {_SINCE}" if before else STREAM
        return landed_rows(self._sources, chosen, hours=hours)

    def _each(self, query: str, sessions: Sequence[str], **values: Sequence[int]) -> Iterator[Sequence[Any]]:
        for begin in range(0, len(sessions), _AT_ONCE):
            chosen = slice(begin, begin + _AT_ONCE)
            of_them = {name: each[chosen] for name, each in values.items()}
            yield from self._rows(query, sessions=sessions[chosen], **of_them)

    def _rows(self, query: str, **values: Any) -> Sequence[Sequence[Any]]:
        settings = {**LARGE_QUERY, "join_use_nulls": 0}
        return self._connection.rows(query, parameters={**self._bound, **values}, settings=settings)


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
