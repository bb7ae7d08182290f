"""Which ranges of the log were landed before, so that a range is landed once however it is fetched again.

The log remembers one range that is under way, and forgets it when the group's position is set back. The store
remembers all: a range is recorded before it is inserted, and once more when it has landed. What is
fetched later is cut where recorded ranges begin and end: a range that has landed is passed over, and one that
has not is repeated exactly, since its name is what the engine knows it by.
"""

from __future__ import annotations

import logging
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clickhouse_connect.driver.binding import format_str
from clickhouse_connect.driver.exceptions import ClickHouseError

from driftline.errors import StoreError
from driftline.lander.repeats import find_repeats

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.lander.repeats import SchemaOf
    from driftline.log import Batch
    from driftline.log.base import LogReader

_logger = logging.getLogger(__name__)

UNDER_WAY_S = 600.0
"""An insert that was begun longer ago is not under way any more: clients give up much earlier."""

_ALL_BYTES = 1 << 62

_BOUND = "source = {source:String} AND topic = {topic:String} AND partition = {partition:UInt32}"
_OVERLAPPING = f"""
SELECT first_offset, max(last_offset) AS last, max(landed) AS is_landed,
    dateDiff('millisecond', min(recorded_at), now64(3)) / 1000,
    argMin(repeats, landed), argMin(checksum, landed)
FROM landed_ranges
WHERE {_BOUND} AND first_offset <= {{last:UInt64}} AND first_offset >=
(
    SELECT max(first_offset) FROM
    (
        SELECT first_offset FROM landed_ranges WHERE {_BOUND} AND first_offset <= {{first:UInt64}}
        ORDER BY first_offset DESC LIMIT 1
    )
)
GROUP BY first_offset HAVING last >= {{first:UInt64}} ORDER BY first_offset
"""
_END = f"""
SELECT last_offset + 1 FROM landed_ranges WHERE {_BOUND}
ORDER BY first_offset DESC LIMIT 1
"""
_WRITE = (
    "INSERT INTO landed_ranges "
    "(source, topic, partition, first_offset, last_offset, repeats, checksum, landed) VALUES"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """What of a partition is to be landed next.

    Args:
        batch: the records; ``repeated`` if an earlier lander may have landed any of them.
        repeats: positions of records to be left out, since they have landed before in another range.
        is_recorded: whether the range is recorded already.
        is_intended: whether the log itself holds the range as intended.
        may_be_under_way: of a repeated range, whether an earlier insert may still be at work.
    """

    batch: Batch
    repeats: tuple[int, ...] = ()
    is_recorded: bool = False
    is_intended: bool = False
    may_be_under_way: bool = True


@dataclass(frozen=True, slots=True)
class _Range:
    """A recorded range."""

    first: int
    last: int
    is_landed: bool
    age_s: float
    repeats: tuple[int, ...]
    checksum: int


@dataclass(slots=True)
class _Partition:
    """What is known of a partition: where fetching goes on, and from where on nothing is recorded."""

    next_offset: int = -1
    end: int = 0
    asked_from: int = -1
    asked_for: int = -1


class Ranges:
    """Fetches what has not landed. For one reader of the log, in one thread; begun anew with every client.

    Args:
        client: of the store.
        topics: those of which a record must not land twice. What others hold is fetched as it comes.
        schema_of: finds the schema that wrote a record.
    """

    def __init__(self, client: Client, topics: Collection[str], *, schema_of: SchemaOf) -> None:
        self._client = client
        self._topics = frozenset(topics)
        self._schema_of = schema_of
        self._partitions: dict[tuple[str, str, int], _Partition] = {}

    def fetch(
        self, reader: LogReader, topic: str, partition: int = 0, *, max_records: int, max_bytes: int
    ) -> Piece | None:
        """Return what is to be landed next, or None when there is nothing now.

        Ranges that have landed are passed over: the group's position is moved behind them. Blocks for the
        log; for the store only where the position is not just behind what this object has landed last.

        Raises:
            StoreError: the store is away, or what landed under these offsets was something else.
            LogMovedError: as ``LogReader.commit``.
            LogError: the log can't be used now.
        """
        records, size = max_records, max_bytes
        while (batch := reader.fetch(topic, partition, max_records=records, max_bytes=size)) is not None:
            if topic not in self._topics:
                return Piece(batch, is_intended=batch.repeated)
            known = self._overlapping(batch)
            if not known:
                return self._new(batch)
            _check(batch, known)
            first, state = known[0], self._state(batch)
            if first.is_landed and first.first <= batch.first_offset:
                self._pass_over(reader, batch, known)
                records, size = max_records, max_bytes
            elif batch.repeated and (batch.first_offset, batch.last_offset) != (first.first, first.last):
                reader.rewind(topic, batch.first_offset, partition)  # The log forgets what it held intended.
            elif first.first > batch.first_offset:
                return self._new(_until(batch, first.first - 1))
            elif first.first < batch.first_offset and state.asked_from != first.first:
                state.asked_from = first.first
                reader.rewind(topic, first.first, partition)
            elif batch.last_offset >= first.last:
                state.asked_from = state.asked_for = -1
                return _again(batch, first)
            elif state.asked_for != first.first:
                state.asked_for = first.first
                records, size = first.last - batch.first_offset + 1, _ALL_BYTES
            else:
                state.asked_for = -1
                _tell_short(batch, first)
                return None
        return None

    def record(self, piece: Piece) -> None:
        """Record durably that a piece is about to be inserted. Blocks for the store.

        Raises:
            StoreError: the store is away.
        """
        if not piece.is_recorded and piece.batch.topic in self._topics:
            self._write(piece.batch, [piece.batch.offsets[place] for place in piece.repeats], landed=False)

    def finish(self, piece: Piece) -> None:
        """Record durably that a piece has landed in whole, its dead letters too. Blocks for the store.

        Raises:
            StoreError: the store is away.
        """
        batch = piece.batch
        if batch.topic not in self._topics:
            return
        self._write(batch, [], landed=True)
        state = self._state(batch)
        state.next_offset = batch.last_offset + 1
        state.end = max(state.end, state.next_offset)

    def _new(self, batch: Batch) -> Piece:
        repeats = find_repeats(self._client, batch, self._schema_of)
        return Piece(batch, repeats, is_intended=batch.repeated)

    def _pass_over(self, reader: LogReader, batch: Batch, known: Sequence[_Range]) -> None:
        """Move the group's position behind what has landed, as far as it lies in the batch."""
        end = batch.first_offset - 1
        for each in known:
            between = bisect_left(batch.offsets, each.first) - bisect_right(batch.offsets, end)
            if not each.is_landed or between > 0:
                break
            end = each.last
        if batch.repeated and end < batch.last_offset:
            reader.rewind(batch.topic, batch.first_offset, batch.partition)
            return
        part = _until(batch, end)
        reader.commit(part)
        self._state(batch).next_offset = part.last_offset + 1
        first, last = part.first_offset, part.last_offset
        context = {**_place(batch), "offset": first, "last_offset": last}
        _logger.info("%s/%d: %d-%d landed before", *_where(batch), first, last, extra=context)

    def _state(self, batch: Batch) -> _Partition:
        return self._partitions.setdefault((batch.source, batch.topic, batch.partition), _Partition())

    def _overlapping(self, batch: Batch) -> Sequence[_Range]:
        """Return the recorded ranges that overlap a batch, rising."""
        state = self._state(batch)
        follows = state.next_offset == batch.first_offset and not batch.repeated
        if follows and batch.first_offset >= state.end:
            return ()
        bound = {**_place(batch), "first": batch.first_offset, "last": batch.last_offset}
        try:
            if not follows:
                ends = self._client.query(_END, parameters=bound).result_rows
                state.end = max(state.end, *(int(row[0]) for row in ends), 0)
            rows = self._client.query(_OVERLAPPING, parameters=bound).result_rows
        except (ClickHouseError, OSError) as error:
            raise StoreError(f"the store does not say which ranges have landed: {error}") from error
        return [
            _Range(first, last, bool(landed), age_s, tuple(repeats), checksum)
            for first, last, landed, age_s, repeats, checksum in rows
        ]

    def _write(self, batch: Batch, repeats: Sequence[int], *, landed: bool) -> None:
        names = f"{format_str(batch.source)}, {format_str(batch.topic)}, {batch.partition}"
        bounds = f"{batch.first_offset}, {batch.last_offset}"
        row = f"({names}, {bounds}, {list(repeats)}, {_checksum(batch)}, {landed})"
        try:
            self._client.command(f"{_WRITE} {row}")  # Values in the text: twice as fast as bound ones.
        except (ClickHouseError, OSError) as error:
            raise StoreError(f"the store does not record a range of {batch.topic}: {error}") from error


def _again(batch: Batch, known: _Range) -> Piece:
    """Return a range that was recorded before, as it was. Its first records may be gone from the log."""
    part = _until(batch, known.last)
    part = replace(part, first_offset=known.first, last_offset=known.last, repeated=True)
    left_out = frozenset(known.repeats)
    return Piece(
        part,
        tuple(place for place, offset in enumerate(part.offsets) if offset in left_out),
        is_recorded=True,
        is_intended=batch.repeated,
        may_be_under_way=known.age_s < UNDER_WAY_S,
    )


def _until(batch: Batch, end: int) -> Batch:
    """Return the part of a batch up to an offset, inclusive, which is then its last, record or not."""
    if batch.last_offset <= end:
        return batch
    keep = bisect_right(batch.offsets, end)
    behind = batch.last_offset - end - (len(batch.offsets) - keep)
    return replace(
        batch,
        last_offset=end,
        values=batch.values[:keep],
        keys=batch.keys[:keep],
        offsets=batch.offsets[:keep],
        timestamps_ms=batch.timestamps_ms[:keep],
        may_repeat=frozenset(place for place in batch.may_repeat if place < keep),
        missing_count=max(0, batch.missing_count - behind),
    )


def _checksum(batch: Batch) -> int:
    return zlib.crc32(batch.values[-1]) if batch.values else 0


def _check(batch: Batch, known: Sequence[_Range]) -> None:
    """See that a log still holds under its offsets what it held when they were recorded.

    Raises:
        StoreError: it does not.
    """
    for each in known:
        place = bisect_right(batch.offsets, each.last) - 1
        if place < 0 or batch.offsets[place] != each.last or not each.checksum:
            continue
        if zlib.crc32(batch.values[place]) != each.checksum:
            raise StoreError(
                f"{batch.topic}/{batch.partition}@{each.last} is not the record that was landed under this "
                f"offset: the log {batch.source} was set back or begun anew, and kept its identity. Begin a "
                "new log; its events will land beside those of this one"
            )


def _tell_short(batch: Batch, known: _Range) -> None:
    _logger.warning(
        "%s/%d: %d-%d has to be repeated, and the log ends at %d: waiting for the rest",
        *(*_where(batch), known.first, known.last, batch.last_offset),
        extra={**_place(batch), "offset": known.first, "last_offset": known.last},
    )


def _where(batch: Batch) -> tuple[str, int]:
    return batch.topic, batch.partition


def _place(batch: Batch) -> Mapping[str, object]:
    return {"source": batch.source, "topic": batch.topic, "partition": batch.partition}
