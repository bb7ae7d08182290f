"""Numbered migrations, forward only: ``schemas/clickhouse/NNNN_name.sql``."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING

from driftline.errors import StoreError
from driftline.wire import schema_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

_NAME = re.compile(r"(\d{4})_(\w+)\.sql\Z")

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

    def statements(self, database: str) -> Sequence[str]:
        """Return the statements, for tables in ``database``."""
        text = Template(re.sub(r"^\s*--.*$", "", self.text, flags=re.MULTILINE)).substitute(database=database)
        return [part.strip() for part in re.split(r";\s*$", text, flags=re.MULTILINE) if part.strip()]


def load_migrations() -> Sequence[Migration]:
    """Return the shipped migrations in order."""
    files = sorted(schema_folder("clickhouse").iterdir(), key=lambda entry: entry.name)
    return [
        Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
        for file in files
        if (match := _NAME.match(file.name))
    ]


def migrate(client: Client, migrations: Sequence[Migration] | None = None) -> Sequence[Migration]:
    """Bring the client's database up to date; return what was applied. Doing it again changes nothing.

    Statements are not transactional: where one fails, those before it stand, and the migration is tried again
    as a whole next time; so each statement must bear repeating, which CREATE ... IF NOT EXISTS gives.

    Raises:
        StoreError: an applied migration was edited since, or a statement failed.
    """
    client.command(_CREATE_LEDGER)
    rows = client.query("SELECT number, checksum FROM schema_migrations").result_rows
    applied = {int(number): str(checksum) for number, checksum in rows}
    done = []
    for migration in load_migrations() if migrations is None else migrations:
        known = applied.get(migration.number)
        if known == migration.checksum:
            continue
        if known is not None:
            raise StoreError(
                f"migration {migration.number:04d}_{migration.name} was edited after it was applied; "
                "write a new one instead"
            )
        for statement in migration.statements(client.database or "default"):
            client.command(_repeatable(statement))
        client.insert(
            "schema_migrations",
            [(migration.number, migration.name, migration.checksum)],
            column_names=["number", "name", "checksum"],
        )
        done.append(migration)
    return done


def _repeatable(statement: str) -> str:
    return re.sub(r"\ACREATE (TABLE|DICTIONARY|MATERIALIZED VIEW) ", r"CREATE \1 IF NOT EXISTS ", statement)
