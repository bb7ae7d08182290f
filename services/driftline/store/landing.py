"""What the lander asks of the store: blocks in, and which records are there."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from clickhouse_connect.driver.binding import format_str

from driftline.errors import StatementError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from driftline.store.connection import Connection

# One block in, one block into the view: then the token names each part, also when it is repeated.
_INSERT_SETTINGS: Mapping[str, int] = {
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "input_format_avro_allow_missing_fields": 1,
    "insert_deduplicate": 1,
    "materialized_views_ignore_errors": 0,
    "max_insert_block_size": 1_048_576,
    "max_insert_threads": 1,
    "max_partitions_per_insert_block": 0,
    "max_threads": 1,
    "min_insert_block_size_bytes": 1 << 50,
    "min_insert_block_size_rows": 1 << 50,
}

# What ClickHouse answers when the data is at fault. Whatever else fails is the store's trouble and is tried
# again: nothing is dead-lettered because a disk was full.
_DATA_ERROR_CODES = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        33,  # CANNOT_READ_ALL_DATA
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        131,  # TOO_LARGE_STRING_SIZE
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        376,  # CANNOT_PARSE_UUID
        407,  # DECIMAL_OVERFLOW
        469,  # VIOLATED_CONSTRAINT
        636,  # CANNOT_EXTRACT_TABLE_STRUCTURE
    }
)
_STD_EXCEPTION_CODE = 1001

_PLACE = "log_id = {source:String} AND log_partition = {partition:UInt32}"
_HELD = f"""
SELECT log_offset, toString(event_id) FROM predictions
WHERE {_PLACE} AND log_offset >= {{first:UInt64}} AND log_offset <= {{last:UInt64}}
"""
_END = (
    f"SELECT max(log_offset) + 1, count() FROM predictions WHERE {_PLACE} AND log_offset >= {{first:UInt64}}"
)
# Several landers are one user: each sees the others' inserts.
_UNDER_WAY = """
SELECT query_id FROM system.processes
WHERE query_kind = 'Insert' AND position(query, 'prediction_inbox') > 0
"""
_CHUNK = 2_000
_LARGE_QUERY = {
    "max_query_size": 16 << 20,
    "max_ast_elements": 1_000_000,
    "max_expanded_ast_elements": 1_000_000,
}


class RefusedError(StoreError):
    """The engine refuses a block because of the data in it.

    Args:
        reason: a short, bounded name for counting.
        detail: what exactly is wrong, for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Place(NamedTuple):
    """Where a record stands in the log.

    Args:
        source: which log.
        partition: which of its partitions.
        offset: its offset there.
    """

    source: str
    partition: int
    offset: int


class Prediction(NamedTuple):
    """What tells a prediction from all others, and where it stands in the store.

    Args:
        event_id: its id.
        session_id: of the session that numbered it.
        sequence: its number.
        model_name: the model.
        time_us: when it was made, in microseconds since the Unix epoch.
    """

    event_id: str
    session_id: str
    sequence: int
    model_name: str
    time_us: int


def insert_block(
    connection: Connection, table: str, columns: Sequence[str], container: bytes, *, token: str
) -> None:
    """Insert one Avro container into a table. Blocks for the store.

    Args:
        connection: to the store.
        table: with its database.
        columns: that the container holds.
        container: an Avro container file.
        token: what the engine remembers the block by.

    Raises:
        RefusedError: the data is at fault.
        StoreError: the store is away or in trouble.
    """
    settings = {**_INSERT_SETTINGS, "insert_deduplication_token": token}
    try:
        connection.insert_avro(table, columns, container, settings=settings)
    except StatementError as error:
        code, text = error.code, error.detail
        if code in _DATA_ERROR_CODES or (code == _STD_EXCEPTION_CODE and "avro::Exception" in text):
            raise RefusedError(_reason(code, text), text.partition(" (version")[0][:1000]) from error
        raise


def _reason(code: int, text: str) -> str:
    if code == _STD_EXCEPTION_CODE:
        return "undecodable"
    if code == 469:
        return (
            text.partition("Constraint `")[2].partition("`")[0].join(("violates_", ""))
            or "violates_constraint"
        )
    return "unconvertible"


def read_held(connection: Connection, begin: Place, *, last: int) -> Mapping[int, str]:
    """Return which offsets from a place to the last of a range have landed, and the event id of each."""
    rows = connection.rows(_HELD, {**_bound(begin), "last": last})
    return {int(offset): event_id for offset, event_id in rows}


def read_end(connection: Connection, begin: Place) -> int:
    """Return behind which offset the table holds nothing, from a place on; 0 where it holds nothing there."""
    ((end, rows),) = connection.rows(_END, _bound(begin))
    return int(end) if rows else 0


def read_inserts_under_way(connection: Connection) -> AbstractSet[str]:
    """Return the ids of the inserts of predictions that are under way."""
    return {str(row[0]) for row in connection.rows(_UNDER_WAY)}


def find_landed(
    connection: Connection, predictions: Sequence[Prediction]
) -> Mapping[tuple[str, str, int], AbstractSet[Place]]:
    """Return from which places the store holds predictions, by event id, session id and sequence."""
    held: dict[tuple[str, str, int], set[Place]] = defaultdict(set)
    for start in range(0, len(predictions), _CHUNK):
        chunk = predictions[start : start + _CHUNK]
        times = [each.time_us for each in chunk]
        # What the table is sorted by, too: so it is a look at a few places.
        query = (
            "SELECT toString(event_id), toString(session_id), sequence, toString(log_id), log_partition, "
            "log_offset FROM predictions "
            f"WHERE model_name IN ({_listed(each.model_name for each in chunk)}) "
            f"AND event_time >= fromUnixTimestamp64Micro({min(times)}, 'UTC') "
            f"AND event_time <= fromUnixTimestamp64Micro({max(times)}, 'UTC') "
            f"AND event_id IN ({_listed(each.event_id for each in chunk)})"
        )
        rows = connection.rows(query, settings=_LARGE_QUERY)
        for event_id, session_id, sequence, *place in rows:
            held[str(event_id), str(session_id), int(sequence)].add(Place(*place))
    return held


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(format_str(text) for text in sorted(set(texts)))


def _bound(place: Place) -> Mapping[str, object]:
    return {"source": place.source, "partition": place.partition, "first": place.offset}
