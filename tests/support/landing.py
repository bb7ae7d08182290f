"""Stores, logs and landers in this process; one store is open at a time, as the engine demands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.embedded import open_store
from driftline.lander import LANDER_METRICS, Lander
from driftline.log import open_log
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store import migrate
from driftline.store.ledger import read_ledger
from tests.support.traffic import make_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.drift.service.worker import DriftWorker
    from driftline.log import EventLog
    from driftline.store.ledger import LedgerLine
    from tests.support.running import Place


class Landing:
    """One log and one store, the lander between them, and the profiler over the store.

    Its ``client`` looks into the store; ``again`` closes everything and opens it, as a restart does. What is
    in ``workers`` is closed with it, also where a test failed: the engine opens one store at a time.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.workers: list[DriftWorker] = []
        self.open()

    def open(self, **options: Any) -> None:
        self.log = open_log(self.place.log_url)
        self.store = open_store(self.place.store_url)
        self.client = self.store.connect()
        migrate(self.client)
        self.metrics = Metrics(LANDER_METRICS, PROFILER_METRICS)
        self.lander = Lander(self.log, self.store, metrics=self.metrics, **options)
        self.profiler = Profiler(self.store, metrics=self.metrics)

    def land(self) -> None:
        """Land everything that the log holds, and derive everything that landed."""
        self.lander.run_until_idle()
        self.profiler.run_until_idle()

    @staticmethod
    def open_log(place: Place) -> EventLog:
        return open_log(place.log_url)

    def ledger(self) -> Sequence[LedgerLine]:
        return read_ledger(self.client)

    def close(self) -> None:
        while self.workers:
            self.workers.pop().close()
        self.lander.close()
        self.profiler.close()
        self.client.close()
        self.store.close()
        self.log.close()

    def again(self, **options: Any) -> None:
        self.close()
        self.open(**options)

    def count(self, table: str) -> int:
        return self.client.rows(f"SELECT count() FROM {table} FINAL")[0][0]


def put(landing: Landing, events: Iterable[Mapping[str, Any]], **names: Any) -> list[str]:
    """Log events, each the arguments of ``log``, in a session of its own; land, derive; return their ids."""
    with make_logger(landing.log, **names) as logger:
        event_ids = [logger.log(**event) for event in events]
    assert None not in event_ids
    landing.land()
    return event_ids
