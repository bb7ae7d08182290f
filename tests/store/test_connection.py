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
def test_what_a_store_refuses_comes_with_its_number_and_message(way):
    error = DatabaseError("Code: 60. DB::Exception: no table t. (UNKNOWN_TABLE)", code=60)
    with pytest.raises(StatementError, match="UNKNOWN_TABLE") as refused:
        ways(Connection(Failing(error), "driftline"))[way]()
    assert (refused.value.code, refused.value.detail) == (60, str(error))


def test_a_refusal_that_quotes_all_that_was_asked_is_cut_short_and_known_in_full():
    error = DatabaseError(f"Code: 62. DB::Exception: failed at {'x' * 100_000} (SYNTAX_ERROR)", code=62)
    with pytest.raises(StatementError, match=r"failed at x+ \[\.\.\.\] x+ \(SYNTAX_ERROR\)$") as refused:
        Connection(Failing(error), "driftline").rows("SELECT 1")
    assert len(str(refused.value)) < 2_100
    assert refused.value.detail == str(error)


def test_an_answer_that_breaks_off_is_an_error_of_the_store():
    with pytest.raises(StatementError) as refused:
        Connection(BreakingOff(), "driftline").rows("SELECT 1")
    assert refused.value.code == 241


def test_whatever_else_the_client_raises_is_an_error_of_the_store():
    with pytest.raises(StoreError, match="no such type"):
        Connection(Failing(DatabaseError("no such type")), "driftline").rows("SELECT 1")


class Describing:
    """A client that notes how it is asked, and whose inserts fail as long as it is set to."""

    database = ""

    def __init__(self):
        self.asked, self.is_failing = [], False

    def create_insert_context(self, table, names):
        self.asked.append((table, *names))
        self.column_types = ["String"] * len(names)
        return self

    def insert(self, _table, _data, *, column_types, **_more):
        assert column_types == self.column_types
        if self.is_failing:
            raise DatabaseError("Code: 16. DB::Exception: no such column", code=16)


def test_a_table_is_described_once_for_all_inserts_of_the_same_columns():
    client = Describing()
    connection = Connection(client, "driftline")
    for _ in range(3):
        connection.insert("t", [["1"]], column_names=["a"])
    connection.insert("t", [["1", "2"]], column_names=["a", "b"])
    assert client.asked == [("t", "a"), ("t", "a", "b")]


def test_a_table_is_described_anew_once_it_refused_a_block():
    """It may have been altered meanwhile."""
    client = Describing()
    connection = Connection(client, "driftline")
    connection.insert("t", [["1"]], column_names=["a"])
    client.is_failing = True
    with pytest.raises(StatementError):
        connection.insert("t", [["1"]], column_names=["a"])
    client.is_failing = False
    connection.insert("t", [["1"]], column_names=["a"])
    assert client.asked == [("t", "a"), ("t", "a")]


def test_a_list_in_which_the_engine_would_find_nothing_is_refused(client):
    """It finds no value of a column with few different ones in more than 1 MiB, and says nothing."""
    numbers = "SELECT toString(number) AS text FROM numbers(3) WHERE text IN {among:Array(String)}"
    among = [f"{number:050}" for number in range(10_000)]
    assert client.rows(numbers, {"among": [*among, "1"]}) == [("1",)]
    with pytest.raises(StoreError, match="parameter among lists 20000 values"):
        client.rows(numbers, {"among": among * 2})
    with pytest.raises(StoreError, match="parameter among"):
        client.command(numbers, {"among": tuple(among * 2)})
