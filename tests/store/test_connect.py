"""How a server is reached, over TLS too, and what is reported when it is not; never with a secret."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
import traceback
from contextlib import closing

import pytest

from driftline.embedded import open_store
from driftline.embedded.stores import FollowingStore
from driftline.errors import SettingError, StoreAwayError, StoreError
from tests.store.tls_front import TlsFront
from tests.support.certificates import make_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Certificates of another authority."""
    return make_certificates(tmp_path_factory.mktemp("others"))


@pytest.fixture
def owner(landing):
    return json.loads(landing.place.owner_file.read_text())


@pytest.fixture
def front(owner, certificates):
    with TlsFront(owner["port"], certificates) as opened:
        yield opened


@pytest.fixture
def ask(owner, caplog):
    """Ask the store at a URL for the number of its migrations; the environment has its password."""
    caplog.set_level(logging.DEBUG)

    def asked(url, password=owner["token"]):
        with open_store(url, environ={"DRIFTLINE_STORE_PASSWORD": password}) as store:
            assert password not in repr(store)
            try:
                with closing(store.connect()) as client:
                    return client.command("SELECT count() FROM schema_migrations")
            finally:
                message = "".join(traceback.format_exception(sys.exception()))
                assert password not in message + caplog.text

    return asked


def test_a_store_behind_tls_is_reached_by_whoever_trusts_its_authority(ask, front, certificates):
    assert ask(f"clickhouses://127.0.0.1:{front.port}/driftline?ca_cert={certificates.authority}") > 0


@pytest.mark.parametrize("trusted", ["of the system", "another"])
def test_a_certificate_of_an_unknown_authority_is_reported(ask, front, others, trusted):
    options = f"?ca_cert={others.authority}" if trusted == "another" else ""
    with pytest.raises(
        StoreError, match=rf"127.0.0.1:{front.port} shows a certificate.*not to be trusted.*ca_cert="
    ):
        ask(f"clickhouses://127.0.0.1:{front.port}/driftline{options}")


def test_a_certificate_of_another_host_is_reported_and_its_name_can_be_given(ask, front, certificates):
    base = f"clickhouses://127.0.0.1:{front.port}/driftline?ca_cert={certificates.authority}"
    with pytest.raises(StoreError, match=r"not to be trusted: .*db.internal.*server_host_name"):
        ask(f"{base}&server_host_name=db.internal")
    assert ask(f"{base}&server_host_name=localhost") > 0


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verifying_can_be_left_out(ask, front):
    assert ask(f"clickhouses://127.0.0.1:{front.port}/driftline?verify=false") > 0


def test_a_client_shows_its_certificate(ask, owner, certificates):
    with TlsFront(owner["port"], certificates, asks_client=True) as front:
        base = f"clickhouses://127.0.0.1:{front.port}/driftline?ca_cert={certificates.authority}"
        shown = (
            f"&client_cert={certificates.client}&client_cert_key={certificates.client_key}&tls_mode=strict"
        )
        assert ask(base + shown) > 0
        with pytest.raises(StoreError):
            ask(base)


def test_tls_to_a_port_without_it_is_reported(ask, owner):
    with pytest.raises(StoreError, match="don't agree on TLS"):
        ask(f"clickhouses://127.0.0.1:{owner['port']}/driftline?verify=false")


def test_a_setting_of_the_url_holds_for_each_query(owner):
    url = f"clickhouse://127.0.0.1:{owner['port']}/driftline?max_threads=3"
    store = open_store(url, environ={"DRIFTLINE_STORE_PASSWORD": owner["token"]})
    with closing(store.connect()) as client:
        assert client.command("SELECT getSetting('max_threads')") == 3


def test_a_wrong_password_is_reported_with_the_user_and_where_both_come_from(ask, owner):
    message = rf":{owner['port']} refuses user 'me'.*DRIFTLINE_STORE_USER and DRIFTLINE_STORE_PASSWORD_FILE"
    with pytest.raises(StoreError, match=message):
        ask(f"clickhouse://me@127.0.0.1:{owner['port']}/driftline", "wrong-password")
    with pytest.raises(StoreError, match=message) as refused:
        ask(f"clickhouse://me:another-wrong-one@127.0.0.1:{owner['port']}/driftline")
    assert "another-wrong-one" not in str(refused.value)


def test_a_server_that_does_not_answer_is_reported_without_its_proxys_password(ask):
    with pytest.raises(StoreAwayError, match=r"127.0.0.1:1 does not answer"):
        ask("clickhouse://me@127.0.0.1:1/driftline?query_retries=0")
    with pytest.raises(StoreAwayError) as refused:
        ask("clickhouse://me@127.0.0.1:1/driftline?http_proxy=http://me:s3cret@127.0.0.1:2")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("option", ["connect_timeout=soon", "compress=middle-out", "native_codec=cobol"])
def test_an_option_that_means_nothing_is_a_wrong_setting(ask, owner, option):
    with pytest.raises(SettingError, match=f"127.0.0.1:{owner['port']} can't be asked with these options"):
        ask(f"clickhouse://127.0.0.1:{owner['port']}/driftline?{option}")


def test_an_owners_token_goes_through_no_proxy(landing, owner, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    asked = open_store(f"clickhouse://127.0.0.1:{owner['port']}", environ={})
    with pytest.raises(StoreAwayError):  # That is what the variable does to others.
        asked.connect()
    following = open_store(landing.place.store_url)
    assert isinstance(following, FollowingStore)
    following.connect().close()
    assert not following.is_owned


def test_an_embedded_engine_deletes_while_it_merges(landing):
    """A deletion that finds all threads merging would look again a second later, and so would the next."""
    tables = [f"merged_{number}" for number in range(6)]
    for table in tables:
        landing.client.command(
            f"CREATE TABLE {table} (a Int64) ENGINE MergeTree PARTITION BY a % 3 ORDER BY a"
        )
    took_s = []
    for round_ in range(3):
        for table in tables * 4:
            landing.client.command(f"INSERT INTO {table} SELECT number FROM numbers(50)")
        began = time.perf_counter()
        for table in tables:
            landing.client.command(f"DELETE FROM {table} WHERE a % 10 = {round_}")
        took_s.append(time.perf_counter() - began)
    assert min(took_s) < 2


def test_settings_of_the_engine_that_lie_in_the_working_folder_are_refused(tmp_path, monkeypatch):
    """The engine reads them when it is loaded: whoever writes to that folder would rule it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.xml").write_text("<clickhouse/>")
    with pytest.raises(
        StoreError, match=rf"{tmp_path}/config.xml for its own settings; start driftline in another"
    ):
        open_store(f"chdb://{tmp_path / 'store'}")


def test_the_engine_reads_settings_in_the_working_folder(tmp_path):
    """Should this fail, the engine no longer does, and the refusal can go."""
    settings = "<clickhouse><max_server_memory_usage>1</max_server_memory_usage></clickhouse>"
    (tmp_path / "config.xml").write_text(settings)
    loaded = subprocess.run(
        [sys.executable, "-c", "import chdb"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "MEMORY_LIMIT_EXCEEDED" in loaded.stderr
