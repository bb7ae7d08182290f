"""What a store's URL means."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.errors import SettingError
from driftline.store.url import EmbeddedUrl, ServerUrl, parse_store_url


def test_an_embedded_store_is_a_folder():
    assert parse_store_url("chdb:///var/lib/drift%20line") == EmbeddedUrl(Path("/var/lib/drift line"))


def test_a_server_is_named_with_user_password_database_and_settings():
    url = parse_store_url("clickhouses://me:p%40ss@db.example:9999/models?max_threads=2")
    assert url == ServerUrl(
        "db.example", 9999, "me", "p@ss", "models", secure=True, settings=(("max_threads", "2"),)
    )
    assert "p@ss" not in repr(url)


@pytest.mark.parametrize(("url", "port"), [("clickhouse://db", 8123), ("clickhouses://db", 8443)])
def test_what_a_server_url_leaves_out_has_defaults(url, port):
    parsed = parse_store_url(url)
    assert (parsed.port, parsed.user, parsed.password, parsed.database) == (port, "default", "", "driftline")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "chdb://folder",
        "chdb:///",
        "chdb:relative",
        "clickhouse://",
        "clickhouse://db:port/x",
        "postgres://db/x",
    ],
)
def test_what_is_no_store_is_refused_without_telling_a_password(url):
    with pytest.raises(SettingError):
        parse_store_url(url)
    with pytest.raises(SettingError) as refused:
        parse_store_url("clickhouse://me:secret@db:port")
    assert "secret" not in str(refused.value)
