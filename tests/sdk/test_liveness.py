"""A background thread that does not run is noticed by those who log, and hardly by mistake."""

from __future__ import annotations

import threading

import pytest

from driftline.sdk.liveness import HANGS_S, LATE_S, Liveness
from tests.sdk.logs import MemoryLog, quick_logger


class Watched:
    """A thread's liveness, by a clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.told: list[str] = []
        self.liveness = Liveness(0.1, lambda: self.now_s, self.told.append)

    def log(self, after_s: float) -> None:
        """Have somebody log after some time."""
        self.now_s += after_s
        if self.now_s > self.liveness.due_at:
            self.liveness.look(self.now_s)


@pytest.fixture
def watched() -> Watched:
    found = Watched()
    found.liveness.begin()
    return found


def test_a_thread_that_never_runs_is_told_once(watched):
    for _ in range(30):
        watched.log(after_s=0.5)
    (told,) = watched.told
    assert "enable-threads" in told


def test_a_thread_that_runs_is_not(watched):
    for _ in range(300):
        watched.liveness.work()
        watched.liveness.wait()
        watched.log(after_s=0.1)
    assert watched.told == []


def test_a_process_that_sleeps_as_a_whole_says_nothing(watched):
    """As between two calls of a Lambda function: the thread runs a moment after it was found late."""
    for _ in range(30):
        watched.log(after_s=3_600)
        watched.liveness.work()
        watched.liveness.wait()
    assert watched.told == []


def test_a_clock_that_jumps_says_nothing(watched):
    for jump_s in (1e6, -1e6, 1e6):
        watched.log(after_s=jump_s)
        watched.liveness.wait()
    assert watched.told == []


def test_a_thread_that_does_not_come_back_from_the_log_is_told_after_long(watched):
    watched.liveness.work()
    for _ in range(int(2 * HANGS_S) - 1):
        watched.log(after_s=1.0)
    assert watched.told == []
    watched.log(after_s=5.0)
    (told,) = watched.told
    assert "does not come back" in told


def test_retrying_is_no_hanging(watched):
    for _ in range(1_000):
        watched.liveness.work()
        watched.log(after_s=2.0)
    assert watched.told == []


def test_a_thread_that_is_kept_from_running_is_given_moments(watched):
    """Who logs waits in those moments, and no longer than until the thread has had its turn."""
    for _ in range(10):
        watched.log(after_s=0.5)
    runs = threading.Event()
    thread = threading.Thread(target=lambda: (runs.wait(), watched.liveness.work(), watched.liveness.wait()))
    thread.start()
    runs.set()
    watched.log(after_s=10.0)
    thread.join()
    due_at = watched.liveness.due_at
    assert due_at <= watched.now_s + LATE_S, "the next moment comes soon"


def test_a_thread_that_comes_by_itself_again_is_left_alone(watched):
    for _ in range(10):
        watched.log(after_s=0.5)
    for _ in range(30):
        watched.liveness.work()
        watched.liveness.wait()
    assert watched.liveness.due_at == pytest.approx(watched.now_s + 0.1 + LATE_S)


def test_a_logger_says_that_its_thread_does_not_run(monkeypatch, caplog):
    clock = [1_000.0]
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    logger = quick_logger(MemoryLog(), clock=lambda: clock[0])
    for _ in range(10):
        logger.log({"x": 1.0})
        clock[0] += 1.0
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "the background thread does not run"
    ]
    monkeypatch.undo()
