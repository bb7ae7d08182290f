"""A logger in several processes, however they come to be."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.sdk.logs import FORKS_AMID_THREADS, MemoryLog, events_in, quick_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from driftline import PredictionLogger

PROGRAM = """
import multiprocessing, sys
from driftline import PredictionLogger

logger = PredictionLogger(
    model_name="m", model_version="1", training_run_id="r", log=sys.argv[2], flush_interval_s=30
)

def work(given):
    for number in range(5):
        given.log(features={"x": number})

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    if len(sys.argv) > 3:
        work(logger)
        logger.flush()
    children = [context.Process(target=work, args=(logger,)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    sys.exit(any(child.exitcode for child in children))
"""


def run(folder: Path, *arguments: str, options: Sequence[str] = ()) -> str:
    """Run the program as a user would, with warnings as errors; return the URL of its log."""
    (folder / "program.py").write_text(PROGRAM)
    url = (folder / "log").as_uri()
    command = [sys.executable, "-W", "error", *options, str(folder / "program.py")]
    done = subprocess.run(
        [*command, arguments[0], url, *arguments[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return url


def sessions(url: str) -> dict[str, list[int]]:
    """Return the numbers of the events in a log, by session; each of these has ended in order."""
    events = events_in(url)
    numbers: dict[str, list[int]] = {}
    for event in events["driftline.predictions"]:
        numbers.setdefault(event["session_id"], []).append(event["sequence"])
    last = {heartbeat["session_id"]: heartbeat for heartbeat in events["driftline.sessions"]}
    assert {session: heartbeat["last_sequence"] for session, heartbeat in last.items()} == {
        session: len(found) for session, found in numbers.items()
    }
    assert all(heartbeat["final"] for heartbeat in last.values())
    return numbers


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_children_of_multiprocessing_log_in_sessions_of_their_own_and_lose_nothing(
    method: str, tmp_path: Path
) -> None:
    """The logger is handed to them. Who forks before the first event forks without a thread, unwarned."""
    numbers = sessions(run(tmp_path, method))
    assert list(numbers.values()) == [[1, 2, 3, 4, 5]] * 2


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_so_they_do_when_the_parent_logged_before_them(method: str, tmp_path: Path) -> None:
    numbers = sessions(run(tmp_path, method, "parent logs", options=FORKS_AMID_THREADS))
    assert list(numbers.values()) == [[1, 2, 3, 4, 5]] * 3


def test_a_logger_that_is_sent_elsewhere_has_the_same_settings_there(tmp_path: Path) -> None:
    url = (tmp_path / "log").as_uri()
    with quick_logger(url, environment="shadow", tags={"region": "eu"}, clock=one_moment) as here:
        there = pickle.loads(pickle.dumps(here))
        assert there.session_id != here.session_id
        here.log()
        there.log()
        assert there.close()
    fields = ("model_name", "model_version", "training_run_id", "environment", "tags", "event_time")
    one, other = ({name: event[name] for name in fields} for event in events_in(url)["driftline.predictions"])
    assert one == other
    assert (one["environment"], one["tags"]) == ("shadow", {"region": "eu"})


def shipping() -> set[threading.Thread]:
    """Return the threads of loggers."""
    return {thread for thread in threading.enumerate() if thread.name == "driftline-shipper"}


def one_moment() -> float:
    return 1_700_000_000.0


def test_a_logger_that_was_closed_arrives_closed(tmp_path: Path) -> None:
    here = quick_logger((tmp_path / "log").as_uri())
    here.close()
    there = pickle.loads(pickle.dumps(here))
    assert there.log() is None
    assert dict(there.stats().dropped) == {"closed": 1}


def test_a_logger_that_never_logs_starts_no_thread_and_leaves_no_trace() -> None:
    log = MemoryLog()
    others = shipping()
    logger = quick_logger(log)
    assert shipping() <= others
    assert logger.close()
    assert shipping() <= others
    assert log.attempts == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda logger: logger.log(features={"x": 1.0}),
        lambda logger: logger.log(features={"x": []}),  # Refused, which a heartbeat tells.
        lambda logger: logger.log_batch(features={"x": [1.0]}),
        lambda logger: logger.log_outcome("018bcfe5-69f4-7000-8000-000000000005", 1),
    ],
    ids=["log", "refused", "log_batch", "log_outcome"],
)
def test_the_first_call_starts_the_thread(call: Callable[[PredictionLogger], object]) -> None:
    log, others = MemoryLog(), shipping()
    with quick_logger(log) as logger:
        call(logger)
        assert len(shipping() - others) == 1
    assert log.heartbeats[-1]["final"]


def test_where_no_thread_can_be_had_events_wait_and_closing_appends_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a handler of atexit from Python 3.12 on: an interpreter that is ending starts none."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    log = MemoryLog()
    logger = quick_logger(log)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    for _ in range(3):
        logger.log()
    assert log.attempts == 0
    assert [record.getMessage() for record in caplog.records] == [
        "no thread can be started, so events stay in memory"
    ]
    assert logger.close()
    assert logger.close()
    assert [event["sequence"] for event in log.predictions] == [1, 2, 3]
    assert [heartbeat["final"] for heartbeat in log.heartbeats] == [True]


def test_a_system_that_had_no_thread_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("driftline.sdk.shipper.time.monotonic", lambda: clock[0])
    start, log = threading.Thread.start, MemoryLog()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with quick_logger(log) as logger:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        logger.log()
        monkeypatch.setattr(threading.Thread, "start", start)
        others = shipping()
        logger.log()
        assert shipping() <= others, "a moment later it is not asked again"
        clock[0] += 2.0
        logger.log()
        assert len(shipping() - others) == 1
    assert [event["sequence"] for event in log.predictions] == [1, 2, 3]


AT_EXIT = """
import atexit, sys
from driftline import PredictionLogger
logger = PredictionLogger(model_name="m", model_version="1", training_run_id="r", log=sys.argv[1])
atexit.register(lambda: logger.log(features={"x": 1.0}))
"""


def test_a_first_event_at_the_very_end_of_the_process_is_not_lost(tmp_path: Path) -> None:
    url = (tmp_path / "log").as_uri()
    command = [sys.executable, "-c", AT_EXIT, url]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False).returncode == 0
    assert list(sessions(url).values()) == [[1]]
