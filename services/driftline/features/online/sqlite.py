"""Values online in SQLite: one file on one host, for many readers and one writer at a time."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from driftline.errors import OnlineError
from driftline.features.online.base import OnlineRow, Progress, ViewKey, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS feature_rows
(
    view TEXT NOT NULL, computation TEXT NOT NULL, entity TEXT NOT NULL,
    event_us INTEGER NOT NULL, arrival INTEGER NOT NULL, packed TEXT NOT NULL,
    PRIMARY KEY (view, computation, entity)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS feature_progress
(
    view TEXT NOT NULL, computation TEXT NOT NULL,
    arrival INTEGER NOT NULL, until_us INTEGER NOT NULL, counted INTEGER NOT NULL,
    PRIMARY KEY (view, computation)
) WITHOUT ROWID;
"""
_PUT = """
INSERT INTO feature_rows VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (view, computation, entity) DO UPDATE
SET event_us = excluded.event_us, arrival = excluded.arrival, packed = excluded.packed
WHERE (excluded.event_us, excluded.arrival) > (event_us, arrival)
"""
_GET = "SELECT event_us, arrival, packed FROM feature_rows WHERE view = ? AND computation = ? AND entity = ?"
_PROGRESS = "SELECT arrival, until_us, counted FROM feature_progress WHERE view = ? AND computation = ?"
_SET_PROGRESS = "INSERT OR REPLACE INTO feature_progress VALUES (?, ?, ?, ?, ?)"
_PATIENCE_S = 10.0


class SqliteOnlineStore:
    """The newest rows in one file.

    Args:
        path: of the file; it and its folder are made where they are missing.

    Raises:
        OnlineError: it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        with _errors(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path = path
            self._connection = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            # A power failure may lose the newest commits, progress with them: they are made again.
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_TABLES)

    def put(self, key: ViewKey, rows: Sequence[OnlineRow]) -> None:
        """See `OnlineStore.put`: all of them, or where the process dies none."""
        with self._transaction() as connection:
            connection.executemany(
                _PUT, ((*key, row.entity, row.event_us, row.arrival, pack(row)) for row in rows)
            )

    def get(self, key: ViewKey, entities: Sequence[str]) -> Sequence[OnlineRow | None]:
        """See `OnlineStore.get`."""
        with _errors(self._path):
            execute = self._connection.execute
            found = [execute(_GET, (*key, entity)).fetchone() for entity in entities]
        return [row and unpack(entity, *row) for entity, row in zip(entities, found, strict=True)]

    def progress(self, key: ViewKey) -> Progress:
        """See `OnlineStore.progress`."""
        with _errors(self._path):
            row = self._connection.execute(_PROGRESS, key).fetchone()
        return Progress(*row) if row else Progress()

    def set_progress(self, key: ViewKey, progress: Progress) -> None:
        """See `OnlineStore.set_progress`."""
        with self._transaction() as connection:
            connection.execute(_SET_PROGRESS, (*key, *progress))

    def close(self) -> None:
        """See `OnlineStore.close`."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise OnlineError(f"the features online in {path} can't be used: {error}") from error
