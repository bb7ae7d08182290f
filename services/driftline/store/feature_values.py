"""Values of features as they came, only added to: written, counted, and the newest of each entity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.store.connection import Connection

_ARRIVAL_BITS = 10
_COLUMNS = ("view", "computation", "entity", "event_time", "available_time", "arrival", "numbers", "texts")
_BLOCK_ROWS = 200_000

HISTORY = "view = {view:String} AND computation = {computation:String}"
"""Rows of one view that were made by one computation; `history_parameters` binds it."""

US = "toUnixTimestamp64Micro(%s)"
_STORE_US = "SELECT toUnixTimestamp64Micro(now64(6))"
_NEWEST_ARRIVAL = "SELECT max(arrival) FROM feature_values WHERE view = {view:String}"
# What becomes visible: rows that arrived since, and rows whose time, or from when on they could be known, has
# come since. Of each entity the newest by event time, then by arrival.
_CHANGED = f"""
SELECT entity, {US % "max(event_time) AS newest"} AS event_us,
    argMax((arrival, {US % "available_time"}, numbers, texts), (event_time, arrival)) AS row
FROM feature_values
WHERE {HISTORY} AND arrival <= {{until_arrival:UInt64}}
    AND event_time <= fromUnixTimestamp64Micro({{until_us:Int64}}, 'UTC')
    AND available_time <= fromUnixTimestamp64Micro({{until_us:Int64}}, 'UTC')
    AND (arrival > {{since_arrival:UInt64}}
        OR greatest(event_time, available_time) > fromUnixTimestamp64Micro({{since_us:Int64}}, 'UTC'))
    AND entity > {{after:String}}
GROUP BY entity ORDER BY entity LIMIT {{limit:UInt32}}
"""
_ARRIVED = f"""
SELECT countIf(arrival <= {{since_arrival:UInt64}}), max(arrival)
FROM feature_values WHERE {HISTORY}
"""
_FRESHNESS = f"""
SELECT view, computation, count(), uniq(entity), {US % "max(event_time)"},
    {US % "maxIf(event_time, event_time <= now64(6) AND available_time <= now64(6))"},
    {US % "max(available_time)"}
FROM feature_values GROUP BY view, computation ORDER BY view, computation
"""


class Place(NamedTuple):
    """A view's rows that were made by one computation."""

    view: str
    computation: str


class FeatureRow(NamedTuple):
    """One row of a view: what every back end keeps of an entity. Times are microseconds since 1970.

    Args:
        entity: what the values are about.
        event_us: when they came true.
        available_us: from when on they could be known.
        arrival: orders rows of one event time.
        numbers: of the view's numeric features, in the order of its definition.
        texts: of its categorical features, likewise.
    """

    entity: str
    event_us: int
    available_us: int
    arrival: int
    numbers: Sequence[float | None]
    texts: Sequence[str | None]


class Arrived(NamedTuple):
    """How many rows had arrived up to a place, and the newest arrival; 0: there is none."""

    counted: int
    newest: int


@dataclass(frozen=True, slots=True)
class Freshness:
    """What a view's history holds. Times are microseconds since 1970.

    Args:
        place: which view, and by which computation.
        rows: how many rows.
        entities: of how many entities, about.
        newest_us: the newest event time, of now or of the future.
        newest_true_us: the newest event time of what can be read now; 0: there is nothing.
        available_us: from when on the last of them can be known.
    """

    place: Place
    rows: int
    entities: int
    newest_us: int
    newest_true_us: int
    available_us: int


def history_parameters(place: Place) -> Mapping[str, str]:
    """Return what `HISTORY` binds."""
    return {"view": place.view, "computation": place.computation}


def read_store_us(connection: Connection) -> int:
    """Return the store's time, microseconds since 1970."""
    return int(connection.rows(_STORE_US)[0][0])


def next_arrival(connection: Connection, view: str, salt: int) -> int:
    """Return the arrival of the next row of a view: later than those that can be seen.

    Args:
        connection: to the store.
        view: its name.
        salt: ten random bits, so that two who push at once make different ones.
    """
    newest = int(connection.rows(_NEWEST_ARRIVAL, {"view": view})[0][0]) >> _ARRIVAL_BITS
    return (max(read_store_us(connection), newest + 1) << _ARRIVAL_BITS) | salt


def arrival_us(arrival: int) -> int:
    """Return the store's time of an arrival, microseconds since 1970."""
    return arrival >> _ARRIVAL_BITS


def nth_arrival(first: int, place: int) -> int:
    """Return the arrival of a row so many places behind the first of its push."""
    return first + (place << _ARRIVAL_BITS)


def write_values(connection: Connection, place: Place, rows: Sequence[FeatureRow]) -> None:
    """Insert rows of a view, some 200,000 at a time; each block stands as a whole or not at all.

    Raises:
        StoreError: the store did not take a block.
    """
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        entities, event_us, available_us, arrivals, numbers, texts = zip(*block, strict=True)
        size = len(block)
        columns = [
            [place.view] * size,
            [place.computation] * size,
            *(list(column) for column in (entities, event_us, available_us, arrivals, numbers, texts)),
        ]
        connection.insert("feature_values", columns, column_names=_COLUMNS, column_oriented=True)


def count_arrived(connection: Connection, place: Place, since_arrival: int) -> Arrived:
    """Return how many rows arrived up to a place, and the newest arrival.

    An insert that began early may become visible late: then there are more than were counted before.
    """
    bound = {**history_parameters(place), "since_arrival": since_arrival}
    counted, newest = connection.rows(_ARRIVED, bound)[0]
    return Arrived(int(counted), int(newest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Between which two moments something changed: by arrival, and by the clock, microseconds since 1970."""

    since_arrival: int
    until_arrival: int
    since_us: int
    until_us: int


def read_changed(
    connection: Connection, place: Place, change: Change, *, piece_rows: int
) -> Iterator[Sequence[FeatureRow]]:
    """Yield the newest row of each entity, of those that became visible between two moments, in pieces.

    What became visible is not always what counts: a late row may be older than what was there before.
    """
    after = ""
    while True:
        bound = {
            **history_parameters(place),
            "since_arrival": change.since_arrival,
            "until_arrival": change.until_arrival,
            "since_us": change.since_us,
            "until_us": change.until_us,
            "after": after,
            "limit": piece_rows,
        }
        found = connection.rows(_CHANGED, bound)
        rows = [
            FeatureRow(entity, int(event_us), int(available), int(arrival), numbers, texts)
            for entity, event_us, (arrival, available, numbers, texts) in found
        ]
        if rows:
            yield rows
            after = rows[-1].entity
        if len(rows) < piece_rows:
            return


def read_freshness(connection: Connection) -> Sequence[Freshness]:
    """Return what the history of each view holds."""
    return [
        Freshness(Place(view, computation), *(int(number) for number in rest))
        for view, computation, *rest in connection.rows(_FRESHNESS)
    ]
