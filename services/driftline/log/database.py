"""One SQLite file: opened late, shared by processes, reopened after a fork, set aside when malformed.

SQLite in WAL mode gives what the local log promises: a transaction that has been committed survives
``kill -9`` (and, with ``synchronous=full``, a loss of power); a torn or garbled end of the WAL is
recognised by its checksums and cut off; readers never wait for writers. See sqlite.org/wal.html.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

from driftline.errors import LogError, LogFullError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Result = TypeVar("Result")

FILE_NAME: Final = "events.sqlite"
MIN_BYTES: Final = 4 << 20
"""Smallest bound of a log: several times the largest append of the SDK."""

_FORK_TIMEOUT_S = 2.0
_PAGE_BYTES = 8_192  # Larger ones append faster, but a small append writes whole pages.
_WAL_PAGES = 2_000  # Moved into the file whenever the WAL is that long: 16 MB.
_MALFORMED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SCHEMA = """
CREATE TABLE IF NOT EXISTS "log/identity" (source TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS "log/topics" (topic TEXT PRIMARY KEY, next_offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS "log/positions" (
    reader_group TEXT, topic TEXT, position INTEGER NOT NULL, intent_first INTEGER, intent_last INTEGER,
    PRIMARY KEY (reader_group, topic)
) WITHOUT ROWID;
"""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LocalLogSettings:
    """Where a local log is, and how it is kept.

    Args:
        folder: made when it is not there, for this user alone.
        max_bytes: bound of the file's size, 4 MiB at least. The WAL beside it adds some 16 MB.
        synchronous: ``normal``: what was appended survives ``kill -9`` but the last moments may not
            survive a loss of power; ``full``: they do, and each append waits for the disk.
        busy_timeout_s: how long to wait for another process's transaction, seconds.
    """

    folder: Path
    max_bytes: int = 4 << 30
    synchronous: str = "normal"
    busy_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            SettingError: one is not allowed.
        """
        if self.max_bytes < MIN_BYTES:
            raise SettingError(f"max_bytes={self.max_bytes}: it must be {MIN_BYTES} (4 MiB) or more")
        if self.synchronous not in {"normal", "full"}:
            raise SettingError(f"synchronous={self.synchronous}: it must be normal or full")

    @property
    def path(self) -> Path:
        """The database file."""
        return self.folder / FILE_NAME


class Database:
    """One process's connection to the file. Safe to use from several threads; opened at first use.

    Args:
        settings: where the file is.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
    """

    def __init__(self, settings: LocalLogSettings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._clock = clock
        self.lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = -1
        self._source = ""
        _fork_guard.databases.add(self)

    @property
    def source(self) -> str:
        """Identity of the file, given when it was made. Known once ``run`` has been called."""
        return self._source

    def run(self, work: Callable[[sqlite3.Connection], Result], *, write: bool) -> Result:
        """Return what ``work`` returns, called in a transaction of its own.

        If the file turns out to be malformed, it is set aside and the work done in a new one; so
        ``work`` may be called twice.

        Raises:
            LogFullError: the disk is full.
            LogError: the file can't be used now.
        """
        with self.lock:
            try:
                try:
                    return _in_transaction(self._connected(), work, write=write)
                except sqlite3.DatabaseError as error:
                    if _code(error) not in _MALFORMED:
                        raise
                    self._set_aside(error)
                    return _in_transaction(self._connected(), work, write=write)
            except (sqlite3.Error, OSError) as error:
                is_full = _code(error) == sqlite3.SQLITE_FULL or (
                    isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
                )
                kind = LogFullError if is_full else LogError
                raise kind(f"{self.settings.path}: {error}") from error

    def used_bytes(self) -> int:
        """Return how many bytes of the file hold something.

        Raises:
            LogError: the file can't be used now.
        """
        return self.run(_used_bytes, write=False)

    def close(self) -> None:
        """Close the connection; the next ``run`` opens another."""
        with self.lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _connected(self) -> sqlite3.Connection:
        """Return the connection to the file that is there now: someone may have moved the one we had."""
        try:
            inode = self.settings.path.stat().st_ino
        except FileNotFoundError:
            inode = 0
        if self._connection is None or inode != self._inode:
            self.close()
            with _exclusively(self.settings):
                self._open()
        assert self._connection is not None  # noqa: S101 - _open has set it, or raised.
        return self._connection

    def _open(self) -> None:
        """Open the file and make what it lacks. A malformed file is set aside at once."""
        for is_last in (False, True):
            connection = sqlite3.connect(
                self.settings.path,
                timeout=self.settings.busy_timeout_s,
                isolation_level=None,  # Transactions are begun by hand.
                check_same_thread=False,  # The lock does that.
            )
            try:
                connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {self.settings.synchronous}")
                connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
                connection.execute(f"PRAGMA journal_size_limit = {2 * _WAL_PAGES * _PAGE_BYTES}")
                connection.executescript(_SCHEMA)
                self._source = _identity(connection)
            except BaseException as error:
                connection.close()
                if is_last or _code(error) not in _MALFORMED:
                    raise
                self._move_away(error)
            else:
                break
        self._connection, self._inode = connection, self.settings.path.stat().st_ino

    def _set_aside(self, error: BaseException) -> None:
        """Move a malformed file away, unless another process has done so already."""
        with _exclusively(self.settings):
            self.close()
            path = self.settings.path
            if path.exists() and path.stat().st_ino == self._inode:
                self._move_away(error)

    def _move_away(self, error: BaseException) -> None:
        path = self.settings.path
        stamp = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        kept = path.with_name(f"{path.name}.corrupt-{stamp}")
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(kept.with_name(kept.name + suffix))
        _logger.critical(
            "the event log %s is malformed (%s); it was moved to %s and a new log was begun: "
            "events in it that had not been read are not delivered",
            *(path, error, kept),
            extra={"log": str(path), "kept": str(kept)},
        )

    def begin_anew(self) -> list[sqlite3.Connection]:
        """Be as new, in a forked child; return the parent's connection, if there is one."""
        connection, self._connection = self._connection, None
        self.lock = threading.RLock()  # The parent's is held: see ``_ForkGuard``.
        return [] if connection is None else [connection]


def quoted(name: str) -> str:
    """Return a table's name as SQL. Names hold no quotes: see ``check_topic``."""
    return f'"{name}"'


def _used_bytes(connection: sqlite3.Connection) -> int:
    values = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
    pages, free = values
    return (int(pages) - int(free)) * _PAGE_BYTES


def _in_transaction(
    connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Result], *, write: bool
) -> Result:
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _identity(connection: sqlite3.Connection) -> str:
    """Return the file's identity; give it one when it is new."""
    row = connection.execute('SELECT source FROM "log/identity"').fetchone()
    if row is None:
        row = (uuid4().hex,)
        connection.execute('INSERT INTO "log/identity" VALUES (?)', row)
    return str(row[0])


def _code(error: BaseException) -> int:
    """Return SQLite's primary result code of an error, 0 when it has none."""
    return int(getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


@contextmanager
def _exclusively(settings: LocalLogSettings) -> Iterator[None]:
    """Let one process at a time make the file or move it away."""
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.folder / f"{FILE_NAME}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Closing the file lets go of it.
        yield


class _ForkGuard:
    """What a fork needs to know of the databases of this process."""

    def __init__(self) -> None:
        self.databases: weakref.WeakSet[Database] = weakref.WeakSet()
        self._held: list[threading.RLock] = []
        self._inherited: list[sqlite3.Connection] = []

    def hold(self) -> None:
        """Let no thread be inside SQLite while the process forks: its locks would stay taken in the child."""
        end = time.monotonic() + _FORK_TIMEOUT_S
        for database in list(self.databases):
            if database.lock.acquire(timeout=max(0.0, end - time.monotonic())):
                self._held.append(database.lock)

    def release(self) -> None:
        """Go on, in the parent."""
        while self._held:
            self._held.pop().release()

    def forget(self) -> None:
        """Let go, in the child, of connections that belong to the parent.

        SQLite forbids to use them here, and even to close them; so they are kept for ever instead.
        """
        self._held.clear()
        for database in list(self.databases):
            self._inherited += database.begin_anew()


_fork_guard = _ForkGuard()
os.register_at_fork(
    before=_fork_guard.hold, after_in_parent=_fork_guard.release, after_in_child=_fork_guard.forget
)
