"""The lander: from the event log into the store, exactly once.

For each batch: tell the log which range is about to be landed, insert it, then move the position. Killed at
any moment, the range is fetched again exactly as it was, and what the table lacks of it is put in.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from functools import partial
from typing import TYPE_CHECKING

from driftline.backoff import Backoff
from driftline.errors import LogError, LogMovedError, StoreError
from driftline.health import Pulse
from driftline.lander.dead_letters import (
    LIMIT_SHARE,
    DeadLetterLimit,
    dead_letter_record,
    report_dead_letters,
)
from driftline.lander.freshness import Freshness
from driftline.lander.insert import Inserter, Landing
from driftline.lander.metrics import EVENTS, LAG, LOG_FAILURES, LOST, SETTLED, STORE_FAILURES
from driftline.lander.progress import Progress
from driftline.lander.repeats import find_repeats
from driftline.lander.table import StoredTable
from driftline.lander.turn import Turn
from driftline.log.schemas import WriterSchemas
from driftline.store import ready_connection
from driftline.store.landed import write_landed_until
from driftline.wire import (
    DEAD_LETTER,
    DEAD_LETTERS_TOPIC,
    MODEL_REGISTRY,
    MODEL_REGISTRY_TOPIC,
    OUTCOME,
    OUTCOMES_TOPIC,
    PREDICTION,
    PREDICTIONS_TOPIC,
    SESSION,
    SESSIONS_TOPIC,
    TOPICS,
    TRAINING_RUN,
    TRAINING_RUNS_TOPIC,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from driftline.lander.insert import DeadLetter
    from driftline.lander.repeats import SchemaOf
    from driftline.log import Batch, EventLog
    from driftline.metrics import Metrics
    from driftline.store.connect import Store
    from driftline.store.connection import Connection

_logger = logging.getLogger(__name__)

GROUP = "lander"
"""The consumer group whose position says what has landed."""

BATCH_RECORDS = 20_000
BATCH_BYTES = 16 << 20
FRESH_S = 1.0
"""A batch that is not full lands once its oldest record is so old."""

HEARTBEATS_FRESH_S = 5.0
_TURN_CHECK_S = 0.5
_BACKOFF = Backoff(first_s=0.2, last_s=10.0)

_TABLES = (
    (MODEL_REGISTRY_TOPIC, MODEL_REGISTRY, "registry_events"),
    (TRAINING_RUNS_TOPIC, TRAINING_RUN, "training_run_events"),
    (PREDICTIONS_TOPIC, PREDICTION, "prediction_inbox"),
    (OUTCOMES_TOPIC, OUTCOME, "outcomes"),
    (DEAD_LETTERS_TOPIC, DEAD_LETTER, "dead_letters"),
    (SESSIONS_TOPIC, SESSION, "sessions"),
)
_IN_ORDER = frozenset({MODEL_REGISTRY_TOPIC, TRAINING_RUNS_TOPIC})
"""Topics whose order in the log means something: their rows keep it."""
_LAG_CHECK_S = 1.0
_TOPIC_CHECK_S = 60.0
_STAY_S = 1.0
_IDLE_PATIENCE_S = 5.0


class Lander:
    """Lands one log into one store, beside others that land the same log. For one thread.

    Args:
        log: where events come from.
        store: where they go.
        metrics: a process's metrics, with the lander's table.
        monotonic: a clock in seconds.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        dead_letter_limit: share of the records that may be refused before the lander stops; 1: no limit.
        pulse: shows the health endpoints that landing goes on.
    """

    def __init__(
        self,
        log: EventLog,
        store: Store,
        *,
        metrics: Metrics,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        dead_letter_limit: float = LIMIT_SHARE,
        pulse: Pulse | None = None,
    ) -> None:
        self._log = log
        self._store = store
        self._metrics = metrics
        self._monotonic = monotonic
        self._clock = clock
        self._limit = DeadLetterLimit(dead_letter_limit, monotonic)
        self._pulse = pulse or Pulse("lander", monotonic)
        self._turn = Turn(log.url)
        self._reader = log.reader(GROUP, [topic for topic, _, _ in _TABLES])
        self._writer = log.writer()
        self._next_topic_check_s = monotonic()
        self._next_lag_check_s = monotonic()
        self._schema_of = WriterSchemas(log)
        self._freshness = Freshness(clock, monotonic)
        self._progress = Progress(clock, monotonic)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._begin_counting()
        self._connect()

    def _connect(self) -> None:
        self._connection = ready_connection(self._store)
        self._inserters = make_inserters(
            self._connection, self._store.database, self._schema_of, monotonic=self._monotonic
        )

    def _begin_counting(self) -> None:
        """Export what may be counted as 0: of a counter that begins with 1, Prometheus sees no increase."""
        for topic, _, _ in _TABLES:
            for outcome in ("landed", "dead_lettered", "repeated"):
                self._metrics.count(EVENTS, 0, stage=topic, outcome=outcome)
            self._metrics.count(LOST, 0, topic=topic)

    def rewind(self) -> None:
        """Go back to the beginning of the log. What has landed is known there, and does not land again.

        Raises:
            LogError: the log can't be used, or another lander is landing it.
        """
        if not self._turn.take():
            raise LogError("another lander is landing this log; stop it first")
        for topic, _, _ in _TABLES:
            for partition in self._reader.partitions(topic):
                self._reader.rewind(topic, 0, partition)

    def run(self, stop: threading.Event) -> None:
        """Land until ``stop`` is set. While log or store are away, waits and tries again: nothing is lost.

        While another lander lands the same local log, waits for its end.

        Raises:
            DeadLetterLimitError: too many records are refused; somebody has to look.
        """
        failures = 0
        while not stop.is_set():
            self._pulse.beat()
            try:
                if not self._turn.take():
                    stop.wait(_TURN_CHECK_S)
                    continue
                if failures:  # An embedded store may have another owner now.
                    self._connection.close()
                    self._connect()
                landed = self.land_once(is_patient=True)
                failures = 0
                self._pulse.succeed()
            except LogMovedError as error:
                _logger.info("another lander went on: %s", error, extra={"group": GROUP})
                continue
            except (StoreError, LogError) as error:
                failures += 1
                self._pulse.fail(error)
                self._metrics.count(LOG_FAILURES if isinstance(error, LogError) else STORE_FAILURES)
                backoff_s = _BACKOFF.wait_s(failures)
                context = {"error": type(error).__name__, "backoff_s": backoff_s}
                _logger.warning("landing failed, trying again in %.1f s: %s", backoff_s, error, extra=context)
                self._wait(stop, backoff_s)
                continue
            if not landed:
                stop.wait(self._freshness.wait_s())

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait without fetching, as a member of the group that still lives, and tell how much is waiting."""
        end_s = self._monotonic() + seconds
        while (left_s := end_s - self._monotonic()) > 0 and not stop.wait(min(left_s, _STAY_S)):
            self._pulse.beat()
            self._reader.stay()
            self._tell_lag()

    def run_until_idle(self) -> int:
        """Land until the log holds nothing new for the whole group; return how many records that were.

        Raises:
            StoreError: the store is away.
            LogError: the log can't be used.
            DeadLetterLimitError: too many records are refused.
        """
        total = 0
        group = self._log.reader(GROUP, [topic for topic, _, _ in _TABLES])
        idle_since_s = self._monotonic()
        # Where lag is left and nothing comes, the partitions are another lander's, or the records are gone.
        while any(group.lag().values()) and self._monotonic() < idle_since_s + _IDLE_PATIENCE_S:
            landed = self.land_once()
            total += landed
            if landed:
                idle_since_s = self._monotonic()
        group.close()
        return total

    def land_once(self, *, is_patient: bool = False) -> int:
        """Land at most one batch of each partition; return how many records that were.

        Args:
            is_patient: whether a batch that is neither full nor old waits for more of its kind.

        Raises:
            StoreError: the store is away; what was fetched comes again.
            LogMovedError: another lander has taken over what this one was landing.
            LogError: the log can't be used, or another lander is landing it.
            DeadLetterLimitError: too many records are refused.
        """
        if not self._turn.take():
            raise LogError("another lander is landing this log; one is enough, and two would meet")
        if self._monotonic() >= self._next_topic_check_s:  # They may go, too.
            self._log.ensure_topics(TOPICS)
            self._next_topic_check_s = self._monotonic() + _TOPIC_CHECK_S
        self._freshness.begin()
        # Heartbeats are fetched first and landed last, once all that they count has landed, so that none
        # claims too much.
        heartbeats = list(self._fetch(SESSIONS_TOPIC, HEARTBEATS_FRESH_S if is_patient else 0.0))
        landed, caught_up = 0, True
        for topic in (topic for topic, _, _ in _TABLES if topic != SESSIONS_TOPIC):
            # Where heartbeats are about to land, what they count lands with them.
            for batch in self._fetch(topic, FRESH_S if is_patient and not heartbeats else 0.0):
                landed += self._land(batch)
                caught_up &= topic != PREDICTIONS_TOPIC or not _may_be_followed(batch)
        for batch in heartbeats:
            if caught_up or batch.repeated:
                landed += self._land(batch)
        self._progress.land(landed)
        if (waiting := self._tell_lag()) is not None:
            until_s = self._progress.tell(waiting)
            if until_s is not None:
                write_landed_until(self._connection, self._name, until_s)
        return landed

    def _fetch(self, topic: str, fresh_s: float) -> Iterator[Batch]:
        """Return what is to be landed of a topic now.

        Args:
            topic: which.
            fresh_s: how old the oldest record of a batch is to be, unless the batch is full; 0: no matter.
        """
        partitions = self._reader.partitions(topic)
        self._inserters[topic].keep(partitions)
        for partition in partitions:
            place = (topic, partition)
            if fresh_s and not self._freshness.may_fetch(place):
                continue
            batch = self._reader.fetch(topic, partition, max_records=BATCH_RECORDS, max_bytes=BATCH_BYTES)
            if batch is None:
                continue
            if fresh_s and not _may_be_followed(batch) and not self._freshness.is_due(place, batch, fresh_s):
                continue
            self._freshness.land(place)
            yield batch

    def _land(self, batch: Batch) -> int:
        """Land a batch; return how many records it has."""
        self._pulse.beat()
        records = len(batch.values)
        if not batch.repeated:
            self._reader.intend(batch)
        is_prediction = batch.topic == PREDICTIONS_TOPIC
        repeats = find_repeats(self._connection, batch, self._schema_of) if is_prediction else ()
        check = partial(self._limit.check, records)
        landing = self._inserters[batch.topic].land(batch, check, repeats=repeats)
        self._dead_letter(landing.dead_letters)
        self._reader.commit(batch)
        self._count(batch, landing)
        return records

    def _count(self, batch: Batch, landing: Landing) -> None:
        """Count what became of a batch, once it is committed."""
        self._limit.count(len(batch.values), len(landing.dead_letters))
        self._metrics.count(SETTLED, landing.settled)
        self._metrics.count(EVENTS, len(landing.landed), stage=batch.topic, outcome="landed")
        self._metrics.count(EVENTS, len(landing.dead_letters), stage=batch.topic, outcome="dead_lettered")
        self._metrics.count(EVENTS, len(landing.repeats), stage=batch.topic, outcome="repeated")
        self._metrics.count(LOST, batch.missing_count, topic=batch.topic)

    def _dead_letter(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Append what can't be landed to a topic of its own, from where it lands as anything else does."""
        if dead_letters:
            now_us = int(self._clock() * 1e6)
            self._writer.append([dead_letter_record(dead_letter, now_us) for dead_letter in dead_letters])
            report_dead_letters(dead_letters)

    def _tell_lag(self) -> int | None:
        """Publish how much waits, as far as the log knows it: landing does not depend on it.

        Return it; None: it was not asked for now, or is not known.
        """
        if self._monotonic() < self._next_lag_check_s:
            return None
        self._next_lag_check_s = self._monotonic() + _LAG_CHECK_S
        try:
            lags = self._reader.lag()
        except LogError as error:
            self._metrics.count(LOG_FAILURES)
            _logger.info("how much waits is not known now: %s", error)
            return None
        for topic, lag in lags.items():
            self._metrics.set(LAG, lag, topic=topic)
        return sum(lags.values())

    def close(self) -> None:
        """Let go of log and store."""
        self._reader.close()
        self._writer.close()
        self._connection.close()
        self._turn.release()


def make_inserters(
    connection: Connection,
    database: str,
    schema_of: SchemaOf,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Mapping[str, Inserter]:
    """Return what inserts each topic's records."""
    inserters = {}
    for topic, event, name in _TABLES:
        table = StoredTable(
            connection,
            event=event,
            table=f"{database}.{name}",
            schema_of=schema_of,
            is_exact=topic == PREDICTIONS_TOPIC,
            has_position=topic in _IN_ORDER,
            monotonic=monotonic,
            sleep=sleep,
        )
        inserters[topic] = Inserter(table, event=event, schema_of=schema_of)
    return inserters


def _may_be_followed(batch: Batch) -> bool:
    """Return whether the log may have held more records when this batch was fetched."""
    is_full = len(batch.values) >= BATCH_RECORDS or sum(map(len, batch.values)) >= BATCH_BYTES // 2
    return is_full or batch.repeated
