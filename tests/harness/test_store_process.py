"""The store as a process stands for a ClickHouse server, and fails exactly as requested."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from driftline.embedded import open_store
from driftline.errors import StatementError, StoreAwayError, StoreError
from driftline.store import migrate
from tests.support.process import is_listening
from tests.support.store_process import PREDICTIONS, READ_ONLY, StoreProcess


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    process = StoreProcess(tmp_path_factory.mktemp("store"), password="a/b@c: d")
    process.start()
    yield process
    process.kill()


@pytest.fixture(autouse=True)
def table(store):
    with closing(client_of(store)) as client:
        client.command("CREATE DATABASE IF NOT EXISTS driftline", use_database=False)
        client.command("CREATE OR REPLACE TABLE texts (text String) ENGINE = MergeTree ORDER BY text")
    yield
    assert store.failures_to_come == 0


def client_of(store):
    with open_store(store.url) as opened:
        return opened.connect()


def put(store, text):
    with closing(client_of(store)) as client:
        client.insert("texts", [[text]], column_names=["text"])


def texts(store):
    with closing(client_of(store)) as client:
        return [text for (text,) in client.rows("SELECT text FROM texts ORDER BY text")]


def test_driftline_finds_its_tables_there(store):
    with closing(client_of(store)) as client:
        migrate(client)
        assert client.rows("SELECT count() FROM predictions") == [(0,)]


@pytest.mark.parametrize("end", [StoreProcess.stop, StoreProcess.kill])
def test_it_comes_back_where_it_was_with_what_it_had(store, end):
    put(store, "before")
    url = store.url
    end(store)
    assert not is_listening(store.port)
    with pytest.raises(StoreError):
        texts(store)
    store.start()
    assert store.url == url
    assert texts(store) == ["before"]


def test_paused_it_answers_nothing_and_resumed_it_goes_on(store):
    store.pause()
    try:
        with (
            pytest.raises(StoreError),
            open_store(f"{store.url}?connect_timeout=1&send_receive_timeout=1") as it,
        ):
            it.connect()
    finally:
        store.resume()
    assert texts(store) == []


def test_before_it_does_nothing_and_refuses_with_a_code(store):
    store.fail_next(1, "before")
    with pytest.raises(StatementError) as refused:
        put(store, "a")
    assert refused.value.code == READ_ONLY
    assert texts(store) == []
    put(store, "b")
    assert texts(store) == ["b"]


def test_after_it_did_what_it_was_asked_it_does_not_say_so(store):
    store.fail_next(2, "after")
    with pytest.raises(StoreAwayError):
        put(store, "a")
    assert texts(store) == ["a", "a"]  # The driver repeated it, unseen, and there was no token to know it by.


def test_it_dies_in_the_midst_of_an_insert(store):
    store.fail_next(1, "die", after_ms=200.0)
    began_s = time.monotonic()
    with closing(client_of(store)) as client, pytest.raises(StoreError):
        client.command("INSERT INTO texts SELECT toString(sleep(3))")
    assert time.monotonic() - began_s > 0.2
    store.wait_until_gone(timeout_s=60.0)
    store.start()
    assert texts(store) == []


def test_what_does_not_match_does_not_fail(store):
    store.fail_next(1, "before", matching=PREDICTIONS)
    put(store, "a")
    assert texts(store) == ["a"]
    with closing(client_of(store)) as client, pytest.raises(StatementError, match="as ordered"):
        client.command("INSERT INTO driftline.prediction_inbox (model_name) VALUES ('a')")


def test_an_order_can_be_taken_back(store):
    store.fail_next(3, "before")
    assert store.failures_to_come == 3
    store.forget_failures()
    put(store, "a")
    assert texts(store) == ["a"]
