"""What a logger holds in memory between the caller and the log: bounded, counted, in order."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from driftline.wire import OUTCOMES_TOPIC, PREDICTIONS_TOPIC, OpenRecord, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Topic = Literal["driftline.predictions", "driftline.outcomes"]

RECORD_OVERHEAD_BYTES: Final = 64
"""What Python takes for a record besides its bytes: the object's head, a list's slot, the allocator."""

_WAKE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of the events of one logging session so far.

    accepted = appended + queued + all abandoned. What was dropped was never accepted.

    Args:
        accepted: events that got a number: predictions and outcomes.
        appended: of these, events that the log has taken.
        queued: of these, events in memory.
        dropped: events that were refused, by reason.
        abandoned: accepted events that were given up, by reason.
        spilled: records, beats among them, that a log which is not on this host has not taken yet: they
            count as appended, since they survive on disk, and are forwarded.
    """

    accepted: int
    appended: int
    queued: int
    dropped: Mapping[str, int]
    abandoned: Mapping[str, int]
    spilled: int = 0


class Progress(NamedTuple):
    """How far a session is: what a beat says."""

    last_sequence: int
    last_outcome_sequence: int
    dropped: Mapping[str, int]
    abandoned: Mapping[str, int]


class Load(NamedTuple):
    """What the shipper took from the buffer at one moment."""

    values: Mapping[Topic, list[bytes]]
    progress: Progress


class _Lane:
    """One topic's events."""

    __slots__ = ("abandoned", "appended", "pending", "sequence")

    def __init__(self) -> None:
        self.sequence = 0
        self.appended = 0
        self.abandoned: Counter[str] = Counter()
        self.pending: list[bytes] = []

    @property
    def settled(self) -> int:
        return self.appended + self.abandoned.total()


class Buffer:
    """Bounded queue of records, which numbers them. Safe to use from several threads.

    Nothing in here waits, but for ``offer_all`` and ``wait_settled``, which say so.

    Args:
        queue_bytes: bound of the memory that records take, those being appended included.
        wake: set when the shipper should come before its time.
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
        self._dropped: Counter[str] = Counter()
        self._lanes: Mapping[Topic, _Lane] = {PREDICTIONS_TOPIC: _Lane(), OUTCOMES_TOPIC: _Lane()}

    def offer(self, topic: Topic, record: OpenRecord) -> Reason | None:
        """Number a record and keep it; or return why not, counted already."""
        with self._lock:
            lane = self._lanes[topic]
            value = record.close(lane.sequence + 1)
            size = len(value) + RECORD_OVERHEAD_BYTES
            held = self._held_bytes + size
            if self._is_closed:
                reason = Reason.CLOSED
            elif held > self._queue_bytes:
                reason = Reason.QUEUE_FULL
            else:
                lane.sequence += 1
                lane.pending.append(value)
                self._held_bytes = held
                if held > _WAKE_BYTES:
                    self._wake.set()
                return None
            self._dropped[reason.value] += 1
            return reason

    def offer_all(self, topic: Topic, records: Sequence[OpenRecord], timeout_s: float) -> int:
        """Number records and keep them, in order, and return how many; the others are not counted.

        Waits up to ``timeout_s`` for room for the first one that does not fit.
        """
        kept = 0
        with self._lock:
            lane = self._lanes[topic]
            for record in records:
                value = record.close(lane.sequence + 1)
                size = len(value) + RECORD_OVERHEAD_BYTES
                if self._held_bytes + size > self._queue_bytes:
                    if kept or self._is_closed or timeout_s <= 0:
                        break
                    self._wake.set()
                    if not self._settled.wait_for(partial(self._has_room, size), timeout_s):
                        break
                    value = record.close(lane.sequence + 1)  # Others went on counting meanwhile.
                if self._is_closed:
                    break
                lane.sequence += 1
                lane.pending.append(value)
                self._held_bytes += len(value) + RECORD_OVERHEAD_BYTES
                kept += 1
            if self._held_bytes > _WAKE_BYTES:
                self._wake.set()
        return kept

    def _has_room(self, size: int) -> bool:
        return self._is_closed or self._held_bytes + size <= self._queue_bytes

    def count_dropped(self, reason: Reason, count: int = 1) -> None:
        """Count events that were refused."""
        with self._lock:
            self._dropped[reason.value] += count

    def take(self) -> Load:
        """Return all pending records, which stay counted as held until they are settled."""
        with self._lock:
            values: dict[Topic, list[bytes]] = {}
            for topic, lane in self._lanes.items():
                values[topic], lane.pending = lane.pending, []
            self._wake.clear()
            return Load(values, self._progress())

    def progress(self) -> Progress:
        """Return how far the session is."""
        with self._lock:
            return self._progress()

    def settled_progress(self) -> Progress:
        """Return how far the log is: what waits in memory is not counted, and dies with the process."""
        with self._lock:
            predictions, outcomes = self._lanes[PREDICTIONS_TOPIC], self._lanes[OUTCOMES_TOPIC]
            return self._progress()._replace(
                last_sequence=predictions.settled, last_outcome_sequence=outcomes.settled
            )

    def _progress(self) -> Progress:
        predictions, outcomes = self._lanes[PREDICTIONS_TOPIC], self._lanes[OUTCOMES_TOPIC]
        return Progress(
            predictions.sequence, outcomes.sequence, dict(self._dropped), dict(predictions.abandoned)
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
            self._held_bytes -= sum(map(len, values)) + RECORD_OVERHEAD_BYTES * len(values)
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
        """Count everything held as abandoned, since whoever took it does not come back."""
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
            abandoned: Counter[str] = Counter()
            for lane in lanes:
                abandoned.update(lane.abandoned)
            return Stats(
                accepted=sum(lane.sequence for lane in lanes),
                appended=sum(lane.appended for lane in lanes),
                queued=sum(lane.sequence - lane.settled for lane in lanes),
                dropped=MappingProxyType(dict(self._dropped)),
                abandoned=MappingProxyType(dict(abandoned)),
            )
