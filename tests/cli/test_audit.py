"""What a user sees of an audit, from sealing to who looked; a byte changed by hand is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from driftline import register_training_run
from driftline.cli.app import driftline
from driftline.embedded import open_store
from driftline.store import chain_check
from tests.support.landing import Landing, put
from tests.support.running import Place
from tests.support.training import WAIVED

MODEL = "flight-delay"


@pytest.fixture
def site(tmp_path):
    """Land twenty predictions of a registered run, of two entities; nobody owns the store any more."""
    place = Place(tmp_path)
    landing = Landing(place)
    register_training_run("run-1", model_name=MODEL, model_version="1", log=landing.log, waive=WAIVED)
    events = [{"features": {"x": float(n)}, "label": "late", "entity_id": "AB"[n % 2]} for n in range(20)]
    names = {"model_name": MODEL, "model_version": "1", "training_run_id": "run-1"}
    ids = put(landing, events, **names)
    landing.close()
    return place, ids


def run(place, *arguments):
    return CliRunner().invoke(driftline, [*arguments, "--store", place.store_url])


def ask(place, *arguments):
    done = run(place, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def by_hand(place, statement):
    with open_store(place.store_url) as store, store.connect() as client:
        client.command(statement, settings={"mutations_sync": 1})


def test_one_byte_of_one_landed_row_that_was_changed_by_hand_is_named(site):
    place, ids = site
    assert run(place, "audit", "seal", "--now").exit_code == 0
    before = run(place, "audit", "verify")
    assert (before.exit_code, before.output.splitlines()[0]) == (0, f"{MODEL}: as it was sealed")
    change = "UPDATE prediction_label = 'lats'"  # One byte is another.
    by_hand(place, f"ALTER TABLE predictions {change} WHERE event_id = '{ids[7]}'")
    after = run(place, "audit", "verify")
    assert after.exit_code == 1
    (line,) = [line for line in after.output.splitlines() if "changed row" in line]
    assert f"(event {ids[7]})" in line
    (report,) = json.loads(run(place, "audit", "verify", "--json").stdout)
    assert [(found["what"], found["event_id"]) for found in report["findings"]] == [("changed", ids[7])]


def test_a_bit_that_was_flipped_in_a_file_of_the_table_is_found(site):
    """The engine notices that by itself, when it reads the file: the finding says of which link."""
    place, _ = site
    run(place, "audit", "seal", "--now")
    with open_store(place.store_url) as store, store.connect() as client:
        query = (
            "SELECT path FROM system.parts WHERE table = 'predictions' AND active AND database = 'driftline'"
        )
        (path,) = client.rows(query)[0]
    file = max(Path(path).glob("*.bin"), key=lambda each: each.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    found = run(place, "audit", "verify")
    assert found.exit_code == 1
    assert f"{MODEL}: unreadable: of link 1 the engine can't read a file that it wrote" in found.output


@pytest.mark.parametrize("at_once", [1000, 1])
def test_a_difference_that_was_accepted_is_no_finding_and_says_who_and_why(site, monkeypatch, at_once):
    """However many rows one statement names."""
    monkeypatch.setattr(chain_check, "MOST_NAMED", at_once)
    place, ids = site
    run(place, "audit", "seal", "--now")
    by_hand(place, f"DELETE FROM predictions WHERE event_id IN ('{ids[0]}', '{ids[1]}')")
    assert run(place, "audit", "verify").exit_code == 1
    accepted = ask(place, "audit", "accept", MODEL, "--all", "--why", "asked to be forgotten", "--by", "ada")
    assert (accepted["rows"], accepted["accepted_by"]) == (2, "ada")
    assert run(place, "audit", "verify").exit_code == 0
    by_hand(place, f"DELETE FROM predictions WHERE event_id = '{ids[2]}'")
    (report,) = json.loads(run(place, "audit", "verify", "--json").stdout)
    assert [found["what"] for found in report["findings"]] == ["deleted"]


def test_whoever_wrote_the_whole_chain_anew_is_found_by_heads_kept_elsewhere(site, tmp_path):
    place, ids = site
    run(place, "audit", "seal", "--now")
    kept = tmp_path / "heads.json"
    kept.write_text(run(place, "audit", "head", "--json").stdout)
    assert run(place, "audit", "verify", "--heads", str(kept)).exit_code == 0
    by_hand(place, f"ALTER TABLE predictions UPDATE prediction_label = 'early' WHERE event_id = '{ids[3]}'")
    by_hand(place, "TRUNCATE TABLE audit_rows")
    by_hand(place, "TRUNCATE TABLE audit_links")
    run(place, "audit", "seal", "--now")
    assert run(place, "audit", "verify").exit_code == 0  # In itself it is whole.
    found = run(place, "audit", "verify", "--heads", str(kept))
    assert found.exit_code == 1
    assert "the head was link 1 with hash" in found.output


def test_heads_are_printed_as_they_were_kept_of_a_day(site):
    place, _ = site
    run(place, "audit", "seal", "--now")
    by_hand(place, f"INSERT INTO audit_heads VALUES ('{MODEL}', '2026-01-30', 1, repeat('a', 64), now())")
    by_hand(place, f"INSERT INTO audit_heads VALUES ('{MODEL}', '2026-02-01', 2, repeat('b', 64), now())")
    (kept,) = ask(place, "audit", "head", "--day", "2026-01-31")["heads"]
    assert (kept["day"], kept["number"], kept["hash"]) == ("2026-01-30", 1, "a" * 64)
    refused = run(place, "audit", "head", "--day", "yesterday")
    assert (refused.exit_code, "'yesterday' is no day" in refused.output) == (2, True)


def test_heads_that_were_changed_where_they_were_kept_are_refused(site, tmp_path):
    place, _ = site
    run(place, "audit", "seal", "--now")
    kept = json.loads(run(place, "audit", "head", "--json").stdout)
    kept["heads"][0]["number"] += 1
    (tmp_path / "heads.json").write_text(json.dumps(kept))
    refused = run(place, "audit", "verify", "--heads", str(tmp_path / "heads.json"))
    assert refused.exit_code == 1
    assert "its root is not that of its heads" in refused.output


def test_an_export_verifies_and_is_logged_with_who_looked_at_a_prediction(site, tmp_path):
    place, ids = site
    assert run(place, "trace", ids[0]).exit_code == 0
    assert run(place, "trace", "--entity", "A").exit_code == 0
    manifest = ask(place, "audit", "export", str(tmp_path / "out"), "--model", MODEL, "--entity", "A")
    assert manifest["rows"] == 10
    verified = CliRunner().invoke(
        driftline, ["audit", "verify-export", str(tmp_path / "out" / "manifest.json")]
    )
    assert verified.exit_code == 0, verified.output
    looks = ask(place, "audit", "accesses")
    assert [(look["how"], look["asked"], look["rows"]) for look in looks] == [
        ("export", f"model_name {MODEL}, entity_id A", 10),
        ("trace", "entity A", 0),
        ("trace", f"event {ids[0]}", 0),
    ]
    assert all("@" in look["who"] and look["known_by"] == "process" for look in looks)
    (look,) = ask(place, "audit", "accesses", "--event", ids[0])
    assert look["model_name"] == MODEL


def test_where_a_look_cannot_be_logged_it_is_answered_and_that_is_reported(site):
    place, ids = site
    by_hand(place, "DROP TABLE access_log")
    done = run(place, "trace", ids[0])
    assert done.exit_code == 0
    assert "this look at predictions could not be logged" in done.stderr
    assert ids[0] in done.stdout


def test_an_export_that_selects_nothing_in_particular_is_refused(site, tmp_path):
    place, _ = site
    refused = run(place, "audit", "export", str(tmp_path / "out"))
    assert refused.exit_code == 2
    assert "name at least one of" in refused.output


def test_runs_are_printed_as_events_one_a_line(site):
    place, _ = site
    lines = run(place, "audit", "lineage", "--model", MODEL).stdout.splitlines()
    assert [json.loads(line)["eventType"] for line in lines] == ["START", "COMPLETE"]
    assert run(place, "audit", "lineage", "run-1").stdout.splitlines() == lines
    unknown = run(place, "audit", "lineage", "run-2")
    assert (unknown.exit_code, "no run run-2 is registered" in unknown.output) == (1, True)


def test_nothing_to_accept_is_refused(site):
    place, ids = site
    run(place, "audit", "seal", "--now")
    refused = run(place, "audit", "accept", MODEL, "--event", ids[0], "--why", "none")
    assert refused.exit_code == 1
    assert "names no row of" in refused.output
