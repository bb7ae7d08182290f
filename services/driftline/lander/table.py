"""One table of the store, as the lander sees it: blocks go in, and it says which records it holds.

Each row says where it stood in the log. That answers every case in which a range may have landed before: it
was under way when a lander died, somebody set the group's position back, a log was read a second time. Who
does not just go on first waits for the inserts that are under way, and asks then: what another lander began
is either there or will never be.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from driftline.errors import StoreError
from driftline.lander.blocks import END, POSITION, BlockWriter
from driftline.lander.repeats import event_id_of
from driftline.store.landing import Place, insert_block, read_end, read_held, read_inserts_under_way
from driftline.wire import event_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from driftline.lander.repeats import SchemaOf
    from driftline.log import Batch
    from driftline.store.connection import Connection
    from driftline.wire import EventSchema, SchemaRef

_PAUSE_S = 0.2
_PATIENCE_S = 60.0


class Table(Protocol):
    """Where the records of one topic go. For one thread."""

    @property
    def is_exact(self) -> bool:
        """Whether a row that is put in twice stands there twice, so that the table has to be asked."""

    def insert(
        self,
        batch: Batch,
        schema: tuple[SchemaRef, EventSchema],
        records: Sequence[tuple[int, bytes]],
        token: str,
    ) -> None:
        """Insert records as one block, unless the token is remembered. Blocks for the store.

        Args:
            batch: that they stand in.
            schema: that wrote them, and how they name it.
            records: place in the batch, and datum, of each.
            token: what the engine remembers the block by.

        Raises:
            RefusedError: the data is at fault.
            StoreError: the store is away or in trouble; the block is there, or not, or in part.
        """

    def reach(self, batch: Batch) -> int:
        """Return behind which offset nothing is there, from a batch's first on; 0 where nothing is.

        Blocks until the inserts that are under way have ended: they may be of these records, cut otherwise.

        Raises:
            StoreError: the store is away, or an insert does not end.
        """

    def held(self, batch: Batch, first_offset: int, last_offset: int) -> Collection[int]:
        """Return which offsets of a range are there.

        Raises:
            StoreError: the store is away, or what landed under one of them was something else.
        """


class StoredTable:
    """A table of the store. See `Table`; begun anew with every connection.

    Args:
        connection: a connection of this thread's own.
        event: the event's name, such as ``PredictionEvent``.
        table: the table's name, with its database.
        schema_of: finds the schema that wrote a record.
        is_exact: whether a repeated row would stand there twice.
        has_position: whether the table keeps where in the log a row stood; it does where it is exact.
        monotonic: a clock in seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        event: str,
        table: str,
        schema_of: SchemaOf,
        is_exact: bool = False,
        has_position: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._table = table
        self._schema_of = schema_of
        self._is_exact = is_exact
        self._has_position = has_position or is_exact
        self._monotonic = monotonic
        self._sleep = sleep
        fields = [column["name"] for column in event_schema(event).parsed["fields"]]
        self._columns = [*POSITION, *fields] if self._has_position else fields
        if is_exact:
            self._columns.append(END)
        self._writers: dict[SchemaRef, BlockWriter] = {}

    @property
    def is_exact(self) -> bool:
        """See `Table`."""
        return self._is_exact

    def insert(
        self,
        batch: Batch,
        schema: tuple[SchemaRef, EventSchema],
        records: Sequence[tuple[int, bytes]],
        token: str,
    ) -> None:
        """See `Table`."""
        ref, written = schema
        if ref not in self._writers:
            self._writers[ref] = BlockWriter(written.text, has_position=self._has_position)
        places, datums = [place for place, _ in records], [datum for _, datum in records]
        container = self._writers[ref].container(datums, batch, places)
        insert_block(self._connection, self._table, self._columns, container, token=token)

    def reach(self, batch: Batch) -> int:
        """See `Table`."""
        end_s = self._monotonic() + _PATIENCE_S
        waited = read_inserts_under_way(self._connection)  # Not for those that begin later: others land, too.
        while waited:
            if self._monotonic() >= end_s:
                raise StoreError(f"an insert is under way for {_PATIENCE_S:.0f} s: waiting for its end")
            self._sleep(_PAUSE_S)
            waited &= read_inserts_under_way(self._connection)
        return read_end(self._connection, Place(batch.source, batch.partition, batch.first_offset))

    def held(self, batch: Batch, first_offset: int, last_offset: int) -> Collection[int]:
        """See `Table`."""
        begin = Place(batch.source, batch.partition, first_offset)
        held = read_held(self._connection, begin, last=last_offset)
        self._check(batch, held)
        return held.keys()

    def _check(self, batch: Batch, held: Mapping[int, str]) -> None:
        """See that the log holds under an offset what landed; offsets alone do not tell of a log set back."""
        there = [place for place, offset in enumerate(batch.offsets) if offset in held]
        for place in {there[0], there[-1]} if there else ():
            offset = batch.offsets[place]
            event_id = event_id_of(batch.values[place], self._schema_of)
            if event_id is not None and event_id != held[offset]:
                raise StoreError(
                    f"{batch.topic}/{batch.partition}@{offset} is not the record that was landed under this "
                    f"offset: the log {batch.source} was set back or begun anew, and kept its identity. "
                    "Begin a new log; its events will land beside those of this one"
                )
