"""An event log in this process's memory, for tests of services that log."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from driftline.errors import LogError, LogMovedError
from driftline.log import Batch, Record
from driftline.log.rows import check_topic
from driftline.log.scan import OffsetScan
from driftline.sdk.loggers import flush_loggers
from driftline.testing.events import Heartbeat, Outcome, Prediction, TrainingRun, read_events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_FLUSH_S = 10.0


@dataclass(frozen=True, slots=True)
class _Position:
    next: int = 0
    intent: tuple[int, int] | None = None


@dataclass(slots=True)
class _Topic:
    records: list[tuple[Record, int]] = field(default_factory=list)
    positions: dict[str, _Position] = field(default_factory=dict)

    def of(self, group: str) -> _Position:
        return self.positions.get(group) or _Position()


@dataclass(slots=True)
class _Kept:
    """What a log and its readers share."""

    source: str = field(default_factory=lambda: uuid.uuid4().hex)
    lock: threading.RLock = field(default_factory=threading.RLock)
    topics: dict[str, _Topic] = field(default_factory=dict)

    def topic(self, name: str) -> _Topic:
        return self.topics.setdefault(name, _Topic())


class MemoryLog:
    """An event log in memory, to be given to a logger as ``log=``. It does what every event log does.

    ``predictions``, ``outcomes``, ``training_runs`` and ``heartbeats`` return what was logged as plain
    records, after all loggers of this process that log here have appended what they hold, so that a test
    needs no pause.

    Args:
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept = _Kept()

    @property
    def predictions(self) -> Sequence[Prediction]:
        """The predictions, in the order in which they were appended."""
        self.flush()
        return read_events(self, Prediction)

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """The outcomes, in the order in which they were appended."""
        self.flush()
        return read_events(self, Outcome)

    @property
    def training_runs(self) -> Sequence[TrainingRun]:
        """The training runs, in the order in which they were registered."""
        return read_events(self, TrainingRun)

    @property
    def heartbeats(self) -> Sequence[Heartbeat]:
        """The heartbeats so far, in the order in which they were appended."""
        self.flush()
        return read_events(self, Heartbeat)

    def flush(self) -> None:
        """Have all loggers of this process that log here append what they hold.

        Raises:
            LogError: one did not in 10 s.
        """
        if not flush_loggers(self, _FLUSH_S):
            raise LogError(f"{self.url}: a logger has not appended what it holds within {_FLUSH_S:.0f} s")

    @property
    def url(self) -> str:
        """What the log is called in messages; no other process can open it."""
        return f"memory://{self._kept.source}"

    def ensure_topics(self, topics: Sequence[str]) -> None:
        """Create those topics that are not there yet."""
        with self._kept.lock:
            for topic in topics:
                self._kept.topic(topic)

    def topics(self) -> Sequence[str]:
        """Return the names of the topics that there are."""
        with self._kept.lock:
            return sorted(self._kept.topics)

    def append(self, records: Sequence[Record], *, may_use_reserve: bool = False) -> None:
        """Append all records.

        Raises:
            LogError: a record has a topic that no log takes; none is appended.
        """
        del may_use_reserve  # Memory has no bound to keep a reserve of.
        now_ms = int(self._clock() * 1000)
        for record in records:
            check_topic(record.topic)
        with self._kept.lock:
            for record in records:
                self._kept.topic(record.topic).records.append((record, now_ms))

    def writer(self) -> MemoryLog:
        """Return the log itself: it appends, too."""
        return self

    def without_spill(self) -> MemoryLog:
        """Return the log itself: nothing waits elsewhere."""
        return self

    def reader(self, group: str, topics: Sequence[str]) -> MemoryReader:
        """Return a reader of that group, which reads those topics."""
        del topics  # Each of them has one partition, and none has an owner.
        return MemoryReader(self._kept, group)

    def scan(self, topic: str) -> OffsetScan:
        """Return what reads a topic from its beginning on."""
        return OffsetScan(MemoryReader(self._kept, ""), topic)

    def writer_schema(self, schema_id: int) -> str | None:
        """Return None: there is no registry."""
        del schema_id
        return None

    def close(self) -> None:
        """Keep everything: a test looks at what was logged after its service has closed."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class MemoryReader:
    """Reads a log in memory on behalf of a group; several readers of a group share its positions.

    Args:
        kept: what the log holds.
        group: whose positions.
    """

    def __init__(self, kept: _Kept, group: str) -> None:
        self._kept = kept
        self._group = group

    def partitions(self, topic: str) -> Sequence[int]:
        """Return the one partition."""
        del topic
        return [0]

    def fetch(
        self, topic: str, partition: int = 0, *, max_records: int = 10_000, max_bytes: int = 16 << 20
    ) -> Batch | None:
        """Return the next records after the group's position, or None; an intended range comes again."""
        with self._kept.lock:
            kept = self._kept.topic(topic)
            position = kept.of(self._group)
            first, last = position.intent or (
                position.next,
                self._last(kept, position.next, max_records, max_bytes),
            )
            if partition or last < first:
                return None
            return self._batch(topic, first, last, repeated=position.intent is not None)

    def read(self, topic: str, offset: int, *, max_records: int, max_bytes: int) -> Batch | None:
        """Return records from an offset on, wherever the group is, or None when there are none."""
        with self._kept.lock:
            last = self._last(self._kept.topic(topic), offset, max_records, max_bytes)
            return None if last < offset else self._batch(topic, offset, last, repeated=False)

    def _batch(self, topic: str, first: int, last: int, *, repeated: bool) -> Batch:
        kept = self._kept.topic(topic).records[first : last + 1]
        return Batch(
            source=self._kept.source,
            topic=topic,
            partition=0,
            first_offset=first,
            last_offset=last,
            values=[record.value for record, _ in kept],
            keys=[record.key for record, _ in kept],
            offsets=list(range(first, last + 1)),
            timestamps_ms=[time_ms for _, time_ms in kept],
            may_repeat=frozenset(place for place, (record, _) in enumerate(kept) if record.may_repeat),
            repeated=repeated,
        )

    @staticmethod
    def _last(kept: _Topic, first: int, max_records: int, max_bytes: int) -> int:
        """Return the last offset within the bounds; one record is always within them."""
        size = 0
        for offset, (record, _) in enumerate(kept.records[first : first + max_records], first):
            size += len(record.value)
            if size > max_bytes and offset > first:
                return offset - 1
        return min(len(kept.records), first + max_records) - 1

    def intend(self, batch: Batch) -> None:
        """Keep the range as the one that is about to be processed.

        Raises:
            LogMovedError: another reader of the group was faster, or the batch is another log's.
        """
        bounds = (batch.first_offset, batch.last_offset)
        self._move(batch, lambda position: _Position(position.next, bounds))

    def commit(self, batch: Batch) -> None:
        """Move the position past the batch and clear the intent.

        Raises:
            LogMovedError: as ``intend``.
        """
        self._move(batch, lambda _: _Position(batch.last_offset + 1))

    def _move(self, batch: Batch, moved: Callable[[_Position], _Position]) -> None:
        with self._kept.lock:
            topic = self._kept.topic(batch.topic)
            position, bounds = topic.of(self._group), (batch.first_offset, batch.last_offset)
            is_moved = position.next > batch.first_offset or position.intent not in {None, bounds}
            if is_moved or batch.source != self._kept.source:
                raise LogMovedError(
                    f"{batch.topic}: group {self._group!r} is at {position.next} with intent "
                    f"{position.intent}, not at {bounds} of log {batch.source}"
                )
            topic.positions[self._group] = moved(position)

    def stay(self) -> None:
        """Do nothing: nobody else takes the partition."""
        return

    def positions(self) -> Mapping[tuple[str, int], int]:
        """Return the offset to be read next, by topic and partition, for each that the group has read."""
        with self._kept.lock:
            topics = self._kept.topics.items()
            return {
                (name, 0): topic.positions[self._group].next
                for name, topic in topics
                if self._group in topic.positions
            }

    def lag(self) -> Mapping[str, int]:
        """Return how many records lie behind the group's position, by topic."""
        with self._kept.lock:
            topics = self._kept.topics.items()
            return {name: len(topic.records) - topic.of(self._group).next for name, topic in topics}

    def rewind(self, topic: str, offset: int, partition: int = 0) -> None:
        """Set the position, forwards or backwards, and forget an intent."""
        del partition
        with self._kept.lock:
            self._kept.topic(topic).positions[self._group] = _Position(max(0, offset))

    def close(self) -> None:
        """Keep the group's position."""
        return
