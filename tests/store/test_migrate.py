"""Migrations are applied once, in order, and never edited afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driftline.errors import StoreError
from driftline.store import migrate
from driftline.store.migrate import Migration, load_migrations


def test_migrating_again_changes_nothing(client):
    before = client.rows("SELECT number, name, checksum FROM schema_migrations ORDER BY number")
    assert migrate(client) == []
    after = client.rows("SELECT number, name, checksum FROM schema_migrations ORDER BY number")
    assert before == after
    assert [row[0] for row in after] == [migration.number for migration in load_migrations()]


class Asked:
    """A client that notes what it is asked to do."""

    def __init__(self, client):
        self.client, self.sent = client, []

    def __getattr__(self, name):
        if name in {"command", "insert"}:
            self.sent.append(name)
        return getattr(self.client, name)


def test_a_store_that_is_up_to_date_is_only_read(client):
    """So that a service needs no right to create anything."""
    asked = Asked(client)
    migrate(asked)
    assert asked.sent == []
    migrate(
        asked,
        [*load_migrations(), Migration(9000, "one_more", "CREATE TABLE more (x UInt8) ENGINE = Null;\n")],
    )
    assert asked.sent == ["command", "insert"]
    client.command("DELETE FROM schema_migrations WHERE number = 9000")


def test_tables_that_are_newer_than_the_program_are_reported(client):
    known = load_migrations()
    with pytest.raises(
        StoreError, match=rf"are at {known[-1].number:04d}_{known[-1].name}, it knows 0002; update"
    ):
        migrate(client, known[:2])


def test_an_edited_migration_is_refused_by_name(client):
    shipped = load_migrations()
    edited = [replace(shipped[0], text=shipped[0].text + "-- one more comment\n"), *shipped[1:]]
    with pytest.raises(StoreError, match=r"0001_predictions was edited"):
        migrate(client, edited)


def test_statements_are_split_at_line_ends_and_comments_left_out():
    text = "-- about;\nCREATE TABLE a (x String DEFAULT ';')\nENGINE = Null;\n\nCREATE TABLE b\n(y UInt8);\n"
    statements = Migration(1, "m", text).statements()
    assert statements == ["CREATE TABLE a (x String DEFAULT ';')\nENGINE = Null", "CREATE TABLE b\n(y UInt8)"]


def test_a_migration_that_failed_half_way_is_repeated_as_a_whole(client):
    known = load_migrations()
    text = "CREATE TABLE half (x UInt8) ENGINE = Memory;\nCREATE TABLE other (x {kind}) ENGINE = Memory;\n"
    with pytest.raises(StoreError):
        migrate(client, [*known, Migration(9001, "half", text.format(kind="Nonsense"))])
    mended = Migration(9001, "half", text.format(kind="UInt8"))
    assert migrate(client, [*known, mended]) == [mended]
    assert migrate(client, [*known, mended]) == []
