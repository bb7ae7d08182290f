"""A damaged log loses what was damaged and nothing else: in each kind of page, of the file and of its WAL."""

from __future__ import annotations

import logging
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from driftline.errors import LogFullError
from driftline.log import LocalLog, Record, open_log
from driftline.log.database import FILE_NAME, LocalLogSettings, was_damaged
from driftline.log.pages import PAGE_BYTES, Pages, garbled_frame, wal_of
from driftline.log.rows import SCHEMA, make_topic

TOPICS = ("driftline.predictions", "t")
COUNT = 3_000
LANDED = 500
LARGE = 50_000
"""Bytes of the record that takes several pages."""


def value_of(topic, number):
    value = random.Random(f"{topic} {number}").randbytes(100)
    return value * (LARGE // 100) if number == 1_500 else value


def records(topic, numbers):
    return [Record(topic, b"key %d" % (number % 7), value_of(topic, number)) for number in numbers]


def filled(folder, *, checkpointed):
    """Return the path of a log that a process left that was killed; of each topic some has been landed."""
    code = (
        "import os, sys; from tests.log.test_rebuild import fill\n"
        "fill(sys.argv[1], sys.argv[2] == 'True'); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-c", code, str(folder), str(checkpointed)]
    subprocess.run(line, env=environment, check=False)
    return folder / FILE_NAME


def fill(folder, checkpointed):
    settings = LocalLogSettings(Path(folder))
    log = LocalLog(settings)
    writer, reader = log.writer(), log.reader("lander")
    for first in range(0, COUNT, 250):
        for topic in TOPICS:
            writer.append(records(topic, range(first, first + 250)))
    for topic in TOPICS:
        for _ in range(LANDED // 100):
            reader.commit(reader.fetch(topic, max_records=100))
        reader.intend(reader.fetch(topic, max_records=100))
    log.delete("t", 100, 399)  # So that there are free pages.
    if checkpointed:
        with closing(sqlite3.connect(settings.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("whole") / "log", checkpointed=True)


@pytest.fixture(scope="module")
def in_wal(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("wal") / "log", checkpointed=False)


@pytest.fixture
def damaged(whole, tmp_path):
    """Return a copy whose pages can be damaged."""
    shutil.copytree(whole.parent, tmp_path / "log")
    return tmp_path / "log" / FILE_NAME


def garble(path, place, size, how="noise"):
    content = random.Random(place).randbytes(size) if how == "noise" else bytes(size)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(content)


def roots(path):
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        return dict(connection.execute("SELECT name, rootpage FROM sqlite_schema").fetchall())


def pages_of(path, kind):
    """Return the numbers of pages of a kind."""
    data = path.read_bytes()
    headers = {number: data[(number - 1) * PAGE_BYTES] for number in range(2, len(data) // PAGE_BYTES + 1)}
    root = roots(path)
    trunk = int.from_bytes(data[32:36], "big")
    if kind == "freelist":
        return [trunk]
    named = {
        "header": 1,
        "a topic's root": root["t"],
        "identity": root["log/identity"],
        "ends of topics": root["log/topics"],
        "positions": root["log/positions"],
    }
    if kind in named:
        return [named[kind]]
    trunk_page = data[(trunk - 1) * PAGE_BYTES :][:2_000]
    free = {trunk, *(int.from_bytes(trunk_page[at : at + 4], "big") for at in range(8, 2_000, 4))}
    used = {*root.values(), *free}
    leaves = [number for number, first in headers.items() if first == 0x0D and number not in used]
    if kind == "a leaf":
        return leaves[:: len(leaves) // 5]
    if kind == "the last leaf":
        return leaves[-1:]
    return [number for number in headers if number not in {*used, *leaves}][:3]  # Large records go on there.


def read_all(path, caplog):
    """Read what is left as a lander does, a batch at a time; return it by topic, with what is missing."""
    values, missing = {}, {}
    with caplog.at_level(logging.ERROR), open_log(path.parent.as_uri()) as log:
        reader = log.reader("lander")
        log.writer().append([Record(topic, b"", b"afterwards") for topic in TOPICS])
        for topic in TOPICS:
            values[topic], missing[topic] = [], 0
            while batch := reader.fetch(topic, max_records=700):
                values[topic] += zip(batch.offsets, batch.values, strict=True)
                missing[topic] += batch.missing_count
                source = batch.source
                reader.intend(batch)
                reader.commit(batch)
        assert not any(reader.lag().values())
    return values, missing, source


def check_kept(values, missing, *, most_lost, first=LANDED):
    """See that what comes is right and in order, and that what does not come is counted, and little."""
    lost = 0
    for topic in TOPICS:
        *kept, last = values[topic]
        assert last == (COUNT, b"afterwards")
        offsets = [offset for offset, _ in kept]
        assert offsets == sorted(set(offsets))
        assert all(value == value_of(topic, offset) for offset, value in kept)
        gone = set(range(first, COUNT)) - set(offsets)
        assert missing[topic] == len(gone)
        lost += len(gone)
    assert lost <= most_lost


def source_of(path):
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        return connection.execute('SELECT source FROM "log/identity"').fetchone()[0]


# How many records a page holds at most, and twice that for a page half of which is garbled.
PER_PAGE = 80
KINDS = {
    "header": 0,
    "a topic's root": 0,
    "identity": 0,
    "ends of topics": 0,
    "a leaf": PER_PAGE,
    "the last leaf": PER_PAGE,
    "an overflow page": 1,
    "freelist": 0,
}


@pytest.mark.parametrize("how", ["noise", "zeros"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_page_costs_what_stood_in_it(damaged, kind, how, caplog):
    source = source_of(damaged)
    numbers = pages_of(damaged, kind)
    assert numbers
    for number in numbers:
        garble(damaged, (number - 1) * PAGE_BYTES, PAGE_BYTES, how)
    values, missing, found = read_all(damaged, caplog)
    check_kept(values, missing, most_lost=KINDS[kind] * len(numbers))
    assert found == source


@pytest.mark.parametrize("how", ["noise", "zeros"])
def test_without_positions_everything_that_is_kept_comes_again(damaged, how, caplog):
    source = source_of(damaged)
    garble(damaged, (pages_of(damaged, "positions")[0] - 1) * PAGE_BYTES, PAGE_BYTES, how)
    values, missing, found = read_all(damaged, caplog)
    assert len(values["driftline.predictions"]) == COUNT + 1
    assert (missing["driftline.predictions"], found) == (0, source)


@pytest.mark.parametrize("size", [30, 512])
@pytest.mark.parametrize("at", range(0, PAGE_BYTES, 1_024))
def test_a_page_that_is_damaged_in_part_gives_no_wrong_record(damaged, at, size, caplog):
    """SQLite does not notice when it is the content of a record."""
    numbers = pages_of(damaged, "a leaf")
    for number in numbers:
        garble(damaged, (number - 1) * PAGE_BYTES + at, size)
    values, missing, _ = read_all(damaged, caplog)
    check_kept(values, missing, most_lost=PER_PAGE * len(numbers))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_file_that_was_cut_off_keeps_its_beginning(damaged, share, caplog):
    os.truncate(damaged, int(damaged.stat().st_size * share))
    values, missing, _ = read_all(damaged, caplog)
    check_kept(values, missing, most_lost=2 * COUNT)
    assert "was damaged" in caplog.text


@pytest.mark.parametrize("frame", [0, 3, 40, 41, 42, -2, -1])
def test_a_damaged_frame_of_the_wal_costs_no_frame_behind_it(in_wal, tmp_path, frame, caplog):
    shutil.copytree(in_wal.parent, tmp_path / "log")
    path = tmp_path / "log" / FILE_NAME
    wal = wal_of(path)
    count = (wal.stat().st_size - 32) // (24 + PAGE_BYTES)
    assert count > 100
    garble(wal, 32 + (frame % count) * (24 + PAGE_BYTES) + 24, PAGE_BYTES)
    values, missing, _ = read_all(path, caplog)
    check_kept(values, missing, most_lost=PER_PAGE)


def test_a_wal_with_a_damaged_header_loses_nothing(in_wal, tmp_path, caplog):
    shutil.copytree(in_wal.parent, tmp_path / "log")
    path = tmp_path / "log" / FILE_NAME
    garble(wal_of(path), 0, 32)
    values, missing, _ = read_all(path, caplog)
    check_kept(values, missing, most_lost=0)


def test_a_wal_that_others_write_to_is_never_taken_for_a_damaged_one(tmp_path):
    settings = LocalLogSettings(tmp_path / "log")
    with LocalLog(settings) as log:
        writer = log.writer()
        for number in range(300):
            writer.append([Record("t", b"", b"%d" % number)])
            with LocalLog(settings) as other:
                other.topics()
        assert not was_damaged(settings.folder)
        assert garbled_frame(settings.path, 0) is None


def test_a_damaged_log_that_no_disk_has_room_for_is_left_as_it_is(damaged, monkeypatch):
    garble(damaged, 0, PAGE_BYTES)
    before = damaged.read_bytes()

    def full(*arguments):
        del arguments
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr("driftline.log.database.rebuild", full)
    with open_log(damaged.parent.as_uri()) as log, pytest.raises(LogFullError):
        log.topics()
    assert damaged.read_bytes() == before


def test_a_lock_file_of_garbage_is_as_good_as_none(damaged, caplog):
    (damaged.parent / f"{FILE_NAME}.lock").write_bytes(os.urandom(500))
    values, missing, _ = read_all(damaged, caplog)
    check_kept(values, missing, most_lost=0)
    assert not was_damaged(damaged.parent)


def test_pages_are_read_as_sqlite_reads_them(tmp_path):
    """Rows of every size around the places where they begin to go on in other pages."""
    path = tmp_path / "file"
    sizes = [*range(0, 300, 7), *range(8_000, 8_300), *range(16_300, 16_500, 3), 100_000]
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.executescript(SCHEMA)
        make_topic(connection, "t")
        for number, size in enumerate(sizes):
            row = (number * 10**9, number - 5, b"k" * (size % 9), os.urandom(size), number**4)
            connection.execute('INSERT INTO "t" VALUES (?, ?, ?, ?, ?)', row)
        connection.execute("INSERT INTO \"log/positions\" VALUES ('g', 't', 1, NULL, 1099511627776)")
    wanted = connection.execute('SELECT * FROM "t"').fetchall()
    connection.close()
    pages = Pages(path)
    rows = list(pages.rows())
    pages.close()
    found = {(rowid, *columns[1:]) for rowid, columns in rows if rowid is not None and len(columns) == 5}
    assert set(wanted) <= found
    assert (None, ["g", "t", 1, None, 1 << 40]) in rows
