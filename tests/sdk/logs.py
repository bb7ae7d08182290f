"""Event logs that do what a test wants, and loggers that are in a hurry."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from driftline import PredictionLogger
from driftline.errors import LogError
from driftline.log import open_log
from driftline.wire import OUTCOMES_TOPIC, PREDICTIONS_TOPIC, SESSIONS_TOPIC, TOPICS, decode_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.log import Record

FORKS_AMID_THREADS = ("-W", "ignore:This process:DeprecationWarning")
"""For the interpreter: not to say, as it does from Python 3.12 on, that a test forks amid threads."""

IDENTITY = {"model_name": "flight-delay", "model_version": "3", "training_run_id": "run-7f3a"}


class MemoryLog:
    """A writer that keeps what is appended; it can be set to fail or to hang."""

    def __init__(self) -> None:
        self.appends: list[list[Record]] = []
        self.error: Exception | None = None
        self.takes_reserve = False
        self.go_on = threading.Event()
        self.go_on.set()
        self.attempts = 0

    def append(self, records: Sequence[Record], *, may_use_reserve: bool = False) -> None:
        """Keep the records, unless it is set to fail."""
        self.attempts += 1
        self.go_on.wait()
        if self.error is not None and not (may_use_reserve and self.takes_reserve):
            raise self.error
        self.appends.append(list(records))

    def close(self) -> None:
        """Fail: the writer belongs to whoever made it."""
        raise LogError("the logger closed a writer that is not its own")

    def events(self, topic: str) -> list[dict[str, Any]]:
        """Return a topic's events, in order."""
        return [decode_record(r.value)[1] for records in self.appends for r in records if r.topic == topic]

    @property
    def predictions(self) -> list[dict[str, Any]]:
        """The predictions."""
        return self.events(PREDICTIONS_TOPIC)

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        """The outcomes."""
        return self.events(OUTCOMES_TOPIC)

    @property
    def heartbeats(self) -> list[dict[str, Any]]:
        """The heartbeats."""
        return self.events(SESSIONS_TOPIC)


def quick_logger(log: Any, **arguments: Any) -> PredictionLogger:
    """Return a logger that appends every 10 ms."""
    return PredictionLogger(**{**IDENTITY, "flush_interval_s": 0.01, **arguments}, log=log)


def events_in(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return all events in a log, by topic."""
    events = {}
    with open_log(url) as log:
        for topic in TOPICS:
            batch = log.reader("checker", [topic]).fetch(topic, max_records=10**9, max_bytes=1 << 40)
            events[topic] = [] if batch is None else [decode_record(value)[1] for value in batch.values]
    return events
