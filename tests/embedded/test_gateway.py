"""An owner serves ClickHouse's HTTP interface: what any tool sends is answered as a server answers it."""

from __future__ import annotations

import gzip
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor

import clickhouse_connect
import httpx
import numpy as np
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from driftline.embedded.gateway import MAX_BODY_BYTES


@pytest.fixture(scope="module")
def owner(landing):
    landing.client.command("CREATE TABLE numbers (n UInt64, text String) ENGINE = MergeTree ORDER BY n")
    return json.loads(landing.place.owner_file.read_text())


@pytest.fixture
def http(owner):
    headers = {"X-ClickHouse-Key": owner["token"]}
    url = f"http://{owner['host']}:{owner['port']}"
    with httpx.Client(base_url=url, headers=headers, params={"database": "driftline"}) as opened:
        yield opened


@pytest.fixture
def remote(owner):
    client = clickhouse_connect.get_client(
        host=owner["host"],
        port=owner["port"],
        username=owner["user"],
        password=owner["token"],
        database="driftline",
        autogenerate_session_id=False,
    )
    yield client
    client.close()


@pytest.fixture(autouse=True)
def empty(landing, owner):
    del owner
    landing.client.command("TRUNCATE TABLE numbers")


def numbers(http):
    return http.post("/", content="SELECT n, text FROM numbers ORDER BY n FORMAT CSV").text


def test_a_query_stands_in_the_body_or_in_the_url(http):
    assert http.post("/", content="SELECT 1").text == "1\n"
    assert http.get("/", params={"query": "SELECT 2"}).text == "2\n"


def test_parameters_are_bound_and_not_pasted(http):
    params = {"query": "SELECT {text:String}, {n:UInt8} + 1", "param_text": "it's; DROP", "param_n": "7"}
    assert http.get("/", params=params).text == "it\\'s; DROP\t8\n"


def test_a_setting_holds_for_its_request_alone(http):
    asked = {"query": "SELECT getSetting('max_threads')"}
    before = http.get("/", params=asked).text
    assert http.get("/", params={**asked, "max_threads": "3"}).text == "3\n"
    assert http.get("/", params=asked).text == before


def test_data_is_inserted_from_the_body_with_the_query_in_the_url(http):
    query = {"query": "INSERT INTO numbers FORMAT CSV"}
    assert http.post("/", params=query, content='1,"a"\n2,"b"\n').status_code == 200
    assert numbers(http) == '1,"a"\n2,"b"\n'


def test_data_is_inserted_behind_the_query_in_the_body(http):
    rows = 'INSERT INTO numbers (n, text)\nFORMAT JSONEachRow\n{"n": 3, "text": "c"}\n'
    assert http.post("/", content=rows).status_code == 200
    assert http.post("/", content="INSERT INTO numbers VALUES (4, 'd')").status_code == 200
    assert numbers(http) == '3,"c"\n4,"d"\n'


def test_values_that_look_like_a_format_are_values(http):
    answer = http.post("/", content="INSERT INTO numbers VALUES (5, 'x FORMAT CSV\n')")
    assert answer.status_code == 200, answer.text
    assert numbers(http) == '5,"x FORMAT CSV\n"\n'


def test_what_one_query_inserts_from_another_is_inserted(http):
    query = "INSERT INTO numbers SELECT number, 'n' FROM system.numbers LIMIT 2 FORMAT Null\n"
    assert http.post("/", content=query).status_code == 200
    assert numbers(http) == '0,"n"\n1,"n"\n'


def test_a_compressed_body_is_read(http):
    query = {"query": "INSERT INTO numbers FORMAT CSV"}
    body = gzip.compress(b'6,"z"\n')
    answer = http.post("/", params=query, content=body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 200, answer.text
    assert numbers(http) == '6,"z"\n'


def test_an_error_has_its_code_in_header_and_text(http):
    answer = http.post("/", content="SELECT nothing FROM nowhere")
    assert answer.status_code == 500
    assert answer.headers["X-ClickHouse-Exception-Code"] == "60"
    assert answer.text.startswith("Code: 60")
    answer = http.get("/", params={"query": "SELECT 1", "no such; setting": "1"})
    assert answer.headers["X-ClickHouse-Exception-Code"] == "115"


def test_without_the_token_nothing_is_answered(owner, http):
    for headers in ({}, {"X-ClickHouse-Key": "x"}, {"Authorization": "Basic ===="}):
        answer = httpx.get(http.base_url, params={"query": "SELECT 1"}, headers=headers)
        assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
    assert httpx.get(http.base_url, params={"query": "SELECT 1"}, auth=("x", owner["token"])).text == "1\n"
    assert httpx.get(f"{http.base_url}/ping").text == "Ok.\n"


def test_the_usual_client_reads_and_writes_its_native_format(remote):
    rows = [(number, f"text {number}") for number in range(10_000)]
    remote.insert("numbers", rows, column_names=["n", "text"])
    result = remote.query(
        "SELECT n, text FROM numbers WHERE n >= {least:UInt64} ORDER BY n", parameters={"least": 0}
    )
    assert result.result_rows == rows
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        remote.query("SELECT * FROM nowhere")


def test_parameters_that_are_too_long_for_an_address_are_taken_from_a_form(remote):
    texts = [f"it's \\ {number}\nand \u00e6" for number in range(5000)]
    asked = "SELECT length({texts:Array(String)}), {texts:Array(String)}[5000], {n:UInt8}"
    (row,) = remote.query(asked, parameters={"texts": texts, "n": 7}).result_rows
    assert row == (5000, texts[-1], 7)


def test_requests_at_once_are_answered_each_with_its_own(http, owner):
    del owner

    def ask(number):
        return http.get("/", params={"query": "SELECT {n:UInt64}, sleep(0.05)", "param_n": str(number)}).text

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(40)))
    assert answers == [f"{number}\t0\n" for number in range(40)]
    assert np.unique(answers).size == 40


@pytest.mark.parametrize("packed", [True, False], ids=["compressed", "plain"])
def test_a_body_that_is_too_large_is_refused(http, packed):
    body = bytes(MAX_BODY_BYTES + 1)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    answer = http.post("/", content=gzip.compress(body, 1) if packed else body, headers=headers)
    assert answer.status_code == 413
    assert "more than 67,108,864 bytes" in answer.text


def test_a_name_that_is_not_this_hosts_is_refused_before_the_token_is_looked_at(http):
    answer = http.get("/", params={"query": "SELECT 1"}, headers={"Host": "rebound.example"})
    assert answer.status_code == 421


def test_what_is_inserted_lies_beside_the_store_and_is_gone_afterwards(http, landing):
    assert http.post("/", content="INSERT INTO numbers FORMAT CSV\n7,it's").status_code == 200
    assert list((landing.place.folder / "store" / "inserts").iterdir()) == []
    assert tempfile.gettempdir() == str(landing.place.folder / "store" / "inserts")
