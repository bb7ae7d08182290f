"""Several landers, one store: partitions change hands in the midst of a batch, all die, books stay exact.

The landers are threads that die at any call to the store, before it or after it; the store is a process that
is killed. A partition goes to another lander while the one before still inserts; the group is set back. A
profiler derives all the time, and is killed with its store.
"""

from __future__ import annotations

import copy
import os
import random
import threading
from contextlib import closing, suppress

import pytest

from driftline.backoff import Backoff
from driftline.embedded import open_store
from driftline.errors import StoreError
from driftline.lander import LANDER_METRICS, Lander, service
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store import migrate
from driftline.store.visible import visible
from driftline.wire import PREDICTIONS_TOPIC
from tests.lander.partitioned import FEBRUARY, JANUARY, PartitionedLog, record
from tests.support.running import wait_until
from tests.support.store_process import PREDICTIONS, StoreProcess
from tests.support.traffic import derive

IS_SOAK = os.environ.get("TESTS_SOAK", "0") not in ("", "0")
SEED = int(os.environ.get("TESTS_SOAK_SEED", "20260131"))
RECORDS, SECONDS = (30_000, 120.0) if IS_SOAK else (4_000, 15.0)
PARTITIONS, LANDERS = 4, 3
TOPICS = [(PREDICTIONS_TOPIC, partition) for partition in range(PARTITIONS)]
DEATHS_A_CALL = 0.04


class Died(BaseException):
    """Nothing catches it: as if the process ended here."""


class MortalClient:
    """A client whose process dies now and then, before the store is asked or after it has done as asked."""

    def __init__(self, client, chance):
        self._client, self._chance = client, chance

    def __getattr__(self, name):
        found = getattr(self._client, name)
        return self._mortal(found) if name in {"command", "insert", "insert_avro"} else found

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

    def connect(self, *, patient=False):
        return MortalClient(self._store.connect(patient=patient), self._chance)


class Crowd:
    """Landers that are born again as often as they die."""

    def __init__(self, log, url, stop):
        self.log, self.url, self.stop = log, url, stop
        self.readers = {}
        self.deaths = 0
        self.settled = 0.0
        self.threads = [threading.Thread(target=self._live, args=(number,)) for number in range(LANDERS)]
        self.threads.append(threading.Thread(target=self._derive))

    def _live(self, number):
        chance = random.Random(SEED + number)
        while not self.stop.is_set():
            metrics = Metrics(LANDER_METRICS)
            # The store may be away while one is born.
            with suppress(StoreError, Died), open_store(self.url) as store:
                log = copy.copy(self.log)  # Of the same partitions, with readers of its own.
                log.readers = []
                lander = Lander(log, MortalStore(store, chance), metrics=metrics)
                (self.readers[number],) = log.readers
                try:
                    lander.run(self.stop)
                finally:
                    lander.close()
                    self.settled += sum(metrics.series(service.SETTLED).values())
                    self.deaths += not self.stop.is_set()

    def _derive(self):
        while not self.stop.is_set():
            with suppress(StoreError), open_store(self.url) as store:
                profiler = Profiler(store, metrics=Metrics(PROFILER_METRICS))
                try:
                    profiler.run(self.stop)
                finally:
                    profiler.close()

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
def test_every_event_lands_once_and_is_counted_once(store, monkeypatch):
    monkeypatch.setattr(service, "BATCH_RECORDS", 150)
    monkeypatch.setattr(service, "_BACKOFF", Backoff(first_s=0.05, last_s=0.5))
    with open_store(store.url) as opened, closing(opened.connect()) as client:
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
            set_back(log, where, chance.random())
        if chance.random() < 0.03:
            kills += 1
            store.kill()
            store.start()
        crowd.stop.wait(0.1)
    return kills


def set_back(log, where, share):
    """Set the group back as a log lets it: while nobody is between an intent and its commit.

    Both logs refuse it while there are landers; of those that are gone an insert may be under way.
    """
    with log.lock:
        held = log.at(*where)
        if held.intent is None:
            log.reader().rewind(where[0], int(held.position * share), where[1])


def assert_books_are_exact(url):
    with open_store(url) as opened, closing(opened.connect()) as client:
        columns = "count(), uniqExact(session_id, sequence), uniqExact(log_partition, log_offset)"
        assert client.rows(f"SELECT {columns} FROM predictions") == [(RECORDS,) * 3]
        derive(opened)
        sessions = f"SELECT sum(rows), groupBitmapMerge(sequences) FROM session_hours WHERE {visible()}"
        assert client.rows(sessions) == [(RECORDS, RECORDS)]
        counted = f"SELECT kind, sum(count) FROM profiles WHERE feature IN ('', 'x') AND {visible()} "
        assert dict(client.rows(counted + "GROUP BY kind")) == {
            "rows": RECORDS,
            "numeric": RECORDS,
        }


def test_an_insert_whose_answer_is_lost_is_looked_for_before_it_is_made_again(store):
    """A client that repeated it by itself might get a success from an engine that lost the rows."""
    with open_store(store.url) as opened, closing(opened.connect()) as client:
        migrate(client)
        log = PartitionedLog()
        log.append(PREDICTIONS_TOPIC, 0, [record("s", number + 1) for number in range(10)])
        lander = Lander(log, opened, metrics=Metrics(LANDER_METRICS))
        log.give(PREDICTIONS_TOPIC, 0, log.readers[-1])
        store.fail_next(1, "after", matching=PREDICTIONS)
        with pytest.raises(StoreError, match="Remote end closed"):
            lander.land_once()
        assert store.failures_to_come == 0
        assert lander.land_once() == 10
        lander.close()
        assert client.rows("SELECT count() FROM predictions") == [(10,)]
