"""One batch of the log into one table, exactly once, whatever single records are worth.

Of a block that the store's engine refuses, suspicious records are inserted alone, and the rest is bisected
until the records that are refused stand alone; these are dead letters, and the others land.

Each piece carries a deduplication token made of its exact offset range, and a batch is always cut in the
same way: so an insert that is still under way is not made twice. Of a batch that may have landed before, the
table is asked which rows it holds, and gets those that it lacks, until it holds them all. For a token alone
can lie: a plain MergeTree notes it *before* the part, and killed in between, it remembers an insert that it
does not hold. (Seen by killing the engine at each of its system calls.) So each attempt has a token of its
own; the next one is begun only by who has seen that the rows are not there after the insert was answered.
Then they will never be, since a running engine notes a token and its part in one step. For the same reason
no insert is sent twice without a look in between. Source: ClickHouse's ``MergeTreeSink`` and
``MergeTreeDeduplicationLog``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from driftline.errors import StoreError, WireError
from driftline.lander.delivery import Action, Progress, Recurrence, next_attempt
from driftline.lander.screen import suspects
from driftline.store.landing import RefusedError
from driftline.wire import MAX_RECORD_BYTES, decode_as, event_schema, split_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from driftline.lander.repeats import SchemaOf
    from driftline.lander.table import Table
    from driftline.log import Batch
    from driftline.wire import EventSchema, SchemaRef

_logger = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a batch that is inserted as one block.

    Args:
        token: what the engine remembers the block by.
        ref: names the schema that wrote the records.
        schema: that schema.
        first_offset: where the piece begins.
        last_offset: where it ends, inclusive.
        records: place in the batch, and datum, of each of its records.
        is_rest: whether suspicious records were taken out of it: its bounds alone do not say what is in it.
    """

    token: str
    ref: SchemaRef
    schema: EventSchema
    first_offset: int
    last_offset: int
    records: Sequence[tuple[int, bytes]]
    is_rest: bool


@dataclass(slots=True)
class Landing:
    """What became of a batch.

    Args:
        landed: positions in the batch of the records that the store took, ascending.
        repeats: positions of those that were left out, since they had landed before.
        dead_letters: the others.
        new: rows that were put in just now; the others of ``landed`` were there.
        settled: inserts that had to be made anew, since the engine remembered rows that the table lacked.
    """

    landed: list[int] = field(default_factory=list)
    repeats: list[int] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    new: int = 0
    settled: int = 0


Check: TypeAlias = "Callable[[Sequence[DeadLetter]], None]"


def _no_check(dead_letters: Sequence[DeadLetter]) -> None:
    """Let everything pass."""
    del dead_letters


class Inserter:
    """Inserts batches of one topic's event into one table.

    Args:
        table: where its blocks go.
        event: the event's name, such as ``PredictionEvent``.
        schema_of: finds the schema that wrote a record.
    """

    def __init__(self, table: Table, *, event: str, schema_of: SchemaOf) -> None:
        self._table = table
        self._schema = event_schema(event)
        self._schema_of = schema_of
        self._schemas: dict[SchemaRef, EventSchema] = {}
        self._progress: dict[tuple[str, int], Progress] = {}

    def keep(self, partitions: Collection[int]) -> None:
        """Know no longer how far it was with other partitions: others may land them, and hand them back."""
        for place in [place for place in self._progress if place[1] not in partitions]:
            self._progress[place] = self._progress[place].begun()

    def land(
        self,
        batch: Batch,
        check: Check = _no_check,
        *,
        repeats: Collection[int] = (),
    ) -> Landing:
        """Insert every record that the store takes. Blocks for the store. Doing it again changes nothing.

        Args:
            batch: of this topic, intended.
            check: is called with the dead letters so far, whenever there are more; may raise to end it.
            repeats: positions to be left out, since these records have landed before.

        Raises:
            StoreError: the store is away or in trouble, or holds other records under these offsets. What was
                inserted before stands; repeat the batch.
            LogError: the schema registry is away.
        """
        landing = Landing(repeats=sorted(repeats))
        groups = self._by_schema(batch, landing)
        check(landing.dead_letters)
        action = self._begin(batch) if self._table.is_exact else Action.INSERT
        for ref, records in groups.items():
            piece = self._piece(batch, ref, records, batch.first_offset, batch.last_offset)
            self._insert(batch, piece, landing, check, action)
        if self._table.is_exact:
            place = batch.source, batch.partition
            self._progress[place] = self._progress[place].landed(batch, is_new=landing.new > 0)
        landing.landed.sort()
        return landing

    def _begin(self, batch: Batch) -> Action:
        """Return what to do with a batch. Blocks for the store unless the batch just follows."""
        place = batch.source, batch.partition
        progress = self._progress.get(place, Progress())
        self._progress[place] = progress.begun()
        if progress.recurrence(batch) is not Recurrence.FOLLOWS:
            self._progress[place] = progress.begun().reaching(batch, self._table.reach(batch))
        return self._progress[place].action(batch)

    def _by_schema(self, batch: Batch, landing: Landing) -> Mapping[SchemaRef, list[tuple[int, bytes]]]:
        groups: dict[SchemaRef, list[tuple[int, bytes]]] = {}
        left_out = frozenset(landing.repeats)
        for position, value in enumerate(batch.values):
            if position in left_out:
                continue
            try:
                ref, datum = split_frame(value)
                if ref not in self._schemas:
                    self._schemas[ref] = self._writer_schema(ref)
                self._check(value, self._schemas[ref], datum)
            except WireError as error:
                landing.dead_letters.append(_dead(batch, position, error.reason, error.detail))
            else:
                groups.setdefault(ref, []).append((position, datum))
        return groups

    def _check(self, value: bytes, schema: EventSchema, datum: bytes) -> None:
        if len(value) > MAX_RECORD_BYTES:
            raise WireError("too_large", f"{len(value):,} bytes; at most {MAX_RECORD_BYTES:,}")
        if not self._table.is_exact:  # A prediction gets a mark behind it instead: see ``blocks``.
            decode_as(schema, datum)

    def _writer_schema(self, ref: SchemaRef) -> EventSchema:
        schema = self._schema_of(ref)
        if schema is None:
            named = ref.fingerprint.hex() if ref.fingerprint else f"id {ref.schema_id}"
            raise WireError("unknown_schema", f"no schema of an event is known as {named}")
        if schema.name != self._schema.name:
            raise WireError("wrong_topic", f"a {schema.name} stands in the topic of {self._schema.name}")
        return schema

    def _piece(
        self,
        batch: Batch,
        ref: SchemaRef,
        records: Sequence[tuple[int, bytes]],
        first: int,
        last: int,
        *,
        is_rest: bool = False,
    ) -> Piece:
        frame = ref.fingerprint.hex() if ref.fingerprint else f"id{ref.schema_id}"
        bounds = f"{first}-{last}{'-rest' if is_rest else ''}"
        token = f"{batch.source}:{batch.topic}:{batch.partition}:{bounds}:{frame}"
        return Piece(token, ref, self._schemas[ref], first, last, records, is_rest)

    def _insert(self, batch: Batch, piece: Piece, landing: Landing, check: Check, action: Action) -> None:
        try:
            if action is Action.COMPLETE:
                self._complete(batch, piece, landing)
            else:
                self._insert_block(batch, piece, piece.records, attempt=0)
                landing.new += len(piece.records)
        except RefusedError as error:
            if len(piece.records) == 1:
                position, datum = piece.records[0]
                reason = _own_reason(piece.schema, datum) or error
                landing.dead_letters.append(_dead(batch, position, reason.reason, reason.detail))
                check(landing.dead_letters)
                return
            for part in self._parts(batch, piece):
                self._insert(batch, part, landing, check, action)
            return
        landing.landed.extend(position for position, _ in piece.records)

    def _complete(self, batch: Batch, piece: Piece, landing: Landing) -> None:
        """Insert what the table lacks of a piece, until it holds all of it."""
        records = {batch.offsets[position]: (position, datum) for position, datum in piece.records}
        attempts = 0
        while True:
            held = self._table.held(batch, piece.first_offset, piece.last_offset)
            attempt = next_attempt(list(records), held, attempts)
            if attempt.action is Action.NOTHING:
                break
            if attempt.action is Action.GIVE_UP:
                raise StoreError(
                    f"the store takes {piece.token} and does not hold it; look at the server's log"
                )
            self._insert_block(batch, piece, [records[each] for each in attempt.missing], attempt.number)
            attempts += 1
            if attempts == 1:
                landing.new += len(attempt.missing)
        if attempts > 1:
            landing.settled += attempts - 1
            context = {"token": piece.token, "offset": piece.first_offset, "attempts": attempts}
            _logger.warning("landed %s in %d attempts", piece.token, attempts, extra=context)

    def _insert_block(
        self, batch: Batch, piece: Piece, records: Sequence[tuple[int, bytes]], attempt: int
    ) -> None:
        token = f"{piece.token}:{attempt}" if attempt else piece.token
        self._table.insert(batch, (piece.ref, piece.schema), records, token)

    def _parts(self, batch: Batch, piece: Piece) -> Iterator[Piece]:
        """Cut a refused block: suspicious records alone and the rest together; without any, into halves."""
        ref, records, rest = piece.ref, piece.records, piece.is_rest
        suspicious = set(suspects(piece.schema, [datum for _, datum in records]))
        if not suspicious:
            middle = len(records) // 2
            cut = batch.offsets[records[middle][0]]
            yield self._piece(batch, ref, records[:middle], piece.first_offset, cut - 1, is_rest=rest)
            yield self._piece(batch, ref, records[middle:], cut, piece.last_offset, is_rest=rest)
            return
        for place in sorted(suspicious):
            offset = batch.offsets[records[place][0]]
            yield self._piece(batch, ref, [records[place]], offset, offset)
        others = [record for place, record in enumerate(records) if place not in suspicious]
        if others:
            yield self._piece(batch, ref, others, piece.first_offset, piece.last_offset, is_rest=True)


def _own_reason(schema: EventSchema, datum: bytes) -> WireError | None:
    """Return what is wrong with a refused record by what it is, as far as that tells."""
    try:
        decode_as(schema, datum)
    except WireError as error:
        return error
    return None


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
