"""One batch of the log into one table, exactly once, whatever single records are worth.

Of a block that the store's engine refuses, suspicious records are inserted alone, and the rest is bisected
until the records that are refused stand alone; these are dead letters, and the others land. Each piece
carries a deduplication token made of its exact offset range, and a batch is always cut in the same way, so
that repeating it is a no-op.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from driftline.errors import StoreError, WireError
from driftline.lander.blocks import BlockWriter
from driftline.lander.screen import suspects
from driftline.wire import event_schema, schema_of_fingerprint, split_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.log import Batch
    from driftline.wire import EventSchema, SchemaRef

# One block in, one block into each view: then token and view name each part, also when it is repeated.
INSERT_SETTINGS: Mapping[str, int] = {
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "group_by_two_level_threshold": 0,
    "group_by_two_level_threshold_bytes": 0,
    "input_format_avro_allow_missing_fields": 1,
    "insert_deduplicate": 1,
    "materialized_views_ignore_errors": 0,
    "max_insert_block_size": 1_048_576,
    "max_insert_threads": 1,
    "max_partitions_per_insert_block": 0,
    "max_threads": 1,
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


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can't be landed: where it stood, why, its key and its bytes."""

    log_id: str
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    key: bytes
    value: bytes


@dataclass(slots=True)
class Landing:
    """What became of a batch.

    Args:
        landed: positions in the batch of the records that the store took, ascending.
        dead_letters: the others.
    """

    landed: list[int] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)


Check: TypeAlias = "Callable[[Sequence[DeadLetter]], None]"


def _no_check(letters: Sequence[DeadLetter]) -> None:
    """Let everything pass."""
    del letters


class Inserter:
    """Inserts batches of one topic's event into one table.

    Args:
        client: a client of this thread's own.
        event: the event's name, such as ``PredictionEvent``.
        table: where its blocks go.
        database: the table's database.
    """

    def __init__(self, client: Client, *, event: str, table: str, database: str) -> None:
        self._client = client
        self._schema = event_schema(event)
        self._table = f"{database}.{table}"
        self._columns = [column["name"] for column in self._schema.parsed["fields"]]
        self._writers: dict[SchemaRef, BlockWriter] = {}

    def land(self, batch: Batch, check: Check = _no_check) -> Landing:
        """Insert every record that the store takes. Blocks for the store.

        Doing it again with the same batch changes nothing, as long as the store's deduplication window holds.

        Args:
            batch: of this topic.
            check: is called with the dead letters so far, whenever there are more; may raise to end it.

        Raises:
            StoreError: the store is away or in trouble. What was inserted before stands; repeat the batch.
        """
        landing = Landing()
        groups = self._by_schema(batch, landing)
        check(landing.dead_letters)
        for ref, positions in groups.items():
            self._insert(batch, ref, positions, landing, check)
        landing.landed.sort()
        return landing

    def _by_schema(self, batch: Batch, landing: Landing) -> Mapping[SchemaRef, list[tuple[int, bytes]]]:
        groups: dict[SchemaRef, list[tuple[int, bytes]]] = {}
        for position, value in enumerate(batch.values):
            try:
                ref, datum = split_frame(value)
                if ref not in self._writers:
                    self._writers[ref] = BlockWriter(self._writer_schema(ref).text)
            except WireError as error:
                landing.dead_letters.append(_dead(batch, position, error.reason, error.detail))
            else:
                groups.setdefault(ref, []).append((position, datum))
        return groups

    def _writer_schema(self, ref: SchemaRef) -> EventSchema:
        schema = schema_of_fingerprint(ref.fingerprint) if ref.fingerprint else None
        if schema is None:
            raise WireError("unknown_schema", f"no schema is known for {ref}")
        if schema.name != self._schema.name:
            raise WireError("wrong_topic", f"a {schema.name} stands in the topic of {self._schema.name}")
        return schema

    def _insert(
        self,
        batch: Batch,
        ref: SchemaRef,
        records: Sequence[tuple[int, bytes]],
        landing: Landing,
        check: Check,
    ) -> None:
        first, last = (batch.offsets[records[end][0]] for end in (0, -1))
        frame = ref.fingerprint.hex() if ref.fingerprint else f"id{ref.schema_id}"
        token = f"{batch.source}:{batch.topic}:{batch.partition}:{first}-{last}:{frame}"
        try:
            insert_block(
                self._client,
                self._table,
                self._columns,
                self._writers[ref].container([datum for _, datum in records]),
                settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
            )
        except RefusedError as error:
            if len(records) == 1:
                position = records[0][0]
                landing.dead_letters.append(_dead(batch, position, error.reason, error.detail))
                check(landing.dead_letters)
                return
            for part in self._parts(ref, records):
                self._insert(batch, ref, part, landing, check)
        else:
            landing.landed.extend(position for position, _ in records)

    def _parts(
        self, ref: SchemaRef, records: Sequence[tuple[int, bytes]]
    ) -> Iterator[Sequence[tuple[int, bytes]]]:
        """Cut a refused block: suspicious records alone and the rest together; without any, into halves."""
        suspicious = set(suspects(self._writer_schema(ref), [datum for _, datum in records]))
        if not suspicious:
            middle = len(records) // 2
            yield records[:middle]
            yield records[middle:]
            return
        for place in sorted(suspicious):
            yield [records[place]]
        rest = [record for place, record in enumerate(records) if place not in suspicious]
        if rest:
            yield rest


class RefusedError(WireError):
    """The store's engine refuses a block because of the data in it."""


def insert_block(
    client: Client, table: str, columns: Sequence[str], container: bytes, *, settings: Mapping[str, object]
) -> None:
    """Insert one Avro container into a table. Blocks for the store.

    Raises:
        RefusedError: the data is at fault.
        StoreError: the store is away or in trouble.
    """
    try:
        client.raw_insert(table, columns, container, dict(settings), fmt="Avro")
    except DatabaseError as error:
        code, text = error.code or 0, str(error)
        if code in _DATA_ERROR_CODES or (code == _STD_EXCEPTION_CODE and "avro::Exception" in text):
            raise RefusedError(_reason(code, text), text.partition(" (version")[0][:1000]) from error
        raise StoreError(f"the store refused a block for {table}: {text[:1000]}") from error
    except (ClickHouseError, OSError) as error:
        raise StoreError(f"the store is away: {error}") from error


def _reason(code: int, text: str) -> str:
    if code == _STD_EXCEPTION_CODE:
        return "undecodable"
    if code == 469:
        return (
            text.partition("Constraint `")[2].partition("`")[0].join(("violates_", ""))
            or "violates_constraint"
        )
    return "unconvertible"


def _dead(batch: Batch, position: int, reason: str, detail: str) -> DeadLetter:
    return DeadLetter(
        batch.source,
        batch.topic,
        batch.partition,
        batch.offsets[position],
        reason,
        detail,
        batch.keys[position],
        batch.values[position],
    )
