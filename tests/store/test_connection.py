"""Whatever goes wrong between us and a store is a StoreError, and says what it is."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError, StreamFailureError

from driftline.errors import StatementError, StoreAwayError, StoreError
from driftline.store import Connection


class Failing:
    """A client of which every call fails."""

    database = ""

    def __init__(self, error):
        self._error = error

    def __getattr__(self, _name):
        def fail(*_given, **_more):
            raise self._error

        return fail


class BreakingOff:
    """A client whose answers break off while they are read."""

    database = ""

    def query(self, *_given, **_more):
        return self

    @property
    def result_rows(self):
        raise StreamFailureError("Code: 241. DB::Exception: memory limit exceeded", code=241)


def ways(connection):
    """Return every way to ask."""
    return [
        lambda: connection.rows("SELECT 1"),
        lambda: connection.named_rows("SELECT 1"),
        lambda: connection.command("SELECT 1"),
        lambda: connection.insert("t", [[1]], column_names=["a"]),
        lambda: connection.insert_avro("t", ["a"], b"Obj", settings={}),
    ]


@pytest.mark.parametrize("way", range(5))
@pytest.mark.parametrize(
    "error", [OperationalError("no route"), ConnectionResetError("reset"), OSError("broken")]
)
def test_a_store_that_does_not_answer_is_away_however_it_is_asked(error, way):
    with pytest.raises(StoreAwayError, match=f"does not answer: {error}"):
        ways(Connection(Failing(error), "driftline"))[way]()


@pytest.mark.parametrize("way", range(5))
def test_what_a_store_refuses_comes_with_its_number_and_what_was_said(way):
    error = DatabaseError("Code: 60. DB::Exception: no table t. (UNKNOWN_TABLE)", code=60)
    with pytest.raises(StatementError, match="UNKNOWN_TABLE") as refused:
        ways(Connection(Failing(error), "driftline"))[way]()
    assert (refused.value.code, refused.value.detail) == (60, str(error))


def test_an_answer_that_breaks_off_is_an_error_of_the_store():
    with pytest.raises(StatementError) as refused:
        Connection(BreakingOff(), "driftline").rows("SELECT 1")
    assert refused.value.code == 241


def test_whatever_else_the_client_raises_is_an_error_of_the_store():
    with pytest.raises(StoreError, match="no such type"):
        Connection(Failing(DatabaseError("no such type")), "driftline").rows("SELECT 1")
