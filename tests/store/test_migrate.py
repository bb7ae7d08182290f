"""Migrations are applied once, in order, and never edited afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from driftline.errors import StoreError
from driftline.store import migrate
from driftline.store.migrate import Migration, load_migrations


def test_migrating_again_changes_nothing(client):
    before = client.query("SELECT number, name, checksum FROM schema_migrations ORDER BY number").result_rows
    assert migrate(client) == []
    after = client.query("SELECT number, name, checksum FROM schema_migrations ORDER BY number").result_rows
    assert before == after
    assert [row[0] for row in after] == [migration.number for migration in load_migrations()]


def test_an_edited_migration_is_refused_by_name(client):
    shipped = load_migrations()
    edited = [replace(shipped[0], text=shipped[0].text + "-- one more word\n"), *shipped[1:]]
    with pytest.raises(StoreError, match=r"0001_predictions was edited"):
        migrate(client, edited)


def test_statements_are_split_at_line_ends_and_comments_left_out():
    text = "-- about;\nCREATE TABLE a (x String DEFAULT ';')\nENGINE = Null;\n\nCREATE TABLE b\n(y UInt8);\n"
    statements = Migration(1, "m", text).statements("base")
    assert statements == ["CREATE TABLE a (x String DEFAULT ';')\nENGINE = Null", "CREATE TABLE b\n(y UInt8)"]


def test_a_migration_that_failed_half_way_is_repeated_as_a_whole(client):
    text = "CREATE TABLE half (x UInt8) ENGINE = Memory;\nCREATE TABLE other (x {kind}) ENGINE = Memory;\n"
    with pytest.raises(ClickHouseError):
        migrate(client, [Migration(9001, "half", text.format(kind="Nonsense"))])
    mended = Migration(9001, "half", text.format(kind="UInt8"))
    assert migrate(client, [mended]) == [mended]
    assert migrate(client, [mended]) == []
