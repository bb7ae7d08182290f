"""Which records of the log the table holds: each row says where it stood.

That answers every case in which a range may have landed before: it was under way when a lander died, somebody
set the group's position back, a log was read a second time. Who does not just go on where it was first waits
for the inserts that are under way, and asks then: what another one began is either there or will never be.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

from driftline.errors import StoreError
from driftline.lander.repeats import event_id_of
from driftline.store.landing import Place, read_end, read_held, read_inserts_under_way

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from driftline.lander.repeats import SchemaOf
    from driftline.log import Batch
    from driftline.store.connection import Connection

_PAUSE_S = 0.2
_PATIENCE_S = 60.0

_Partition: TypeAlias = "tuple[str, int]"


class HeldRows:
    """Tells which records have landed. For one lander, in one thread; begun anew with every connection.

    Args:
        connection: to the store.
        schema_of: finds the schema that wrote a record.
        monotonic: a clock in seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        schema_of: SchemaOf,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._schema_of = schema_of
        self._monotonic = monotonic
        self._sleep = sleep
        self._next: dict[_Partition, int] = {}
        self._doubtful_below: dict[_Partition, int] = {}

    def begin(self, batch: Batch) -> bool:
        """Return whether any of an intended batch may be there; `offsets` tells, before an insert and after.

        Blocks for the store only where the batch is not just behind what this lander landed last: until the
        inserts that are under way have ended, since they may be of the same records, cut otherwise.

        Raises:
            StoreError: the store is away.
        """
        place = batch.source, batch.partition
        goes_on = self._next.pop(place, None) == batch.first_offset and not batch.repeated
        if not goes_on:
            self._wait_for_inserts()
            end = read_end(self._connection, Place(*place, batch.first_offset))
            self._doubt(place, max(end, batch.first_offset) + 1)
        return batch.first_offset < self._doubtful_below[place]

    def finish(self, batch: Batch, *, is_new: bool) -> None:
        """Note that a batch has landed, and whether it put in anything that was not there.

        While nothing does, the next batch is as doubtful: the first rows that the table lacks may be of an
        insert that the engine remembers without holding it, and whose intent was given up.
        """
        place = batch.source, batch.partition
        self._next[place] = batch.last_offset + 1
        if not is_new:
            self._doubt(place, batch.last_offset + 2)

    def keep(self, partitions: Collection[int]) -> None:
        """Know nothing any more of other partitions: others may land them, and hand them back."""
        self._next = {place: offset for place, offset in self._next.items() if place[1] in partitions}

    def offsets(self, batch: Batch, first_offset: int, last_offset: int) -> Collection[int]:
        """Return which offsets of a range have landed.

        Raises:
            StoreError: the store is away, or what landed under one of them was something else.
        """
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

    def _doubt(self, place: _Partition, below: int) -> None:
        self._doubtful_below[place] = max(below, self._doubtful_below.get(place, 0))

    def _wait_for_inserts(self) -> None:
        """Wait for the end of those that are under way now; others land all the time."""
        end_s = self._monotonic() + _PATIENCE_S
        waited = read_inserts_under_way(self._connection)
        while waited:
            if self._monotonic() >= end_s:
                raise StoreError(f"an insert is under way for {_PATIENCE_S:.0f} s: waiting for its end")
            self._sleep(_PAUSE_S)
            waited &= read_inserts_under_way(self._connection)
