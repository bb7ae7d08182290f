"""Roles and users of a ClickHouse server: one of each for every service, with what it needs and no more."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from string import Template
from typing import TYPE_CHECKING

from driftline.errors import StatementError, StoreError
from driftline.store.migrate import migrate, statements_of
from driftline.store.url import read_secret
from driftline.wire import schema_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.store.connection import Connection
    from driftline.store.migrate import Migration

SERVICES = ("lander", "profiler", "watcher", "reader", "responder", "features", "trainer", "admin")
"""``land``, ``profile``, ``watch``; who asks, acknowledges, keeps features, trains again, migrates."""

_ACCESS_STORAGE_READONLY, _NO_ACCESS_STORAGE = 495, 514
_ACCESS_DENIED = 497


@dataclass(frozen=True, slots=True)
class Account:
    """A user to be created, or to be given another password. The password stays out of ``repr``."""

    service: str
    password: str = field(repr=False)

    @property
    def user(self) -> str:
        """Its name. A role can't have the same one: a grant would not say which of them is meant."""
        return f"driftline_{self.service}_user"

    @property
    def role(self) -> str:
        """The role that it has."""
        return f"driftline_{self.service}"

    def statements(self, salt: str) -> Sequence[str]:
        """Return what makes the user so. The password is not in there, only its salted hash."""
        digest = hashlib.sha256((self.password + salt).encode()).hexdigest()
        identified = f"IDENTIFIED WITH sha256_hash BY '{digest}' SALT '{salt}'"
        return [
            f"CREATE USER IF NOT EXISTS {self.user} {identified}",
            f"ALTER USER {self.user} {identified}",
            f"GRANT {self.role} TO {self.user}",
        ]


def read_accounts(environ: Mapping[str, str]) -> Sequence[Account]:
    """Return the users that have a password in ``DRIFTLINE_LANDER_PASSWORD_FILE`` and so on.

    Raises:
        SettingError: a file can't be read.
    """
    names = {service: f"DRIFTLINE_{service.upper()}_PASSWORD" for service in SERVICES}
    passwords = {service: read_secret(environ, name, f"{name}_FILE") for service, name in names.items()}
    return [Account(service, password) for service, password in passwords.items() if password]


def role_statements(database: str) -> Sequence[str]:
    """Return what creates the roles, and makes each hold exactly what it should."""
    text = (schema_folder("clickhouse") / "users" / "roles.sql").read_text(encoding="utf-8")
    return [Template(statement).substitute(database=database) for statement in statements_of(text)]


def migrate_with_users(
    connection: Connection, accounts: Sequence[Account], *, random_hex: Callable[[int], str]
) -> Sequence[Migration]:
    """Create roles and users, and bring the tables up to date; return the migrations that were applied.

    Doing it again changes nothing but the passwords that changed. Each role holds exactly what this program's
    services need, from one moment to the next: a service at work is not interrupted.

    Args:
        connection: of a user who may create users and roles, and grant what the roles hold.
        accounts: users to be created, or to be given these passwords. Other users are left alone.
        random_hex: returns so many random bytes in hexadecimal digits, for salts.

    Raises:
        StoreError: the user may not do that, or the store keeps no users; or as ``migrate``.
    """
    database = connection.database or "default"
    try:
        for statement in role_statements(database):
            connection.command(statement, use_database=False)
        applied = migrate(connection)
        for account in accounts:
            for statement in account.statements(random_hex(16)):
                connection.command(statement, use_database=False)
    except StatementError as error:
        if error.code in {_ACCESS_STORAGE_READONLY, _NO_ACCESS_STORAGE, _ACCESS_DENIED}:
            raise StoreError(
                "roles and users can't be created: an embedded store has none, and on a server it takes a "
                "user with ACCESS MANAGEMENT, who holds what the roles hold WITH GRANT OPTION "
                f"(code {error.code})"
            ) from error
        raise
    return applied
