"""A wrong argument is reported at once, and no password stands in a list of processes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.mlflow.errors import MlflowAwayError
from driftline.mlflow.rest import RestSource
from tests.mlflow.fake import FakeMlflow


@pytest.fixture
def mlflow(monkeypatch):
    """Have the command ask an MLflow in this process."""
    fake = FakeMlflow()
    fake.add("till", "1")
    for name in ("models", "versions", "run", "logged_model", "files", "content", "read_description"):
        monkeypatch.setattr(RestSource, name, lambda _self, *given, name=name: getattr(fake, name)(*given))
    return fake


@pytest.fixture
def run(tmp_path):
    def invoke(*arguments, **variables):
        given = {"DRIFTLINE_LOG": (tmp_path / "log").as_uri(), "MLFLOW_TRACKING_URI": None, **variables}
        return CliRunner().invoke(driftline, ["mlflow", "sync", *arguments], env=given)

    return invoke


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing option '--uri'"),
        (("--uri", "http://ann:hunter2@mlflow"), "which every user of this host can read"),
        (("--uri", "ftp://mlflow"), "mlflow server --backend-store-uri"),
        (("--uri", "http://mlflow", "--stage", "champion"), "is not ALIAS=STAGE"),
        (("--uri", "http://mlflow", "--stage", "champion=live"), "'live' is no stage; there are candidate"),
    ],
)
def test_what_is_wrong_is_reported_and_no_password_is(run, arguments, message):
    done = run(*arguments)
    assert done.exit_code in {1, 2}
    assert message in " ".join(done.output.replace("\u2502", " ").split())
    assert "hunter2" not in done.output


def test_what_was_copied_is_printed(run, mlflow):
    mlflow.name("till", champion="1")
    done = run(MLFLOW_TRACKING_URI="http://mlflow:5000")
    assert done.exit_code == 0, done.output
    assert "till version 1: registered" in done.output
    assert "till: alias champion moved from nothing to 1" in done.output
    assert "1 models, 1 versions; 1 new, 0 changed, 1 moved, 0 problems" in done.output


def test_an_alias_may_stand_for_a_stage(run, mlflow):
    mlflow.name("till", champion="1")
    done = run("--uri", "http://mlflow:5000", "--stage", "champion=production", "--json")
    assert json.loads(done.output)["moved"] == ["till: version 1 went from candidate to production"]


def test_what_was_not_copied_is_named_and_the_exit_status_says_so(run, mlflow):
    mlflow.name("till", champion="7")
    done = run("--uri", "http://mlflow:5000")
    assert done.exit_code == 1
    assert "till alias champion: it names version 7" in done.output
    assert "till version 1: registered" in done.output


def test_an_mlflow_that_is_away_is_a_message(run, mlflow):
    mlflow.error = MlflowAwayError("http://mlflow:5000 does not answer: refused")
    done = run("--uri", "http://mlflow:5000")
    assert done.exit_code == 1
    assert "does not answer" in done.output
