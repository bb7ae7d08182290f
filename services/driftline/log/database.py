"""One SQLite file: opened late, shared by processes, reopened after a fork, made anew when it is damaged.

SQLite in WAL mode gives what the local log promises: a transaction that has been committed survives
``kill -9`` (and, with ``synchronous=full``, a loss of power); a torn end of the WAL is recognised by its
checksums and cut off; readers never wait for writers. See sqlite.org/wal.html.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import re
import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

from driftline.errors import LogError, LogFullError, SettingError
from driftline.forks import when_forked
from driftline.log.pages import PAGE_BYTES, Pages, garbled_frame
from driftline.log.rebuild import rebuild
from driftline.log.rows import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Result = TypeVar("Result")

FILE_NAME: Final = "events.sqlite"
_LOCK_NAME = f"{FILE_NAME}.lock"
_DAMAGED = ".corrupt-"
MIN_BYTES: Final = 4 << 20
"""Smallest bound of a log: several times the largest append of the SDK."""

_FORK_TIMEOUT_S = 2.0
_WAL_PAGES = 2_000  # Moved into the file whenever the WAL is that long: 16 MB.
_WRITTEN_WITHIN_S = 0.05
_MALFORMED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_is_identity = re.compile(r"[0-9a-f]{32}").fullmatch
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

    @property
    def is_open(self) -> bool:
        """Whether this process has the file open."""
        return self._connection is not None

    def run(self, work: Callable[[sqlite3.Connection], Result], *, write: bool) -> Result:
        """Return what ``work`` returns, called in a transaction of its own.

        If the file turns out to be damaged, it is made anew from what can be read of it, and the work done
        there; so ``work`` may be called twice.

        Raises:
            LogFullError: the disk is full.
            LogError: the file can't be used now.
        """
        with self.lock:
            try:
                try:
                    return self._in_transaction(work, write=write)
                except sqlite3.DatabaseError as error:
                    if _code(error) not in _MALFORMED:
                        raise
                    self._set_aside(error)
                    return self._in_transaction(work, write=write)
            except (sqlite3.Error, OSError) as error:
                is_full = _code(error) == sqlite3.SQLITE_FULL or (
                    isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
                )
                kind = LogFullError if is_full else LogError
                raise kind(f"{self.settings.path}: {error}") from error

    def _in_transaction(self, work: Callable[[sqlite3.Connection], Result], *, write: bool) -> Result:
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        # Who waits for the lock of a file that is being made anew has waited for the old one's.
        if write and not self._is_current():
            connection.execute("ROLLBACK")
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

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
        if self._connection is None or not self._is_current():
            self.close()
            with _exclusively(self.settings):
                self._open()
        assert self._connection is not None  # noqa: S101 - _open has set it, or raised.
        return self._connection

    def _is_current(self) -> bool:
        try:
            return self.settings.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _open(self) -> None:
        """Open the file and make what it lacks. A damaged file is made anew at once."""
        for is_last in (False, True):
            connection = sqlite3.connect(
                self.settings.path,
                timeout=self.settings.busy_timeout_s,
                isolation_level=None,  # Transactions are begun by hand.
                check_same_thread=False,  # The lock does that.
            )
            try:
                self._prepare(connection)
            except BaseException as error:
                if is_last or _code(error) not in _MALFORMED:
                    connection.close()
                    raise
                self._make_anew(error, connection)
            else:
                break
        self._connection, self._inode = connection, self.settings.path.stat().st_ino
        _keep_source(self.settings, self._source)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self.settings.synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {2 * _WAL_PAGES * PAGE_BYTES}")
        _check_wal(connection, self.settings.path)
        connection.executescript(SCHEMA)
        self._source = _identity(connection)

    def _set_aside(self, error: BaseException) -> None:
        """Make a damaged file anew, unless another process has done so already."""
        with _exclusively(self.settings):
            connection, self._connection = self._connection, None
            if connection is None:
                return
            if self._is_current():
                self._make_anew(error, connection)
            else:
                connection.close()

    def _make_anew(self, error: BaseException, connection: sqlite3.Connection) -> None:
        """Put what can be read of the damaged file in its place, and keep that beside it.

        Args:
            error: what is wrong with it.
            connection: to the damaged file; keeps other writers out meanwhile, and is closed.

        Raises:
            sqlite3.Error: the new file can't be written; then everything is as it was.
            OSError: likewise.
        """
        path = self.settings.path
        fresh = path.with_name(f"{path.name}.new")
        with suppress(sqlite3.Error):
            connection.execute("BEGIN IMMEDIATE")
        pages = Pages(path)
        try:
            rebuilt = rebuild(pages, fresh, _kept_source(self.settings))
            kept = self._move_away()
            fresh.rename(path)
        finally:
            connection.close()
            pages.close()  # Last, since that lets go of the connection's locks.
        _logger.critical(
            "the event log %s was damaged (%s): %d records were saved, and at least %d that nobody had read "
            "are lost; the damaged file is %s",
            *(path, error, rebuilt.records, rebuilt.lost, kept),
            extra={"log": str(path), "kept": str(kept), "saved": rebuilt.records, "lost": rebuilt.lost},
        )

    def _move_away(self) -> Path:
        path = self.settings.path
        stamp = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        kept = path.with_name(f"{path.name}{_DAMAGED}{stamp}")
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(kept.with_name(kept.name + suffix))
        return kept

    def begin_anew(self) -> list[sqlite3.Connection]:
        """Be as new, in a forked child; return the parent's connection, if there is one."""
        connection, self._connection = self._connection, None
        self.lock = threading.RLock()  # The parent's is held: see ``_ForkGuard``.
        return [] if connection is None else [connection]


def was_damaged(folder: Path) -> bool:
    """Return whether the log in a folder was ever damaged, and made anew."""
    return any(folder.glob(f"{FILE_NAME}{_DAMAGED}*"))


def _used_bytes(connection: sqlite3.Connection) -> int:
    values = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
    pages, free = values
    return (int(pages) - int(free)) * PAGE_BYTES


def _check_wal(connection: sqlite3.Connection, path: Path) -> None:
    """See that SQLite reads the WAL to its last transaction.

    Raises:
        sqlite3.DatabaseError: it stops before, at something that is garbled.
    """
    _, valid, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    garbled = garbled_frame(path, max(0, valid))
    if garbled is None:
        return
    time.sleep(_WRITTEN_WITHIN_S)  # Another process may be just writing there.
    if garbled == garbled_frame(path, max(0, valid)):
        error = sqlite3.DatabaseError(f"the WAL is garbled at frame {garbled[1]}")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _kept_source(settings: LocalLogSettings) -> str | None:
    """Return the identity of the log as it stands in the lock file, should the log itself not tell it."""
    try:
        written = (settings.folder / _LOCK_NAME).read_bytes().decode().strip()
    except (OSError, ValueError):
        return None
    return written if _is_identity(written) else None


def _keep_source(settings: LocalLogSettings, source: str) -> None:
    if _kept_source(settings) != source:
        with suppress(OSError):  # Only the second copy.
            (settings.folder / _LOCK_NAME).write_text(source)


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
    with (settings.folder / _LOCK_NAME).open("a") as lock:
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
when_forked(_fork_guard.forget, before=_fork_guard.hold, in_parent=_fork_guard.release)
