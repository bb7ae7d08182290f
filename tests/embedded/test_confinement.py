"""Whoever has the token of an embedded store's owner reaches the store, and nothing else of its user."""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.parse import quote

import httpx
import pytest

from driftline.embedded.confinement import check_confined, check_sql, confine
from driftline.errors import SettingError, StoreError

SECRET = "what only the owner's user may read"


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    path = tmp_path_factory.mktemp("secret") / "secret.csv"
    path.write_text(SECRET)
    return path


@pytest.fixture(scope="module")
def owner(landing):
    return json.loads(landing.place.owner_file.read_text())


def ask(owner, sql, token="token"):
    headers = {"X-ClickHouse-Key": owner[token]}
    url = f"http://{owner['host']}:{owner['port']}/?database=driftline"
    return httpx.post(url, content=sql, headers=headers, timeout=60)


_KEYED, _LAID_OUT = "(a String) PRIMARY KEY a", "LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)"
READS = [
    "SELECT * FROM file('{path}', 'LineAsString')",
    "SELECT file('{path}')",
    "SELECT FILE/* a comment */ ('{path}')",
    "SELECT file -- a comment\n('{path}')",
    "SELECT `file`('{path}')",
    "SELECT \"fi\\x6ce\"('{path}')",
    "SELECT * APPLY(file) FROM (SELECT '{path}')",
    "SELECT * APPLY file FROM (SELECT '{path}')",
    "SELECT * FROM `default`.`{path}`",
    "INSERT INTO FUNCTION null('a String') SELECT * FROM file('{path}', 'LineAsString')",
    "INSERT INTO read_1 FROM INFILE '{path}' FORMAT LineAsString",
    "INSERT INTO read_1 SETTINGS max_threads = 1 FROM INFILE '{path}' FORMAT LineAsString\nx",
    "CREATE TABLE read_2 (a String) ENGINE = File(LineAsString, '{path}')",
    f"CREATE DICTIONARY read_3 {_KEYED} SOURCE(FILE(PATH '{{path}}' FORMAT 'CSV')) {_LAID_OUT}",
    f"CREATE DICTIONARY read_4 {_KEYED} SOURCE(EXECUTABLE(COMMAND 'cat {{path}}' FORMAT 'CSV')) {_LAID_OUT}",
    f"CREATE DICTIONARY read_5 {_KEYED} SOURCE(HTTP(URL 'file://{{path}}' FORMAT 'CSV')) {_LAID_OUT}",
    "SELECT * FROM url('file://{path}', 'LineAsString')",
    "SELECT * FROM sqlite('{path}', 't')",
    "SELECT * FROM filesystem('{path}')",
    "SELECT * FROM executable('cat {path}', 'LineAsString', 'a String')",
]
REACHES = [
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/x.csv', 'CSV', 'a String')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "CREATE TABLE reach_1 (a String) ENGINE = URL('http://127.0.0.1:1/', 'CSV')",
    "CREATE TABLE reach_2 (a String) ENGINE = S3('http://127.0.0.1:1/bucket/x.csv', 'CSV')",
    "CREATE TABLE reach_3 (a String) ENGINE = MySQL('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "CREATE USER another",
    "GRANT READ ON FILE TO default",
]


@pytest.mark.parametrize("sql", READS)
def test_no_file_is_read(owner, secret, sql):
    ask(owner, "CREATE TABLE IF NOT EXISTS read_1 (a String) ENGINE = MergeTree ORDER BY a")
    answer = ask(owner, sql.format(path=secret))
    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert ask(owner, "SELECT count() FROM read_1").text == "0\n"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO FUNCTION file('{path}', 'CSV', 'a UInt8') VALUES (1)",
        "SELECT 1 INTO OUTFILE '{path}'",
        "SELECT 1 INTO/**/outfile '{path}' FORMAT CSV",
        "BACKUP DATABASE driftline TO File('{path}')",
    ],
)
def test_no_file_is_written(owner, tmp_path, sql):
    path = tmp_path / "written"
    assert ask(owner, sql.format(path=path)).status_code == 500
    assert not path.exists()


@pytest.mark.parametrize("sql", REACHES)
def test_no_other_host_is_reached_and_no_right_given(owner, sql):
    answer = ask(owner, sql)
    assert answer.headers["X-ClickHouse-Exception-Code"] == "497", answer.text


def test_keywords_that_are_part_of_others_are_let_through():
    check_sql("SELECT profile(1), filed(2), my_http(3) FROM file_sizes WHERE `a\\`b` = 'x' AND (file)")


def test_who_may_only_read_changes_nothing(owner):
    assert ask(owner, "SELECT count() FROM predictions", "reader_token").text == "0\n"
    for sql in ("CREATE TABLE w (a UInt8) ENGINE = Null", "INSERT INTO sessions (session_id) VALUES ('a')"):
        assert ask(owner, sql, "reader_token").headers["X-ClickHouse-Exception-Code"] == "164"
    answer = ask(owner, "SET readonly = 0", "reader_token")
    assert answer.status_code == 500


def test_an_engine_that_does_not_heed_its_settings_is_not_used():
    class Heedless:
        @staticmethod
        def command(sql):
            assert sql == "CHECK GRANT READ ON FILE"
            return 1

    with pytest.raises(StoreError, match="may read any file"):
        check_confined(Heedless())


@pytest.mark.parametrize("name", ["what?", "R&D", "back\\slash"])
def test_a_folder_whose_name_the_engine_takes_for_settings_is_refused(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    with pytest.raises(SettingError, match="its engine takes no"):
        confine(folder)


@pytest.mark.parametrize(
    "name", ["a b", "h#h", "100%", "%41", "1+1", "a=b", "it's", 'say "so"', "<", "\u00fc"]
)
def test_in_a_folder_of_any_other_name_there_is_a_store_that_is_confined(tmp_path, name):
    """In a process of its own, since a process has one engine."""
    url = f"chdb://{quote(str(tmp_path / name))}"
    code = (
        "import sys; from driftline.embedded import open_store\n"
        "print(open_store(sys.argv[1]).connect().command('SELECT 1'))"
    )
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=False)
    assert done.stdout == "1\n", done.stderr
    assert (tmp_path / name / "engine").is_dir()


def test_queries_are_interpreted(landing):
    """Compiling them takes 30 ms each, after every start anew."""
    query = "SELECT DISTINCT value FROM system.settings WHERE name IN {names:Array(String)}"
    names = ["compile_expressions", "compile_aggregate_expressions", "compile_sort_description"]
    assert landing.client.rows(query, {"names": names}) == [("0",)]
