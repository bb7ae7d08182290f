"""One SQLite file: whose connection it is, and who moves it away."""

from __future__ import annotations

import os
import sqlite3

import pytest

from driftline.log.database import FILE_NAME, Database, LocalLogSettings


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log" / FILE_NAME


def test_who_finds_an_old_file_malformed_leaves_the_new_one_where_it_is(path):
    """Another process made the file anew while this one was reading the damaged one."""
    slow, fast = (Database(LocalLogSettings(path.parent), clock=lambda: 1.0) for _ in range(2))
    slow.run(lambda connection: connection.execute("SELECT 1"), write=False)
    new_files = []

    def work(_connection):
        if not new_files:
            path.unlink()
            fast.run(lambda connection: connection.execute("SELECT 1"), write=False)
            new_files.append(path.stat().st_ino)
            error = sqlite3.DatabaseError("malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

    slow.run(work, write=False)
    assert [path.stat().st_ino] == new_files
    slow.close()
    fast.close()


def test_a_child_does_not_use_the_connection_of_its_parent(path):
    database = Database(LocalLogSettings(path.parent), clock=lambda: 1.0)
    database.run(lambda connection: connection.execute("SELECT 1"), write=False)
    if (pid := os.fork()) == 0:
        os._exit(1 if database.is_open else 0)
    assert os.waitpid(pid, 0)[1] == 0
    assert database.is_open
    database.close()
