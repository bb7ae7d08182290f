"""Numbered migrations, forward only: ``schemas/clickhouse/NNNN_name.sql``."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.errors import StatementError, StoreError
from driftline.wire import schema_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.store.connection import Connection

_NAME = re.compile(r"(\d{4})_(\w+)\.sql\Z")

_UNKNOWN_TABLE, _UNKNOWN_DATABASE, _ACCESS_DENIED = 60, 81, 497
_READ_ONLY = 164

_CREATE_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations
(number UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = MergeTree ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of statements, each ended by a semicolon at a line's end."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Identity of the text, so that an edited migration is noticed."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self) -> Sequence[str]:
        """Return the statements."""
        return statements_of(self.text)


def statements_of(text: str) -> Sequence[str]:
    """Return the statements of a file, without its comments; each ends by a semicolon at a line's end."""
    bare = re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE)
    return [part.strip() for part in re.split(r";\s*$", bare, flags=re.MULTILINE) if part.strip()]


def load_migrations() -> Sequence[Migration]:
    """Return the shipped migrations in order."""
    files = sorted(schema_folder("clickhouse").iterdir(), key=lambda entry: entry.name)
    return [
        Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
        for file in files
        if (match := _NAME.match(file.name))
    ]


def migrate(connection: Connection, migrations: Sequence[Migration] | None = None) -> Sequence[Migration]:
    """Bring the connection's database up to date; return what was applied. Doing it again changes nothing.

    Where there is nothing to do, only reads; so a service's user needs no right to create anything.

    Statements are not transactional: where one fails, those before it stand, and the migration is tried again
    as a whole next time; so each statement must bear repeating, which CREATE ... IF NOT EXISTS gives.

    Args:
        connection: to the store.
        migrations: the shipped ones, unless given.

    Raises:
        StoreError: an applied migration was edited since, or is not known to this program, or the user may
            not apply what is missing.
    """
    known = load_migrations() if migrations is None else migrations
    applied = _applied(connection)
    missing = _missing(known, applied or {})
    try:
        if applied is None:
            _begin(connection)
        for migration in missing:
            _apply(connection, migration)
    except StatementError as error:
        if error.code not in {_ACCESS_DENIED, _READ_ONLY}:
            raise
        raise StoreError(
            f"the tables in database {connection.database} are {_state(applied, missing)}, and this user may "
            f"not change that; run `driftline migrate` with a user who may ({_first_sentence(error)})"
        ) from error
    return missing


def missing_migrations(connection: Connection) -> Sequence[Migration]:
    """Return which of the shipped migrations the connection's database lacks. Changes nothing.

    Raises:
        StoreError: as ``migrate``.
    """
    return _missing(load_migrations(), _applied(connection) or {})


def has_tables(connection: Connection) -> bool:
    """Return whether a migration was ever applied to the connection's database.

    Raises:
        StoreError: the user may not read that.
    """
    return bool(_applied(connection))


def _applied(connection: Connection) -> Mapping[int, tuple[str, str]] | None:
    """Return name and checksum of what was applied, by number; None when there are no tables."""
    try:
        rows = connection.rows("SELECT number, name, checksum FROM schema_migrations")
    except StatementError as error:
        if error.code in {_UNKNOWN_TABLE, _UNKNOWN_DATABASE}:
            return None
        if error.code == _ACCESS_DENIED:
            raise StoreError(
                f"this user may not read driftline's tables in database {connection.database}; give it one "
                f"of driftline's roles, which `driftline migrate --users` creates ({_first_sentence(error)})"
            ) from error
        raise
    return {int(number): (str(name), str(checksum)) for number, name, checksum in rows}


def _missing(known: Sequence[Migration], applied: Mapping[int, tuple[str, str]]) -> Sequence[Migration]:
    """Return what is to be applied, once it is clear that what was applied is what this program knows."""
    newest = max((migration.number for migration in known), default=0)
    if applied and max(applied) > newest:
        number = max(applied)
        raise StoreError(
            f"the store's tables are newer than this program: they are at {number:04d}_{applied[number][0]}, "
            f"it knows {newest:04d}; update driftline here"
        )
    for migration in known:
        if migration.number in applied and applied[migration.number][1] != migration.checksum:
            raise StoreError(
                f"migration {migration.number:04d}_{migration.name} was edited after it was applied; "
                "write a new one instead"
            )
    return [migration for migration in known if migration.number not in applied]


def _begin(connection: Connection) -> None:
    try:
        connection.command(_CREATE_LEDGER)
    except StatementError as error:
        if error.code != _UNKNOWN_DATABASE:
            raise
        connection.command(f"CREATE DATABASE IF NOT EXISTS {connection.database}", use_database=False)
        connection.command(_CREATE_LEDGER)


def _apply(connection: Connection, migration: Migration) -> None:
    for statement in migration.statements():
        connection.command(_repeatable(statement))
    connection.insert(
        "schema_migrations",
        [(migration.number, migration.name, migration.checksum)],
        column_names=["number", "name", "checksum"],
    )


def _state(applied: Mapping[int, object] | None, missing: Sequence[Migration]) -> str:
    if not applied:
        return "missing"
    return f"older than this program, which knows {missing[-1].number:04d}_{missing[-1].name}"


def _first_sentence(error: Exception) -> str:
    """Return what the engine says that is missing, without where its code stands."""
    return str(error).partition("DB::Exception: ")[2].partition(" (ACCESS_DENIED)")[0].strip(" .")


def _repeatable(statement: str) -> str:
    return re.sub(r"\ACREATE (TABLE|VIEW|MATERIALIZED VIEW) ", r"CREATE \1 IF NOT EXISTS ", statement)
