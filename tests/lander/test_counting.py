"""What a lander counts is there before it counts, and tells trouble of the log from that of the store."""

from __future__ import annotations

import threading

import pytest

from driftline.errors import LogError, StoreError
from driftline.lander.metrics import EVENTS, LOG_FAILURES, LOST, STORE_FAILURES
from driftline.log.local import LocalReader
from driftline.wire import PREDICTIONS_TOPIC, TOPICS
from tests.support.running import wait_until


def test_counters_begin_with_zero_so_that_the_first_increase_is_seen(landing):
    events, lost = landing.metrics.series(EVENTS), landing.metrics.series(LOST)
    assert events[PREDICTIONS_TOPIC, "dead_lettered"] == 0
    assert lost[PREDICTIONS_TOPIC,] == 0
    assert set(events.values()) == {0}
    assert len(events) == 3 * len(lost) == 3 * len(TOPICS)


@pytest.mark.parametrize(
    ("error", "counted", "other"),
    [
        (LogError("away"), LOG_FAILURES, STORE_FAILURES),
        (StoreError("away"), STORE_FAILURES, LOG_FAILURES),
    ],
    ids=["log", "store"],
)
def test_trouble_is_counted_for_what_it_is_of(landing, monkeypatch, error, counted, other):
    def fail(*, is_patient):
        assert is_patient
        raise error

    monkeypatch.setattr(landing.lander, "land_once", fail)
    stop = threading.Event()
    thread = threading.Thread(target=landing.lander.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: landing.metrics.series(counted)[()] > 0, timeout_s=20.0, what="a failure")
    finally:
        stop.set()
        thread.join()
    assert landing.metrics.series(other)[()] == 0


def test_a_log_that_does_not_say_how_much_waits_is_counted_as_away(landing, monkeypatch):
    """A broker that is away may look like one that has nothing new."""

    def fail(_reader):
        raise LogError("no broker answers")

    now_s = [100.0]
    landing.again(monotonic=lambda: now_s[0])
    monkeypatch.setattr(LocalReader, "lag", fail)
    now_s[0] += 10
    landing.lander.land_once()
    assert landing.metrics.series(LOG_FAILURES)[()] == 1
