"""The gate over a store: candidates in shadow or with a file of scores, on rows that neither learned from."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from driftline import register_training_run
from driftline.cli.app import driftline
from driftline.domain.snapshots import Definition
from driftline.lifecycle.archive import create_snapshot
from driftline.lifecycle.place import Location
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage
from driftline.registry.events import Stage
from tests.lifecycle.traffic import START, event, serve
from tests.support.training import WAIVED

HOUR = timedelta(hours=1)
MODEL = "gated"
ROWS = range(600)
"""Twenty an hour: thirty hours, of which version 2 learned from the first fifteen."""


def answered(number, scale):
    """Production is right but for every seventh; a scale of -1 answers the other way round."""
    score = (event(number)["prediction"] - 0.5) * (-1 if number % 7 == 0 else 1) * scale + 0.5
    return {**event(number), "prediction": score, "event_time": event(number)["event_time"] + 1}


def register(landing, version, data=None, **options):
    waive = WAIVED if data is None else {name: why for name, why in WAIVED.items() if name != "data"}
    register_training_run(
        f"run-{version}",
        model_name=MODEL,
        model_version=version,
        log=landing.place.log_url,
        waive=waive,
        data=data,
        **options,
    )


@pytest.fixture(scope="module")
def served(landing, tmp_path_factory):
    """Versions 1 in production, 2 and 3 in shadow; 2 is as good, 3 answers the other way round."""
    ids = serve(landing, MODEL, ROWS, events={number: answered(number, 1) for number in ROWS})
    for version, scale in (("2", 0.9), ("3", -1)):
        events = {number: answered(number, scale) for number in ROWS}
        serve(landing, MODEL, ROWS, version=version, known=False, environment="shadow", events=events)
    as_of = START + timedelta(days=3650)
    learned = Definition(model_name=MODEL, since=START, until=START + 15 * HOUR, as_of=as_of)
    place = Location.at(str(tmp_path_factory.mktemp("sets")))
    manifest = create_snapshot(landing.client, learned, place, author="me", settled=as_of)
    register(landing, "1", manifest.reference())
    register(landing, "2", manifest.reference(), features={"x": "float64", "c": "string"})
    register(landing, "3", manifest.reference(), features={"x": "float64", "wind": "float64"})
    registry = Registry(landing.log)
    promote = give_stage(registry.model(MODEL), "1", Stage.PRODUCTION, author=Author("me"), reason="first")
    registry.submit(promote)
    registry.close()
    landing.land()
    return ids


@pytest.fixture
def gate(landing, served):
    assert served

    def ask(version, *arguments):
        where = {"DRIFTLINE_LOG": landing.place.log_url, "DRIFTLINE_STORE": landing.place.store_url}
        since = (START + 15 * HOUR).isoformat()
        period = [] if "--since" in arguments else ["--since", since]
        options = [*period, "--maturity", "1h", "--as-of", "2036-01-01", *arguments]
        return CliRunner().invoke(driftline, ["gate", MODEL, version, *options], env=where)

    return ask


def test_a_candidate_as_good_in_shadow_passes_and_its_report_says_by_what(gate, tmp_path):
    done = gate("2", "--slice", "region=eu", "--json", "--report", str(tmp_path / "report.md"))
    assert done.exit_code == 0, done.output
    report = json.loads(done.output)
    assert (report["decision"], report["rows"], report["metric"]) == ("pass", 300, "roc_auc")
    assert {(each["name"], each["segment"]) for each in report["checks"]} >= {
        ("roc_auc", ""),
        ("roc_auc", "region=eu"),
        ("features", ""),
        ("calibration", ""),
        ("pairing", ""),
    }
    assert (tmp_path / "report.md").read_text().startswith("# PASS: gated 2 against 1")


def test_a_candidate_that_is_worse_fails(gate):
    done = gate("3")
    assert done.exit_code == 1
    assert "trained on what is not served: wind in 0.0% of rows" in done.output


def test_with_too_little_to_say_it_holds(gate):
    done = gate("2", "--least-rows", "1000")
    assert (done.exit_code, "300 rows are too few" in done.output) == (2, True)


def test_where_no_truth_is_mature_yet_it_holds(gate):
    done = gate("2", "--until", (START + 15 * HOUR).isoformat())
    assert (done.exit_code, "hold: of gated nothing since" in done.output) == (2, True)


def test_rows_that_a_model_learned_from_are_refused(gate):
    done = gate("2", "--since", (START + 14 * HOUR).isoformat())
    assert done.exit_code == 1
    assert "version 2 learned from rows until 2026-02-01 03:00" in done.output


def test_scores_of_a_file_stand_for_a_candidate_that_has_served_nothing(gate, served, tmp_path):
    path = tmp_path / "scores.csv"
    lines = [f"{served[number]},{answered(number, 0.9)['prediction']}" for number in ROWS]
    path.write_text("\n".join(["event_id,prediction", *lines]))
    assert gate("2", "--scores", str(path)).exit_code == 0
    path.write_text("\n".join(["event_id,prediction", *lines[:-1], f"{served[599]},nan"]))
    done = gate("2", "--scores", str(path))
    assert (done.exit_code, "1 of 300 answers are none" in done.output) == (1, True)
    path.write_text("\n".join(["event_id,prediction", lines[0], lines[0]]))
    assert "stands there twice" in gate("2", "--scores", str(path)).output


def test_what_is_missing_is_named(gate):
    assert "has no version 9" in gate("9").output
    assert "no version of gated is in production" in gate("2", "--environment", "canary").output
