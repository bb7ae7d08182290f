"""Versions are listed and moved from the command line, and errors name what there is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from driftline import PredictionLogger, register_training_run
from driftline.cli.app import driftline
from driftline.errors import SettingError
from driftline.log import open_log
from driftline.registry.client import Registry
from driftline.registry.decisions import Author
from driftline.registry.events import Kind
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.training import WAIVED

MODEL = "flight-delay"


def register(log, model, *versions, at_s=1_767_225_600.0):
    registry = Registry(log)
    for version in versions:
        author = Author("trainer", clock=lambda: at_s)
        registry.submit(
            author.event(model, Kind.VERSION, model_version=version, training_run_id=f"run-{version}")
        )
    registry.close()


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    with open_log(place.log_url) as log:
        register(log, MODEL, "1", "2", "3")
    return place


def run(place, *arguments):
    environment = {"DRIFTLINE_LOG": place.log_url, "DRIFTLINE_STORE": place.store_url}
    return CliRunner().invoke(driftline, list(arguments), env=environment)


def ask(place, *arguments):
    done = run(place, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def promote(place, version, *more):
    return run(place, "models", "promote", MODEL, version, "--why", "it is better", "--by", "ann", *more)


def test_versions_are_promoted_rolled_back_and_listed(place):
    assert promote(place, "1").exit_code == 0
    done = promote(place, "2")
    assert "version 2 went from candidate to production by ann at" in done.output
    promote(place, "3", "--to", "canary")
    (line,) = ask(place, "models", "list")
    assert (line["model_name"], line["versions"], line["production"], line["by"]) == (MODEL, 3, "2", "ann")
    rows = ask(place, "models", "versions", MODEL)
    assert [(row["version"], row["stage"]) for row in rows] == [
        ("3", "canary"),
        ("2", "production"),
        ("1", "candidate"),
    ]
    moved = ask(place, "models", "rollback", MODEL, "--why", "late flights", "--by", "bob")
    assert (moved["model_version"], moved["kind"], moved["reason"]) == ("1", "rollback", "late flights")
    shown = ask(place, "models", "show", MODEL)
    assert shown["environments"] == {"production": {"production": ["1"], "canary": ["3"], "candidate": ["2"]}}
    assert [each["written_by"] for each in shown["decisions"]] == ["bob", "ann", "ann", "ann"]
    assert "production was rolled back from 2 to 1 by bob" in run(place, "models", "show", MODEL).output


def test_errors_name_what_there_is(place):
    assert "no model 'flight-dely' is registered; there is flight-delay" in (
        run(place, "models", "show", "flight-dely").output
    )
    assert "flight-delay has no version 9; there are 3, 2, 1" in promote(place, "9").output
    assert (
        "'gold' is not one of 'candidate', 'shadow', 'canary'" in promote(place, "1", "--to", "gold").output
    )
    nothing = run(place, "models", "rollback", MODEL, "--why", "x")
    assert "can't be rolled back in production: none ever was in production there" in nothing.output
    gone = run(place, "models", "alias", MODEL, "champion", "--why", "x")
    assert "flight-delay has no alias 'champion'; there is none" in gone.output
    assert all(done.exit_code == 1 for done in (nothing, gone, promote(place, "9")))


def test_a_decision_needs_a_reason(place):
    done = run(place, "models", "promote", MODEL, "1")
    assert (done.exit_code, "Missing option '--why'" in done.output) == (2, True)


def test_what_is_in_production_is_archived_only_on_purpose(place):
    promote(place, "1")
    refused = run(place, "models", "archive", MODEL, "1", "--why", "old")
    assert "version 1 of flight-delay is in production: promote another" in refused.output
    assert run(place, "models", "archive", MODEL, "1", "--why", "old", "--leave-empty").exit_code == 0
    assert "version 1 of flight-delay is archived" in promote(place, "1").output


def test_an_alias_names_a_version(place):
    run(place, "models", "alias", MODEL, "champion", "2", "--why", "won")
    (line,) = ask(place, "models", "list")
    assert line["aliases"] == {"champion": "2"}
    assert "champion=2" in run(place, "models", "list").output


def test_without_models_it_says_how_to_register_one(tmp_path):
    assert "no model is registered" in run(Place(tmp_path), "models", "list").output


def test_history_says_what_was_declared_and_what_answered(place):
    """Version 2 was promoted at noon; one host went on with version 1 until three."""
    noon = datetime(2026, 2, 3, 12, tzinfo=UTC)
    with open_log(place.log_url) as log:
        registry = Registry(log)
        for version, hours in (("1", -4), ("2", 0)):
            author = Author("ann", clock=lambda hours=hours: noon.timestamp() + 3600 * hours)
            head = registry.model(MODEL).heads.get("production", "")
            registry.submit(
                author.event(
                    MODEL,
                    Kind.STAGE,
                    model_version=version,
                    stage="production",
                    expected_head=head,
                    reason=f"number {version}",
                )
            )
        registry.close()
        for version, hours in (("1", range(-4, 3)), ("2", range(5))):
            with PredictionLogger(
                model_name=MODEL, model_version=version, training_run_id=f"run-{version}", log=log
            ) as logger:
                for hour in hours:
                    logger.log({"x": 1.0}, 0.5, event_time=noon.timestamp() + 3600 * hour + 600)
    landing = Landing(place)
    landing.land()
    landing.close()
    at = ask(place, "models", "history", MODEL, "--at", "2026-02-03T13:30")
    assert [(each["version"], each["by"], each["why"]) for each in at["declared"]] == [
        ("2", "ann", "number 2")
    ]
    assert [(each["version"], each["declared"], each["events"]) for each in at["answered"]] == [
        ("1", False, 1),
        ("2", True, 1),
    ]
    period = ("--since", "2026-02-03T00:00", "--until", "2026-02-04T00:00")
    over = ask(place, "models", "history", MODEL, *period)
    assert [each["version"] for each in over["declared"]] == [None, "1", "2"]
    reported = run(place, "models", "history", MODEL, *period).output
    assert "2026-02-03 12:00 to 2026-02-04 00:00  2  version 2 went from candidate to production" in reported
    rows = [line.split() for line in reported.splitlines() if line.endswith(("True", "False"))]
    assert [(row[0], row[-2], row[-1]) for row in rows] == [
        ("1", "4", "True"),
        ("1", "3", "False"),
        ("2", "5", "True"),
    ]


def test_history_of_a_time_that_nothing_is_known_of_says_so(place):
    landing = Landing(place)
    landing.land()
    landing.close()
    done = run(place, "models", "history", MODEL, "--at", "2020-01-01T00:00")
    assert "at 2020-01-01 00:00:00  nothing" in done.output
    assert "no prediction of that time has landed" in done.output
    unknown = run(place, "models", "history", "other")
    assert "no model 'other' is registered; there is flight-delay" in unknown.output


def test_models_and_runs_of_a_project_are_listed(place):
    with open_log(place.log_url) as log:
        for model, project in (("fraud", "payments"), ("fraud", None), ("late", "desk")):
            register_training_run(model_name=model, project=project, log=log, waive=WAIVED)
    landing = Landing(place)
    landing.land()
    landing.close()
    assert [line["model_name"] for line in ask(place, "models", "list", "--project", "payments")] == ["fraud"]
    assert {line["project"] for line in ask(place, "models", "list")} == {None, "payments", "desk"}
    listed = ask(place, "runs", "list", "--project", "payments")
    assert [(row["model_name"], row["model_version"], row["project"]) for row in listed] == [
        ("fraud", "2", "payments"),
        ("fraud", "1", "payments"),
    ]
    assert [row["model_name"] for row in ask(place, "runs", "list", "--limit", "1")] == ["late"]
    for command in ("models", "runs"):
        done = run(place, command, "list", "--project", "payment")
        assert done.exit_code == 1
        assert "no model is in project 'payment'; there are payments, desk" in done.output


@pytest.mark.parametrize("project", ["", "p" * 3000])
def test_a_project_is_a_name_as_any_other(place, project):
    with open_log(place.log_url) as log, pytest.raises(SettingError, match="project"):
        register_training_run(model_name="fraud", project=project, log=log, waive=WAIVED)
