"""An export holds exactly what was asked for, says whether that was all, and shows what was changed in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from driftline.audit.export import digest_of, export, verify_export
from driftline.errors import SettingError
from driftline.log import Record
from driftline.store.exporting import Selection
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, SESSION, SESSIONS_TOPIC, encode_record
from tests.support.landing import put

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def logged(landing):
    """Predictions of a model over three hours: 30 of entity A and 30 of entity B, in a session that ended."""
    events = [
        {
            "features": {"x": float(number), "c": f"c{number % 3}"},
            "label": "yes",
            "prediction": number / 60,
            "entity_id": "AB"[number % 2],
            "event_time": START.timestamp() + 180 * number,
        }
        for number in range(60)
    ]
    return put(landing, events, model_name="exported", model_version="7", training_run_id="run 7")


def rows_of(folder):
    return [row for file in sorted(folder.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def wanted(**options):
    return Selection(model_name="exported", **options)


def test_everything_of_a_model_is_exported_value_by_value(client, logged, tmp_path):
    made = export(client, wanted(), tmp_path / "out", author="me")
    rows = rows_of(tmp_path / "out")
    assert sorted(row["event_id"] for row in rows) == sorted(logged)
    assert made.manifest["rows"] == 60
    (first,) = [row for row in rows if row["event_id"] == logged[0]]
    assert dict(first["numeric_features"]) == {"x": 0.0}
    assert dict(first["categorical_features"]) == {"c": "c0"}
    assert (first["prediction_label"], first["entity_id"], first["event_time"]) == ("yes", "A", START)
    assert verify_export(made.path) == []


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        (wanted(entity_id="A"), 30),
        (wanted(model_version="7", environment="production"), 60),
        (wanted(model_version="8"), 0),
        (Selection(training_run_id="run 7"), 60),
        (wanted(since=START + timedelta(hours=1), until=START + timedelta(hours=2)), 20),
        (wanted(since=START, until=START + timedelta(minutes=3)), 1),
    ],
)
@pytest.mark.usefixtures("logged")
def test_what_is_selected_is_exported_and_nothing_else(client, tmp_path, selection, count):
    made = export(client, selection, tmp_path / "out", author="me")
    assert (made.manifest["rows"], len(rows_of(tmp_path / "out"))) == (count, count)


@pytest.mark.parametrize("piece_rows", [1, 7, 20, 25, 1000])
def test_in_pieces_of_whatever_size_each_prediction_is_exported_once(client, logged, tmp_path, piece_rows):
    made = export(client, wanted(), tmp_path / "out", author="me", piece_rows=piece_rows)
    assert sorted(row["event_id"] for row in rows_of(tmp_path / "out")) == sorted(logged)
    assert sum(file["rows"] for file in made.manifest["files"]) == 60
    assert verify_export(made.path) == []


@pytest.mark.usefixtures("logged")
def test_where_the_ledger_says_that_all_arrived_absence_can_be_claimed(client, tmp_path):
    made = export(
        client, wanted(entity_id="C", until=START + timedelta(hours=3)), tmp_path / "out", author="me"
    )
    assert made.manifest["rows"] == 0
    assert made.manifest["completeness"]["complete"]
    (stream,) = made.manifest["completeness"]["streams"]
    assert (stream["model_version"], stream["missing"]) == ("7", 0)


@pytest.mark.usefixtures("logged")
def test_of_a_period_that_is_not_over_absence_is_not_claimed(client, tmp_path):
    made = export(client, wanted(entity_id="C"), tmp_path / "out", author="me")
    (doubt,) = made.manifest["completeness"]["doubts"]
    assert doubt.startswith("the period is not over")


def test_where_predictions_are_missing_their_hours_are_not_claimed_and_others_are(landing, client, tmp_path):
    names = {"session_id": "holed", "model_name": "holed", "model_version": "1", "environment": "production"}
    hour_us, first_us = 3_600_000_000, int(START.timestamp()) * 1_000_000
    records = [
        Record(
            PREDICTIONS_TOPIC,
            b"",
            encode_record(
                PREDICTION,
                {
                    **names,
                    "event_id": f"00000000-0000-4000-8000-{number:012d}",
                    "sequence": number,
                    "training_run_id": "r",
                    "event_time": first_us + number // 10 * hour_us,
                },
            ),
        )
        for number in range(1, 31)
        if number not in {12, 13}
    ]
    heartbeat = {"beat_time": first_us, "last_sequence": 30, "last_outcome_sequence": 0, "final": True}
    counts = {"host": "h", "process_id": 1, "client": "test", "dropped": {}, "abandoned": {}}
    records.append(Record(SESSIONS_TOPIC, b"", encode_record(SESSION, {**names, **heartbeat, **counts})))
    landing.log.writer().append(records)
    landing.land()
    found = {}
    for hour in range(3):
        period = {"since": START + timedelta(hours=hour), "until": START + timedelta(hours=hour + 1)}
        made = export(client, Selection(model_name="holed", **period), tmp_path / str(hour), author="me")
        found[hour] = made.manifest["completeness"]["doubts"]
    assert found == {0: [], 1: ["of holed 1 (production) 2 predictions are missing in the period"], 2: []}


@pytest.mark.usefixtures("logged")
def test_a_folder_that_holds_something_is_left_alone(client, tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(SettingError, match="is not empty"):
        export(client, wanted(), tmp_path, author="me")
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]


def _flip(folder):
    path = folder / "predictions-00001.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _claim(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["completeness"]["complete"] = not manifest["completeness"]["complete"]
    path.write_text(json.dumps(manifest))


def _miscount(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][0]["rows"] += 1
    manifest["rows"] += 1
    manifest["sha256"] = digest_of(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_flip, "predictions-00001.parquet: its content was changed"),
        (_claim, "manifest.json: it was changed after it was written"),
        (_miscount, "predictions-00001.parquet: it has 60 rows, and the manifest says 61"),
        (
            lambda folder: (folder / "predictions-00001.parquet").unlink(),
            "predictions-00001.parquet: it is missing",
        ),
        (
            lambda folder: (folder / "more.parquet").write_text("x"),
            "more.parquet: it is no part of the export",
        ),
    ],
)
@pytest.mark.usefixtures("logged")
def test_what_was_changed_in_an_export_is_named(client, tmp_path, change, problem):
    made = export(client, wanted(), tmp_path / "out", author="me")
    change(tmp_path / "out")
    assert verify_export(made.path) == [problem]


def test_what_is_no_manifest_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(SettingError, match="is no manifest of an export"):
        verify_export(tmp_path / "manifest.json")
