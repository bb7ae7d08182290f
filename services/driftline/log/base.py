"""What every event log does, whatever keeps it. The conformance tests hold each backend to this.

A log holds topics; a topic holds records, numbered by offset in the order in which they became
durable. Records are never changed. Readers belong to a group, which has one position per topic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Record(NamedTuple):
    """What is appended.

    Args:
        topic: 1 to 249 of the characters ``a-zA-Z0-9._-``.
        key: records of one key stay in order; may be empty.
        value: the record's bytes; the log does not look inside.
    """

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record as it stands in the log.

    Args:
        offset: its place in its topic.
        timestamp_ms: when it was appended, milliseconds since 1970-01-01T00:00:00Z.
        key: as appended.
        value: as appended.
    """

    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """A range of one topic, as a reader fetched it.

    Args:
        source: identity of the log that numbered the offsets; a log that is begun anew has another, so
            that equal offsets of two logs are never taken for each other.
        topic: where the records are from.
        partition: the part of the topic; 0 in a log that has no partitions.
        first_offset: where the range begins.
        last_offset: where it ends, inclusive.
        values: the records, in order. Length n; 0 only if a repeated range was deleted meanwhile.
        offsets: each record's offset, rising. Length n.
        timestamps_ms: when each was appended, milliseconds since 1970-01-01T00:00:00Z. Length n.
        missing_count: offsets between the group's position and last_offset where no record is: trimmed,
            compacted or deleted by hand.
        repeated: whether the range was intended before, and not committed.
    """

    source: str
    topic: str
    partition: int
    first_offset: int
    last_offset: int
    values: list[bytes]
    offsets: list[int]
    timestamps_ms: list[int]
    missing_count: int = 0
    repeated: bool = False

    @property
    def token(self) -> str:
        """Name of exactly this range, the same whenever it is fetched again: for deduplication."""
        return f"{self.source}:{self.topic}:{self.partition}:{self.first_offset}-{self.last_offset}"


class LogWriter(Protocol):
    """Appends records. Safe to use from several threads."""

    def append(self, records: Sequence[Record], *, may_use_reserve: bool = False) -> None:
        """Append all records or none.

        ``may_use_reserve`` is for the few records that say what became of others, so that a full log
        still takes them: a log with a bound keeps a small share of it back. Others ignore it.

        Success means that they survive this process, killed at any moment; whether they survive a loss
        of power depends on the log's settings. It does not mean that anyone has read them. Failure
        means that none was appended, as far as the log can tell. May block for as long as the log's own
        timeouts allow.

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

    def fetch(self, topic: str, max_records: int = 10_000, max_bytes: int = 16 << 20) -> Batch | None:
        """Return the next records after the group's position, or None when there are none now.

        If the group has intended a range of the topic and not committed it, exactly that range is
        returned again, whatever the bounds say. Fetching moves nothing: without a commit the same
        records come again. A batch has at least one record, even if that is larger than max_bytes.
        Waits for no record to come.

        Raises:
            LogError: the log can't be used now.
        """
        ...

    def intend(self, batch: Batch) -> None:
        """Record durably that the batch's range is about to be processed, without moving the position.

        From here on ``fetch`` returns this range, and nothing else, until it is committed.

        Raises:
            LogError: the log can't be used now, or another reader of the group has intended another
                range or moved the position meanwhile.
        """
        ...

    def commit(self, batch: Batch) -> None:
        """Move the position past the batch and clear the intent, durably and in one step.

        Raises:
            LogError: the log can't be used now, or another reader of the group has intended another
                range or moved the position meanwhile.
        """
        ...

    def positions(self) -> Mapping[str, int]:
        """Return the offset to be read next, by topic, for each topic that the group has read."""
        ...

    def lag(self) -> Mapping[str, int]:
        """Return how many offsets lie between the group's position and the end, by topic of the log.

        An upper bound of the records to come, since offsets may have gaps.
        """
        ...

    def rewind(self, topic: str, offset: int) -> None:
        """Set the position, forwards or backwards, and forget an intent.

        What lies behind is read again, in ranges that need not be the earlier ones.
        """
        ...

    def close(self) -> None:
        """Let go of what the reader holds. Closing twice is allowed."""
        ...


class EventLog(Protocol):
    """An event log: where writers and readers come from. Opening one touches no disk and no network."""

    @property
    def url(self) -> str:
        """Where the log is."""
        ...

    def writer(self) -> LogWriter:
        """Return a writer."""
        ...

    def reader(self, group: str) -> LogReader:
        """Return a reader of that group."""
        ...

    def topics(self) -> Sequence[str]:
        """Return the names of the topics that have ever had a record."""
        ...

    def read(self, topic: str, offset: int) -> StoredRecord | None:
        """Return one record, or None when there is none at that offset."""
        ...

    def delete(self, topic: str, first_offset: int, last_offset: int) -> int:
        """Delete a range, both ends included, and return how many records that were."""
        ...

    def close(self) -> None:
        """Close everything that came from this log. Closing twice is allowed."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...
