"""Hours of streams: what landed of them, what is derived of them, and which of the two to ask.

`derived_hours` points from each hour to the derivation that counts. An hour is *settled* when its derivation
holds all of its raw rows. What landed long enough before a derivation began is in it; of what landed later,
or may have been under way then, the number of rows decides.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from driftline.domain.streams import HourKey, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from driftline.store.connection import Connection

LONGEST_INSERT_S = 120.0
"""A row becomes visible at most so long after its ``landed_at``; later ones are found by a whole look."""

LARGE_QUERY: Mapping[str, Any] = {
    "max_query_size": 64 << 20,
    "max_ast_elements": 5_000_000,
    "max_expanded_ast_elements": 5_000_000,
}
"""Settings of queries that name many hours."""

DERIVING: Mapping[str, Any] = {
    **LARGE_QUERY,
    "max_threads": 1,
    "max_insert_threads": 1,
    "max_bytes_before_external_group_by": 2 << 30,
    "max_partitions_per_insert_block": 0,
    "min_insert_block_size_rows": 1 << 20,
}
"""Settings of statements that derive hours: one core, and no more memory than that takes."""

KEYS = "model_name, model_version, environment"
HOUR = "intDiv(toUnixTimestamp(hour), 3600)"
"""SQL: hours since the Unix epoch, of a raw or a derived row."""

STREAM = (
    "model_name = {model:String} AND model_version = {version:String} AND environment = {environment:String}"
)

MODEL = "({model:String} = '' OR model_name = {model:String})"
"""SQL: of a model; of all, where none is named."""

MOST_NAMED_BYTES = 1 << 18
"""So much may the hours that a statement names take, as they are sent.

A server takes an address of 1 MiB. In a list of more than that an engine finds no value of a column with few
different ones, in silence.
"""

_STREAMS_APART = 20
_HOUR_BYTES = 40
_RANDOM_BITS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PROGRESS = """
SELECT shards, argMax(derived_until, written_at), max(written_at) AS newest
FROM profiling_progress GROUP BY shards, shard ORDER BY newest
"""
_TOUCHED = f"""
SELECT {KEYS}, {HOUR} AS at, max(landed_at) FROM predictions
WHERE landed_at >= {{{{since:DateTime64(3, 'UTC')}}}} AND {{of}} GROUP BY {KEYS}, at
"""
_COUNT = f"""
SELECT
    {KEYS}, {HOUR} AS at, count(), countIf({{counts}}),
    countIf(set_aside = 'future'), countIf(set_aside = 'old')
FROM predictions WHERE %s GROUP BY {KEYS}, at
"""
_POINTERS = f"""
SELECT {KEYS}, {HOUR}, derivation, rows, segments, recipe, seconds, counted, future, old
FROM derived_hours FINAL WHERE %s
"""
_SIGNS = """
SELECT table, groupBitXor(cityHash64(partition_id, newest)) FROM
(
    SELECT table, partition_id, max(max_block_number) AS newest FROM system.parts
    WHERE active AND database = {database:String} AND table IN {tables:Array(String)}
    GROUP BY table, partition_id
)
GROUP BY table
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on raw rows: SQL, and the parameters that it binds."""

    sql: str
    bound: Mapping[str, Any] = field(default_factory=dict)


EVERYTHING = Condition("1")
"""All raw rows."""

COUNTS = Condition("set_aside = ''")
"""Which raw rows the profiles hold, where no registration says more; see `Recipes.counts`."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """What an hour's derivation was made of.

    Args:
        derivation: its id, which says when it began; see `derivation_id`.
        rows: raw rows that there were when it began.
        segments: hash of the segments that it was counted in.
        recipe: number of the set of rules that its values were checked by, of a reference that of its
            registration; 0: none.
        seconds: what it took.
        counted: of the rows, those that the profiles hold.
        future: those that were set aside as more than a day ahead of their landing.
        old: those that were set aside as of 1970.
    """

    derivation: int
    rows: int
    segments: int = 0
    recipe: int = 0
    seconds: float = 0.0
    counted: int = 0
    future: int = 0
    old: int = 0

    def surely_holds(self, landed_at: datetime) -> bool:
        """Return whether whatever landed up to a time was there when the derivation began."""
        return landed_at < self.began - timedelta(seconds=LONGEST_INSERT_S)

    @property
    def began(self) -> datetime:
        """When the derivation began, by the store's clock."""
        return _EPOCH + timedelta(microseconds=self.derivation >> _RANDOM_BITS)


def derivation_id(began: datetime, random_below: Callable[[int], int]) -> int:
    """Return a new id: microseconds since the Unix epoch, by the store's clock, and ten random bits.

    So later ones are larger, and two that begin in the same microsecond differ.
    """
    microseconds = (began - _EPOCH) // timedelta(microseconds=1)
    return microseconds << _RANDOM_BITS | random_below(1 << _RANDOM_BITS)


def read_signs(connection: Connection, tables: Sequence[str]) -> Mapping[str, int]:
    """Return a number for each table that changes when something is written to it. Reads no rows."""
    # Merges keep a part's highest block number: it moves when something is written, and then only.
    bound = {"database": connection.database, "tables": list(tables)}
    return {str(row[0]): int(row[1]) for row in connection.rows(_SIGNS, parameters=bound)}


def stream_parameters(stream: Stream) -> dict[str, Any]:
    """Return the parameters of `STREAM`."""
    return dict(zip(("model", "version", "environment"), stream, strict=True))


def read_store_time(connection: Connection) -> datetime:
    """Return the time by the store's clock, UTC."""
    found: datetime = connection.rows("SELECT now64(6, 'UTC')")[0][0]
    return found.replace(tzinfo=UTC)


def read_derived_until(connection: Connection) -> datetime:
    """Return up to when whatever landed is derived; the epoch: nobody can tell."""
    rows = connection.rows(_PROGRESS)
    # Profilers share the models as the newest of them says; while one has written nothing, nobody knows.
    untils: list[datetime] = [until for shards, until, _ in rows if shards == rows[-1][0]]
    if not untils or len(untils) < rows[-1][0]:
        return _EPOCH
    return min(untils).replace(tzinfo=UTC)


def write_derived_until(connection: Connection, until: datetime, *, shards: int, shard: int) -> None:
    """Note up to when whatever landed of a shard's models is derived."""
    columns = ["shards", "shard", "derived_until"]
    connection.insert("profiling_progress", [[shards, shard, until]], column_names=columns)


def of_stream(stream: Stream) -> Condition:
    """Return the condition that rows are a stream's."""
    return Condition(STREAM, stream_parameters(stream))


def of_model(model_name: str) -> Condition:
    """Return the condition that rows are a model's; of all, where none is named."""
    return Condition(MODEL, {"model": model_name})


def read_touched(
    connection: Connection, since: datetime, of: Condition = EVERYTHING
) -> Mapping[HourKey, datetime]:
    """Return the hours of which rows landed since a time, or were under way then, and when the last did.

    Args:
        connection: to the store.
        since: by the store's clock; the epoch: all hours that there are.
        of: which rows are looked at.
    """
    looked_from = max(since - timedelta(seconds=LONGEST_INSERT_S), _EPOCH)
    rows = connection.rows(_TOUCHED.format(of=of.sql), parameters={**of.bound, "since": looked_from})
    return {_key(row): row[4].replace(tzinfo=UTC) for row in rows}


class RawRows(NamedTuple):
    """How many raw rows an hour has, how many of them count, and how many were set aside, and why."""

    rows: int
    counted: int = 0
    future: int = 0
    old: int = 0


def count_raw_rows(
    connection: Connection, hours: Collection[HourKey], counts: Condition = COUNTS
) -> Mapping[HourKey, RawRows]:
    """Return how many rows landed of each of these hours; those without any are left out.

    Args:
        connection: to the store.
        hours: which.
        counts: which rows count.
    """
    rows = rows_of_hours(connection, _COUNT.replace("{counts}", counts.sql), hours, counts.bound)
    return {_key(row): RawRows(*row[4:]) for row in rows}


def read_pointers(
    connection: Connection, hours: Collection[HourKey] | None = None
) -> Mapping[HourKey, Pointer]:
    """Return what is derived of these hours, of all that there are unless some are named."""
    if hours is None:
        rows: Iterable[Sequence[Any]] = connection.rows(_POINTERS % "1")
    else:
        rows = rows_of_hours(connection, _POINTERS, hours)
    return {_key(row): Pointer(*row[4:]) for row in rows}


def _key(row: Sequence[Any]) -> HourKey:
    return HourKey(Stream(*row[:3]), int(row[3]))


def read_unsettled(connection: Connection, of: Condition = EVERYTHING) -> frozenset[HourKey]:
    """Return the hours whose derivation may not hold all that landed of them. Counts no rows.

    Args:
        connection: to the store.
        of: which rows are looked at.
    """
    touched = read_touched(connection, read_derived_until(connection), of)
    pointers = read_pointers(connection, touched.keys())
    return frozenset(
        each
        for each, landed_at in touched.items()
        if each not in pointers or not pointers[each].surely_holds(landed_at)
    )


def settled_after_all(connection: Connection, hours: Collection[HourKey]) -> frozenset[HourKey]:
    """Return which of these hours are derived in whole, as the number of their rows says."""
    counted = count_raw_rows(connection, hours)
    pointers = read_pointers(connection, hours)
    return frozenset(
        each
        for each, pointer in pointers.items()
        if each not in counted or pointer.rows >= counted[each].rows
    )


def named_bytes(hour: HourKey) -> int:
    """Return how much an hour takes in a statement that names it, at most."""
    return sum(len(quote(name)) for name in hour.stream) + _HOUR_BYTES


def nameable(hours: Iterable[HourKey]) -> Iterator[Sequence[HourKey]]:
    """Return hours in groups that one statement each can name; of no hours, none."""
    group: list[HourKey] = []
    taken = 0
    for each in hours:
        own = named_bytes(each)
        if group and taken + own > MOST_NAMED_BYTES:
            yield group
            group, taken = [], 0
        group.append(each)
        taken += own
    if group:
        yield group


def rows_of_hours(
    connection: Connection,
    query: str,
    hours: Iterable[HourKey],
    bound: Mapping[str, Any] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Sequence[Any]]:
    """Yield the rows that a query gives of these hours, however many there are; of no hours, none.

    Args:
        connection: to the store.
        query: SQL, with ``%s`` wherever its hours are chosen.
        hours: which.
        bound: parameters of the query.
        settings: of the engine.
    """
    for some in nameable(hours):
        condition, own = which_hours(some)
        yield from connection.rows(
            query.replace("%s", condition), {**own, **(bound or {})}, settings=settings
        )


def which_hours(hours: Collection[HourKey]) -> tuple[str, dict[str, Any]]:
    """Return SQL that chooses these hours of a table, and the parameters that it binds.

    Args:
        hours: which; not empty, and no more than `nameable` puts together.
    """
    by_stream: dict[Stream, list[int]] = defaultdict(list)
    for each in hours:
        by_stream[each.stream].append(each.hour)
    if len(by_stream) > _STREAMS_APART:
        chosen = [(*each.stream, each.hour) for each in hours]
        condition = f"(({KEYS}, {HOUR}) IN {{chosen_hours:Array(Tuple(String, String, String, Int64))}})"
        return condition, {"chosen_hours": chosen}
    conditions: list[str] = []
    bound: dict[str, Any] = {}
    for number, (stream, own) in enumerate(sorted(by_stream.items())):
        names = (f"model_{number}", f"version_{number}", f"environment_{number}")
        bound |= dict(zip(names, stream, strict=True)) | {f"hours_{number}": [each * 3600 for each in own]}
        condition = " AND ".join(
            f"{column} = {{{name}:String}}" for column, name in zip(KEYS.split(", "), names, strict=True)
        )
        conditions.append(f"({condition} AND hour IN {{hours_{number}:Array(DateTime('UTC'))}})")
    return f"({' OR '.join(conditions)})", bound


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to ask for what landed, so that each row is counted once.

    Args:
        derived: SQL condition over derived rows: the hours that are settled.
        raw: SQL condition over raw rows: all other hours.
        bound: parameters of both.
    """

    derived: str
    raw: str
    bound: Mapping[str, Any]


def read_sources(connection: Connection, of: Condition = EVERYTHING) -> Sources:
    """Return where to ask for what landed. Where little is derived yet, that is the raw rows alone.

    Args:
        connection: to the store.
        of: which rows will be asked for: of many streams each asks for its own.
    """
    unsettled = read_unsettled(connection, of)
    if not unsettled:
        return Sources("1", "0", {})
    if sum(map(named_bytes, unsettled)) > MOST_NAMED_BYTES:
        return Sources("0", "1", {})
    chosen, bound = which_hours(unsettled)
    return Sources(f"NOT {chosen}", chosen, bound)
