"""One logging session: one logger in one process, from its construction (or a fork) to its end."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final, Self, cast

from driftline.forks import notice_fork, when_forked
from driftline.log import EventLog, LogWriter, open_log
from driftline.sdk.arguments import check_positive, checked_names, checked_texts
from driftline.sdk.buffer import Buffer, Topic
from driftline.sdk.shipper import Pace, Shipper
from driftline.sdk.termination import close_when_terminated
from driftline.wire import (
    MAX_TEXT_BYTES,
    EventEncoder,
    OpenRecord,
    Reason,
    Remark,
    SessionFields,
    ValueRefusedError,
    new_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from driftline.sdk.buffer import Stats

EXIT_TIMEOUT_S = 5.0
"""How long all open loggers together may hold up the end of the process."""

_PRINTED_LENGTH = 100

_logger = logging.getLogger("driftline.sdk")


NAMES: Final = ("model_name", "model_version", "training_run_id", "environment")
"""What events of a logger are known by."""

system_random: Final = SystemRandom().getrandbits  # Keeps no state: safe across a fork.


@dataclass(frozen=True, slots=True)
class LoggerSettings:
    """What a logger was constructed with: enough to begin a session, again after a fork.

    Args:
        model_name: which model; not empty.
        model_version: which version of it; not empty.
        training_run_id: which run trained it; not empty.
        environment: production or another; not empty.
        default_tags: tags that each event has unless it has others of the name.
        log: the log's URL, a log or a writer.
        queue_bytes: bound of the memory that events take while they wait.
        pace: how often to append, and how often to send heartbeats.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: a source of random bits.
        categorical: names of features that are categories, whatever the type of their values.
    """

    model_name: str
    model_version: str
    training_run_id: str
    environment: str
    default_tags: Mapping[str, str]
    log: str | EventLog | LogWriter
    queue_bytes: int
    pace: Pace
    clock: Callable[[], float]
    random: Callable[[int], int]
    categorical: frozenset[str] = frozenset()

    @classmethod
    def checked(
        cls,
        names: Mapping[str, str],
        *,
        tags: Mapping[str, Any] | None,
        categorical: Collection[Any] | None,
        queue_bytes: float,
        pace: Pace,
        **others: Any,
    ) -> Self:
        """Return settings of what a user gave; the names are checked already.

        Raises:
            SettingError: an argument is wrong; the message names it.
        """
        check_positive("flush_interval_s", pace.flush_interval_s)
        check_positive("heartbeat_interval_s", pace.heartbeat_interval_s)
        check_positive("queue_bytes", queue_bytes)
        given: dict[str, Any] = {**names, **others}
        return cls(
            **given,
            default_tags=checked_texts("tags", tags, max_bytes=MAX_TEXT_BYTES),
            categorical=checked_names("categorical", categorical),
            queue_bytes=int(queue_bytes),
            pace=pace,
        )

    def arguments(self) -> dict[str, Any]:
        """Return what a logger with the same settings is made with, here or in another process."""
        given = {} if self.random is system_random else {"random": self.random}
        return given | {
            "model_name": self.model_name,
            "model_version": self.model_version,
            "training_run_id": self.training_run_id,
            "environment": self.environment,
            "tags": dict(self.default_tags),
            "log": self.log,
            "queue_bytes": self.queue_bytes,
            "flush_interval_s": self.pace.flush_interval_s,
            "heartbeat_interval_s": self.pace.heartbeat_interval_s,
            "clock": self.clock,
            "categorical": sorted(self.categorical),
        }


class Session:
    """Numbers, keeps and ships the events of one logger in one process.

    It knows nothing of its logger, so that a logger which nobody holds any more ends its session.

    Args:
        settings: the logger's.

    Raises:
        ValueRefusedError: one of the settings' texts can't be encoded.
    """

    def __init__(self, settings: LoggerSettings) -> None:
        self.fields = SessionFields(
            session_id=new_id(settings.clock, settings.random),
            model_name=settings.model_name,
            model_version=settings.model_version,
            training_run_id=settings.training_run_id,
            environment=settings.environment,
            default_tags=settings.default_tags,
        )
        wake = threading.Event()
        self.buffer = Buffer(settings.queue_bytes, wake)
        self.encoder = EventEncoder(
            self.fields, settings.random, remarks=self.remark, categorical=settings.categorical
        )
        self.shipper = Shipper(
            self.buffer,
            wake,
            _writer_opener(settings.log),
            self.fields,
            pace=settings.pace,
            clock=settings.clock,
        )
        self._warned: set[str] = set()
        _shippers.add(self.shipper)
        _close_at_the_end_of_a_child(self.shipper)
        close_when_terminated(close_all_sessions, EXIT_TIMEOUT_S)

    def offer(self, topic: Topic, record: OpenRecord, now_s: float) -> bool:
        """Number a record and keep it; or count it as dropped, and warn once of the reason."""
        reason = self.buffer.offer(topic, record)
        self.shipper.begin(now_s)
        if reason is None:
            return True
        self.warn(reason, _HINTS[reason])
        return False

    def refuse(self, topic: Topic, reason: Reason, detail: str, count: int = 1) -> None:
        """Count events that can't be accepted; warn the first time that the reason occurs."""
        self.buffer.count_dropped(topic, reason, count)
        self.shipper.begin()
        self.warn(reason, detail)

    def refuse_for(self, topic: Topic, error: Exception) -> None:
        """Count an event that made an error, and warn the first time."""
        if isinstance(error, ValueRefusedError):
            self.refuse(topic, error.reason, error.detail)
        else:
            self.refuse(topic, Reason.INTERNAL_ERROR, f"an argument made a {type(error).__name__}")

    def refuse_waiting(self, topic: Topic, count: int) -> None:
        """Count events for which no room was made, or that came after the end."""
        reason = Reason.CLOSED if self.buffer.is_closed else Reason.QUEUE_FULL
        self.refuse(topic, reason, _HINTS[reason], count)

    def remark(self, remark: Remark, name: str, detail: str) -> None:
        """Count a value that the wire can't carry as it is; warn once for each name."""
        if self.buffer.count_value(remark, name):
            became = "left out (unencodable)" if remark is Remark.UNENCODABLE else "rounded"
            self._warn(f"values of {printable(name)} are {became}: {detail}", remark.value)

    def warn(self, reason: Reason, detail: str) -> None:
        """Warn once per reason that events are dropped."""
        if reason.value not in self._warned:
            self._warned.add(reason.value)
            self._warn(f"an event was dropped ({reason.value}): {detail}", reason.value)

    def _warn(self, message: str, reason: str) -> None:
        """Warn. A logging handler that fails must not reach the caller."""
        with suppress(Exception):
            _logger.warning(
                "%s %s: %s. Further ones are only counted",
                *(printable(self.fields.model_name), printable(self.fields.model_version), message),
                extra={
                    "model_name": self.fields.model_name,
                    "model_version": self.fields.model_version,
                    "session_id": self.fields.session_id,
                    "reason": reason,
                },
            )

    def stats(self) -> Stats:
        """Return the counts of the events so far."""
        return replace(self.buffer.stats(), spilled=self.shipper.spilled())

    def close(self, timeout_s: float) -> bool:
        """Append what is left and end; return whether everything was appended."""
        return self.shipper.close(timeout_s)


def printable(text: str) -> str:
    """Return a user's text on one line, and not too long, for messages."""
    escaped = text[:_PRINTED_LENGTH].encode("unicode_escape").decode()
    return escaped if len(text) <= _PRINTED_LENGTH else f"{escaped}..."


_HINTS = {
    Reason.QUEUE_FULL: "the log takes events more slowly than they come, and the queue is full",
    Reason.CLOSED: "the logger was closed",
}


def _writer_opener(log: str | EventLog | LogWriter) -> Callable[[], LogWriter]:
    """Return a function that gives a writer, to be called on the shipper's thread."""
    if isinstance(log, str):
        return open_log(log).writer
    if hasattr(log, "writer"):
        return cast("EventLog", log).writer
    return lambda: _BorrowedWriter(log)


class _BorrowedWriter:
    """A writer that the caller opened and will close."""

    def __init__(self, writer: LogWriter) -> None:
        self.append = writer.append

    def close(self) -> None:
        """Leave it open."""


# What the hooks below need: the shippers of this process; those that have ended close at once.
_shippers: weakref.WeakSet[Shipper] = weakref.WeakSet()


def _forget_shippers() -> None:
    """Forget, in a forked child, the sessions of the parent: they go on there."""
    _shippers.clear()


def close_all_sessions() -> None:
    """Append what the open sessions hold and end them, all within one timeout."""
    end = time.monotonic() + EXIT_TIMEOUT_S
    notice_fork()
    shippers = list(_shippers)
    for shipper in shippers:
        shipper.request_close(EXIT_TIMEOUT_S)
    for shipper in shippers:
        shipper.close(end - time.monotonic())


def _close_at_the_end_of_a_child(shipper: Shipper) -> None:
    """Have children of multiprocessing and Celery close their sessions: most end without atexit.

    A child of multiprocessing forgets, when its work begins, what it was to do at its end; a logger is
    unpickled before. Celery's have a multiprocessing of their own, and end by ``os._exit``.
    """
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        signals.worker_process_shutdown.connect(_close_with_celery, weak=False, dispatch_uid="driftline")
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        _close_with_multiprocessing(shipper)
        util.register_after_fork(shipper, _close_with_multiprocessing)


def _close_with_celery(**_: object) -> None:
    close_all_sessions()


def _close_with_multiprocessing(_: Shipper) -> None:
    sys.modules["multiprocessing.util"].Finalize(None, close_all_sessions, exitpriority=0)


when_forked(_forget_shippers)
atexit.register(close_all_sessions)
