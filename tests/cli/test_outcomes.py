"""Outcomes come from files: good rows are kept, bad ones are named."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from driftline.cli.app import driftline
from driftline.store.outcomes import read_truths
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.traffic import make_logger

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def landed(tmp_path_factory):
    """Two predictions of each of three entities, a day apart, and of one of them by a second version."""
    landing = Landing(Place(tmp_path_factory.mktemp("outcomes")))
    found = {}
    for version, entities in (("1", "abc"), ("2", "c")):
        with make_logger(landing.log, model_name="m", model_version=version) as logger:
            for day in range(2):
                for entity in entities:
                    when = NOON + timedelta(days=day)
                    event_id = logger.log(prediction=0.5, entity_id=entity, event_time=when)
                    found[version, entity, day] = event_id
    landing.land()
    landing.close()
    return landing.place, found


def run(place, path, *options):
    line = ["outcomes", "import", str(path), "--model", "m", "--log", place.log_url]
    return CliRunner().invoke(driftline, [*line, "--store", place.store_url, *options])


def truths(place, event_ids):
    landing = Landing(place)
    try:
        landing.land()
        return {event_id: truth.actual for event_id, truth in read_truths(landing.client, event_ids).items()}
    finally:
        landing.close()


def written(path, heading, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([heading, *rows])
    return path


def test_a_bad_row_is_named_and_costs_no_other(landed, tmp_path):
    place, found = landed
    first, second = found["1", "a", 0], found["1", "b", 0]
    rows = [
        [first, "1", "", "", ""],
        ["no id", "1", "", "", ""],
        ["", "1", "", "", ""],
        [second, "", "", "", ""],
        [second, "0", "someday", "", ""],
        [second, "0", "", "two", ""],
        [second, "0", "", "", "perhaps"],
        [second, "late", "2026-02-02T00:00:00Z", "3", "yes"],
    ]
    path = written(tmp_path / "bad.csv", "event_id actual observed_time revision acted_on".split(), rows)
    done = run(place, path, "--json")
    assert done.exit_code == 1
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["outcomes"]) == (8, 2)
    assert [(bad["row"], bad["reason"].partition(":")[0]) for bad in summary["bad"]] == [
        (2, summary["bad"][0]["reason"]),
        (3, "it names no prediction"),
        (4, "an outcome needs a number or a label"),
        (5, "observed_time 'someday' is a text that is no time in ISO 8601"),
        (6, "revision 'two' is no whole number"),
        (7, "acted_on 'perhaps' is neither true nor false"),
    ]
    assert "UUID" in summary["bad"][0]["reason"]
    assert truths(place, [first, second]) == {first: 1.0, second: "late"}


def test_by_entity_and_time_the_newest_prediction_of_each_version_counts(landed, tmp_path):
    place, found = landed
    rows = [["c", (NOON + timedelta(days=1, hours=2)).isoformat(), "7"], ["z", NOON.isoformat(), "7"]]
    rows += [["a", (NOON - timedelta(seconds=1)).isoformat(), "7"]]
    path = written(tmp_path / "entities.csv", ["customer", "asked", "paid"], rows)
    names = [f"--column={pair}" for pair in ("entity_id=customer", "time=asked", "actual=paid")]
    done = run(place, path, *names)
    assert "row 2: no prediction of m for entity 'z' is known in the 1 day" in done.output
    assert "row 3: no prediction of m for entity 'a'" in done.output
    expected = {found[version, "c", 1]: 7.0 for version in "12"}
    assert truths(place, [*expected, found["1", "c", 0]]) == expected


def test_parquet_says_the_same_as_csv_and_importing_again_changes_nothing(landed, tmp_path):
    place, found = landed
    event_ids = [found["1", "a", 1], found["1", "b", 1]]
    table = pa.table({"event_id": event_ids, "actual": [0.25, None], "acted_on": [None, True]})
    parquet.write_table(table, tmp_path / "truth.parquet")
    for _ in range(2):
        done = run(place, tmp_path / "truth.parquet")
        assert done.output == "2 rows, 2 outcomes logged, 0 rows not imported\n", done.output
    assert truths(place, event_ids) == {event_ids[0]: 0.25, event_ids[1]: None}


def test_numbers_are_labels_where_that_is_asked_for(landed, tmp_path):
    place, found = landed
    path = written(tmp_path / "labels.csv", ["event_id", "actual"], [[found["2", "c", 0], "007"]])
    assert run(place, path, "--labels").exit_code == 0
    assert truths(place, [found["2", "c", 0]]) == {found["2", "c", 0]: "007"}


@pytest.mark.parametrize(
    ("heading", "options", "says"),
    [
        (["actual"], (), "it needs a column actual"),
        (["event_id", "truth"], (), "--column actual=NAME says"),
        (["event_id", "actual"], ("--column", "time=when"), "no column 'when'"),
        (["event_id", "actual"], ("--column", "colour=x"), "is not NAME=COLUMN"),
    ],
)
def test_a_file_without_what_it_takes_is_refused(landed, tmp_path, heading, options, says):
    done = run(landed[0], written(tmp_path / "lacking.csv", heading, []), *options)
    assert done.exit_code != 0
    assert says in done.output


def test_what_is_no_parquet_is_refused(landed, tmp_path):
    (tmp_path / "no.parquet").write_text("event_id,actual\n")
    assert "no Parquet file" in run(landed[0], tmp_path / "no.parquet").output
