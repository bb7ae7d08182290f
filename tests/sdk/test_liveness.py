"""A background thread that does not run is noticed by those who log, and hardly by mistake."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from driftline.sdk.liveness import HANGS_S, LATE_S, Liveness
from tests.sdk.logs import MemoryLog, events_in, quick_logger


class Watched:
    """A thread's liveness, by a clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.warnings: list[str] = []
        self.liveness = Liveness(0.1, lambda: self.now_s, self.warnings.append)

    def log(self, after_s: float) -> None:
        """Have somebody log after some time."""
        self.now_s += after_s
        if self.now_s > self.liveness.due_at:
            self.liveness.look(self.now_s)


@pytest.fixture
def watched() -> Watched:
    found = Watched()
    found.liveness.wait()
    return found


def test_a_thread_that_never_runs_is_reported_once(watched):
    for _ in range(30):
        watched.log(after_s=1.0)
    (warning,) = watched.warnings
    assert "does not run" in warning


def test_a_thread_that_runs_is_not(watched):
    for _ in range(300):
        watched.liveness.work()
        watched.liveness.wait()
        watched.log(after_s=0.1)
    assert watched.warnings == []


def test_a_process_that_sleeps_as_a_whole_says_nothing(watched):
    """As between two calls of a Lambda function: the thread runs a moment after it was found late."""
    for _ in range(30):
        watched.log(after_s=3_600)
        watched.liveness.work()
        watched.liveness.wait()
    assert watched.warnings == []


def test_a_clock_that_jumps_says_nothing(watched):
    for jump_s in (1e6, -1e6, 1e6):
        watched.log(after_s=jump_s)
        watched.liveness.wait()
    assert watched.warnings == []


def test_a_thread_that_does_not_come_back_from_the_log_is_reported_after_long(watched):
    watched.liveness.work()
    for _ in range(int(2 * HANGS_S) - 1):
        watched.log(after_s=1.0)
    assert watched.warnings == []
    watched.log(after_s=2 * LATE_S)
    (warning,) = watched.warnings
    assert "does not come back" in warning


def test_retrying_is_no_hanging(watched):
    for _ in range(1_000):
        watched.liveness.work()
        watched.log(after_s=2.0)
    assert watched.warnings == []


def test_a_logger_says_that_its_thread_does_not_run(monkeypatch, caplog):
    clock = [1_000.0]
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    logger = quick_logger(MemoryLog(), clock=lambda: clock[0])
    for _ in range(30):
        logger.log({"x": 1.0})
        clock[0] += 1.0
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "the background thread does not run in this process"
    ]
    monkeypatch.undo()


KEEPS_THE_INTERPRETER = """
import ctypes, sys
from driftline import PredictionLogger

logger = PredictionLogger(model_name="m", model_version="1", training_run_id="r", log=sys.argv[1])
wait_for_request = ctypes.PyDLL(None).usleep  # As a server in C waits: without letting go of the interpreter.
for _ in range(60):
    logger.log({"x": 1.0})
    wait_for_request(100_000)
print(logger.stats().appended)
"""


def test_where_the_process_keeps_the_interpreter_events_are_appended_while_others_are_logged(tmp_path):
    """Late, but nobody needs to be warned: the thread runs as soon as the next request does."""
    command = [sys.executable, "-c", KEEPS_THE_INTERPRETER, (tmp_path / "log").as_uri()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    assert int(done.stdout) >= 20
    assert len(events_in(command[-1])["driftline.predictions"]) == 60
