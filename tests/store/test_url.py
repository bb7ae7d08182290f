"""What a store's URL and the environment mean; no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.errors import SettingError
from driftline.store.url import (
    EmbeddedUrl,
    ServerUrl,
    embedded_url,
    has_secret,
    parse_store_url,
    without_secrets,
)


def parse(url, **environ):
    return parse_store_url(url, environ)


def test_an_embedded_store_is_a_folder():
    assert parse("chdb:///var/lib/drift%20line") == EmbeddedUrl(Path("/var/lib/drift line"))


@pytest.mark.parametrize("name", ["drift line", "Größe", "50%25", "a#b", "a&b=c", "日本"])
def test_a_folder_with_any_name_is_what_its_url_says(name):
    folder = Path("/var/lib") / name / "store"
    assert parse(embedded_url(folder)) == EmbeddedUrl(folder)


def test_a_server_is_named_with_user_password_and_database():
    url = parse("clickhouses://me:p%40ss@db.example:9999/models")
    assert url == ServerUrl("db.example", 9999, "me", "p@ss", "models", secure=True)


@pytest.mark.parametrize(("url", "port"), [("clickhouse://db", 8123), ("clickhouses://db", 8443)])
def test_what_a_server_url_leaves_out_has_defaults(url, port):
    parsed = parse(url)
    assert (parsed.port, parsed.user, parsed.password, parsed.database) == (port, "default", "", "driftline")


def test_what_the_client_knows_is_an_option_and_the_rest_is_a_setting_of_the_server(tmp_path):
    authority = tmp_path / "ca.pem"
    authority.touch()
    url = parse(
        f"clickhouses://db?verify=False&ca_cert={authority}&connect_timeout=3&insert_quorum=2&compress=lz4"
        "&http_proxy=http://proxy:3128&server_host_name=db.internal"
    )
    assert dict(url.options) == {
        "verify": False,
        "ca_cert": str(authority),
        "connect_timeout": "3",
        "compress": "lz4",
        "http_proxy": "http://proxy:3128",
        "server_host_name": "db.internal",
    }
    assert url.settings == (("insert_quorum", "2"),)


def test_a_user_and_password_that_the_url_leaves_out_come_from_the_environment(tmp_path):
    (tmp_path / "password").write_text("from file\n")
    in_file = {"DRIFTLINE_STORE_USER": "lander", "DRIFTLINE_STORE_PASSWORD_FILE": str(tmp_path / "password")}
    from_file = parse("clickhouse://db", **in_file)
    assert (from_file.user, from_file.password) == ("lander", "from file")
    assert parse("clickhouse://me@db", DRIFTLINE_STORE_PASSWORD="p").password == "p"
    named = parse("clickhouse://me:own@db", **in_file)
    assert (named.user, named.password) == ("me", "own")


def test_a_token_stands_for_user_and_password():
    url = parse("clickhouses://db?access_token=abc", DRIFTLINE_STORE_PASSWORD="p")
    assert (url.user, url.password, dict(url.options)) == ("", "", {"access_token": "abc"})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DRIFTLINE_STORE_PASSWORD_FILE": "/nowhere"}, "PASSWORD_FILE=/nowhere can't be read: No such file"),
        ({"DRIFTLINE_STORE_PASSWORD_FILE": "/dev/null"}, "PASSWORD_FILE=/dev/null is empty"),
        ({"DRIFTLINE_STORE_PASSWORD_FILE": "/x", "DRIFTLINE_STORE_PASSWORD": "s3cret"}, "are both set"),
    ],
)
def test_a_password_that_can_not_be_had_is_reported(environ, message):
    with pytest.raises(SettingError, match=message) as refused:
        parse("clickhouse://db", **environ)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "is not known"),
        ("chdb://folder", "absolute/folder"),
        ("chdb:///", "absolute/folder"),
        ("chdb:relative", "absolute/folder"),
        ("chdb:///folder?max_threads=2", "absolute/folder"),
        ("chdb:///folder#1", "absolute/folder"),
        ("chdb:///folder%3F", r"in /folder\?: its engine takes no \?"),
        ("clickhouse://", "names no host"),
        ("clickhouse://db:port/x", "port is no number"),
        ("clickhouse://[db/x", "store URL is none"),
        ("clickhouse://db/one/two", "letters, digits and _"),
        ("clickhouse://db/one;DROP", "letters, digits and _"),
        ("clickhouse://db?user=me", "user is no option"),
        ("clickhouse://db?password=s3cret", "password is no option"),
        ("clickhouse://db?verify=false", "over TLS only"),
        ("clickhouses://db?ca_cert=/nowhere.pem", "ca_cert=/nowhere.pem can't be read: No such file"),
        ("clickhouse://db?a-b=1", "option=value"),
        ("postgres://db/x", "is not known"),
    ],
)
def test_what_is_no_store_is_refused_with_what_is_wrong(url, message):
    with pytest.raises(SettingError, match=message) as refused:
        parse(url)
    assert "s3cret" not in str(refused.value)


SECRETS = [
    "clickhouse://me:s3cret@db:port",
    "clickhouse://me:s3cret/s3cret@db/x",
    "clickhouse://me:s3cret#s3cret@db/x",
    "clickhouse://me:s3cret?s3cret@db/x",
    "clickhouse://me:1/s3cret@db/x",
    "clickhouse://me:1#s3cret@db/x",
    "clickhouse://me:1?s3cret@db/x",
    "clickhouse://me:[s3cret@db",
    "chdb://me:s3cret@folder",
    "postgres://me:s3cret@db",
]


@pytest.mark.parametrize("url", SECRETS)
def test_a_url_that_is_wrong_is_refused_without_its_password(url):
    with pytest.raises(SettingError) as refused:
        parse(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *SECRETS,
        "clickhouse://me:p@db",
        "clickhouses://db?access_token=t",
        "clickhouse://db?http_proxy=a:b@c:1",
    ],
)
def test_a_url_with_a_secret_is_known_as_one(url):
    assert has_secret(url)


@pytest.mark.parametrize("url", ["clickhouse://me@db:8123/x?insert_quorum=2", "chdb:///folder"])
def test_a_url_without_a_secret_is_known_as_one(url):
    assert not has_secret(url)


def test_what_may_be_a_secret_stays_out_of_what_is_shown():
    url = parse("clickhouses://me:s3cret@db/x?access_token=s3cret&http_proxy=http://a:s3cret@p&custom=s3cret")
    assert "s3cret" not in repr(url)
    assert "s3cret" not in repr(parse("clickhouses://me:s3cret@db/x"))
    assert without_secrets("clickhouses://me:s3cret@db:1/x?access_token=s3cret") == "clickhouses://db:1/x"


PATHS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=40
).map(lambda text: Path("/data") / text.strip("/"))


@given(PATHS)
def test_a_folder_of_any_name_is_what_its_url_says_or_is_refused_by_its_name(folder):
    url = embedded_url(folder)
    if "?" in str(folder):
        with pytest.raises(SettingError, match="name another folder with --store"):
            parse(url)
    else:
        assert parse(url) == EmbeddedUrl(folder)


@given(st.one_of(st.text(), st.text().map("chdb:///".__add__), st.text().map("clickhouse://".__add__)))
def test_whatever_is_given_as_an_address_is_one_or_is_refused(text):
    try:
        parsed = parse(text)
    except SettingError:
        return
    assert isinstance(parsed, EmbeddedUrl | ServerUrl)


def test_a_plain_folder_is_refused_with_the_url_that_it_would_be():
    with pytest.raises(SettingError, match=r"write chdb:///data/my%20store"):
        parse("/data/my store")
