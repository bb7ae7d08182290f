"""The writer on Kafka: to the cluster at once, or to disk while it takes nothing, and on from there.

======== ============================================================ =============================
mode     an append                                                    who sends
======== ============================================================ =============================
direct   is sent, and waits for the cluster's answer                  the caller
spilling is put into the spill behind what waits there                a thread, from the spill
======== ============================================================ =============================

When the answer to a direct append does not come in time, what is on its way is put into the spill as the
first run, noted as sent already; the thread goes on waiting for that very answer. So nothing is sent twice
by this process, and the records of a session stay in order.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING

from driftline.errors import LogError
from driftline.forks import when_forked
from driftline.log.kafka.forward import (
    Forwarding,
    Progress,
    forward_orphans,
    has_orphans,
    open_sender,
    spill_settings,
)
from driftline.log.kafka.spill import Spill

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.log.base import Record
    from driftline.log.kafka.delivery import Delivery
    from driftline.log.kafka.sender import Sender
    from driftline.log.kafka.settings import KafkaSettings

DIRECT_TIMEOUT_S = 1.0
FIRST_TIMEOUT_S = 3.0
CLOSE_TIMEOUT_S = 1.0
_ORPHANS_EVERY_S = 60.0
_TAKEN_LATE = 64
_FIRST_PAUSE_S = 0.1
_LAST_PAUSE_S = 2.0

_logger = logging.getLogger("driftline.log.kafka")


class Relay:
    """Appends to a Kafka cluster. See ``LogWriter``. Safe to use from several threads, and across a fork.

    Args:
        settings: which cluster, and where records wait while it takes none.
        direct_timeout_s: how long an append waits for the cluster's answer before it turns to the disk.
        first_timeout_s: the same until the cluster has answered for the first time, which takes longer.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        monotonic: a clock in seconds.
        make_sender: makes what sends to the cluster.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        make_sender: Callable[[KafkaSettings], Sender] = open_sender,
        direct_timeout_s: float = DIRECT_TIMEOUT_S,
        first_timeout_s: float = FIRST_TIMEOUT_S,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._make_sender = make_sender
        self._direct_timeout_s = direct_timeout_s
        self._first_timeout_s = max(direct_timeout_s, first_timeout_s)
        self._clock = clock
        self._monotonic = monotonic
        self.begin_anew()
        _fork_guard.relays.add(self)

    def begin_anew(self) -> None:
        """Be as new: in a forked child, whose parent goes on with what was under way."""
        self._lock = threading.Lock()
        self._sender = self._make_sender(self._settings)
        self._timeout_s = self._first_timeout_s
        self._flight: Delivery | None = None
        # What was taken after its append had failed: the same append, tried again, has nothing left to do.
        self._taken_late: deque[list[Record]] = deque(maxlen=_TAKEN_LATE)
        self._forwarding: Forwarding | None = None
        self._thread: threading.Thread | None = None
        self._orphans_thread: threading.Thread | None = None
        self._look_for_orphans_at_s = self._monotonic()
        self._closing = threading.Event()

    def append(self, records: Sequence[Record], *, may_use_reserve: bool = False) -> None:
        """Have the cluster take all records, or the disk; both survive this process.

        Blocks for about ``direct_timeout_s`` at most; for some seconds until cluster and schema registry have
        answered for the first time. When it fails, some records may be on their way; the
        same append, tried again, waits for those and does not send them twice.

        Raises:
            LogFullError: the cluster takes nothing now, and what waits on disk is at its bound.
            LogError: neither cluster nor disk takes anything now.
        """
        if not records:
            return
        with self._lock:
            if self._closing.is_set():
                raise LogError(f"{self._settings.url}: this writer was closed")
            if self._was_taken_late(records):
                return
            if self._forwarding is None and self._is_taken(records):
                return
            if self._forwarding is not None:
                self._forwarding.spill.put(records, may_use_reserve=may_use_reserve)
                self._start_forwarding()

    def spilled(self) -> int:
        """Return how many records this writer has on disk that the cluster has not taken yet."""
        forwarding = self._forwarding
        try:
            return 0 if forwarding is None else forwarding.spill.waiting()
        except LogError:
            return 0

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Let go of what the writer holds. What waits on disk stays there, and a warning says so.

        Waits ``timeout_s`` for what is on its way, and about a second for threads. Closing twice is allowed.
        """
        forwarder = self._thread
        if forwarder is not None:
            forwarder.join(timeout_s)
        self._closing.set()
        for thread in (forwarder, self._orphans_thread):
            if thread is not None:
                thread.join(1.0)
        with self._lock:
            forwarding, self._forwarding = self._forwarding, None
        if forwarder is not None and forwarder.is_alive():  # It may yet use them; they end with the process.
            return
        if forwarding is not None:
            _tell_what_waits(forwarding.spill)
            forwarding.spill.close()
        self._sender.close()

    def _was_taken_late(self, records: Sequence[Record]) -> bool:
        """Return whether cluster or disk took these records while another append was being tried."""
        found = next((taken for taken in self._taken_late if taken == list(records)), None)
        if found is None:
            return False
        self._taken_late.remove(found)
        return True

    def _is_taken(self, records: Sequence[Record]) -> bool:
        """Send; return whether cluster or disk took the records; False: the disk is to take them.

        Raises:
            LogFullError: as ``append``.
            LogError: as ``append``.
        """
        flight = self._flight
        is_another = flight is not None and list(flight.records) != list(records)
        if flight is None:
            flight = self._flight = self._sender.send(records)
        elif flight.is_stalled:
            self._sender.retry(flight)
        if not self._sender.wait(flight, self._timeout_s):
            self._begin_spilling(flight)
            self._flight = None
            if is_another:
                self._taken_late.append(list(flight.records))
            return not is_another
        self._flight, self._timeout_s = None, self._direct_timeout_s
        if is_another:  # That one has arrived now, and has still to be asked for again.
            self._taken_late.append(list(flight.records))
            return self._is_taken(records)
        self._look_for_orphans()
        return True

    def _begin_spilling(self, flight: Delivery) -> None:
        """Turn to the disk, with what is on its way.

        Raises:
            LogFullError: the disk is full.
            LogError: there is no spill, or the disk refuses.
        """
        reason = flight.error or f"no answer within {self._timeout_s:g} s"
        found = spill_settings(self._settings)
        if found is None:
            raise LogError(f"{self._settings.url} takes nothing: {reason}")
        spill = Spill.create(found, self._clock)
        try:
            run = spill.put_first(flight.remaining())
        except BaseException:
            spill.discard()
            raise
        _logger.warning(
            "%s takes nothing, events wait on disk in %s: %s",
            *(self._settings.url, spill.folder, reason),
            extra={"log": self._settings.url, "folder": str(spill.folder)},
        )
        self._forwarding = Forwarding(spill, self._sender, run, flight)
        self._start_forwarding()

    def _start_forwarding(self) -> None:
        """Start the thread, unless it runs. A system that has no thread left is asked again later."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = _started("driftline-forwarder", self._forward)

    def _forward(self) -> None:
        """Forward until the spill is empty; from then on appends are direct again."""
        forwarding = self._forwarding
        began_s = self._monotonic()
        pause_s = _FIRST_PAUSE_S
        while forwarding is not None and not self._closing.is_set():
            progress = self._step(forwarding)
            if progress is Progress.EMPTY and self._end_spilling(forwarding):
                _logger.warning(
                    "%s takes events again, after %.1f s; %d waited on disk and were forwarded",
                    *(self._settings.url, self._monotonic() - began_s, forwarding.forwarded),
                    extra={"log": self._settings.url, "forwarded": forwarding.forwarded},
                )
                return
            if progress is Progress.STALLED:
                self._closing.wait(pause_s)
                pause_s = min(_LAST_PAUSE_S, pause_s * 2)
            elif progress is Progress.MOVED:
                pause_s = _FIRST_PAUSE_S

    def _step(self, forwarding: Forwarding) -> Progress:
        """Forward a little. Whatever goes wrong, the thread lives on."""
        try:
            return forwarding.step()
        except Exception:
            _logger.exception("forwarding failed; it goes on")
            return Progress.STALLED

    def _end_spilling(self, forwarding: Forwarding) -> bool:
        """Append directly from now on, unless something was put into the spill a moment ago."""
        with self._lock:
            try:
                if forwarding.spill.waiting():
                    return False
            except LogError:
                return False
            if self._forwarding is forwarding:
                self._forwarding = None
                self._thread = None
            forwarding.spill.close()
            return True

    def _look_for_orphans(self) -> None:
        """Have spills of processes that are gone forwarded, now that the cluster answers."""
        now_s = self._monotonic()
        if now_s < self._look_for_orphans_at_s:
            return
        self._look_for_orphans_at_s = now_s + _ORPHANS_EVERY_S
        is_busy = self._orphans_thread is not None and self._orphans_thread.is_alive()
        if not is_busy and has_orphans(self._settings):
            self._orphans_thread = _started("driftline-orphans", self._forward_orphans)

    def _forward_orphans(self) -> None:
        try:
            forwarded = forward_orphans(self._settings, self._closing)
        except Exception:
            _logger.exception("spills of processes that are gone could not be forwarded")
            return
        if forwarded.records:
            _logger.warning(
                "%d events that processes had left on disk at their end were forwarded",
                forwarded.records,
                extra={"log": self._settings.url, "forwarded": forwarded.records},
            )


def _started(name: str, work: Callable[[], None]) -> threading.Thread | None:
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        _logger.warning("no thread can be started, so events stay on disk: %s", error)
        return None
    return thread


def _tell_what_waits(spill: Spill) -> None:
    try:
        waiting = spill.waiting()
    except LogError as error:
        context = {"folder": str(spill.folder)}
        _logger.warning("%s: what waits there can't be counted: %s", spill.folder, error, extra=context)
        return
    if waiting:
        _logger.warning(
            "%d events wait on disk in %s; the next process that logs to this cluster forwards them, or "
            "`driftline forward`",
            *(waiting, spill.folder),
            extra={"folder": str(spill.folder), "waiting": waiting},
        )


class _ForkGuard:
    """What a fork needs to know of the relays of this process."""

    def __init__(self) -> None:
        self.relays: weakref.WeakSet[Relay] = weakref.WeakSet()

    def forget(self) -> None:
        """Have each relay begin anew in the child: its threads are not here."""
        for relay in list(self.relays):
            relay.begin_anew()


_fork_guard = _ForkGuard()
when_forked(_fork_guard.forget)
