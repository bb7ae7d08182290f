"""Acting on the pages is switched on by who can say who acts, and as which user of the store."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from driftline.cli.acting import acting_of
from driftline.cli.app import driftline
from driftline.errors import SettingError

TOKEN = "0123456789abcdef"
SERVER = "clickhouse://driftline_reader_user:secret@db:8123/driftline"
EMBEDDED = "chdb:///nowhere"


@pytest.fixture
def tokens(tmp_path, monkeypatch):
    """Return what writes the file of tokens, and names it."""

    def write(text):
        file = tmp_path / "tokens"
        file.write_text(text)
        monkeypatch.setenv("DRIFTLINE_ACTING_TOKENS_FILE", str(file))

    return write


def test_nobody_acts_unless_it_is_allowed(tokens):
    tokens(f"ada {TOKEN}\n")
    assert acting_of(allowed=False, store_url=SERVER, user_header="X-User") is None


@pytest.mark.parametrize("command", ["up", "serve"])
def test_without_anything_that_says_who_acts_the_pages_do_not_start(tmp_path, command):
    environment = {
        "DRIFTLINE_LOG": (tmp_path / "log").as_uri(),
        "DRIFTLINE_STORE": f"chdb://{tmp_path}/store",
        "DRIFTLINE_ALLOW_ACTING": "1",
    }
    done = CliRunner().invoke(driftline, [command, "--port", "0"], env=environment)
    assert done.exit_code == 1
    assert "--user-header" in done.output
    assert "DRIFTLINE_ACTING_TOKENS_FILE" in done.output
    assert not (tmp_path / "store").exists()


def test_each_line_of_the_file_is_a_name_and_a_token(tokens):
    tokens(f"Ada Lovelace {TOKEN}\n\nbob   {TOKEN[::-1]}\n")
    acting = acting_of(allowed=True, store_url=EMBEDDED, user_header="")
    assert acting.tokens == {"Ada Lovelace": TOKEN, "bob": TOKEN[::-1]}
    assert acting.store is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TOKEN, "line 1: there stand a name and a token"),
        (f"ada {TOKEN}\nbob short", "line 2: a token of less than 16"),
        (f"ada {TOKEN}\nada {TOKEN[::-1]}", "line 2: this name or token stands there twice"),
        (f"ada {TOKEN}\nbob {TOKEN}", "line 2: this name or token stands there twice"),
    ],
)
def test_a_wrong_line_is_named_without_its_token(tokens, text, message):
    tokens(text)
    with pytest.raises(SettingError, match=message) as raised:
        acting_of(allowed=True, store_url=EMBEDDED, user_header="")
    assert TOKEN not in str(raised.value)


def test_a_key_that_can_be_guessed_is_refused(monkeypatch):
    monkeypatch.setenv("DRIFTLINE_ACTING_KEY", "short")
    with pytest.raises(SettingError, match="can be guessed"):
        acting_of(allowed=True, store_url=EMBEDDED, user_header="X-User")


def test_each_process_has_a_key_of_its_own_unless_one_is_given(monkeypatch):
    def key():
        return acting_of(allowed=True, store_url=EMBEDDED, user_header="X-User").key

    assert key() != key()
    monkeypatch.setenv("DRIFTLINE_ACTING_KEY", TOKEN)
    assert key() == key() == TOKEN.encode()


def test_a_server_is_written_to_as_a_user_of_its_own(monkeypatch):
    with pytest.raises(SettingError, match="driftline_responder_user"):
        acting_of(allowed=True, store_url=SERVER, user_header="X-User")
    monkeypatch.setenv("DRIFTLINE_ACTING_STORE_USER", "driftline_responder_user")
    monkeypatch.setenv("DRIFTLINE_ACTING_STORE_PASSWORD", "of the responder")
    asked = f"{SERVER}?access_token=of-the-reader"
    url = acting_of(allowed=True, store_url=asked, user_header="X-User").store.url
    assert (url.user, url.password) == ("driftline_responder_user", "of the responder")
    assert (url.host, url.port, url.database, url.options) == ("db", 8123, "driftline", ())
