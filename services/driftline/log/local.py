"""The local log: one SQLite file in a folder, one table per topic, for all processes of one host."""

from __future__ import annotations

import logging
import time
from itertools import islice
from typing import TYPE_CHECKING, Self

from driftline.errors import LogFullError, LogMovedError
from driftline.log.base import Batch, runs_of
from driftline.log.database import Database, LocalLogSettings
from driftline.log.rows import (
    MAY_REPEAT,
    check_topic,
    checksum,
    insert_rows,
    make_topic,
    marked,
    quoted,
    select_next,
    select_range,
)
from driftline.log.scan import OffsetScan
from driftline.wire import KEPT_TOPICS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

    from driftline.log.base import Record
    from driftline.log.rows import StoredRow

RESERVE_SHARE = 1 / 64
"""Share of the bound that only appends which ask for it may use."""

_ROW_BYTES = 29  # What is added to a record: header, offset, time, checksum, its share of page headers.
_MIN_TRIM_STEP = 1_000

_logger = logging.getLogger(__name__)


class LocalLog:
    """A local event log. Safe to share between threads and to inherit through a fork.

    Args:
        settings: where it is and how it is kept.
        clock: the time now, seconds since 1970-01-01T00:00:00Z; stamps the records.
    """

    def __init__(self, settings: LocalLogSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._database = Database(settings, clock)
        self._opened: list[LocalWriter | LocalReader] = []

    @property
    def url(self) -> str:
        """Where the log is."""
        return self._settings.folder.as_uri()

    def writer(self) -> LocalWriter:
        """Return a writer with a connection of its own."""
        writer = LocalWriter(Database(self._settings, self._clock), self._clock)
        self._opened.append(writer)
        return writer

    def without_spill(self) -> LocalLog:
        """Return the same log: a local one has no spill."""
        return LocalLog(self._settings, clock=self._clock)

    def ensure_topics(self, topics: Sequence[str]) -> None:
        """Do nothing: a topic comes to be with its first record."""

    def reader(self, group: str, topics: Sequence[str] = ()) -> LocalReader:
        """Return a reader of that group, with a connection of its own, for whatever topics."""
        del topics
        reader = LocalReader(Database(self._settings, self._clock), group)
        self._opened.append(reader)
        return reader

    def scan(self, topic: str) -> OffsetScan:
        """Return what reads a topic from its beginning on."""
        return OffsetScan(self.reader(""), topic)

    def topics(self) -> Sequence[str]:
        """Return the names of the topics that have ever had a record."""
        return list(self._database.run(_end_offsets, write=False))

    def writer_schema(self, schema_id: int) -> str | None:
        """Return None: who writes here names schemas by their fingerprint."""
        del schema_id
        return None

    def used_bytes(self) -> int:
        """Return how much of ``max_bytes`` is taken."""
        return self._database.used_bytes()

    def delete(self, topic: str, first_offset: int, last_offset: int) -> int:
        """Delete a range, both ends included, and return how many records that were."""

        def delete(connection: sqlite3.Connection) -> int:
            if topic not in _end_offsets(connection):
                return 0
            statement = f"DELETE FROM {quoted(topic)} WHERE offset BETWEEN ? AND ?"
            return connection.execute(statement, (first_offset, last_offset)).rowcount

        return self._database.run(delete, write=True)

    def forget_group(self, group: str) -> None:
        """Drop a group's positions, so that records are no longer kept for it."""
        statement = 'DELETE FROM "log/positions" WHERE reader_group = ?'
        self._database.run(lambda connection: connection.execute(statement, (group,)), write=True)

    def close(self) -> None:
        """Close everything that came from this log, also what was used again after an earlier call."""
        for opened in self._opened:
            opened.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class LocalWriter:
    """Appends to a local log. See ``LogWriter``."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._max_bytes = database.settings.max_bytes

    @property
    def is_open(self) -> bool:
        """Whether this process has the log's file open."""
        return self._database.is_open

    def append(self, records: Sequence[Record], *, may_use_reserve: bool = False) -> None:
        """Append all records or none, in one transaction.

        Raises:
            LogFullError: the log is at its bound, or the disk is full.
            LogError: the log can't be used now.
        """
        if not records:
            return
        used = self._database.used_bytes()
        if used > self._max_bytes // 2:
            step = max(_MIN_TRIM_STEP, 2 * len(records))
            self._database.run(lambda connection: _trim(connection, step), write=True)
            used = self._database.used_bytes()
        need = sum(
            sum(map(len, values)) + sum(map(len, islice(keys, len(values)))) + _ROW_BYTES * len(values)
            for _, keys, values in runs_of(records)
        )
        bound = self._max_bytes * (1 if may_use_reserve else 1 - RESERVE_SHARE)
        if used + need > bound:
            raise LogFullError(
                f"{self._database.settings.path} holds {used:,} of {self._max_bytes:,} bytes, all of them "
                "records that are still to be read"
            )
        self._database.run(lambda connection: self._insert(connection, records), write=True)

    def _insert(self, connection: sqlite3.Connection, records: Sequence[Record]) -> None:
        now_ms = int(self._clock() * 1000)
        ends = _end_offsets(connection)
        topics = set()
        for topic, keys, values in runs_of(marked(records)):
            topics.add(topic)
            if topic not in ends:
                make_topic(connection, topic)
            first = ends.get(topic, 0)
            ends[topic] = first + len(values)
            insert_rows(connection, topic, first, now_ms, (keys, values))
        for topic in topics:
            connection.execute(
                'UPDATE "log/topics" SET next_offset = ? WHERE topic = ?', (ends[topic], topic)
            )

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


class LocalReader:
    """Reads a local log on behalf of a group. See ``LogReader``."""

    def __init__(self, database: Database, group: str) -> None:
        self._database = database
        self._group = group

    def partitions(self, topic: str) -> Sequence[int]:
        """Return the one partition that a topic has."""
        del topic
        return (0,)

    def stay(self) -> None:
        """Do nothing: a local log hands its one partition to nobody else."""

    def fetch(
        self, topic: str, partition: int = 0, *, max_records: int = 10_000, max_bytes: int = 16 << 20
    ) -> Batch | None:
        """Return the next records, or the intended range again, or None when there are none now.

        Raises:
            LogError: the log can't be used now.
        """

        def select(connection: sqlite3.Connection) -> Batch | None:
            ends = _end_offsets(connection)
            if partition != 0 or topic not in ends:
                return None
            position, intent = self._state(connection, topic)
            if intent is not None:
                rows = select_range(connection, topic, *intent)
                return self._batch(topic, intent[0], intent, rows, repeated=True)
            bounds = {"max_records": max_records, "max_bytes": max_bytes}
            return self._next(connection, topic, position, ends[topic], bounds)

        return self._database.run(select, write=False)

    def read(self, topic: str, offset: int, *, max_records: int, max_bytes: int) -> Batch | None:
        """Return records from an offset on, wherever the group is, or None when there are none.

        Raises:
            LogError: the log can't be used now.
        """

        def select(connection: sqlite3.Connection) -> Batch | None:
            ends = _end_offsets(connection)
            bounds = {"max_records": max_records, "max_bytes": max_bytes}
            return self._next(connection, topic, offset, ends[topic], bounds) if topic in ends else None

        return self._database.run(select, write=False)

    def _next(
        self,
        connection: sqlite3.Connection,
        topic: str,
        position: int | None,
        end: int,
        bounds: Mapping[str, int],
    ) -> Batch | None:
        """Return what follows a group's position; where all of that is lost, a batch that only says so."""
        start = position or 0
        rows = select_next(connection, topic, start, **bounds)
        if rows:
            return self._batch(topic, start, (rows[0][0], rows[-1][0]), rows, repeated=False)
        if position is None or position >= end:
            return None
        return self._batch(topic, start, (start, end - 1), [], repeated=False)

    def _batch(
        self,
        topic: str,
        start: int,
        bounds: tuple[int, int],
        rows: list[StoredRow],
        *,
        repeated: bool,
    ) -> Batch:
        intact = [row for row in rows if checksum(topic, row[0], row[2], row[3]) == row[4]]
        if len(intact) < len(rows):
            _logger.error(
                "%s: %d records of %s from offset %d on were garbled on disk, and are lost",
                *(self._database.settings.path, len(rows) - len(intact), topic, bounds[0]),
            )
        offsets, times, keys, values, _ = map(list, zip(*intact, strict=True)) if intact else ([],) * 5
        may_repeat = frozenset(place for place, key in enumerate(keys) if key.startswith(MAY_REPEAT))
        return Batch(
            source=self._database.source,
            topic=topic,
            partition=0,
            first_offset=bounds[0],
            last_offset=bounds[1],
            values=values,
            keys=[key.removeprefix(MAY_REPEAT) for key in keys] if may_repeat else keys,
            offsets=offsets,
            timestamps_ms=times,
            may_repeat=may_repeat,
            missing_count=bounds[1] + 1 - start - len(intact),
            repeated=repeated,
        )

    def intend(self, batch: Batch) -> None:
        """Record durably that the batch is about to be processed, without moving the position.

        Raises:
            LogMovedError: another reader of the group was faster.
            LogError: the log can't be used now.
        """
        self._move(batch, batch.first_offset, batch.last_offset, None)

    def commit(self, batch: Batch) -> None:
        """Move the position past the batch and clear the intent, in one step.

        Raises:
            LogMovedError: another reader of the group was faster.
            LogError: the log can't be used now.
        """
        self._move(batch, None, None, batch.last_offset + 1)

    def _move(self, batch: Batch, first: int | None, last: int | None, position: int | None) -> None:
        def update(connection: sqlite3.Connection) -> None:
            if batch.source != self._database.source:
                raise LogMovedError(f"{batch.topic}: the log was begun anew since the batch was fetched")
            position_before, intent = self._state(connection, batch.topic)
            now = position_before or 0
            bounds = (batch.first_offset, batch.last_offset)
            if now > batch.first_offset or intent not in {None, bounds}:
                raise LogMovedError(
                    f"{batch.topic}: another reader of group {self._group!r} is at {now} with intent "
                    f"{intent}, not at {bounds}"
                )
            self._set(connection, batch.topic, now if position is None else position, first, last)

        self._database.run(update, write=True)

    def rewind(self, topic: str, offset: int, partition: int = 0) -> None:
        """Set the position, forwards or backwards, and forget an intent."""
        del partition
        self._database.run(
            lambda connection: self._set(connection, topic, max(0, offset), None, None), write=True
        )

    def positions(self) -> Mapping[tuple[str, int], int]:
        """Return the offset to be read next, by topic and partition, for each that the group has read."""
        positions = self._database.run(self._positions, write=False)
        return {(topic, 0): position for topic, position in positions.items()}

    def lag(self) -> Mapping[str, int]:
        """Return how many offsets lie between the group's position and the end, by topic."""

        def select(connection: sqlite3.Connection) -> Mapping[str, int]:
            positions = self._positions(connection)
            ends = _end_offsets(connection)
            return {topic: max(0, end - positions.get(topic, 0)) for topic, end in ends.items()}

        return self._database.run(select, write=False)

    def _positions(self, connection: sqlite3.Connection) -> dict[str, int]:
        query = 'SELECT topic, position FROM "log/positions" WHERE reader_group = ?'
        return dict(connection.execute(query, (self._group,)).fetchall())

    def _state(self, connection: sqlite3.Connection, topic: str) -> tuple[int | None, tuple[int, int] | None]:
        """Return the group's position in a topic, and its intent if there is one; None: it never read it."""
        query = (
            'SELECT position, intent_first, intent_last FROM "log/positions" '
            "WHERE reader_group = ? AND topic = ?"
        )
        row = connection.execute(query, (self._group, topic)).fetchone()
        if row is None:
            return None, None
        return row[0], None if row[1] is None else (row[1], row[2])

    def _set(
        self, connection: sqlite3.Connection, topic: str, position: int, first: int | None, last: int | None
    ) -> None:
        statement = 'INSERT OR REPLACE INTO "log/positions" VALUES (?, ?, ?, ?, ?)'
        connection.execute(statement, (self._group, check_topic(topic), position, first, last))

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


def _end_offsets(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the offset that the next record gets, by topic."""
    return dict(connection.execute('SELECT topic, next_offset FROM "log/topics"').fetchall())


def _trim(connection: sqlite3.Connection, step: int) -> None:
    """Delete some of the oldest records that every group has committed; none that no group reads, or kept."""
    query = 'SELECT topic, min(position) FROM "log/positions" GROUP BY topic'
    for topic, position in connection.execute(query).fetchall():
        if topic in _end_offsets(connection) and topic not in KEPT_TOPICS:
            table = quoted(topic)
            connection.execute(
                f"DELETE FROM {table} WHERE offset < min(?, (SELECT min(offset) FROM {table}) + ?)",
                (position, step),
            )
