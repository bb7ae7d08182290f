"""Clients of a store whose owner may go at any moment."""

import pytest

from driftline.errors import StatementError, StoreAwayError
from driftline.store import ask, ready_connection
from driftline.store.connect import Store
from driftline.store.ready import act


class FlakyStore(Store):
    """Hands on another store's clients, after it failed to so many times."""

    def __init__(self, store, failures):
        self.store, self.failures, self.handed_out = store, failures, 0

    def connect(self, *, patient=False):
        if self.failures:
            self.failures -= 1
            raise StoreAwayError("the owner is gone")
        self.handed_out += 1
        return self.store.connect(patient=patient)

    def close(self):
        self.store.close()


def test_a_client_is_had_from_the_next_owner(landing):
    client = ready_connection(FlakyStore(landing.store, 2))
    assert client.rows("SELECT count() FROM predictions")
    client.close()


def test_a_question_is_asked_again_when_its_owner_goes_meanwhile(landing):
    flaky, asked = FlakyStore(landing.store, 0), []

    def question(client):
        asked.append(client)
        if len(asked) == 1:
            raise StoreAwayError("connection refused")
        return client.rows("SELECT 7")[0][0]

    assert ask(flaky, question) == 7
    assert flaky.handed_out == 2


def test_what_bears_repeating_is_done_again_without_asking_what_the_tables_are_like(landing):
    flaky, done = FlakyStore(landing.store, 1), []

    def action(client):
        done.append(client.rows("SELECT 1"))
        if len(done) == 1:
            raise StoreAwayError("connection refused")
        return len(done)

    assert act(flaky, action, patience_s=10.0) == 2
    with pytest.raises(StoreAwayError, match="connection refused"):
        act(flaky, lambda _: (_ for _ in ()).throw(StoreAwayError("connection refused")), patience_s=0.0)


def test_an_answer_of_the_store_is_not_asked_for_again(landing):
    """A query that is wrong stays wrong."""
    flaky = FlakyStore(landing.store, 0)
    with pytest.raises(StatementError, match="UNKNOWN_TABLE"):
        ask(flaky, lambda client: client.rows("SELECT * FROM nothing_of_that_name"))
    assert flaky.handed_out == 1


def test_patience_ends(landing):
    with pytest.raises(StoreAwayError, match="the owner is gone"):
        ready_connection(FlakyStore(landing.store, 1_000), patience_s=0.3)
