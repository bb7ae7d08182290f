"""Comparing what the store holds with what was sealed: which rows differ, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from driftline.domain.chain import Place
from driftline.store.chain import DIGEST, DIGEST_BYTES, LANDED_WITHIN, ONE_CORE, SLOT_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from driftline.store.connection import Connection

MOST_NAMED: Final = 1000
"""So many rows that differ are named of one comparison, of each kind; the others are counted."""

UNREADABLE: Final = frozenset({33, 40, 79, 107, 228, 246, 271, 432})
"""What the engine answers where a file of the table is not what it wrote, such as CHECKSUM_DOESNT_MATCH."""

_TIME = "fromUnixTimestamp64Milli({%s:Int64}, 'UTC')"
_HEX_DIGEST = f"lower(hex({DIGEST}))"
_EVENT = "toString(event_id)"

# A row is identified by its place.
_DIFFERENCES = f"""
SELECT what, count(), groupArray({MOST_NAMED})(tuple(log_id, log_partition, log_offset, event))
FROM
(
    SELECT
        log_id, log_partition, log_offset, max(event_text) AS event,
        countIf(is_held) AS held_rows, countIf(NOT is_held) AS sealed_rows,
        multiIf(
            sealed_rows = 0, 'added',
            held_rows = 0, if(max(is_over), 'expired', 'deleted'),
            held_rows > 1, 'doubled',
            min(digest_text) != max(digest_text), 'changed', 'same') AS what
    FROM
    (
        SELECT log_id, log_partition, log_offset,
            true AS is_held, {_EVENT} AS event_text, {_HEX_DIGEST} AS digest_text, false AS is_over
        FROM predictions WHERE {LANDED_WITHIN}
        UNION ALL
        SELECT log_id, log_partition, log_offset,
            false AS is_held, '' AS event_text, lower(hex(digest)) AS digest_text, %s AS is_over
        FROM audit_rows FINAL
        WHERE model_name = {{model:String}} AND acceptance = 0
            AND until > {_TIME % "since_ms"} AND until <= {_TIME % "until_ms"}
    )
    GROUP BY log_id, log_partition, log_offset
    HAVING what != 'same'
)
GROUP BY what
"""
_AT = """log_offset IN {offsets:Array(UInt64)}
    AND (log_id, log_partition, log_offset) IN {places:Array(Tuple(String, UInt32, UInt64))}"""
_AT_PLACES = f"""
SELECT log_id, log_partition, log_offset, {_EVENT}, {_HEX_DIGEST} FROM predictions
WHERE {_AT}
"""
_UNSEALED = f"""
SELECT count(), toUnixTimestamp64Milli(min(landed_at)) FROM predictions
WHERE model_name = {{model:String}} AND landed_at >= {_TIME % "since_ms"}
"""
_ACCEPTED = """
SELECT log_id, log_partition, log_offset, lower(hex(argMax(digest, acceptance))), max(%s)
FROM audit_rows FINAL
WHERE model_name = {model:String} AND acceptance IN
    (SELECT number FROM audit_links WHERE model_name = {model:String} AND accepted_by != '')
GROUP BY log_id, log_partition, log_offset
"""
_INTO = """
INSERT INTO audit_rows (model_name, until, acceptance, log_id, log_partition, log_offset, hour, digest)
SELECT {model:String}, fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC'), {number:UInt32},
    log_id, log_partition, log_offset"""
_ACCEPT_HELD = f"""{_INTO}, hour, {DIGEST} FROM predictions
WHERE {_AT} AND model_name = {{model:String}}
LIMIT 1 BY log_id, log_partition, log_offset
"""
_ACCEPT_GONE = f"""{_INTO}, hour, toFixedString('', {DIGEST_BYTES}) FROM audit_rows FINAL
WHERE {_AT} AND model_name = {{model:String}} AND acceptance = 0
    AND (log_id, log_partition, log_offset) NOT IN
    (SELECT log_id, log_partition, log_offset FROM predictions WHERE {_AT} AND model_name = {{model:String}})
LIMIT 1 BY log_id, log_partition, log_offset
"""
_TTL = re.compile(r"(hour|landed_at) \+ (toInterval(?:Hour|Day|Week|Month|Year)\(\d+\))(?: DELETE)?")
_ENGINE = """
SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = 'predictions'
"""


@dataclass(frozen=True, slots=True)
class Retention:
    """Which rows may be gone since their time was over.

    Args:
        ttl: of the table, as the engine has it; empty: its rows are kept for good.
        condition: SQL over a row's digest for whether its time is over.
        is_understood: whether the condition says all that the TTL says.
        bound: what the condition binds.
    """

    ttl: str = ""
    condition: str = "false"
    is_understood: bool = True
    bound: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that differs, or that the store holds at a place."""

    place: Place
    event_id: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows that differ in the same way.

    Args:
        what: ``added``, ``deleted``, ``expired``, ``doubled`` or ``changed``.
        count: how many.
        rows: the first `MOST_NAMED` of them.
    """

    what: str
    count: int
    rows: Sequence[Row]


def read_retention(connection: Connection, *, expired_before: datetime | None = None) -> Retention:
    """Return which rows may have expired.

    Args:
        connection: to the store.
        expired_before: rows of hours before this time may be gone, too.
    """
    rows = connection.rows(_ENGINE, {"database": connection.database})
    ttl = str(rows[0][0]).partition(" TTL ")[2].partition(" SETTINGS ")[0] if rows else ""
    conditions: list[str] = []
    bound: dict[str, Any] = {}
    match = _TTL.fullmatch(ttl)
    if match:
        # A row landed in the window that ends at `until`.
        since = "hour" if match[1] == "hour" else f"until - toIntervalMillisecond({SLOT_MS})"
        conditions.append(f"{since} + {match[2]} <= now()")
    if expired_before is not None:
        conditions.append("hour < fromUnixTimestamp({expired_before:UInt32})")
        bound["expired_before"] = int(expired_before.timestamp())
    is_understood = match is not None or not ttl
    return Retention(ttl, f"({' OR '.join(conditions) or 'false'})", is_understood, bound)


def read_differences(
    connection: Connection, model_name: str, since_ms: int, until_ms: int, retention: Retention
) -> Sequence[Difference]:
    """Return how the rows of a model that landed in [since_ms, until_ms) differ from what was sealed.

    Args:
        connection: to the store.
        model_name: which model.
        since_ms: where a link begins, milliseconds since the Unix epoch.
        until_ms: where a link ends.
        retention: which rows may have expired.
    """
    bound = {"model": model_name, "since_ms": since_ms, "until_ms": until_ms, **retention.bound}
    rows = connection.rows(_DIFFERENCES % retention.condition, bound, settings=ONE_CORE)
    return [
        Difference(
            str(what),
            int(count),
            [
                Row(Place(str(log), int(partition), int(offset)), str(event))
                for log, partition, offset, event in each
            ],
        )
        for what, count, each in rows
    ]


def read_at_places(connection: Connection, places: Collection[Place]) -> Mapping[Place, Sequence[Row]]:
    """Return the rows that the store holds at places, of whatever model, and whenever they landed."""
    found: dict[Place, list[Row]] = {}
    for bound in _named(places):
        for log, partition, offset, event, digest in connection.rows(_AT_PLACES, bound):
            place = Place(str(log), int(partition), int(offset))
            found.setdefault(place, []).append(Row(place, str(event), str(digest)))
    return found


def read_accepted(
    connection: Connection, model_name: str, retention: Retention
) -> Mapping[Place, tuple[str, bool]]:
    """Return what rows of a model are accepted to be: their digests, and whether they may have expired."""
    bound = {"model": model_name, **retention.bound}
    return {
        Place(str(log), int(partition), int(offset)): (str(digest), bool(is_over))
        for log, partition, offset, digest, is_over in connection.rows(_ACCEPTED % retention.condition, bound)
    }


def count_unsealed(connection: Connection, model_name: str, since_ms: int) -> tuple[int, int]:
    """Return how many rows of a model landed at a time or later, and when the earliest did, milliseconds."""
    ((rows, first_ms),) = connection.rows(_UNSEALED, {"model": model_name, "since_ms": since_ms})
    return int(rows), int(first_ms)


def write_accepted(
    connection: Connection, model_name: str, places: Collection[Place], *, number: int, until_ms: int
) -> None:
    """Write what rows are now as what they are to be, under the link that is about to say so.

    Args:
        connection: to the store.
        model_name: whose.
        places: of the rows; one that the store holds no more is to be gone.
        number: of that link.
        until_ms: where it ends.
    """
    link: dict[str, Any] = {"model": model_name, "number": number, "until_ms": until_ms}
    for bound in _named(places):
        connection.command(_ACCEPT_HELD, link | bound)
        connection.command(_ACCEPT_GONE, link | bound)


def _named(places: Collection[Place]) -> Iterator[dict[str, Any]]:
    """Yield places as parameters, as many at once as a statement names."""
    listed = sorted(places)
    for start in range(0, len(listed), MOST_NAMED):
        chunk = listed[start : start + MOST_NAMED]
        yield {"places": [tuple(place) for place in chunk], "offsets": [place.offset for place in chunk]}
