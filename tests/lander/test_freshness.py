"""A batch lands once it is full, or its oldest record is as old as it may be, and not more often."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from driftline.lander import LANDER_METRICS, Lander, service
from driftline.lander.freshness import POLL_S, Freshness
from driftline.lander.insert import Inserter
from driftline.log import Batch
from driftline.metrics import Metrics
from driftline.wire import PREDICTIONS_TOPIC, SESSIONS_TOPIC
from tests.lander.partitioned import PartitionedLog, record

PLACE = (PREDICTIONS_TOPIC, 0)
FRESH_S = 1.0


@dataclass
class Clock:
    """The time in seconds, moved by hand."""

    now_s: float = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def freshness(clock):
    return Freshness(clock, clock)


def batch(appended_s, *, repeated=False, topic=PREDICTIONS_TOPIC):
    times = [int(appended_s * 1000)]
    return Batch("log", topic, 0, 0, 0, [b"x"], [b""], [0], times, repeated=repeated)


def test_a_batch_is_due_once_its_oldest_record_is_old_enough(freshness, clock):
    freshness.begin()
    assert not freshness.is_due(PLACE, batch(clock.now_s - 0.3), FRESH_S)
    clock.now_s += 0.6
    freshness.begin()
    assert not freshness.may_fetch(PLACE)
    clock.now_s += 0.2
    freshness.begin()
    assert freshness.may_fetch(PLACE)
    assert freshness.is_due(PLACE, batch(clock.now_s), FRESH_S)  # Whatever came meanwhile.


@pytest.mark.parametrize("ahead_s", [0.5, 3600.0])
def test_a_clock_that_is_ahead_makes_a_batch_wait_no_longer_than_another(freshness, clock, ahead_s):
    freshness.begin()
    assert not freshness.is_due(PLACE, batch(clock.now_s + ahead_s), FRESH_S)
    clock.now_s += FRESH_S
    freshness.begin()
    assert freshness.may_fetch(PLACE)


def test_old_and_repeated_batches_do_not_wait(freshness, clock):
    freshness.begin()
    assert freshness.is_due(PLACE, batch(clock.now_s - 2.0), FRESH_S)
    assert freshness.is_due(PLACE, batch(clock.now_s, repeated=True), FRESH_S)


def test_what_landed_leaves_nothing_that_waits(freshness, clock):
    freshness.begin()
    freshness.is_due(PLACE, batch(clock.now_s), FRESH_S)
    freshness.land(PLACE)
    assert freshness.may_fetch(PLACE)
    assert not freshness.is_due(PLACE, batch(clock.now_s), FRESH_S)


def test_a_lander_sleeps_until_the_first_batch_is_due_and_asks_now_and_then_without_one(freshness, clock):
    freshness.begin()
    assert freshness.wait_s() == POLL_S
    freshness.is_due(PLACE, batch(clock.now_s - FRESH_S + 0.1), FRESH_S)
    freshness.is_due((SESSIONS_TOPIC, 0), batch(clock.now_s), 5.0)
    assert freshness.wait_s() == pytest.approx(0.1)
    clock.now_s += 60.0
    assert 0 < freshness.wait_s() < 0.1


class TestInTheLander:
    """What it fetches lands together, as far as it may wait."""

    @pytest.fixture
    def lander(self, landing, clock, monkeypatch):
        landing.lander.close()
        log = PartitionedLog()
        lander = Lander(log, landing.store, metrics=Metrics(LANDER_METRICS), monotonic=clock, clock=clock)
        for topic in (PREDICTIONS_TOPIC, SESSIONS_TOPIC):
            log.give(topic, 0, log.readers[-1])
        self.log, self.landed = log, []
        land = Inserter.land

        def noted(inserter, given, *more, **options):
            self.landed.append((given.topic, len(given.values)))
            return land(inserter, given, *more, **options)

        monkeypatch.setattr(Inserter, "land", noted)
        return lander

    def append(self, records, clock):
        held = self.log.at(PREDICTIONS_TOPIC)
        numbers = range(len(held.offsets), len(held.offsets) + records)
        self.log.append(
            PREDICTIONS_TOPIC, 0, [record("s", number + 1) for number in numbers], now_s=clock.now_s
        )

    def test_sparse_events_are_one_insert_a_second(self, lander, clock):
        for _ in range(40):
            self.append(1, clock)
            lander.land_once(is_patient=True)
            clock.now_s += 0.1
        assert len(self.landed) == 3
        assert sum(records for _, records in self.landed) + self.log.lag() == 40
        assert self.log.lag() <= 10

    def test_a_full_batch_does_not_wait(self, lander, clock, monkeypatch):
        monkeypatch.setattr(service, "BATCH_RECORDS", 10)
        self.append(25, clock)
        lander.land_once(is_patient=True)
        lander.land_once(is_patient=True)
        lander.land_once(is_patient=True)
        assert self.landed == [(PREDICTIONS_TOPIC, 10)] * 2

    def test_one_that_is_not_patient_lands_what_there_is(self, lander, clock):
        self.append(3, clock)
        lander.land_once()
        assert self.landed == [(PREDICTIONS_TOPIC, 3)]
