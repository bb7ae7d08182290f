"""A server's process does at once what the signals that it is sent say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.process import ServerProcess

BUSY = """
import hashlib, threading

def work():
    while True:
        hashlib.sha256(bytes(100_000))  # On a core of its own: hashing leaves the interpreter to others.

for _ in range(10):
    threading.Thread(target=work).start()
print("busy", flush=True)
"""


@pytest.fixture
def busy(tmp_path):
    process = ServerProcess("a busy server", [sys.executable, "-c", BUSY], tmp_path / "log")
    process.start()
    process.wait_until(lambda: "busy" in process.output(), timeout_s=30.0)
    yield process
    process.kill()


def states(process):
    """Return each thread's state, as the kernel has it (proc_pid_stat(5))."""
    tasks = Path(f"/proc/{process.process_id}/task").glob("*/stat")
    return {task.read_text().rpartition(")")[2].split()[0] for task in tasks}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the states of threads from /proc")
def test_none_of_its_threads_goes_on_when_it_has_been_paused(busy):
    for _ in range(20):
        busy.pause()
        assert states(busy) == {"T"}
        busy.resume()


def test_pausing_does_not_wait_for_one_that_has_ended(busy):
    busy.kill()
    busy.pause()
    assert not busy.is_alive
