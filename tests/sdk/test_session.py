"""A session says how far it is, outlives outages, and ends in time, whatever the log does."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from driftline.errors import LogError, LogFullError
from tests.sdk.logs import FORKS_AMID_THREADS, IDENTITY, MemoryLog, events_in, quick_logger


@pytest.fixture
def log():
    return MemoryLog()


def wait_for(condition, timeout_s: float = 60.0) -> bool:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def test_a_session_sends_heartbeats_when_it_begins_and_when_it_ends(log):
    logger = quick_logger(log, heartbeat_interval_s=60)
    logger.log()
    assert wait_for(lambda: len(log.heartbeats) == 1)
    logger.log_outcome("018bcfe5-69f4-7000-8000-000000000005", 1)
    logger.log_outcome("x", 1)
    logger.log(features={"x": []})
    logger.close()
    first, last = log.heartbeats
    assert (first["last_sequence"], first["final"]) == (1, False)
    assert (last["last_sequence"], last["last_outcome_sequence"], last["final"]) == (2, 1, True)
    assert (last["dropped"], last["dropped_outcomes"]) == ({}, {"invalid_event_id": 1})
    assert last["session_id"] == logger.session_id
    assert last["process_id"] == os.getpid()
    assert last["client"].startswith("driftline-python/")
    assert {name: last[name] for name in ("model_name", "model_version", "environment")} == {
        "model_name": "flight-delay",
        "model_version": "3",
        "environment": "production",
    }


def test_a_session_sends_heartbeats_only_when_something_happened(log):
    with quick_logger(log, heartbeat_interval_s=0.02) as logger:
        logger.log()
        assert wait_for(lambda: len(log.heartbeats) == 1)
        time.sleep(0.2)
        assert len(log.heartbeats) == 1
        logger.log()
        assert wait_for(lambda: len(log.heartbeats) == 2)
        logger.log_outcome("x", 1)
        assert wait_for(lambda: len(log.heartbeats) == 3)
        time.sleep(0.1)
        assert len(log.heartbeats) == 3


def test_a_heartbeat_stands_in_the_log_together_with_the_events_that_it_counts(log):
    with quick_logger(log, heartbeat_interval_s=0.001, flush_interval_s=0.001) as logger:
        for _ in range(5_000):
            logger.log()
    seen = 0
    for records in log.appends:
        events = MemoryLog()
        events.appends = [records]
        seen += len(events.predictions)
        for heartbeat in events.heartbeats:
            assert heartbeat["last_sequence"] == seen
    assert seen == 5_000


def test_of_many_events_the_heartbeat_comes_with_the_last(log):
    with quick_logger(log) as logger:
        assert logger.flush()
        log.go_on.clear()
        for _ in range(5_001):
            logger.log()
        log.go_on.set()
        assert logger.flush()
    assert max(len(records) for records in log.appends) <= 2_001
    seen = 0
    for records in log.appends:
        events = MemoryLog()
        events.appends = [records]
        seen += len(events.predictions)
        assert all(heartbeat["last_sequence"] == seen for heartbeat in events.heartbeats)
    assert seen == 5_001


def test_flushing_leaves_a_heartbeat_that_counts_everything(log):
    with quick_logger(log, heartbeat_interval_s=60) as logger:
        logger.flush()
        for _ in range(10):
            logger.log()
        assert logger.flush()
        assert log.heartbeats[-1]["last_sequence"] == 10


def test_events_wait_for_a_log_that_fails_and_arrive_once_in_order(log, caplog):
    log.error = LogError("no log today")
    with caplog.at_level(logging.WARNING, logger="driftline.sdk"):
        logger = quick_logger(log)
        for _ in range(100):
            logger.log()
        assert wait_for(lambda: log.attempts > 2)
        assert not logger.flush(timeout=0.05)
        assert logger.stats().queued == 100
        log.error = None
        assert logger.flush()
    assert [event["sequence"] for event in log.predictions] == list(range(1, 101))
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "the event log takes nothing, events wait in memory",
        caplog.records[1].getMessage(),
    ]
    assert "takes events again" in caplog.records[1].getMessage()
    logger.close()


def test_a_log_that_raises_anything_at_all_does_not_end_the_session(log):
    log.error = ZeroDivisionError("a bug in a backend")
    logger = quick_logger(log)
    logger.log()
    assert wait_for(lambda: log.attempts > 1)
    log.error = None
    assert logger.close()
    assert len(log.predictions) == 1


def test_a_full_log_still_gets_what_was_dropped(log):
    log.error, log.takes_reserve = LogFullError("full"), True
    logger = quick_logger(log, queue_bytes=5_000, heartbeat_interval_s=0.01)
    while not logger.stats().dropped:
        logger.log()
    assert wait_for(lambda: bool(log.heartbeats) and log.heartbeats[-1]["dropped"] == {"queue_full": 1})
    assert log.heartbeats[-1]["last_sequence"] == 0  # It claims no event that dies with the process.
    assert log.predictions == []
    log.error = None
    assert logger.close()
    assert log.heartbeats[-1]["last_sequence"] == len(log.predictions) == logger.stats().accepted


def test_closing_a_log_that_fails_is_bounded_and_the_loss_is_reported(log, caplog):
    log.error, log.takes_reserve = LogFullError("full"), True
    logger = quick_logger(log, heartbeat_interval_s=60)
    for _ in range(7):
        logger.log()
    logger.log_outcome("018bcfe5-69f4-7000-8000-000000000005", 1)
    began = time.monotonic()
    assert logger.close(timeout=0.5) is False
    assert time.monotonic() - began < 60.0
    stats = logger.stats()
    assert (stats.accepted, stats.appended, stats.queued) == (8, 0, 0)
    assert stats.abandoned == {"log_unusable": 8}
    assert "8" in caplog.records[-1].getMessage()
    assert log.heartbeats[-1]["final"]
    assert log.heartbeats[-1]["abandoned"] == {"log_unusable": 7}  # Predictions; outcomes are numbered apart.


def test_closing_a_log_that_hangs_is_bounded_and_the_loss_is_counted(log):
    logger = quick_logger(log)
    log.go_on.clear()
    for _ in range(7):
        logger.log()
    began = time.monotonic()
    assert logger.close(timeout=0.3) is False
    assert time.monotonic() - began < 60.0
    stats = logger.stats()
    assert stats.abandoned == {"log_unusable": 7}
    assert (stats.queued, stats.appended) == (0, 0)
    log.go_on.set()
    time.sleep(0.1)
    assert logger.stats() == stats
    # What was under way may still have arrived; a heartbeat that arrived with it tells the truth.
    assert {heartbeat["last_sequence"] for heartbeat in log.heartbeats} <= {0, len(log.predictions)}


def test_events_that_were_counted_as_lost_are_not_appended_later(log):
    logger = quick_logger(log, flush_interval_s=30)
    assert logger.flush()
    log.go_on.clear()
    for _ in range(10_000):  # Enough to be taken at once, and to need several appends.
        logger.log()
    assert logger.close(timeout=0.3) is False
    log.go_on.set()
    time.sleep(0.3)
    assert len(log.predictions) <= 2_000  # One append was under way.


def test_flushing_a_log_that_hangs_is_bounded(log):
    logger = quick_logger(log)
    log.go_on.clear()
    logger.log()
    began = time.monotonic()
    assert logger.flush(timeout=0.1) is False
    assert time.monotonic() - began < 60.0
    log.go_on.set()
    assert logger.close()


def test_a_logger_that_nobody_holds_any_more_ends_its_session(log):
    logger = quick_logger(log)
    logger.log()
    del logger
    gc.collect()
    assert wait_for(lambda: bool(log.heartbeats) and log.heartbeats[-1]["final"])
    assert len(log.predictions) == 1


def python(code: str, url: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, *FORKS_AMID_THREADS, "-c", code, url, json.dumps(IDENTITY)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


BEGIN = (
    "import json, os, sys\n"
    "from driftline import PredictionLogger\n"
    "logger = PredictionLogger(**json.loads(sys.argv[2]), log=sys.argv[1], flush_interval_s=30)\n"
)


def test_a_process_that_ends_without_closing_loses_nothing(tmp_path):
    url = (tmp_path / "log").as_uri()
    finished = python(BEGIN + "for _ in range(1000): logger.log(features={'x': 1.0})", url)
    assert (finished.returncode, finished.stderr) == (0, "")
    events = events_in(url)
    assert len(events["driftline.predictions"]) == 1000
    assert events["driftline.sessions"][-1]["final"]


def test_a_process_that_is_killed_loses_only_what_was_in_memory_and_the_heartbeats_stay_true(tmp_path):
    url = (tmp_path / "log").as_uri()
    code = (
        "for _ in range(500): logger.log()\nlogger.flush()\n"
        "for _ in range(100): logger.log()\nos.kill(os.getpid(), 9)"
    )
    assert python(BEGIN + code, url).returncode == -signal.SIGKILL
    events = events_in(url)
    assert len(events["driftline.predictions"]) == 500
    assert events["driftline.sessions"][-1]["last_sequence"] == 500
    assert not events["driftline.sessions"][-1]["final"]


def test_a_forked_child_has_a_session_of_its_own(tmp_path):
    url = (tmp_path / "log").as_uri()
    logger = quick_logger(url, flush_interval_s=30)
    for _ in range(10):
        logger.log(features={"parent": 1.0})
    if (pid := os.fork()) == 0:
        signal.alarm(30)  # A child that hangs ends with a signal.
        for _ in range(3):
            logger.log(features={"child": 1.0})
        os._exit(0 if logger.close() and logger.stats().accepted == 3 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    logger.log(features={"parent": 1.0})
    assert logger.close()
    events = events_in(url)
    sessions: dict[str, list[int]] = {}
    for event in events["driftline.predictions"]:
        sessions.setdefault(event["session_id"], []).append(event["sequence"])
    assert sorted(sessions.values()) == [list(range(1, 4)), list(range(1, 12))]
    assert sessions[logger.session_id] == list(range(1, 12))
    final = {
        heartbeat["session_id"]: heartbeat for heartbeat in events["driftline.sessions"] if heartbeat["final"]
    }
    assert {session: heartbeat["last_sequence"] for session, heartbeat in final.items()} == {
        session: len(numbers) for session, numbers in sessions.items()
    }
    assert len({heartbeat["process_id"] for heartbeat in final.values()}) == 2


def test_a_child_that_never_logs_has_no_session(tmp_path):
    url = (tmp_path / "log").as_uri()
    logger = quick_logger(url)
    logger.log()
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    logger.close()
    assert {heartbeat["session_id"] for heartbeat in events_in(url)["driftline.sessions"]} == {
        logger.session_id
    }


def test_a_child_does_not_report_the_parents_events_as_lost(tmp_path):
    url = (tmp_path / "log").as_uri()
    code = "logger.log()\nif os.fork() == 0:\n    sys.exit()\nos.wait()"
    finished = python(BEGIN + code, url)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert len(events_in(url)["driftline.predictions"]) == 1


def test_a_logger_that_was_closed_stays_closed_in_a_child(log):
    logger = quick_logger(log)
    logger.close()
    if (pid := os.fork()) == 0:
        os._exit(0 if logger.log() is None and dict(logger.stats().dropped) == {"closed": 1} else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_after_a_batch_the_session_has_ended_and_the_next_event_begins_another(log):
    logger = quick_logger(log)
    logger.log()
    first = logger.session_id
    assert logger.batch_done()
    assert (log.heartbeats[-1]["session_id"], log.heartbeats[-1]["final"]) == (first, True)
    assert logger.log() is not None
    assert logger.session_id != first
    logger.close()
    assert logger.batch_done()
    assert logger.log() is None
    assert len(log.predictions) == 2
