"""Several landers, one store: partitions change hands in the midst of a batch, all die, books stay exact.

The landers are threads that die at any call to the store, before it or after it; the store is a process that
is killed. A partition goes to another lander while the one before still inserts; the group is set back.
"""

from __future__ import annotations

import os
import random
import threading
from contextlib import closing, suppress

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from driftline.errors import StoreError
from driftline.lander import LANDER_METRICS, Lander, service
from driftline.metrics import Metrics
from driftline.store import grids, migrate, open_store
from driftline.store.grids import IN_FORCE, rebuild_profiles
from driftline.store.rollups import IS_MARK, NEVER, ROLLUPS, contribution
from driftline.wire import PREDICTIONS_TOPIC, TRAINING_RUNS_TOPIC
from tests.lander.partitioned import PartitionedLog
from tests.lander.test_settle import FEBRUARY, JANUARY, record
from tests.support.running import wait_until
from tests.support.store_process import StoreProcess

IS_SOAK = os.environ.get("DRIFTLINE_SOAK", "0") not in ("", "0")
SEED = int(os.environ.get("DRIFTLINE_SOAK_SEED", "20260131"))
RECORDS, SECONDS = (30_000, 120.0) if IS_SOAK else (4_000, 15.0)
PARTITIONS, LANDERS = 4, 3
TOPICS = [(PREDICTIONS_TOPIC, partition) for partition in range(PARTITIONS)] + [(TRAINING_RUNS_TOPIC, 0)]
DEATHS_A_CALL = 0.04


class Died(BaseException):
    """Nothing catches it: as if the process ended here."""


class MortalClient:
    """A client whose process dies now and then, before the store is asked or after it has done as asked."""

    def __init__(self, client, chance):
        self._client, self._chance = client, chance

    def __getattr__(self, name):
        found = getattr(self._client, name)
        return self._mortal(found) if name in {"command", "insert", "raw_insert"} else found

    def _mortal(self, call):
        def asked(*given, **options):
            for moment in (lambda: None, lambda: call(*given, **options)):
                answer = moment()
                if self._chance.random() < DEATHS_A_CALL / 2:
                    raise Died
            return answer

        return asked


class MortalStore:
    """A store with such clients."""

    def __init__(self, store, chance):
        self._store, self._chance = store, chance
        self.database = store.database

    def client(self):
        return MortalClient(self._store.client(), self._chance)


class Crowd:
    """Landers that are born again as often as they die."""

    def __init__(self, log, url, stop):
        self.log, self.url, self.stop = log, url, stop
        self.readers = {}
        self.deaths = 0
        self.settled = 0.0
        self.threads = [threading.Thread(target=self._live, args=(number,)) for number in range(LANDERS)]

    def _live(self, number):
        chance = random.Random(SEED + number)
        while not self.stop.is_set():
            metrics = Metrics(LANDER_METRICS)
            # The store may be away while one is born.
            with suppress(StoreError, ClickHouseError, Died), open_store(self.url) as store:
                lander = Lander(self.log, MortalStore(store, chance), metrics=metrics)
                self.readers[number] = lander._reader
                try:
                    lander.run(self.stop)
                finally:
                    lander.close()
                    self.settled += sum(metrics._series[service.SETTLED].values())
                    self.deaths += not self.stop.is_set()

    def give_away(self, chance):
        """Give a partition to any lander, from the one that has it."""
        if self.readers:
            self.log.give(*chance.choice(TOPICS), chance.choice(list(self.readers.values())))


@pytest.fixture
def store(tmp_path):
    process = StoreProcess(tmp_path / "store")
    process.start()
    yield process
    process.kill()


@pytest.mark.timeout(600)
def test_every_event_is_counted_once_in_every_table(store, monkeypatch):
    monkeypatch.setattr(service, "BATCH_RECORDS", 150)
    monkeypatch.setattr(service, "LINGER_S", 0.01)
    monkeypatch.setattr(service, "_FIRST_BACKOFF_S", 0.05)
    monkeypatch.setattr(service, "_LAST_BACKOFF_S", 0.5)
    monkeypatch.setattr(service, "_GRID_CHECK_S", 0.2)
    monkeypatch.setattr(grids, "PRODUCTION_ROWS", RECORDS // 4)
    with open_store(store.url) as opened, closing(opened.client()) as client:
        migrate(client)
    log, stop, chance = PartitionedLog(), threading.Event(), random.Random(SEED)
    for topic, partition in TOPICS:
        log.at(topic, partition)
    crowd = Crowd(log, store.url, stop)
    for thread in crowd.threads:
        thread.start()
    try:
        kills = disturb(log, store, crowd, chance)
        wait_until(lambda: log.lag() == 0 or crowd.give_away(chance), timeout_s=120, what="landing the rest")
    finally:
        stop.set()
        for thread in crowd.threads:
            thread.join()
    assert min(kills, crowd.deaths) > 0, f"{crowd.settled} parts settled"
    assert_books_are_exact(store.url)


def disturb(log, store, crowd, chance):
    """Append, while all that can happen happens; return how often the store was killed."""
    appended, kills = 0, 0
    steps = int(SECONDS / 0.1)
    for step in range(steps):
        while appended < RECORDS * (step + 1) / steps:
            appended += 1
            partition = appended % PARTITIONS
            time = JANUARY if chance.random() < 0.6 else FEBRUARY
            value = record("crowd", appended, session_id=f"s{partition}", event_time=time)
            log.append(PREDICTIONS_TOPIC, partition, [value], gap=chance.random() < 0.01)
        crowd.give_away(chance)
        if chance.random() < 0.05:
            where = chance.choice(TOPICS)
            with log.lock:
                held = log.at(*where)
                log.reader().rewind(where[0], int(held.position * chance.random()), where[1])
        if chance.random() < 0.03:
            kills += 1
            store.kill()
            store.start()
        crowd.stop.wait(0.1)
    return kills


def assert_books_are_exact(url):
    with open_store(url) as opened, closing(opened.client()) as client:
        rebuild_profiles(client)
        rows = client.query("SELECT count(), uniqExact(session_id, sequence) FROM predictions").result_rows
        assert rows == [(RECORDS, RECORDS)]
        sessions = "SELECT sum(rows), groupBitmapMerge(sequences) FROM session_profiles"
        assert client.query(sessions).result_rows == [(RECORDS, RECORDS)]
        for rollup in ROLLUPS:
            # A tender that died while it counted leaves rows that count for nobody.
            in_force = "1" if rollup.by_generation == NEVER else f"NOT ({rollup.by_generation}) OR {IN_FORCE}"
            counts = f"NOT {IS_MARK} AND ({in_force})"
            hour = "toStartOfHour(minute) AS hour"  # Minutes age.
            by_hour = f"SELECT {hour}, sum({rollup.counted}) FROM {{}} GROUP BY hour ORDER BY hour"
            given = contribution(client, rollup, rows="1")
            held, expected = (
                client.query(by_hour.format(source), parameters={"model": "crowd"}).result_rows
                for source in (
                    f"{rollup.table} WHERE {counts}",
                    f"({given}) WHERE NOT {IS_MARK}",
                )
            )
            assert held == expected, rollup.table
        chosen = client.query("SELECT count() FROM feature_grids WHERE feature != ''").result_rows[0][0]
        assert chosen > 0
