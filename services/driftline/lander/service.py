"""The lander: from the event log into the store, exactly once.

For each batch: write down which range is about to be landed, insert it, then move the position. Killed at
any moment, the range is fetched again exactly as it was, and the insert repeats itself as a no-op.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError

from driftline.errors import LogError, StoreError
from driftline.lander.insert import Inserter
from driftline.lander.metrics import EVENTS, LAG, SETTLED, STORE_FAILURES
from driftline.lander.settle import settle_predictions
from driftline.lander.turn import Turn
from driftline.store import ready_client
from driftline.store.grids import choose_grids, pending_choices, rebuild_profiles, reload_grids
from driftline.wire import (
    OUTCOME,
    OUTCOMES_TOPIC,
    PREDICTION,
    PREDICTIONS_TOPIC,
    SESSION,
    SESSIONS_TOPIC,
    TRAINING_RUN,
    TRAINING_RUNS_TOPIC,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client

    from driftline.log import Batch, EventLog
    from driftline.metrics import Metrics
    from driftline.store.connect import Store

_logger = logging.getLogger(__name__)

GROUP = "lander"
"""The consumer group whose position says what has landed."""

BATCH_RECORDS = 20_000
BATCH_BYTES = 16 << 20
LINGER_S = 0.5
_FIRST_BACKOFF_S = 0.2
_LAST_BACKOFF_S = 10.0
_GRID_CHECK_S = 1.0

_TABLES = (
    (TRAINING_RUNS_TOPIC, TRAINING_RUN, "training_runs"),
    (PREDICTIONS_TOPIC, PREDICTION, "prediction_inbox"),
    (OUTCOMES_TOPIC, OUTCOME, "outcomes"),
    (SESSIONS_TOPIC, SESSION, "sessions"),
)


class Lander:
    """Lands one log into one store. For one thread.

    Args:
        log: where events come from.
        store: where they go.
        metrics: a process's metrics, with the lander's table.
        monotonic: a clock in seconds.
    """

    def __init__(
        self, log: EventLog, store: Store, *, metrics: Metrics, monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._monotonic = monotonic
        self._turn = Turn(log.url)
        self._reader = log.reader(GROUP, [topic for topic, _, _ in _TABLES])
        # Whether anything landed since grids were looked at; at first an interrupted rebuild is finished.
        self._grids_unseen = True
        self._next_grid_check_s = monotonic()
        self._client, self._inserters = self._connect()

    def _connect(self) -> tuple[Client, dict[str, Inserter]]:
        client = ready_client(self._store, prepare=reload_grids)
        return client, {
            topic: Inserter(client, event=event, table=table, database=self._store.database)
            for topic, event, table in _TABLES
        }

    def run(self, stop: threading.Event) -> None:
        """Land until ``stop`` is set. While log or store are away, waits and tries again: nothing is lost.

        While another lander lands the same local log, waits for its end.
        """
        backoff_s = _FIRST_BACKOFF_S
        has_failed = False
        while not stop.is_set():
            try:
                if not self._turn.take():
                    stop.wait(LINGER_S)
                    continue
                if has_failed:  # An embedded store may have another owner now.
                    self._client.close()
                    self._client, self._inserters = self._connect()
                landed = self.land_once()
                has_failed = False
            except (StoreError, LogError, ClickHouseError) as error:
                has_failed = True
                self._metrics.count(STORE_FAILURES)
                _logger.warning("landing failed, trying again in %.1f s: %s", backoff_s, error)
                stop.wait(backoff_s)
                backoff_s = min(backoff_s * 2, _LAST_BACKOFF_S)
                continue
            backoff_s = _FIRST_BACKOFF_S
            if landed < BATCH_RECORDS:
                stop.wait(LINGER_S)

    def run_until_idle(self) -> int:
        """Land until the log holds nothing new; return how many records that were.

        Raises:
            StoreError: the store is away.
            LogError: the log can't be used.
        """
        total = 0
        while landed := self.land_once():
            total += landed
        self._tend_grids(force=True)
        return total

    def land_once(self) -> int:
        """Land at most one batch of each topic; return how many records were fetched.

        Raises:
            StoreError: the store is away; what was fetched comes again.
            LogError: the log can't be used, or another lander is landing it.
        """
        if not self._turn.take():
            raise LogError("another lander is landing this log; one is enough, and two would meet")
        # Beats are fetched first and landed last, once all that they count has landed: none claims too much.
        beats = self._fetch(SESSIONS_TOPIC)
        fetched, caught_up = 0, True
        for topic in (TRAINING_RUNS_TOPIC, PREDICTIONS_TOPIC, OUTCOMES_TOPIC):
            if batch := self._fetch(topic):
                self._land(batch)
                fetched += len(batch.values)
                caught_up &= topic != PREDICTIONS_TOPIC or not _may_be_followed(batch)
        if beats and (caught_up or beats.repeated):
            self._land(beats)
            fetched += len(beats.values)
        self._grids_unseen = self._grids_unseen or fetched > 0
        self._tend_grids(force=False)
        for topic, lag in self._reader.lag().items():
            self._metrics.set(LAG, lag, topic=topic)
        return fetched

    def _fetch(self, topic: str) -> Batch | None:
        return self._reader.fetch(topic, max_records=BATCH_RECORDS, max_bytes=BATCH_BYTES)

    def _land(self, batch: Batch) -> None:
        if not batch.repeated:
            self._reader.intend(batch)
        landing = self._inserters[batch.topic].land(batch)
        if batch.topic == PREDICTIONS_TOPIC and batch.repeated:
            settled = settle_predictions(self._client, [batch.values[place] for place in landing.landed])
            self._metrics.count(SETTLED, settled)
        if batch.topic == TRAINING_RUNS_TOPIC:
            self._next_grid_check_s = self._monotonic()
        self._reader.commit(batch)
        self._metrics.count(EVENTS, len(landing.landed), stage=batch.topic, outcome="landed")
        self._metrics.count(EVENTS, len(landing.dead_letters), stage=batch.topic, outcome="dead_lettered")

    def _tend_grids(self, *, force: bool) -> None:
        """Choose grids that can be chosen now, and count their profiles anew, between two batches."""
        if not force and not (self._grids_unseen and self._monotonic() >= self._next_grid_check_s):
            return
        rebuild_profiles(self._client)
        for choice in pending_choices(self._client):
            choose_grids(self._client, choice)
        rebuild_profiles(self._client)
        self._grids_unseen = False
        self._next_grid_check_s = self._monotonic() + _GRID_CHECK_S

    def close(self) -> None:
        """Let go of log and store."""
        self._reader.close()
        self._client.close()
        self._turn.release()


def _may_be_followed(batch: Batch) -> bool:
    """Say whether the log may have held more records when this batch was fetched."""
    is_full = len(batch.values) >= BATCH_RECORDS or sum(map(len, batch.values)) >= BATCH_BYTES // 2
    return is_full or batch.repeated
