"""``driftline report`` writes a file, or says why it can't."""

from __future__ import annotations

from contextlib import closing

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.embedded import open_store
from driftline.store import ready_connection
from driftline.store.incidents import write_incidents
from tests.web.conftest import END, SINCE, judge_hours, page, stored_incident, write_given


@pytest.fixture(scope="module")
def store_url(tmp_path_factory):
    url = f"chdb://{tmp_path_factory.mktemp('report')}/store"
    with open_store(url) as store, closing(ready_connection(store)) as client:
        moved = page("temp", END, SINCE)
        write_given(client, [moved])
        judge_hours(client, "flight-delay")
        write_incidents(client, [stored_incident("aa11", [moved])])
    return url


def run(store_url, *arguments):
    return CliRunner().invoke(driftline, ["report", *arguments], env={"DRIFTLINE_STORE": store_url})


def test_writes_a_file_and_says_how_large_it_is(store_url, tmp_path):
    file = tmp_path / "report.html"
    done = run(store_url, "-o", str(file), "--days", "7", "--url", "https://driftline.example/")
    assert done.exit_code == 0, done.output
    assert done.output == f"{file}: {len(file.read_text(encoding='utf-8')) / 1024:,.0f} KB\n"
    text = file.read_text(encoding="utf-8")
    assert "driftline ack aa11" in text
    assert 'href="https://driftline.example/runbooks/DriftlineDataDrift"' in text


def test_writes_to_standard_output(store_url):
    done = run(store_url, "-o", "-", "--model", "flight-delay")
    assert done.output.startswith("<!doctype html>")
    assert done.output.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-o", "-", "--model", "nope"), "no event of a model called 'nope' has landed"),
        (("-o", "/nowhere/report.html"), "the report can't be written to /nowhere/report.html: No such file"),
        (("-o", "-", "--days", "3"), "'3' is not one of '7', '28', '90', '365'"),
        ((), "Missing option '-o'"),
    ],
)
def test_says_what_is_wrong(store_url, arguments, expected):
    done = run(store_url, *arguments)
    assert done.exit_code != 0
    assert expected in done.output


def test_of_an_empty_store_it_says_that_there_is_nothing(tmp_path):
    url = f"chdb://{tmp_path}/store"
    with open_store(url) as store:
        ready_connection(store).close()
    assert "No model yet" in run(url, "-o", "-").output
