"""The local log: bounded, shared by processes, and still there after what happens to files and processes."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from driftline.errors import LogError, LogFullError
from driftline.log import LocalLog, Record, open_log
from driftline.log.database import FILE_NAME, LocalLogSettings
from driftline.wire import MODEL_REGISTRY_TOPIC
from tests.log import writing_processes

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@pytest.fixture
def url(tmp_path):
    return (tmp_path / "log").as_uri()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log" / FILE_NAME


def values_of(url: str, topic: str = "t") -> list[bytes]:
    with open_log(url) as log:
        batch = log.reader("checker").fetch(topic, max_records=10**9, max_bytes=1 << 40)
        return [] if batch is None else batch.values


def run(values: range) -> list[Record]:
    return [Record("t", b"", b"%d" % value) for value in values]


def test_an_append_is_all_or_nothing(url):
    with open_log(url) as log, pytest.raises(LogError):
        log.writer().append([*run(range(3)), Record("No Topic", b"", b"")])
    assert values_of(url) == []


def test_several_processes_append_at_once_and_nothing_is_lost_or_torn_apart(url):
    context = get_context("spawn")
    names = ("a", "b", "c")
    processes = [
        context.Process(target=writing_processes.append_runs, args=(url, name, 20, 50)) for name in names
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    values = [value.decode() for value in values_of(url)]
    assert len(values) == 3 * 20 * 50
    for name in names:
        expected = [f"{name}/{number}/{place}" for number in range(20) for place in range(50)]
        assert [value for value in values if value.startswith(name)] == expected
    runs = [list(group) for _, group in itertools.groupby(values, key=lambda value: value.rsplit("/", 1)[0])]
    assert {len(group) for group in runs} == {50}


@pytest.mark.parametrize("reported_runs", [1, 7, 40])
def test_what_was_appended_survives_kill_9_and_no_run_is_torn(url, reported_runs):
    process = subprocess.Popen(
        [sys.executable, writing_processes.__file__, url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        reported = [int(next(process.stdout)) for _ in range(reported_runs)]
        process.send_signal(signal.SIGKILL)
    values = values_of(url)
    assert len(values) % 10 == 0
    assert len(values) >= 10 * (reported[-1] + 1)
    assert values == [f"{n}/{place}".encode() for n in range(len(values) // 10) for place in range(10)]


def left_behind(url: str, path: Path, appends: int) -> None:
    """Append with a process that is killed, so that the WAL keeps what was appended."""
    code = (
        "import os, sys; from driftline.log import *\n"
        "writer = open_log(sys.argv[1]).writer()\n"
        "for n in range(int(sys.argv[2])): writer.append([Record('t', b'', b'%d' % n)])\n"
        "os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, url, str(appends)], env=environment, check=False)
    assert wal_of(path).stat().st_size > 0


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


@pytest.mark.parametrize("cut", [1, 5_000, 20_000])
def test_a_wal_that_lost_its_end_loses_only_the_end(url, path, cut):
    left_behind(url, path, 40)
    os.truncate(wal_of(path), wal_of(path).stat().st_size - cut)
    values = values_of(url)
    assert values == [b"%d" % number for number in range(len(values))]
    assert 25 < len(values) < 40


def test_a_wal_with_a_garbled_end_loses_only_the_end(url, path):
    left_behind(url, path, 40)
    with wal_of(path).open("r+b") as wal:
        wal.seek(-9_000, os.SEEK_END)
        wal.write(b"\xa5" * 9_000)
    values = values_of(url)
    assert values == [b"%d" % number for number in range(len(values))]
    assert 25 < len(values) < 40
    with open_log(url) as log:
        log.writer().append(run(range(5)))
    assert len(values_of(url)) == len(values) + 5


def test_a_wal_of_garbage_loses_what_was_in_it_and_the_log_goes_on(url, path):
    left_behind(url, path, 5)
    wal_of(path).write_bytes(os.urandom(50_000))
    with open_log(url) as log:
        log.writer().append(run(range(3)))
    assert values_of(url) == [b"0", b"1", b"2"]


def test_what_is_used_after_its_log_was_closed_is_closed_with_it_again(url):
    log = open_log(url)
    writer = log.writer()
    log.close()
    writer.append(run(range(3)))
    log.close()
    assert not writer.is_open


def break_file(path: Path) -> None:
    for part in path.parent.glob(f"{FILE_NAME}-*"):
        part.unlink()
    path.write_bytes(b"this was a database" * 1_000)


@pytest.mark.parametrize("when", ["before opening", "while open"])
def test_a_file_of_which_nothing_can_be_read_is_set_aside_loudly_and_a_new_log_begun(path, when, caplog):
    log = LocalLog(LocalLogSettings(path.parent), clock=lambda: 1_700_000_000.0)
    writer, reader = log.writer(), log.reader("lander")
    writer.append(run(range(3)))
    first_source = reader.fetch("t").source
    if when == "before opening":
        log.close()
        break_file(path)
    else:
        pages = path.stat().st_size // 8_192
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(8_192)
            file.write(b"\xa5" * 8_192 * (pages + 20))
        log.close()
    with caplog.at_level(logging.CRITICAL):
        writer.append(run(range(2)))
    assert "was damaged" in caplog.text
    kept = path.with_name(f"{FILE_NAME}.corrupt-20231114T221320.000000Z")
    assert kept.name in caplog.text
    assert kept.exists()
    batch = reader.fetch("t")
    assert batch.values == [b"0", b"1"]
    assert batch.source != first_source
    log.close()


def test_two_processes_that_find_the_malformed_file_move_it_once(url, path):
    one, other = open_log(url), open_log(url)
    one.writer().append(run(range(1)))
    first, second = one.writer(), other.writer()
    one.close()
    break_file(path)
    first.append(run(range(1, 2)))
    second.append(run(range(2, 3)))
    one.close()
    other.close()
    kept = [part for part in path.parent.glob("*.corrupt-*") if not part.name.endswith(("-wal", "-shm"))]
    assert len(kept) == 1
    assert values_of(url) == [b"1", b"2"]


def test_a_batch_of_a_log_that_was_begun_anew_can_not_be_committed(url, path):
    with open_log(url) as log:
        reader, writer = log.reader("lander"), log.writer()
        writer.append(run(range(5)))
        batch = reader.fetch("t")
        log.close()
        break_file(path)
        writer.append(run(range(5)))
        assert reader.fetch("t").token != batch.token
        with pytest.raises(LogError, match="begun anew"):
            reader.commit(batch)


def test_a_folder_that_was_moved_away_is_made_anew(url, path):
    with open_log(url) as log:
        writer = log.writer()
        writer.append(run(range(5)))
        path.parent.rename(path.parent.with_name("moved"))
        writer.append(run(range(2)))
    assert values_of(url) == [b"0", b"1"]


def big(count: int) -> list[Record]:
    return [Record("t", b"", bytes(1_000)) for _ in range(count)]


def fill(writer, *, after=lambda: None) -> int:
    """Append until the log is full, and return how many records it took."""
    for appended in range(1_000):
        try:
            writer.append(big(50))
        except LogFullError:
            return appended * 50
        after()
    raise AssertionError("the log takes more than its bound")


def test_a_full_log_takes_nothing_but_what_may_use_the_reserve(url, path):
    with open_log(f"{url}?max_bytes={4 * MIB}") as log:
        writer = log.writer()
        kept = fill(writer)
        assert 3_000 < kept < 4_200
        writer.append([Record("driftline.sessions", b"", bytes(200))], may_use_reserve=True)
        with pytest.raises(LogFullError, match="still to be read"):
            writer.append(big(50))
        assert log.used_bytes() <= 4 * MIB
        assert path.stat().st_size <= 4 * MIB
        batch = log.reader("lander").fetch("t", max_records=10**6, max_bytes=1 << 30)
        assert len(batch.values) == kept


def test_what_every_group_has_committed_makes_room(url, path):
    with open_log(f"{url}?max_bytes={4 * MIB}") as log:
        writer, reader = log.writer(), log.reader("lander")
        for _ in range(500):
            writer.append(big(50))
            reader.commit(reader.fetch("t"))
        assert path.stat().st_size <= 4 * MIB
        assert reader.positions()["t", 0] == 25_000
        kept = log.reader("later").fetch("t", max_records=10**6)
        assert kept.offsets[0] > 0
        assert kept.offsets[-1] == 24_999


def test_what_one_group_has_not_committed_is_kept_until_the_group_is_forgotten(url):
    with open_log(f"{url}?max_bytes={4 * MIB}") as log:
        writer, fast, slow = log.writer(), log.reader("fast"), log.reader("slow")
        writer.append(big(10))
        slow.commit(slow.fetch("t"))
        fill(writer, after=lambda: fast.commit(fast.fetch("t")))
        assert slow.fetch("t").first_offset == 10
        assert slow.fetch("t").missing_count == 0
        log.forget_group("slow")
        writer.append(big(50))


def test_an_intended_range_is_not_trimmed(url):
    with open_log(f"{url}?max_bytes={4 * MIB}") as log:
        writer, reader = log.writer(), log.reader("lander")
        writer.append(big(10))
        reader.intend(reader.fetch("t"))
        fill(writer)
        assert len(reader.fetch("t").values) == 10


def test_what_is_read_from_its_beginning_is_never_trimmed(url):
    with open_log(f"{url}?max_bytes={4 * MIB}") as log:
        writer, reader = log.writer(), log.reader("lander")
        writer.append([Record(MODEL_REGISTRY_TOPIC, b"m", b"decided")])
        batches = [reader.fetch(MODEL_REGISTRY_TOPIC)]
        for _ in range(40):
            for batch in batches:
                reader.intend(batch)
                reader.commit(batch)
            writer.append(big(150))
            batches = [reader.fetch("t")]
        assert log.scan("t").read()[0].offsets[0] > 0
        assert [batch.values for batch in log.scan(MODEL_REGISTRY_TOPIC).read()] == [[b"decided"]]


def test_offsets_are_never_given_twice_even_when_all_records_are_gone(url):
    with open_log(url) as log:
        log.writer().append(run(range(5)))
        log.delete("t", 0, 4)
        log.writer().append(run(range(1)))
        assert log.reader("lander").fetch("t").offsets == [5]


@pytest.mark.parametrize(
    "topic", ["", "T", "sqlite_sequence", 'a"b', "log/positions", "x" * 250, "1a", "a b"]
)
def test_what_is_no_name_of_a_topic_is_refused(url, topic):
    with open_log(url) as log, pytest.raises(LogError, match="no name of a topic"):
        log.writer().append([Record(topic, b"", b"")])


def test_a_folder_that_can_not_be_made_is_a_log_error(tmp_path):
    (tmp_path / "file").write_text("")
    with open_log((tmp_path / "file" / "log").as_uri()) as log, pytest.raises(LogError):
        log.writer().append(run(range(1)))


def test_a_log_that_another_process_holds_locked_is_a_log_error(path):
    log = LocalLog(LocalLogSettings(path.parent, busy_timeout_s=0.05))
    writer = log.writer()
    writer.append(run(range(1)))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogError, match="locked"):
        writer.append(run(range(1)))
    other.close()
    writer.append(run(range(1)))
    log.close()


def test_records_carry_the_time_of_the_clock(path):
    with LocalLog(LocalLogSettings(path.parent), clock=lambda: 1_700_000_000.25) as log:
        log.writer().append(run(range(1)))
        assert log.reader("lander").fetch("t").timestamps_ms == [1_700_000_000_250]


def test_it_is_plain_sqlite(url, path):
    with open_log(url) as log:
        log.writer().append(run(range(3)))
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute('SELECT offset, value FROM "t"').fetchall()
    assert rows == [(0, b"0"), (1, b"1"), (2, b"2")]


def test_a_log_goes_on_in_parent_and_child_after_a_fork_amid_appends(url):
    log = open_log(url)
    writer = log.writer()
    stop = threading.Event()
    counts = itertools.count()

    def append() -> None:
        while not stop.is_set():
            writer.append([Record("t", b"parent", b"parent %d" % next(counts))])

    thread = threading.Thread(target=append)
    thread.start()
    try:
        for number in range(10):
            if (pid := os.fork()) == 0:
                signal.alarm(20)  # A child that hangs ends with a signal.
                writer.append([Record("t", b"child", b"child %d" % number)])
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        stop.set()
        thread.join()
        log.close()
    values = values_of(url)
    assert [value for value in values if value.startswith(b"child")] == [b"child %d" % n for n in range(10)]
    assert [v for v in values if v.startswith(b"parent")] == [b"parent %d" % n for n in range(next(counts))]


def test_a_deleted_range_is_a_gap_that_the_batch_counts(url):
    with open_log(url) as log:
        log.writer().append(run(range(10)))
        assert [log.delete("t", *bounds) for bounds in ((0, 1), (4, 6), (4, 6))] == [2, 3, 0]
        batch = log.reader("lander").fetch("t")
    assert batch.offsets == [2, 3, 7, 8, 9]
    assert (batch.first_offset, batch.last_offset, batch.missing_count) == (2, 9, 5)


def test_an_intended_range_that_was_deleted_comes_again_empty(url):
    with open_log(url) as log:
        log.writer().append(run(range(3)))
        reader = log.reader("lander")
        reader.intend(reader.fetch("t"))
        log.delete("t", 0, 2)
        batch = reader.fetch("t")
        assert (batch.values, batch.missing_count, batch.repeated) == ([], 3, True)
        reader.commit(batch)
        assert reader.fetch("t") is None
