"""What every event log does, whatever keeps it. The conformance tests hold each backend to this.

A log holds topics; a topic has one partition or more; a partition holds records, numbered by offset in the
order in which they became durable. Records are never changed. Readers belong to a group, which has one
position per partition and gives each partition to one reader at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Record(NamedTuple):
    """What is appended.

    Args:
        topic: 1 to 249 of the characters ``a-zA-Z0-9._-``.
        key: records of one key stay in order; may be empty.
        value: the record's bytes; the log does not look inside.
        may_repeat: whether an earlier append of the same record may have succeeded unnoticed. Whoever lands
            it looks whether it has landed already.
    """

    topic: str
    key: bytes
    value: bytes
    may_repeat: bool = False


class Run(Sequence[Record]):
    """Records of one topic and one key, which are made only when they are looked at.

    Thousands of tuples would have Python's garbage collector look through the whole process.

    Args:
        topic: as in ``Record``.
        key: as in ``Record``.
        values: each record's.
    """

    __slots__ = ("key", "topic", "values")

    def __init__(self, topic: str, key: bytes, values: Sequence[bytes]) -> None:
        self.topic = topic
        self.key = key
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Run: ...

    def __getitem__(self, place: int | slice) -> Record | Run:
        if isinstance(place, slice):
            return Run(self.topic, self.key, self.values[place])
        return Record(self.topic, self.key, self.values[place])

    def __iter__(self) -> Iterator[Record]:
        return (Record(self.topic, self.key, value) for value in self.values)


def runs_of(records: Sequence[Record]) -> Iterator[tuple[str, Iterable[bytes], Sequence[bytes]]]:
    """Yield topic, keys and values of records of one topic that follow each other."""
    if isinstance(records, Run):
        yield records.topic, repeat(records.key), records.values
        return
    for topic, group in groupby(records, key=attrgetter("topic")):
        run = list(group)
        yield topic, [record.key for record in run], [record.value for record in run]


@dataclass(frozen=True, slots=True)
class Batch:
    """A range of one partition, as a reader fetched it.

    Args:
        source: identity of the log that numbered the offsets; a log that is begun anew has another, so
            that equal offsets of two logs are never taken for each other.
        topic: where the records are from.
        partition: the part of the topic; 0 in a log that has no partitions.
        first_offset: where the range begins.
        last_offset: where it ends, inclusive.
        values: the records, in order. Length n; 0 only if a repeated range was deleted meanwhile.
        keys: each record's key. Length n.
        offsets: each record's offset, rising. Length n.
        timestamps_ms: when each was appended, milliseconds since 1970-01-01T00:00:00Z. Length n.
        may_repeat: places in the batch of records that may stand in the log twice.
        missing_count: offsets between the group's position and last_offset whose record was lost: deleted by
            hand, or by retention before it was read.
        repeated: whether the range was intended before, and not committed.
    """

    source: str
    topic: str
    partition: int
    first_offset: int
    last_offset: int
    values: list[bytes]
    keys: list[bytes]
    offsets: list[int]
    timestamps_ms: list[int]
    may_repeat: frozenset[int] = frozenset()
    missing_count: int = 0
    repeated: bool = False

    @property
    def token(self) -> str:
        """Name of exactly this range, the same whenever it is fetched again: for deduplication."""
        return f"{self.source}:{self.topic}:{self.partition}:{self.first_offset}-{self.last_offset}"


class LogWriter(Protocol):
    """Appends records. Safe to use from several threads."""

    def append(self, records: Sequence[Record], *, may_use_reserve: bool = False) -> None:
        """Append all records; when that fails, none, or, where a cluster keeps the log, any of them.

        ``may_use_reserve`` is for the few records that say what became of others, so that a full log
        still takes them: a log with a bound keeps a small share of it back. Others ignore it.

        Success means that they survive this process, killed at any moment; whether they survive a loss
        of power depends on the log's settings. It does not mean that anyone has read them. After a failure
        the same append may be tried again: it appends nothing that this writer knows to be there. May
        block for as long as the log's own timeouts allow.

        Raises:
            LogFullError: the log is at its bound.
            LogError: the log can't be used now; trying again may help.
        """
        ...

    def close(self) -> None:
        """Let go of what the writer holds. Closing twice is allowed."""
        ...


class LogReader(Protocol):
    """Reads topics on behalf of a group. For one thread at a time."""

    def partitions(self, topic: str) -> Sequence[int]:
        """Return the partitions of a topic that are this reader's now, rising.

        They may become another reader's at any call of this method, of ``fetch`` and of ``stay``, and at no
        other moment as long as one of these is called every few minutes. Waits for no record; may block
        for a moment while the group is asked.

        Raises:
            LogError: the log can't be used now.
        """
        ...

    def fetch(
        self, topic: str, partition: int = 0, *, max_records: int = 10_000, max_bytes: int = 16 << 20
    ) -> Batch | None:
        """Return the next records after the group's position, or None when there are none now.

        If the group has intended a range of the partition and not committed it, exactly that range is
        returned again, whatever the bounds say. Fetching moves nothing: without a commit the same
        records come again. A batch has at least one record, even if that is larger than max_bytes.
        A group without a position begins with the oldest record that is kept. Waits for no record to
        come, only for those that are in the log by now. None, too, when the partition is another
        reader's now.

        Raises:
            LogError: the log can't be used now.
        """
        ...

    def intend(self, batch: Batch) -> None:
        """Record durably that the batch's range is about to be processed, without moving the position.

        From here on ``fetch`` returns this range, and nothing else, to whoever reads the partition, until
        it is committed.

        Raises:
            LogMovedError: another reader of the group has intended another range or moved the position
                meanwhile, or the partition is another reader's now.
            LogError: the log can't be used now.
        """
        ...

    def commit(self, batch: Batch) -> None:
        """Move the position past the batch and clear the intent, durably and in one step.

        Raises:
            LogMovedError: as ``intend``.
            LogError: the log can't be used now.
        """
        ...

    def stay(self) -> None:
        """Say that this reader still lives, while it does not fetch, and take in no further records.

        To be called every few seconds while nothing can be processed. The next ``fetch`` goes on.
        """
        ...

    def positions(self) -> Mapping[tuple[str, int], int]:
        """Return the offset to be read next, by topic and partition, for each that the group has read."""
        ...

    def lag(self) -> Mapping[str, int]:
        """Return how many offsets lie between the group's position and the end, by topic.

        Over this reader's partitions; over all of them when it has not fetched yet. An upper bound of the
        records to come, since offsets may have gaps; those of the last second may be left out. May block
        while the log is asked.

        Raises:
            LogError: the log can't be used now.
        """
        ...

    def rewind(self, topic: str, offset: int, partition: int = 0) -> None:
        """Set the position, forwards or backwards, and forget an intent.

        What lies behind is read again, in ranges that need not be the earlier ones. To be done while
        nobody else of the group reads the partition.

        Raises:
            LogError: the log can't be used now, or another reader of the group has the partition.
        """
        ...

    def close(self) -> None:
        """Let go of what the reader holds, and of its partitions. Closing twice is allowed."""
        ...


class LogScan(Protocol):
    """Reads a whole topic from its beginning on, for itself: belongs to no group, moves nothing."""

    def read(self) -> Sequence[Batch]:
        """Return what came since the last call, at first everything that is kept; nothing if nothing came.

        Of each partition in the order of its offsets; no batch is ``repeated``. Waits for no record to come,
        only for those that are in the log by now. A topic that is not there yet has none.

        Raises:
            LogError: the log can't be used now; what was not returned comes with the next call.
        """
        ...

    def close(self) -> None:
        """Let go of what the scan holds. Closing twice is allowed."""
        ...


class EventLog(Protocol):
    """An event log: where writers and readers come from. Opening one touches no disk and no network."""

    @property
    def url(self) -> str:
        """Where the log is; without secrets."""
        ...

    def ensure_topics(self, topics: Sequence[str]) -> None:
        """Create those topics that are not there yet, where a log needs that.

        Raises:
            SettingError: one that is there does not keep what is appended to it.
            LogError: the log can't be used now, or does not allow it.
        """
        ...

    def writer(self) -> LogWriter:
        """Return a writer."""
        ...

    def without_spill(self) -> EventLog:
        """Return the same log, to be closed for itself, whose writers fail where they can't reach it.

        A log that is not on this host may otherwise count what waits on this host's disk as appended.
        """
        ...

    def reader(self, group: str, topics: Sequence[str]) -> LogReader:
        """Return a reader of that group, which reads those topics."""
        ...

    def scan(self, topic: str) -> LogScan:
        """Return what reads a topic from its beginning on, for small topics that many processes read."""
        ...

    def topics(self) -> Sequence[str]:
        """Return the names of the topics that there are.

        Raises:
            LogError: the log can't be used now.
        """
        ...

    def writer_schema(self, schema_id: int) -> str | None:
        """Return, as JSON, the schema that has an id in the log's registry; None: no registry knows it.

        Raises:
            LogError: the registry is away.
        """
        ...

    def close(self) -> None:
        """Close everything that came from this log. Closing twice is allowed."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...
