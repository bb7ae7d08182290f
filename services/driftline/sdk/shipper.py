"""The background thread of a logging session: appends what the buffer holds, and heartbeats.

It starts with the first event: a server that makes its logger before it forks its workers forks without it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from bisect import bisect
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from driftline.backoff import Backoff
from driftline.errors import LogFullError
from driftline.log import Record, Run
from driftline.sdk.liveness import Liveness
from driftline.sdk.runtime import client
from driftline.wire import SESSION, SESSIONS_TOPIC, Reason, SessionFields, encode_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from driftline.log import LogWriter
    from driftline.sdk.buffer import Buffer, Progress, Topic

_APPEND_RECORDS = 2_000
_APPEND_BYTES = 1 << 20
_BACKOFF = Backoff(first_s=0.05, last_s=2.0)
_GIVE_UP_SHARE = 0.8  # Of the time for closing; the rest is for reporting to the log what was given up.

_logger = logging.getLogger("driftline.sdk")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the shipper appends and sends heartbeats, seconds."""

    flush_interval_s: float
    heartbeat_interval_s: float


class Shipper:
    """Appends a buffer's records to a log, retrying for as long as it takes, until it is closed.

    Args:
        buffer: where the records come from.
        wake: set when there is more to do than can wait.
        open_writer: returns the log's writer; called on the thread, and again after a failure.
        fields: the session's.
        pace: how often to append, and how often to send heartbeats.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
    """

    def __init__(
        self,
        buffer: Buffer,
        wake: threading.Event,
        open_writer: Callable[[], LogWriter],
        fields: SessionFields,
        *,
        pace: Pace,
        clock: Callable[[], float],
    ) -> None:
        self._buffer = buffer
        self._wake = wake
        self._open_writer = open_writer
        self._writer: LogWriter | None = None
        self._fields = fields
        self._context = {
            "session_id": fields.session_id,
            "model_name": fields.model_name,
            "model_version": fields.model_version,
        }
        self._key = fields.session_id.encode()
        self._pace = pace
        self._clock = clock
        self._closing = threading.Event()
        self._give_up_at = float("inf")
        self._next_heartbeat_at = float("-inf")
        self._last_heartbeat: Progress | None = None
        self._outage_began_at: float | None = None
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._try_thread_at = float("-inf")
        self._has_ended = False
        self._liveness = Liveness(pace.flush_interval_s, clock, self._warn_of_liveness)
        # Not on the thread: a fork amid its imports would leave half a module to the child.
        self._client = client()

    def begin(self, now_s: float = 0.0) -> None:
        """Start the thread, unless it runs or ran. A system that has no thread left is tried again later.

        Args:
            now_s: the time now by the clock, if the caller knows it: then a thread that is late is noticed.
        """
        if self._thread is not None:
            if now_s > self._liveness.due_at and not self._buffer.is_closed:
                self._liveness.look(now_s)
            return
        if self._buffer.is_closed or time.monotonic() < self._try_thread_at:
            return
        if not self._has_thread():
            if self._try_thread_at < 0:
                message = "no thread can be started, so events stay in memory"
                _logger.warning(message, extra=self._context)
            self._try_thread_at = time.monotonic() + _BACKOFF.last_s

    def _has_thread(self, timeout_s: float = 0.0) -> bool:
        """Start the thread, unless it runs or ran; return whether there is one, or will be in a moment.

        The caller may have interrupted the one that starts it, and waits for that no longer than the timeout.
        """
        if not self._start_lock.acquire(timeout=timeout_s):
            return True
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="driftline-shipper", daemon=True)
                self._liveness.wait()
                thread.start()
                self._thread = thread
        except RuntimeError:
            return False
        finally:
            self._start_lock.release()
        return True

    def spilled(self) -> int:
        """Return how many records the log's writer has on disk, until the log itself takes them."""
        count = getattr(self._writer, "spilled", None)  # Not every kind of log has such a disk.
        return 0 if count is None else int(count())

    def flush(self, timeout_s: float) -> bool:
        """Have everything accepted so far appended, and a heartbeat; return whether that was done in time."""
        self._has_thread(max(0.0, timeout_s))
        self._next_heartbeat_at = float("-inf")
        self._wake.set()
        return self._buffer.wait_settled(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Append what is left, with a last heartbeat, and end. Return whether everything was appended.

        Returns after ``timeout_s`` at the latest, even if the log hangs; what is then left in memory
        counts as abandoned. Closing twice is allowed. A session that logged nothing leaves no trace.
        """
        timeout_s = max(0.0, timeout_s)
        end = time.monotonic() + timeout_s
        self.request_close(timeout_s)
        if self._thread is None and not any(self._buffer.progress()):
            return True
        if not self._has_ended and not self._has_thread(timeout_s):
            self._run()  # On this thread: an interpreter that is ending starts no other.
        elif self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(0.0, end - time.monotonic()))
        if not self._has_ended:
            self._buffer.give_up()
        lost = sum(self._buffer.stats().abandoned.values())
        if lost:
            message = "events are lost, since the event log took nothing until closing: %d"
            _logger.error(message, lost, extra=self._context)
        return not lost

    def request_close(self, timeout_s: float) -> None:
        """Begin to close, without waiting."""
        self._buffer.close()
        self._give_up_at = min(self._give_up_at, time.monotonic() + timeout_s * _GIVE_UP_SHARE)
        self._closing.set()
        self._wake.set()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            # Read before the buffer is: what was accepted before closing is in this round.
            is_last = self._closing.is_set()
            self._liveness.work()
            try:
                self._ship(is_last=is_last)
            except Exception:
                _logger.exception("driftline's background thread failed; it goes on", extra=self._context)
            if not is_last:
                self._liveness.wait()
                self._wake.wait(self._pace.flush_interval_s)
        if self._writer is not None:
            self._writer.close()
        self._has_ended = True

    def _ship(self, *, is_last: bool) -> None:
        """Append everything that is pending, and a heartbeat when one is due."""
        if self._buffer.has_given_up():  # Its records are counted as lost already.
            return
        load = self._buffer.take()
        heartbeat = self._due_heartbeat(load.progress, is_last=is_last)
        runs = list(_runs(load.values.items()))
        # The first one goes in front, so that a session that dies amid its first events is known, and how
        # many they were. Each later one is appended with the last of the events that it counts.
        is_first = self._last_heartbeat is None and len(runs) > is_last
        front = self._heartbeat(load.progress, is_final=False) if is_first else None
        back = heartbeat if is_last or not is_first else None
        if back is not None and not runs and self._append([back]):
            self._last_heartbeat = load.progress
        for index, (topic, values) in enumerate(runs):
            if self._buffer.has_given_up():
                return
            heartbeats = (front if index == 0 else None, back if index == len(runs) - 1 else None)
            is_appended = self._append(_with_heartbeats(Run(topic, self._key, values), *heartbeats))
            if is_appended and any(heartbeats):
                self._last_heartbeat = load.progress
            self._buffer.settle(topic, values, None if is_appended else Reason.LOG_UNUSABLE)
        if is_last and self._buffer.progress().abandoned:
            self._try_append([self._heartbeat(self._buffer.progress(), is_final=True)])

    def _due_heartbeat(self, progress: Progress, *, is_last: bool) -> Record | None:
        """Return a heartbeat: the first, the last, and one an interval in which anything happened."""
        now = time.monotonic()
        is_due = now >= self._next_heartbeat_at and progress != self._last_heartbeat
        if not is_due and not is_last:
            return None
        self._next_heartbeat_at = now + self._pace.heartbeat_interval_s
        return self._heartbeat(progress, is_final=is_last)

    def _heartbeat(self, progress: Progress, *, is_final: bool) -> Record:
        event = {
            "session_id": self._fields.session_id,
            "beat_time": int(self._clock() * 1e6),
            "model_name": self._fields.model_name,
            "model_version": self._fields.model_version,
            "environment": self._fields.environment,
            "last_sequence": progress.last_sequence,
            "last_outcome_sequence": progress.last_outcome_sequence,
            "dropped": progress.dropped,
            "dropped_outcomes": progress.dropped_outcomes,
            "abandoned": progress.abandoned,
            "unencodable": progress.unencodable,
            "rounded": progress.rounded,
            "final": is_final,
            "host": socket.gethostname(),
            "process_id": os.getpid(),
            "client": self._client,
        }
        return Record(SESSIONS_TOPIC, self._key, encode_record(SESSION, event))

    def _append(self, records: Sequence[Record]) -> bool:
        """Append, and retry until it works; return False once closing has used up its time."""
        failures = 0
        while (error := self._try_append(records)) is not None:
            self._liveness.work()
            self._warn_of_outage(error)
            if isinstance(error, LogFullError):
                self._heartbeat_on_reserve()
            failures += 1
            delay_s = _BACKOFF.wait_s(failures)
            remaining_s = self._give_up_at - time.monotonic()
            if remaining_s <= 0:
                return False
            if self._closing.is_set():
                time.sleep(min(delay_s, remaining_s))
            else:
                self._closing.wait(delay_s)
        if not _is_heartbeat(records):  # Which may have taken the reserve.
            self._warn_of_recovery()
        return True

    def _try_append(self, records: Sequence[Record]) -> Exception | None:
        """Append once; return what went wrong. Whatever a log raises, the thread goes on."""
        try:
            if self._writer is None:
                self._writer = self._open_writer()
            self._writer.append(records, may_use_reserve=_is_heartbeat(records))
        except Exception as error:  # noqa: BLE001 - see above.
            return error
        return None

    def _heartbeat_on_reserve(self) -> None:
        """Report what was dropped, by the log's reserve, so that it is known although the log is full."""
        progress = self._buffer.settled_progress()
        if time.monotonic() >= self._next_heartbeat_at and progress != self._last_heartbeat:
            self._next_heartbeat_at = time.monotonic() + self._pace.heartbeat_interval_s
            if self._try_append([self._heartbeat(progress, is_final=False)]) is None:
                self._last_heartbeat = progress

    def _warn_of_liveness(self, message: str) -> None:
        with suppress(Exception):  # A logging handler that fails must not reach the caller.
            _logger.warning(message, extra=self._context)

    def _warn_of_outage(self, error: Exception) -> None:
        if self._outage_began_at is None:
            self._outage_began_at = time.monotonic()
            message = "the event log takes nothing, events wait in memory: %s"
            _logger.warning(message, error, extra=self._context)

    def _warn_of_recovery(self) -> None:
        if self._outage_began_at is not None:
            lasted_s = time.monotonic() - self._outage_began_at
            self._outage_began_at = None
            message = "the event log takes events again, after %.1f s"
            _logger.warning(message, lasted_s, extra=self._context)


def _with_heartbeats(run: Run, front: Record | None, back: Record | None) -> Sequence[Record]:
    """Return records with heartbeats in front of them and behind them."""
    if front is None and back is None:
        return run  # Some logs take a run as a whole.
    return [record for record in (front, *run, back) if record is not None]


def _is_heartbeat(records: Sequence[Record]) -> bool:
    """Return whether this is a single heartbeat."""
    return len(records) == 1 and records[0].topic == SESSIONS_TOPIC


def _runs(values: Iterable[tuple[Topic, list[bytes]]]) -> Iterator[tuple[Topic, list[bytes]]]:
    """Cut each topic's records into runs small enough that other processes need not wait long."""
    for topic, pending in values:
        first = 0
        while first < len(pending):
            run = pending[first : first + _APPEND_RECORDS]
            if sum(map(len, run)) > _APPEND_BYTES:
                del run[max(1, bisect(list(accumulate(map(len, run))), _APPEND_BYTES)) :]
            yield topic, run
            first += len(run)
