"""Users and roles as they are created; the engine in a process keeps none, so statements are only parsed."""

from __future__ import annotations

import hashlib
import re

import pytest

from driftline.errors import SettingError, StatementError, StoreError
from driftline.store import migrate
from driftline.store.migrate import load_migrations
from driftline.store.users import SERVICES, Account, migrate_with_users, read_accounts, role_statements
from tests.store.play import Play


class WithoutUsers:
    """A client of an engine that keeps no users: statements about them are parsed, and noted."""

    def __init__(self, client):
        self.client, self.noted = client, []

    def __getattr__(self, name):
        return getattr(self.client, name)

    def command(self, statement, **arguments):
        if not re.match(r"(CREATE|ALTER) (ROLE|USER)|GRANT", statement):
            return self.client.command(statement, **arguments)
        self.noted.append(statement)
        read = "SELECT formatQuery({text:String})"
        return self.client.command(read, parameters={"text": statement}, use_database=False)


@pytest.mark.parametrize("was_there", [False, True])
def test_users_are_created_with_the_tables_and_again_without_harm(tmp_path, was_there):
    """Also where the tables were created before, without users."""

    def twice(client):
        noting = WithoutUsers(client)
        if was_there:
            migrate(client)
        applied = [
            migrate_with_users(noting, [Account("lander", "p")], random_hex=lambda size: "ab" * size)
            for _ in range(2)
        ]
        return applied, noting.noted

    (first, second), noted = Play(tmp_path).as_owner(twice)
    shipped = [] if was_there else load_migrations()
    assert ([one.number for one in first], second) == ([one.number for one in shipped], [])
    assert noted[: len(noted) // 2] == noted[len(noted) // 2 :]
    assert noted[-1] == "GRANT driftline_lander TO driftline_lander_user"
    assert [f"CREATE ROLE IF NOT EXISTS driftline_{service}" in noted for service in SERVICES] == [True] * 7


def test_an_embedded_store_keeps_no_users(tmp_path):
    def with_users(client):
        return migrate_with_users(client, [], random_hex=lambda size: "ab" * size)

    with pytest.raises(StoreError, match="roles and users can't be created: an embedded store has none"):
        Play(tmp_path).as_owner(with_users)


def test_every_statement_about_roles_and_users_is_one_that_the_engine_reads(client):
    accounts = [
        statement
        for service in SERVICES
        for statement in Account(service, "it's \\ secret").statements("5a17")
    ]
    for statement in [*role_statements("driftline"), *accounts]:
        client.rows("SELECT formatQuery({text:String})", parameters={"text": statement})
    with pytest.raises(StatementError, match="SYNTAX_ERROR"):
        client.rows("SELECT formatQuery('GRANT SELECT ON driftline.predictions FOR driftline_reader')")


def test_a_password_is_sent_as_its_salted_hash():
    account = Account("reader", "correct horse")
    assert "correct horse" not in repr(account)
    created, changed, granted_role = account.statements("5a17")
    digest = hashlib.sha256(b"correct horse5a17").hexdigest()
    identified = f"driftline_reader_user IDENTIFIED WITH sha256_hash BY '{digest}' SALT '5a17'"
    assert created == f"CREATE USER IF NOT EXISTS {identified}"
    assert changed == f"ALTER USER {identified}"
    assert granted_role == "GRANT driftline_reader TO driftline_reader_user"


def test_users_are_those_whose_password_is_given(tmp_path):
    (tmp_path / "lander").write_text("one\n")
    environ = {
        "DRIFTLINE_LANDER_PASSWORD_FILE": str(tmp_path / "lander"),
        "DRIFTLINE_READER_PASSWORD": "two",
        "DRIFTLINE_WATCHER_PASSWORD": "",
    }
    assert read_accounts(environ) == [Account("lander", "one"), Account("reader", "two")]
    with pytest.raises(SettingError, match="DRIFTLINE_LANDER_PASSWORD_FILE=/nowhere can't be read"):
        read_accounts({"DRIFTLINE_LANDER_PASSWORD_FILE": "/nowhere"})
