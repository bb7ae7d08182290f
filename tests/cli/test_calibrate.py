"""``driftline calibrate`` on a store of three weeks: what it prints, draws and refuses."""

from __future__ import annotations

import html
import json
import re
from contextlib import closing

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.domain.incidents import Finding, Incident
from driftline.domain.streams import Stream
from driftline.embedded import open_store
from driftline.store import migrate
from driftline.store.incidents import write_incidents
from tests.support.traffic import derive

START_S = 1_763_942_400
"""2025-11-24T00:00:00Z, a Monday."""

HOURS, ROWS_AN_HOUR = 21 * 24 + 3, 40


def insert(client, model, *, hours=HOURS, environment="production"):
    rows = hours * ROWS_AN_HOUR
    client.command(
        "INSERT INTO prediction_inbox (event_id, event_time, model_name, model_version, training_run_id, "
        "session_id, sequence, environment, numeric_features, categorical_features) "
        f"SELECT generateUUIDv4(), fromUnixTimestamp64Micro(toInt64({START_S}000000 "
        f"+ intDiv(number * {hours} * 3600000000, {rows}))), '{model}', '1', 'run', '{model}', number + 1, "
        f"'{environment}', map('share', intHash64(number) % 1000 / 1000), "
        f"map('<text>', ['a', 'b', 'c'][intHash64(number + {rows}) % 3 + 1]) FROM numbers({rows})",
        settings={"insert_deduplication_token": f"{model}|{environment}", "max_block_size": rows},
    )


def an_incident(incident_id, hour, hours, acknowledged=None, state="ended"):
    since = START_S // 3600 + hour
    finding = Finding(
        segment="",
        feature="share",
        kind="numeric",
        reference="production",
        channel=None,
        effect=0.1,
        expected=0.1,
        observed=0.2,
        z=9.0,
        scale_hours=1,
        since=since,
        detected=since + 1,
        last=since + hours,
        episode_ids=(),
    )
    return Incident(
        stream=Stream("three weeks", "1", "production"),
        incident_id=incident_id,
        detected=since + 1,
        state=state,
        findings=(finding,),
        acknowledged=acknowledged,
    )


@pytest.fixture(scope="module")
def store_url(tmp_path_factory):
    url = f"chdb://{tmp_path_factory.mktemp('calibrate') / 'store'}"
    with open_store(url) as store, closing(store.connect()) as client:
        migrate(client)
        insert(client, "three weeks")
        insert(client, "young", hours=60)
        derive(store)
        incidents = [
            an_incident("quiet", 15 * 24, 6),
            an_incident("fault", 16 * 24, 4, acknowledged="real"),
            an_incident("taken back by late events", 17 * 24, 8, acknowledged="real", state="withdrawn"),
        ]
        write_incidents(client, incidents)
    return url


def run(*arguments):
    return CliRunner().invoke(driftline, ["calibrate", *arguments])


WAY = ("--model", "three weeks", "--learn-weeks", "2", "--dates", "1")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return tmp_path_factory.mktemp("page") / "calibrate.html"


@pytest.fixture(scope="module")
def shown(store_url, page):
    result = run("--store", store_url, *WAY, "--json", "--out", str(page))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_json_tells_pages_and_delays(shown):
    assert (shown["model_name"], shown["model_version"]) == ("three weeks", "1")
    assert shown["first_hour"] == "2025-12-08T00:00:00+00:00"
    assert shown["model"]["hours"] == HOURS - 14 * 24 - 1 - 4  # The newest hour may not have closed.
    assert shown["model"]["pages"] == 0
    assert {feature["name"] for feature in shown["features"]} == {"share", "<text>"}
    delays = {(each["feature"], each["shift"]): each for each in shown["delays"]}
    assert delays["share", "mean + 0.5 sd"]["median_hours"] <= 3
    assert delays["share", "stuck"]["hours"] == [1]
    assert delays["<text>", "a value renamed"]["p90_hours"] == 1
    assert len(shown["dates"]) == 1


def test_the_picture_is_one_whole_document_that_needs_nothing_else(shown, page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"<html|</html>", text) == ["<html", "</html>"]
    labels = [html.unescape(label) for label in re.findall(r'aria-label="([^"]*)"', text)]
    assert "<text>: median 1 h, 90 % 1 h" in labels
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings[0] == "Pages that nobody injected"
    assert "a value renamed, categories" in headings
    assert len(headings) == 1 + len({(each["kind"], each["shift"]) for each in shown["delays"]})
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r'(?:src|href)="(?!data:)|url\((?!#)|@import|<script', text) == []


def test_the_table_shows_the_same(store_url):
    result = run("--store", store_url, *WAY, "--hours", "169")
    assert result.exit_code == 0, result.output
    assert "three weeks version 1, production: 165 hours judged" in result.stdout
    assert "pages by themselves: 0 where the budget allows 0.2" in result.stdout
    (row,) = (line for line in result.stdout.splitlines() if "stuck" in line)
    assert row.split() == ["share", "stuck", "1", "h", "1", "h", "0", "of", "1"]


@pytest.mark.parametrize(("leave_out", "left_out"), [("nothing", 0), ("real", 4), ("incidents", 10)])
def test_hours_of_stored_incidents_are_left_out(store_url, leave_out, left_out):
    result = run("--store", store_url, *WAY, "--dates", "0", "--leave-out", leave_out, "--json")
    assert json.loads(result.stdout)["model"]["hours"] == HOURS - 14 * 24 - 1 - left_out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "choose one by --model: three weeks, young"),
        (("--model", "none"), "no predictions of none"),
        (("--model", "young"), "2 days old, and the first 28 are only learned from"),
        (("--model", "young", "--timezone", "Mars/Olympus"), "no name of the IANA database"),
    ],
)
def test_what_cannot_be_replayed_is_reported(store_url, arguments, reason):
    result = run("--store", store_url, *arguments)
    assert result.exit_code != 0
    assert reason in result.output
