"""A lander killed at every point of a batch's landing: after a restart the books are exact.

The engine writes each part of a batch (the rows of one month) in two steps: it notes the part's deduplication
token in the table's log, then renames the part in. The local log writes its position to a WAL.
strace kills the process on the way into each of these calls, so that every state between two of them is met;
some of them always, all of them by `make soak`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from driftline.lander.metrics import SETTLED
from driftline.log import Record
from driftline.wire import PREDICTIONS_TOPIC
from tests.lander.records import refused_record
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.sampling import sampled
from tests.support.traffic import event, expected_books, make_logger, read_books

NUMBERS, TOTAL = (1, 2, 3), 4
"""They are of two months. Between them stands a record that the engine refuses, so they land as its rest."""

PARTS = 2
MONTHS = (202601, 202602)
STRACE = ["strace", "-f"]
OTHER_RENAMES = 3
"""The file that names the store's owner; the dead letter; the heartbeat."""

PART_NAMES = [f"tmp_insert_{month}_{number}_{number}_0" for number in range(40) for month in MONTHS]

WAL_PAGES = 3 * 2 + 3
"""Three topics are intended and committed, and the dead letter's topic is begun. A header and a page each."""

WAL_WRITES = 2 * WAL_PAGES + 2
"""And the file's own header, twice: what the first topic's intent wrote is moved into the log meanwhile."""


@dataclass(frozen=True)
class Point:
    """The process dies on its way into the ``number``-th system call of a kind."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call}-{self.number}"


POINTS = [
    *(Point("token", number) for number in range(1, PARTS + 1)),
    *sampled([Point("rename", number) for number in range(1, PARTS + OTHER_RENAMES + 1)], 2, first=1),
    *sampled([Point("position", number) for number in range(1, WAL_WRITES + 1)], 4),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A log with four records and a heartbeat; an empty, migrated store; its predictions' folder."""
    place = Place(tmp_path_factory.mktemp("prepared"))
    landing = Landing(place)
    query = "SELECT data_paths[1] FROM system.tables WHERE database = 'driftline' AND name = 'predictions'"
    ((path,),) = landing.client.rows(query)
    landing.close()
    write_records(place)
    return place, path.removeprefix(f"{place.folder}/")


def write_records(place):
    first, second, third = (event(number, TOTAL) for number in NUMBERS)
    landing_log = Landing.open_log(place)
    with landing_log as log, make_logger(log, heartbeat_interval_s=1000.0) as logger:
        logger.log(**first)
        logger.log(**second)
        assert logger.flush()
        log.writer().append([Record(PREDICTIONS_TOPIC, b"", refused_record())])
        logger.log(**third)


@pytest.fixture(scope="module")
def victims():
    """Landers to be killed at a system call."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: crash points can't be met one by one")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        pytest.skip("ptrace is forbidden here: crash points can't be met one by one")
    with Victims() as waiting:
        yield waiting


@pytest.fixture(scope="module")
def killed(request, prepared, victims, tmp_path_factory):
    """By point that is tested: a copy of the prepared folder in which the lander was killed there."""
    root = tmp_path_factory.mktemp("killed")
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    points = {call.params["point"] for call in calls if call and isinstance(call.params.get("point"), Point)}
    with ThreadPoolExecutor(2) as pool:
        places = pool.map(lambda point: (point, kill_at(point, prepared, root / str(point), victims)), points)
        return dict(places)


class Victims:
    """Landers that wait, stopped, to be traced."""

    def __enter__(self):
        line = [sys.executable, "-m", "tests.lander.victim"]
        self._parent = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lock = threading.Lock()
        return self

    def __exit__(self, *error):
        self._parent.communicate()

    def take(self, folder):
        with self._lock:
            print(folder, file=self._parent.stdin, flush=True)
            return int(self._parent.stdout.readline())


def kill_at(point, prepared, folder, victims):
    place, table = prepared
    if not folder.exists():
        shutil.copytree(place.folder, folder, symlinks=True)
    calls = {
        "token": ("write", [f"{folder}/{table}deduplication_logs/deduplication_log_1.txt"], point.number),
        "part": ("rename", [f"{folder}/{table}{name}/" for name in PART_NAMES], point.number),
        "rename": ("rename", [], point.number),
        "position": ("pwrite64", [f"{folder}/log/events.sqlite-wal"], point.number),
    }
    name, paths, number = calls[point.call]
    options = ["-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}"]
    options += [option for path in paths for option in ("-P", path)]
    trace_and_continue(victims.take(folder), folder / "calls", options)
    assert "+++ killed by SIGKILL +++" in (folder / "calls").read_text(), f"{point} was not met"
    return Place(folder)


def trace_and_continue(process_id, calls, options):
    """Trace a stopped process from here on to its end."""
    line = [*STRACE, "-o", str(calls), *options, "-p", str(process_id)]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as tracer:
        while "attached" not in (reported := tracer.stderr.readline()):
            assert reported, f"{process_id} can't be traced"
        os.kill(process_id, signal.SIGCONT)
        tracer.communicate(timeout=60)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_books_are_exact_after_a_kill_at(point, killed):
    landing = Landing(killed[point])
    try:
        landing.lander.run_until_idle()
        assert_books_are_exact(landing)
        assert landing.lander.run_until_idle() == 0
    finally:
        landing.close()


@pytest.mark.timeout(300)
def test_a_lander_that_dies_between_token_and_part_again_and_again_lands_in_the_end(
    prepared, victims, tmp_path
):
    """The engine remembers inserts that it does not hold: of the first month, of each attempt."""
    folder = tmp_path / "again"
    for _ in range(3):
        kill_at(Point("part", 1), prepared, folder, victims)
    landing = Landing(Place(folder))
    try:
        landing.lander.run_until_idle()
        assert landing.metrics.series(SETTLED)[()] > 0
        assert_books_are_exact(landing)
    finally:
        landing.close()


def assert_books_are_exact(landing):
    landing.profiler.run_until_idle()
    assert read_books(landing.client) == expected_books(TOTAL, NUMBERS)
    dead_letters = landing.client.rows("SELECT topic, offset, reason FROM dead_letters FINAL")
    assert dead_letters == [(PREDICTIONS_TOPIC, 2, "violates_training_run_id_given")]
    (line,) = landing.ledger()
    assert (line.sent, line.landed, line.missing, line.duplicates) == (3, 3, 0, 0)


def test_every_crash_point_is_among_those_killed_at(prepared, victims, tmp_path):
    """Counted on a run without a kill: one token and one rename a part, and the few renames around them."""
    folder = tmp_path / "whole"
    shutil.copytree(prepared[0].folder, folder, symlinks=True)
    trace_and_continue(victims.take(folder), tmp_path / "calls", ["-e", "trace=write,rename,pwrite64", "-y"])
    calls = (tmp_path / "calls").read_text().splitlines()
    assert sum("deduplication_log_" in call and "write(" in call for call in calls) == PARTS
    # Parts that are written by an insert; those that the engine merges in its background have other names.
    assert sum("rename(" in call and "/tmp_insert_" in call for call in calls) == PARTS + 2
    assert sum("pwrite64(" in call and "-wal>" in call for call in calls) == WAL_WRITES
