"""A snapshot holds what was asked for, as it was known, and stays the same whatever lands later."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.domain.hours import hour_of
from driftline.domain.snapshots import Definition, LeftOut, Split
from driftline.errors import NotFoundError, SettingError
from driftline.lifecycle.archive import (
    create_snapshot,
    fetch_snapshot,
    rederive_snapshot,
    verify_snapshot,
)
from driftline.lifecycle.manifest import Manifest
from driftline.lifecycle.place import Location
from driftline.store.snapshots import find_snapshot, read_snapshot_lines
from tests.lifecycle.traffic import START, correct, serve, truth

HOUR = timedelta(hours=1)
END = START + 3 * HOUR


@pytest.fixture(scope="module")
def served(landing):
    """60 predictions over three hours, of all of which the truth is known."""
    return serve(landing, "archived", range(60))


def defined(as_of, model="archived", **options):
    return Definition(**{"model_name": model, "since": START, "until": END, "as_of": as_of, **options})


@pytest.fixture
def make(client, settled, tmp_path):
    def made(definition=None, folder=tmp_path, **options):
        now = settled()
        wanted = definition if definition is not None else defined(now)
        place = Location.at(str(folder))
        return create_snapshot(client, wanted, place, author="me", settled=max(now, wanted.as_of), **options)

    return made


def rows_of(manifest, folder):
    return [row for file in fetch_snapshot(manifest, folder) for row in pq.read_table(file).to_pylist()]


def test_it_holds_features_as_served_and_truths_as_known(make, served, tmp_path):
    manifest = make()
    rows = {row["event_id"]: row for row in rows_of(manifest, tmp_path / "out")}
    assert set(rows) == set(served)
    row = rows[served[7]]
    assert (row["numeric.x"], row["categorical.c"], row["tag.region"]) == (7.0, "c1", "eu")
    assert (row["prediction_number"], row["actual_number"], row["entity_id"]) == (0.75, truth(7), "e7")
    assert manifest.plain["served_by"] == [
        {"model_name": "archived", "model_version": "1", "environment": "production", "rows": 60}
    ]
    assert verify_snapshot(manifest) == []


@pytest.mark.usefixtures("served")
def test_again_it_is_the_same_and_nothing_new_is_written(make, settled, tmp_path):
    definition = defined(settled())
    first = make(definition, piece_rows=10)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = make(definition, piece_rows=10)
    assert (again.snapshot_id, again.sha256) == (first.snapshot_id, first.sha256)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == files


@pytest.mark.usefixtures("served")
def test_the_hash_of_rows_asks_for_no_order_and_no_size_of_files(make, settled, tmp_path):
    definition = defined(settled())
    hashes = {make(definition, tmp_path / str(size), piece_rows=size).row_hash for size in (7, 20, 1000)}
    assert len(hashes) == 1


@settings(max_examples=5)
@given(
    later=st.lists(
        st.tuples(st.integers(0, 29), st.sampled_from([0.0, 1.0, 3.5]), st.integers(0, 3)), max_size=6
    ),
    more=st.integers(0, 3),
)
def test_whatever_lands_later_the_same_definition_has_the_same_rows(
    landing, client, tmp_path_factory, later, more
):
    """As of the time when the first outcomes had landed, which every later one came after."""
    name = f"stays-{tmp_path_factory.mktemp('stays').name}"
    ids = serve(landing, name, range(30))
    as_of = client.rows("SELECT max(landed_at) FROM outcomes WHERE model_name = {m:String}", {"m": name})[0][
        0
    ]
    definition = defined(as_of.replace(tzinfo=START.tzinfo), name)
    folder = tmp_path_factory.mktemp("made")

    def made(definition, place):
        return create_snapshot(
            client, definition, Location.at(str(folder / place)), author="me", settled=definition.as_of
        )

    first = made(definition, "first")
    corrections = [
        (ids[number], {"actual": actual, "revision": revision}) for number, actual, revision in later
    ]
    correct(landing, name, corrections)
    if more:
        serve(landing, name, range(30, 30 + more))
    again = made(definition, "again")
    assert (again.row_hash, again.snapshot_id) == (first.row_hash, first.snapshot_id)
    newest = client.rows("SELECT max(landed_at) FROM outcomes WHERE model_name = {m:String}", {"m": name})[0][
        0
    ]
    peeking = replace(definition, as_of=newest.replace(tzinfo=START.tzinfo) + timedelta(hours=1))
    with pytest.raises(SettingError, match="would look at what is still to land"):
        create_snapshot(
            client,
            peeking,
            Location.at(str(folder)),
            author="me",
            settled=newest.replace(tzinfo=START.tzinfo),
        )


def test_a_correction_counts_as_of_when_it_had_landed_and_by_one_rule(landing, make, settled, tmp_path):
    ids = serve(landing, "corrected", range(10))
    before = settled(0)
    revised = [{"actual": 1, "revision": 2}, {"actual": 0, "revision": 1}]
    correct(landing, "corrected", [(ids[0], each) for each in revised])
    early = make(defined(before, "corrected"), tmp_path / "early")
    late = make(defined(settled(), "corrected"), tmp_path / "late")
    assert (truth(0), early.row_hash == late.row_hash) == (0, False)
    for manifest, actual in ((early, 0), (late, 1)):
        rows = rows_of(manifest, tmp_path / str(actual))
        assert [row["actual_number"] for row in rows if row["event_id"] == ids[0]] == [actual]


def test_what_is_left_out_is_counted_by_why(landing, make, settled):
    """Of thirty a truth is known, on one of which somebody acted; ten have none; an hour is left out."""
    ids = serve(landing, "left-out", range(60), known=False)
    outcomes = [(event_id, {"actual": 1.0}) for event_id in ids[:30]]
    correct(landing, "left-out", [*outcomes, (ids[29], {"acted_on": True, "revision": 1})])
    hour = hour_of(START + 2 * HOUR)
    window = LeftOut(hour, hour + 1, "named", "the pump was off")
    manifest = make(defined(settled(), "left-out", left_out=(window,)))
    assert manifest.plain["counts"] == {"left_out": 20, "no_truth": 10, "acted_on": 1, "taken": 29}
    assert manifest.rows == 29


@pytest.mark.usefixtures("served")
def test_a_split_by_time_tests_on_what_came_later(make, settled, tmp_path):
    boundary = START + 2 * HOUR
    manifest = make(defined(settled(), split=Split("time", 0.0, boundary)))
    fetch_snapshot(manifest, tmp_path / "out")
    train, test = (pq.read_table(tmp_path / "out" / part).to_pylist() for part in ("train", "test"))
    assert (len(train), len(test)) == (40, 20)
    assert max(row["event_time"] for row in train) < boundary <= min(row["event_time"] for row in test)


@pytest.mark.usefixtures("served")
def test_a_split_by_entity_has_each_entity_on_one_side(make, settled, tmp_path):
    manifest = make(defined(settled(), split=Split("entity", 0.3)))
    fetch_snapshot(manifest, tmp_path / "out")
    train, test = (
        {row["entity_id"] for row in pq.read_table(tmp_path / "out" / part).to_pylist()}
        for part in ("train", "test")
    )
    assert (train & test, len(train | test)) == (set(), 20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"as_of": START + 2 * HOUR}, "that was still to come"),
        ({"until": START}, "holds nothing"),
        ({"split": Split("time", 0.0, END)}, "needs a boundary within the period"),
        ({"split": Split("entity", 1.0)}, "needs a share between 0 and 1"),
        ({"model_name": "unheard-of"}, "nothing was predicted in the period"),
    ],
)
@pytest.mark.usefixtures("served")
def test_what_can_be_no_snapshot_is_refused(make, settled, change, message):
    with pytest.raises(SettingError, match=message):
        make(replace(defined(settled()), **change))


def _flip(folder):
    path = next((folder / "files").rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_flip, "its content was changed"),
        (lambda folder: next((folder / "files").rglob("*.parquet")).unlink(), "it is missing"),
    ],
)
@pytest.mark.usefixtures("served")
def test_what_was_changed_is_named(make, tmp_path, change, problem):
    manifest = make()
    change(tmp_path)
    (found,) = verify_snapshot(manifest)
    assert found.endswith(problem)


@pytest.mark.usefixtures("served")
def test_a_manifest_that_was_changed_is_refused(make, tmp_path):
    path = next((tmp_path / "manifests").iterdir()) if make() else None
    plain = json.loads(path.read_text())
    path.write_text(json.dumps({**plain, "rows": 61}))
    with pytest.raises(SettingError, match="was changed after it was written"):
        Manifest.read(path.as_uri())


def test_the_store_can_be_asked_for_the_same_rows_until_they_are_gone(landing, make, client):
    serve(landing, "expires", range(20))
    manifest = make(defined(landing_time(client), "expires", until=START + HOUR))
    assert rederive_snapshot(client, manifest) == []
    client.command(
        "ALTER TABLE predictions DELETE WHERE model_name = 'expires'", settings={"mutations_sync": 2}
    )
    (problem,) = rederive_snapshot(client, manifest)
    assert "rows expired there, or were changed" in problem
    assert verify_snapshot(manifest) == []


def landing_time(client):
    (row,) = client.rows("SELECT max(landed_at) FROM outcomes")
    return row[0].replace(tzinfo=START.tzinfo)


@pytest.mark.usefixtures("served")
def test_it_is_found_by_its_label_and_by_the_beginning_of_its_id(make, client):
    manifest = make(label="autumn")
    assert find_snapshot(client, "autumn").snapshot_id == manifest.snapshot_id
    assert find_snapshot(client, manifest.snapshot_id[:8]).uri == manifest.uri
    assert [line.rows for line in read_snapshot_lines(client, snapshot_id="autumn")] == [60]
    with pytest.raises(NotFoundError, match="there is no snapshot 'summer'"):
        find_snapshot(client, "summer")


@pytest.mark.usefixtures("served")
def test_it_lies_wherever_fsspec_reaches(make):
    manifest = make(folder="memory://sets")
    assert manifest.uri.startswith("memory://sets/manifests/archived-")
    assert verify_snapshot(Manifest.read(manifest.uri)) == []
