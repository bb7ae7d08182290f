"""SIGTERM ends a process as before, but loses no events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

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
    assert 3 < took_s < 20


def test_a_second_signal_kills_at_once():
    status, took_s = terminated(HANGING + "logger = begin(Hanging())" + WAIT, "", times=2)
    assert status == -signal.SIGTERM
    assert took_s < 3


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


def test_a_worker_whose_main_thread_never_runs_a_handler_ends_and_loses_nothing(tmp_path):
    """As one of a pool that is about to wait for a task: here the signal meets another thread."""
    code = (
        "import multiprocessing\nlogger = begin()\n"
        "def work():\n"
        "    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "    logger.log()\n"
        "    other = threading.Thread(target=time.sleep, args=(60,), daemon=True)\n"
        "    other.start()\n"
        "    threading.Timer(0.2, lambda: signal.pthread_kill(other.ident, signal.SIGTERM)).start()\n"
        "    lock = threading.Lock(); lock.acquire(); lock.acquire()\n"
        "worker = multiprocessing.get_context('fork').Process(target=work)\n"
        "worker.start(); worker.join(60)\n"
        "status = worker.exitcode; worker.kill()\n"
        "assert status == -signal.SIGTERM, status" + WAIT
    )
    url = (tmp_path / "log").as_uri()
    assert terminated(code, url)[0] == -signal.SIGTERM
    assert len(events_in(url)["driftline.predictions"]) == 101


def test_the_workers_of_a_pool_lose_nothing_at_its_end(tmp_path):
    """``with Pool()`` ends them by the signal as soon as it has their answers."""
    code = (
        "import multiprocessing\nlogger = begin()\ndef work(_): return logger.log() is not None\n"
        "with multiprocessing.get_context('fork').Pool(3) as pool:\n"
        "    assert all(pool.map(work, range(200)))" + WAIT
    )
    url = (tmp_path / "log").as_uri()
    assert terminated(code, url)[0] == -signal.SIGTERM
    assert len(events_in(url)["driftline.predictions"]) == 300


def test_a_forked_child_has_the_default_until_it_logs(tmp_path):
    code = (
        "logger = begin()\n"
        "def is_default(): return signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "if (pid := os.fork()) == 0:\n"
        "    os._exit(0 if is_default() and logger.log() and not is_default() else 1)\n"
        "assert os.waitpid(pid, 0)[1] == 0\nassert not is_default()" + WAIT
    )
    assert terminated(code, (tmp_path / "log").as_uri())[0] == -signal.SIGTERM


def test_a_handler_that_was_there_is_left_alone(tmp_path):
    url = (tmp_path / "log").as_uri()
    status, _ = terminated(
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(7))\nlogger = begin()" + WAIT, url
    )
    assert status == 7


AS_UVICORN = """
class Server:
    is_stopped = False
    def stop(self, *_): self.is_stopped = True
    def serve(self):
        original = signal.signal(signal.SIGTERM, self.stop)
        self.logger = begin()
        for _ in range(100): self.logger.log()
        print("ready", flush=True)
        while not self.is_stopped: time.sleep(0.05)
        self.logger.log()
        signal.signal(signal.SIGTERM, original)
        signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.parametrize(
    "goes_on", ["", "; time.sleep(60)", "; threading.Thread(target=time.sleep, args=(60,)).start()"]
)
def test_a_server_that_raises_the_signal_again_when_it_has_ended_loses_nothing(tmp_path, goes_on):
    """It restores the default, which was there before it loaded the application; then that one kills."""
    url = (tmp_path / "log").as_uri()
    status, took_s = terminated(AS_UVICORN + "Server().serve()" + goes_on, url)
    assert status == -signal.SIGTERM
    assert took_s < 30
    events = events_in(url)
    assert len(events["driftline.predictions"]) == 101
    assert events["driftline.sessions"][-1]["final"]


def test_a_child_that_is_forked_while_a_server_ends_can_be_terminated(tmp_path):
    code = (
        "reader, writer = os.pipe()\n"
        "def stop(*_):\n"
        "    if (pid := os.fork()) == 0:\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "        os.write(writer, b'.')\n"
        "        time.sleep(60); os._exit(1)\n"
        "    os.read(reader, 1)\n"
        "    os.kill(pid, signal.SIGTERM)\n"
        "    os._exit(7 if os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGTERM else 8)\n"
        "signal.signal(signal.SIGTERM, stop)\nlogger = begin()"
    )
    assert terminated(code + WAIT, (tmp_path / "log").as_uri())[0] == 7


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
    assert took_s < 3


def test_a_lock_that_the_main_thread_holds_does_not_stop_the_end(tmp_path):
    """The signal may meet the main thread anywhere, also where it is about to start the shipper."""
    code = "logger = begin()\nlogger._session.shipper._start_lock.acquire()"
    status, took_s = terminated(code + WAIT, (tmp_path / "log").as_uri())
    assert status == -signal.SIGTERM
    assert 5 < took_s < 20


IN_C = """
import ctypes
libc = ctypes.CDLL(None)
libc.signal.argtypes = ctypes.c_int, ctypes.c_void_p
libc.signal(signal.SIGTERM, ctypes.cast(libc._exit, ctypes.c_void_p))
logger = begin()
"""


def test_a_server_in_c_that_handles_the_signal_goes_on_handling_it(tmp_path):
    """Python knows nothing of such a handler, and takes the signal for one that kills."""
    status, _ = terminated(IN_C + WAIT, (tmp_path / "log").as_uri())
    assert status == signal.SIGTERM, "the exit status that the handler gives, and no death by the signal"
