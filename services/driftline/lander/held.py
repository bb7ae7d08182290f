"""Which records of the log the table holds: each row says where it stood.

That answers every case in which a range may have landed before: it was under way when a lander died, somebody
set the group's position back, a log was read a second time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from driftline.errors import StoreError
from driftline.lander.repeats import event_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.lander.repeats import SchemaOf
    from driftline.log import Batch

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
SELECT count() FROM system.processes
WHERE query_kind = 'Insert' AND position(query, 'prediction_inbox') > 0
"""
_PAUSE_S = 0.2
_PATIENCE_S = 60.0


@dataclass(slots=True)
class _Partition:
    """Where landing goes on, and from where on the table holds nothing."""

    next_offset: int = -1
    end: int = 0


class HeldRows:
    """Tells which records have landed. For one lander, in one thread; begun anew with every client.

    Args:
        client: of the store.
        schema_of: finds the schema that wrote a record.
        monotonic: a clock in seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        client: Client,
        *,
        schema_of: SchemaOf,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._schema_of = schema_of
        self._monotonic = monotonic
        self._sleep = sleep
        self._partitions: dict[tuple[str, int], _Partition] = {}

    def is_doubtful(self, batch: Batch) -> bool:
        """Return whether any of a batch may have landed, or may be under way.

        Blocks for the store only where the batch is not just behind what was landed last. Where the group's
        position was set back, waits until no insert is under way: its range may be cut otherwise.

        Raises:
            StoreError: the store is away, or what landed under these offsets was something else.
        """
        if batch.repeated:
            return True
        state = self._state(batch)
        if state.next_offset != batch.first_offset:
            row = self._ask(_END, batch, first=batch.first_offset)[0]
            state.end = int(row[0]) if row[1] else 0
            if state.end > batch.first_offset:
                self._wait_for_inserts()
        return batch.first_offset < state.end

    def finish(self, batch: Batch) -> None:
        """Note that a batch was committed: what follows it is new, unless the table holds more."""
        self._state(batch).next_offset = batch.last_offset + 1

    def offsets(self, batch: Batch, first_offset: int, last_offset: int) -> Collection[int]:
        """Return which offsets of a range have landed.

        Raises:
            StoreError: the store is away, or what landed under one of them was something else.
        """
        rows = self._ask(_HELD, batch, first=first_offset, last=last_offset)
        held = {int(offset): event_id for offset, event_id in rows}
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

    def _wait_for_inserts(self) -> None:
        end_s = self._monotonic() + _PATIENCE_S
        while self._query(_UNDER_WAY, {})[0][0]:
            if self._monotonic() >= end_s:
                raise StoreError(f"an insert is under way for {_PATIENCE_S:.0f} s: waiting for its end")
            self._sleep(_PAUSE_S)

    def _state(self, batch: Batch) -> _Partition:
        return self._partitions.setdefault((batch.source, batch.partition), _Partition())

    def _ask(self, query: str, batch: Batch, **offsets: int) -> Sequence[Sequence[Any]]:
        return self._query(query, {"source": batch.source, "partition": batch.partition, **offsets})

    def _query(self, query: str, bound: dict[str, object]) -> Sequence[Sequence[Any]]:
        try:
            return self._client.query(query, parameters=bound).result_rows
        except (ClickHouseError, OSError) as error:
            raise StoreError(f"the store does not say what has landed: {error}") from error
