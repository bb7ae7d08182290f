"""A process that was forked off knows it, also where Python was bypassed, as under uWSGI."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.sdk.logs import events_in

if TYPE_CHECKING:
    from pathlib import Path

PRELUDE = {
    "by a page that the kernel wipes": "",
    "by the process id": "import mmap; del mmap.MAP_ANONYMOUS",
}
IN_C = """
{prelude}
import ctypes, os, sys, threading, time
from driftline import PredictionLogger, forks

assert isinstance(forks.is_noticed, forks._ProcessIdMark) == bool({prelude!r})
logger = PredictionLogger(
    model_name="m", model_version="1", training_run_id="r", log=sys.argv[1], flush_interval_s=30
)
parents = logger.session_id

def logs_and_is_idle():
    # A fork in C amid a thread that runs is more than Python stands.
    logger.log({{"x": 1.0}})
    logger.flush()
    while not logger._session.shipper._liveness.is_waiting:
        time.sleep(0.001)
    time.sleep(0.01)

if "logged" in sys.argv:
    logs_and_is_idle()
    logger.log({{"x": 1.0}})  # This one waits in memory.
child = ctypes.PyDLL(None).fork()
{work}
if child:
    assert os.waitpid(child, 0)[1] == 0
    assert logger.session_id == parents
"""
LOGS = """
for number in range(5):
    assert logger.log({"x": number})
"""
LOGS_ON_THREADS = """
if not child:
    def several():
        for number in range(5):
            logger.log({"x": number})
    threads = [threading.Thread(target=several) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""
FORKS_AGAIN = """
if not child:
    logs_and_is_idle()
    grandchild = ctypes.PyDLL(None).fork()
    assert logger.log({"x": 1.0})
    if grandchild:
        assert os.waitpid(grandchild, 0)[1] == 0
"""


def sessions(tmp_path: Path, work: str, *arguments: str, prelude: str = "") -> list[list[int]]:
    """Run a program that forks in C; return the numbers of each session's events, the longest last."""
    url = (tmp_path / "log").as_uri()
    program = IN_C.format(prelude=prelude, work=work)
    done = subprocess.run(
        [sys.executable, "-c", program, url, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    numbers: dict[str, list[int]] = {}
    for event in events_in(url)["driftline.predictions"]:
        numbers.setdefault(event["session_id"], []).append(event["sequence"])
    return sorted(numbers.values(), key=len)


@pytest.mark.parametrize("prelude", PRELUDE.values(), ids=PRELUDE)
def test_a_child_that_python_did_not_notice_logs_in_a_session_of_its_own(
    prelude: str, tmp_path: Path
) -> None:
    assert sessions(tmp_path, LOGS, prelude=prelude) == [[1, 2, 3, 4, 5]] * 2


def test_so_it_does_when_the_parent_had_logged_before(tmp_path: Path) -> None:
    assert sessions(tmp_path, LOGS, "logged") == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7]]


def test_a_child_that_logs_nothing_leaves_the_parents_events_to_the_parent(tmp_path: Path) -> None:
    """It has a copy of them in memory, and would append them once more when it ends."""
    assert sessions(tmp_path, "", "logged") == [[1, 2]]


def test_threads_of_a_child_share_its_session(tmp_path: Path) -> None:
    assert sessions(tmp_path, LOGS_ON_THREADS) == [list(range(1, 21))]


def test_a_child_of_a_child_has_a_session_too(tmp_path: Path) -> None:
    assert sessions(tmp_path, FORKS_AGAIN) == [[1], [1, 2]]
