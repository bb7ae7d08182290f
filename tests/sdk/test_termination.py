"""SIGTERM ends a process as before, but loses no events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

from tests.sdk.logs import IDENTITY, events_in

BEGIN = """
import json, os, signal, sys, threading, time
from driftline import PredictionLogger
def begin(log=sys.argv[1]):
    return PredictionLogger(**json.loads(sys.argv[2]), log=log, flush_interval_s=30)
"""
WAIT = """
for _ in range(100): logger.log()
print("ready", flush=True)
while True: time.sleep(0.05)
"""
HANGING = """
class Hanging:
    def append(self, records, **options): time.sleep(60)
    def close(self): pass
"""


def terminated(code: str, url: str, *, times: int = 1) -> tuple[int, float]:
    """Run until it is ready, end it, and return its status and how long that took."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", BEGIN + code, url, json.dumps(IDENTITY)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            began = time.monotonic()
            for _ in range(times):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.3)
            return process.wait(20), time.monotonic() - began
        finally:
            process.kill()


def test_what_was_logged_is_appended_before_the_process_dies_by_the_signal(tmp_path):
    url = (tmp_path / "log").as_uri()
    status, took_s = terminated("logger = begin()" + WAIT, url)
    assert status == -signal.SIGTERM
    assert took_s < 3
    events = events_in(url)
    assert len(events["driftline.predictions"]) == 100
    assert events["driftline.sessions"][-1]["final"]


def test_a_log_that_hangs_does_not_keep_the_process():
    status, took_s = terminated(HANGING + "logger = begin(Hanging())" + WAIT, "")
    assert status == -signal.SIGTERM
    assert 3 < took_s < 8


def test_a_second_signal_kills_at_once():
    status, took_s = terminated(HANGING + "logger = begin(Hanging())" + WAIT, "", times=2)
    assert status == -signal.SIGTERM
    assert took_s < 2


def test_the_main_thread_goes_on_while_others_close(tmp_path):
    """It may hold a lock that they need: waiting for them, it would never let go."""
    code = (
        "logger = begin()\nlock = logger._session.shipper._start_lock\nlock.acquire()\n"
        "for _ in range(100): logger.log()\nprint('ready', flush=True)\n"
        "while signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL: time.sleep(0.05)\n"
        "lock.release()\nwhile True: time.sleep(0.05)"
    )
    url = (tmp_path / "log").as_uri()
    assert terminated(code, url)[0] == -signal.SIGTERM
    assert len(events_in(url)["driftline.predictions"]) == 100


def test_forked_children_and_workers_of_a_pool_have_the_default(tmp_path):
    """``with Pool()`` ends them by the signal, and would wait for one whose handler is never run."""
    code = (
        "import multiprocessing\nlogger = begin()\n"
        "def is_default(_): return signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "def work(_): return bool(logger.log() and begin().log()) and is_default(None)\n"
        "assert not is_default(None)\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool: assert all(pool.map(work, range(4)))\n"
        "if (pid := os.fork()) == 0: os._exit(0 if is_default(None) else 1)\n"
        "assert os.waitpid(pid, 0)[1] == 0\nassert not is_default(None)" + WAIT
    )
    url = (tmp_path / "log").as_uri()
    assert terminated(code, url)[0] == -signal.SIGTERM
    assert sum(beat["final"] for beat in events_in(url)["driftline.sessions"]) >= 1


def test_a_handler_that_was_there_is_left_alone(tmp_path):
    url = (tmp_path / "log").as_uri()
    status, _ = terminated(
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(7))\nlogger = begin()" + WAIT, url
    )
    assert status == 7


def test_a_handler_that_comes_later_is_left_alone(tmp_path):
    url = (tmp_path / "log").as_uri()
    status, _ = terminated(
        "logger = begin()\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))" + WAIT, url
    )
    assert status == 7
    assert len(events_in(url)["driftline.predictions"]) == 100  # By the hook at exit.


def test_a_logger_made_on_another_thread_changes_nothing(tmp_path):
    code = (
        "made = []\nthread = threading.Thread(target=lambda: made.append(begin()))\n"
        "thread.start(); thread.join()\nlogger = made[0]\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL"
    )
    status, took_s = terminated(code + WAIT, (tmp_path / "log").as_uri())
    assert status == -signal.SIGTERM
    assert took_s < 2


def test_a_lock_that_the_main_thread_holds_does_not_stop_the_end(tmp_path):
    """The signal may meet the main thread anywhere, also where it is about to start the shipper."""
    code = "logger = begin()\nlogger._session.shipper._start_lock.acquire()"
    status, took_s = terminated(code + WAIT, (tmp_path / "log").as_uri())
    assert status == -signal.SIGTERM
    assert 5 < took_s < 9
