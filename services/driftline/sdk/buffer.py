"""The queue between a logger's callers and the log: bounded, counted, in order."""

from __future__ import annotations

import threading
from bisect import bisect
from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from driftline.wire import OUTCOMES_TOPIC, PREDICTIONS_TOPIC, OpenRecord, OpenRows, Reason, Remark
from driftline.wire.primitives import Numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Topic = Literal["driftline.predictions", "driftline.outcomes"]

RECORD_OVERHEAD_BYTES: Final = 64
"""What Python takes for a record besides its bytes: the object's head, a list's slot, the allocator."""

OTHER_NAMES: Final = "(others)"
"""The name under which values of all names beyond the limit are counted."""

_MAX_NAMES = 1_000
_NAME_LENGTH = 128
_WAKE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Stats:
    """The counts of one logging session's events so far.

    accepted = appended + queued + all abandoned. What was dropped was never accepted.

    Args:
        accepted: events that got a number: predictions and outcomes.
        appended: of these, events that the log has taken.
        queued: of these, events in memory.
        dropped: events that were refused, by reason.
        abandoned: accepted events that were given up, by reason.
        unencodable: values that were left out of events, by the name of the feature or argument.
        rounded: numbers that no double equals, likewise; the nearest double was logged.
        spilled: records, heartbeats included, that wait on disk for a log which is not on this host: they
            count as appended, since they survive on disk and are forwarded.
    """

    accepted: int
    appended: int
    queued: int
    dropped: Mapping[str, int]
    abandoned: Mapping[str, int]
    unencodable: Mapping[str, int]
    rounded: Mapping[str, int]
    spilled: int = 0


class Progress(NamedTuple):
    """The progress of a session, as a heartbeat reports it."""

    last_sequence: int
    last_outcome_sequence: int
    dropped: Mapping[str, int]
    dropped_outcomes: Mapping[str, int]
    abandoned: Mapping[str, int]
    unencodable: Mapping[str, int]
    rounded: Mapping[str, int]


class Load(NamedTuple):
    """The records that the shipper took from the buffer at one moment."""

    values: Mapping[Topic, list[bytes]]
    progress: Progress


class _Lane:
    """One topic's events."""

    __slots__ = ("abandoned", "appended", "dropped", "numbers", "pending", "sequence")

    def __init__(self) -> None:
        self.sequence = 0
        self.numbers = Numbers()
        self.appended = 0
        self.dropped: Counter[str] = Counter()
        self.abandoned: Counter[str] = Counter()
        self.pending: list[bytes] = []

    @property
    def settled(self) -> int:
        return self.appended + self.abandoned.total()


class Buffer:
    """Bounded queue of records, which numbers them. Safe to use from several threads.

    No method waits, except for ``offer_all`` and ``wait_settled``.

    Args:
        queue_bytes: bound of the memory that records take, those being appended included.
        wake: set when the shipper should not wait for its interval.
    """

    def __init__(self, queue_bytes: int, wake: threading.Event) -> None:
        # Reentrant: a destructor or a signal handler that logs may run while this thread holds it.
        self._lock = threading.RLock()
        self._settled = threading.Condition(self._lock)
        self._queue_bytes = queue_bytes
        self._wake = wake
        self._held_bytes = 0
        self._is_closed = False
        self._is_given_up = False
        self._remarks: Mapping[Remark, Counter[str]] = {remark: Counter() for remark in Remark}
        self._lanes: Mapping[Topic, _Lane] = {PREDICTIONS_TOPIC: _Lane(), OUTCOMES_TOPIC: _Lane()}

    def offer(self, topic: Topic, record: OpenRecord) -> Reason | None:
        """Number a record and keep it; or return why not, counted already."""
        before, after = record
        with self._lock:
            held = self._held_bytes + len(before) + len(after) + RECORD_OVERHEAD_BYTES
            if self._is_closed:
                reason = Reason.CLOSED
            elif held > self._queue_bytes:
                reason = Reason.QUEUE_FULL
            else:
                lane = self._lanes[topic]
                lane.sequence = number = lane.sequence + 1
                value = before + lane.numbers.encode(number) + after
                lane.pending.append(value)
                self._held_bytes += len(value) + RECORD_OVERHEAD_BYTES
                if held > _WAKE_BYTES and not self._wake.is_set():
                    self._wake.set()
                return None
            self._lanes[topic].dropped[reason.value] += 1
            return reason

    def offer_all(self, topic: Topic, rows: OpenRows, begin: int, timeout_s: float) -> int:
        """Number records and keep them, in order, and return how many; the others are not counted.

        Waits up to ``timeout_s`` for room where there is none for the first one.

        Args:
            topic: where they go.
            rows: the records.
            begin: the place of the first one that is offered.
            timeout_s: how long to wait at most, seconds.
        """
        with self._lock:
            count = self._fitting(rows, begin)
            if not count and not self._is_closed and timeout_s > 0:
                self._wake.set()
                # For more than the first one, so that a few large pieces come in turn, not many small ones.
                room = max(rows.longest + RECORD_OVERHEAD_BYTES, self._queue_bytes // 4)
                self._settled.wait_for(partial(self._has_room, min(room, self._queue_bytes)), timeout_s)
                count = self._fitting(rows, begin)
            if self._is_closed or not count:
                return 0
            lane = self._lanes[topic]
            first = lane.sequence + 1
            lane.sequence += count
            values = rows.close(lane.numbers.run(first, count), begin)
            lane.pending += values
            self._held_bytes += _held(values)
            if self._held_bytes > _WAKE_BYTES:
                self._wake.set()
        return count

    def _fitting(self, rows: OpenRows, begin: int) -> int:
        """Return for how many records there is room, one after the other."""
        room = self._queue_bytes - self._held_bytes
        if (rows.count - begin) * (rows.longest + RECORD_OVERHEAD_BYTES) <= room:
            return rows.count - begin
        return bisect([*accumulate(size + RECORD_OVERHEAD_BYTES for size in rows.sizes(begin))], room)

    def _has_room(self, size: int) -> bool:
        return self._is_closed or self._held_bytes + size <= self._queue_bytes

    def count_dropped(self, topic: Topic, reason: Reason, count: int = 1) -> None:
        """Count events that were refused."""
        with self._lock:
            self._lanes[topic].dropped[reason.value] += count

    def count_value(self, remark: Remark, name: str) -> bool:
        """Count a value that the wire can't carry as it is; return whether it is the first of this name.

        Only so many names are counted separately.
        """
        with self._lock:
            counts = self._remarks[remark]
            name = name[:_NAME_LENGTH]
            if name not in counts and len(counts) >= _MAX_NAMES:
                name = OTHER_NAMES
            counts[name] += 1
            return counts[name] == 1

    def take(self) -> Load:
        """Return all pending records, which stay counted as held until they are settled."""
        with self._lock:
            values: dict[Topic, list[bytes]] = {}
            for topic, lane in self._lanes.items():
                values[topic], lane.pending = lane.pending, []
            self._wake.clear()
            return Load(values, self._progress())

    def progress(self) -> Progress:
        """Return the progress of the session."""
        with self._lock:
            return self._progress()

    def settled_progress(self) -> Progress:
        """Return the progress of the log, without what waits in memory, which dies with the process."""
        with self._lock:
            predictions, outcomes = self._lanes[PREDICTIONS_TOPIC], self._lanes[OUTCOMES_TOPIC]
            return self._progress()._replace(
                last_sequence=predictions.settled, last_outcome_sequence=outcomes.settled
            )

    def _progress(self) -> Progress:
        predictions, outcomes = self._lanes[PREDICTIONS_TOPIC], self._lanes[OUTCOMES_TOPIC]
        return Progress(
            predictions.sequence,
            outcomes.sequence,
            dict(predictions.dropped),
            dict(outcomes.dropped),
            dict(predictions.abandoned),
            dict(self._remarks[Remark.UNENCODABLE]),
            dict(self._remarks[Remark.ROUNDED]),
        )

    def settle(self, topic: Topic, values: Sequence[bytes], abandoned: Reason | None = None) -> None:
        """Let go of records that were taken: appended, or abandoned for a reason."""
        with self._settled:
            if self._is_given_up:  # Counted already.
                return
            lane = self._lanes[topic]
            if abandoned is None:
                lane.appended += len(values)
            elif values:
                lane.abandoned[abandoned.value] += len(values)
            self._held_bytes -= _held(values)
            self._settled.notify_all()

    def wait_settled(self, timeout_s: float) -> bool:
        """Wait until every record accepted so far is appended; return whether it is."""
        with self._settled:
            targets = [(lane, lane.sequence) for lane in self._lanes.values()]
            is_settled = self._settled.wait_for(
                lambda: all(lane.settled >= target for lane, target in targets), timeout_s
            )
            return is_settled and not any(lane.abandoned for lane, _ in targets)

    def close(self) -> None:
        """Accept nothing from here on."""
        with self._settled:
            self._is_closed = True
            self._settled.notify_all()

    def give_up(self) -> None:
        """Count everything held as abandoned, since the thread that took it does not return."""
        with self._settled:
            self._is_given_up = True
            for lane in self._lanes.values():
                if left := lane.sequence - lane.settled:
                    lane.abandoned[Reason.LOG_UNUSABLE.value] += left
                lane.pending = []
            self._held_bytes = 0
            self._settled.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._is_closed

    def has_given_up(self) -> bool:
        """Return whether ``give_up`` was called."""
        return self._is_given_up

    def stats(self) -> Stats:
        """Return the counts, all of one moment."""
        with self._lock:
            lanes = self._lanes.values()
            dropped: Counter[str] = Counter()
            abandoned: Counter[str] = Counter()
            for lane in lanes:
                dropped.update(lane.dropped)
                abandoned.update(lane.abandoned)
            return Stats(
                accepted=sum(lane.sequence for lane in lanes),
                appended=sum(lane.appended for lane in lanes),
                queued=sum(lane.sequence - lane.settled for lane in lanes),
                dropped=MappingProxyType(dict(dropped)),
                abandoned=MappingProxyType(dict(abandoned)),
                unencodable=MappingProxyType(dict(self._remarks[Remark.UNENCODABLE])),
                rounded=MappingProxyType(dict(self._remarks[Remark.ROUNDED])),
            )


def _held(values: Sequence[bytes]) -> int:
    """Return how much memory records take."""
    return sum(map(len, values)) + RECORD_OVERHEAD_BYTES * len(values)
