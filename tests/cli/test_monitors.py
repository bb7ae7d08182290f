"""``driftline monitors``: what is wrong with a file, and what it comes to."""

from __future__ import annotations

import json
from contextlib import closing

import click
import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.cli.options import load_monitors, monitors_option
from driftline.drift import DriftSettings
from driftline.embedded import open_store
from driftline.monitors import MonitorsError
from driftline.monitors.schema import json_schema
from driftline.store.segments import wanted_segments
from tests.support.landing import Landing, put
from tests.support.running import Place

FINE = """\
version: 1
defaults:
  timezone: Europe/Berlin
models:
  churn:
    minimum_effect: 1%
    labels: {team: churn}
  "fraud-*": {}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.delenv("DRIFTLINE_MONITORS", raising=False)
    (tmp_path / "fine.yaml").write_text(FINE)
    (tmp_path / "wrong.yaml").write_text("version: 1\nmodles:\n")
    return lambda *arguments: CliRunner().invoke(driftline, ["monitors", *arguments])


def test_a_file_that_is_fine_is_shown_model_by_model(run):
    result = run("check", "fine.yaml")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[:9] == [
        "fine.yaml: nothing is wrong",
        "",
        "churn",
        "minimum_effect 1% line 6",
        "labels.team churn line 7",
        "the rest as every other model",
        "",
        "fraud-*",
        "the rest as every other model",
    ]
    assert lines[10] == "every other model"
    assert {"minimum_effect 0.5% default", "timezone Europe/Berlin line 3"} < set(lines[11:])


def test_what_applies_to_a_model_is_shown_in_whole(run):
    lines = [
        " ".join(line.split()) for line in run("check", "fine.yaml", "--model", "churn").stdout.splitlines()
    ]
    assert lines[2] == "churn"
    assert {"minimum_effect 1% line 6", "timezone Europe/Berlin line 3", "quiet_hours 24h default"} < set(
        lines
    )
    assert "every other model" not in lines


def test_problems_go_to_standard_error_and_end_with_status_1_whatever_the_other_files_say(run):
    result = run("check", "wrong.yaml", "missing.yaml", "fine.yaml")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        (
            "wrong.yaml:2:1: modles: there is no such key; did you mean models? "
            "(allowed here: version, defaults, models)"
        ),
        "missing.yaml: the file of monitors can't be read: no such file or directory",
    ]
    assert result.stdout.startswith("fine.yaml: nothing is wrong")


def test_json_tells_the_same_to_programs(run):
    result = run("check", "wrong.yaml", "fine.yaml", "--json")
    assert result.exit_code == 1
    wrong, fine = json.loads(result.stdout)
    assert (wrong["file"], wrong["ok"], wrong["models"]) == ("wrong.yaml", False, [])
    (problem,) = wrong["problems"]
    assert (problem["line"], problem["column"], problem["path"]) == (2, 1, "modles")
    assert fine["ok"]
    assert [model["model"] for model in fine["models"]] == ["churn", "fraud-*", None]
    assert [model["minimum_effect"] for model in fine["models"]] == [0.01, 0.005, 0.005]
    assert fine["models"][0]["labels"] == {"team": "churn"}


def test_no_file_is_a_wrong_call(run):
    assert run("check").exit_code == 2


def test_the_schema_is_printed(run):
    assert json.loads(run("schema").stdout) == json_schema()


def test_a_store_tells_what_no_model_has(run, tmp_path):
    place = Place(tmp_path)
    landing = Landing(place)
    put(
        landing,
        [{"features": {"age": 30.0}, "prediction": 0.5, "tags": {"country": "NO"}}],
        model_name="churn",
    )
    landing.close()
    (tmp_path / "m.yaml").write_text(
        "version: 1\nmodels:\n  churn:\n    segments: [country, county]\n  churm: {}\n"
    )
    result = run("check", "m.yaml", "--store", place.store_url)
    assert result.exit_code == 0, "a warning is no error"
    warnings = [line.removeprefix("m.yaml: warning: ") for line in result.stderr.splitlines()]
    assert warnings == [
        "models.churm: applies to no model that has landed; did you mean churn?",
        "line 4: county: churn has no such tag or categorical feature; did you mean country?",
    ]


def test_a_store_that_the_settings_file_names_follows_a_file(run, tmp_path):
    place = Place(tmp_path)
    landing = Landing(place)
    put(landing, [{"features": {}, "prediction": 0.5, "tags": {"country": "NO"}}], model_name="churn")
    landing.close()
    (tmp_path / "driftline.toml").write_text(f'store = "{place.store_url}"\n')
    (tmp_path / "m.yaml").write_text("version: 1\nmodels:\n  churn: {segments: [country, county]}\n")
    result = run("apply", "m.yaml")
    assert (result.exit_code, result.stdout) == (0, "the store follows m.yaml\n")
    assert "'county'" in result.stderr
    with open_store(place.store_url) as store, closing(store.connect()) as client:
        assert wanted_segments(client, "churn") == ["country=NO"]


def test_a_file_that_is_wrong_is_not_followed(run, tmp_path):
    result = run("apply", "wrong.yaml", "--store", Place(tmp_path).store_url)
    assert result.exit_code == 1
    assert "wrong.yaml:2:1: modles" in result.stderr
    assert not (tmp_path / "store").exists()


@pytest.fixture
def command():
    @click.command()
    @monitors_option
    def example(monitors):
        click.echo(load_monitors(monitors, DriftSettings(stuck_hours=7)).settings_of("churn"))

    return example


@pytest.mark.usefixtures("run")
def test_services_take_a_file_from_the_flag_then_from_the_environment(command, tmp_path):
    (tmp_path / "other.yaml").write_text("version: 1\ndefaults: {minimum_effect: 3%}\n")
    shown = CliRunner().invoke(command, ["--monitors", "fine.yaml"], env={"DRIFTLINE_MONITORS": "other.yaml"})
    assert "minimum_effect=0.01" in shown.output
    shown = CliRunner().invoke(command, [], env={"DRIFTLINE_MONITORS": "other.yaml"})
    assert "minimum_effect=0.03" in shown.output
    assert "stuck_hours=7" in CliRunner().invoke(command, []).output


@pytest.mark.usefixtures("run")
def test_a_service_does_not_start_with_a_file_that_is_wrong(tmp_path):
    with pytest.raises(MonitorsError, match="modles"):
        load_monitors(tmp_path / "wrong.yaml", DriftSettings())
