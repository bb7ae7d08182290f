"""From a prediction to its stage, commit, environment and data, with what rebuilds them, and back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from driftline import DataReference, PredictionLogger, register_training_run
from driftline.cli.app import driftline
from driftline.log import open_log
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage
from driftline.registry.events import Stage
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.training import WAIVED

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC).timestamp()
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Land a run with all that made it, a version that was promoted at noon and replaced at three."""
    folder = tmp_path_factory.mktemp("trace")
    place = Place(folder)
    tree = folder / "code"
    tree.mkdir()
    (tree / "train.py").write_text("fit()\n")
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "train")
    git(tree, "remote", "add", "origin", str(tree))
    (tree / "train.py").write_text("fit(depth=4)\n")
    (folder / "rows.csv").write_text("distance\n733\n")
    (folder / "model.bin").write_bytes(b"weights")
    (folder / "requirements.txt").write_text("numpy==2.2.0\n")
    with pytest.MonkeyPatch.context() as patch, open_log(place.log_url) as log:
        patch.chdir(tree)
        run = register_training_run(
            "run-1",
            model_name="delay",
            log=log,
            artifact=folder / "model.bin",
            environment=folder / "requirements.txt",
            data=DataReference.from_path(folder / "rows.csv"),
            keep_changes=True,
            clock=lambda: NOON - 7200,
        )
        register_training_run("run-2", model_name="delay", log=log, waive=WAIVED, clock=lambda: NOON - 3600)
        with closing(Registry(log)) as registry:
            for version, hours in (("1", 0), ("2", 3)):
                author = Author("ann", clock=lambda hours=hours: NOON + 3600 * hours)
                registry.submit(
                    give_stage(registry.model("delay"), version, Stage.PRODUCTION, author=author, reason="x")
                )
        with PredictionLogger(
            model_name="delay", model_version=run.model_version, training_run_id=run, log=log
        ) as logger:
            events = [
                logger.log(
                    {"distance": 733.0},
                    0.5,
                    entity_id=f"plane-{hour % 2}",
                    request_id=f"request-{hour}",
                    trace_id=TRACE_ID if hour == 1 else None,
                    event_time=NOON + 3600 * hour,
                )
                for hour in (-1, 1, 4)
            ]
        with PredictionLogger(
            model_name="delay", model_version="9", training_run_id="unknown", log=log
        ) as logger:
            stray = logger.log({"distance": 1.0}, 0.5, event_time=NOON)
    landing = Landing(place)
    landing.land()
    landing.close()
    return place, events, stray


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    done = subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def run(place, *arguments):
    environment = {"DRIFTLINE_LOG": place.log_url, "DRIFTLINE_STORE": place.store_url}
    return CliRunner().invoke(driftline, list(arguments), env=environment)


def ask(place, *arguments):
    done = run(place, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
class TestTrace:
    def test_a_prediction_has_its_versions_stage_then_and_now(self, site):
        place, events, _ = site
        traced = [ask(place, "trace", event) for event in events]
        assert [each["stage_then"] for each in traced] == ["candidate", "production", "candidate"]
        assert {each["stage_now"] for each in traced} == {"candidate"}
        assert [each["in_production_then"] for each in traced] == [None, "1", "2"]

    def test_it_prints_commit_environment_data_and_what_was_decided_then(self, site):
        place, events, _ = site
        commit = git(place.folder / "code", "rev-parse", "HEAD")
        reported = run(place, "trace", events[1]).output
        assert f'"{commit}"' in reported
        for part in (
            "stage then            production",
            "stage now             candidate",
            "version 1 went from candidate to production by ann at 2026-02-03 12:00:00 UTC: x",
            'environment_kind      "requirements"',
            "rows.csv",
        ):
            assert part in reported

    def test_the_commands_rebuild_code_environment_data_and_artifact(self, site, tmp_path):
        """They are run as they are, but for pip's."""
        place, events, _ = site
        steps = ask(place, "trace", events[1])["run"]["rebuild"]
        commands = [command for step in steps.values() for command in step if "pip install" not in command]
        assert not [command for command in commands if command.startswith("#")]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "DRIFTLINE_STORE": place.store_url}
        for command in commands:
            subprocess.run(
                command, shell=True, check=True, cwd=tmp_path, capture_output=True, env=environment
            )
        assert (tmp_path / "code" / "train.py").read_text() == "fit(depth=4)\n"
        assert (tmp_path / "requirements.txt").read_text() == "numpy==2.2.0\n"
        assert (tmp_path / "data-training.csv").read_text() == "distance\n733\n"
        assert (tmp_path / "artifact").read_bytes() == b"weights"

    def test_what_was_never_registered_says_so(self, site):
        place, _, stray = site
        reported = run(place, "trace", stray).output
        assert "version '9' was never registered" in reported
        assert "run 'unknown' was never registered" in reported

    def test_predictions_are_found_backwards(self, site):
        place, events, _ = site
        commit = git(place.folder / "code", "rev-parse", "HEAD")
        data = (place.folder / "rows.csv").as_uri()
        for key, value in (("run", "run-1"), ("commit", commit[:10]), ("data", data)):
            found = ask(place, "trace", f"--{key}", value)
            (stream,) = found["streams"]
            assert (stream["model_version"], stream["events"]) == ("1", 3)
            assert found["predictions"][0]["event_id"] == events[2]
        wanted = (
            ("entity", "plane-1", events[:2]),
            ("request", "request-4", events[2:]),
            ("trace", TRACE_ID, events[1:2]),
        )
        for key, value, expected in wanted:
            found = ask(place, "trace", f"--{key}", value, "--model", "delay")
            assert sorted(each["event_id"] for each in found["predictions"]) == sorted(expected)
        assert "no prediction of entity nobody has landed" in run(place, "trace", "--entity", "nobody").output
        assert events[2] in run(place, "trace", "--run", "run-1").output

    def test_one_question_is_asked_at_a_time(self, site):
        place, events, _ = site
        done = run(place, "trace", events[0], "--run", "run-1")
        assert "name one prediction, or one of --entity, --request" in done.output
        assert run(place, "trace").exit_code == 2


def test_a_run_is_shown_and_registered_from_the_command_line(tmp_path):
    place = Place(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"weights")
    arguments = ["--run", "r", "--model", "m", "--artifact", str(tmp_path / "model.bin"), "--commit", "f00d"]
    arguments += ["--data", "s3://rows", "--data-rows", "7", "--metric", "test/auc=0.9", "--param", "depth=3"]
    registered = ask(place, "runs", "register", *arguments)
    assert registered == {"model_name": "m", "training_run_id": "r", "model_version": "1"}
    again = run(place, "runs", "register", *arguments, "--metric", "test/auc=0.8")
    assert "m version 1: run r, a candidate" in again.output
    landing = Landing(place)
    landing.land()
    landing.close()
    shown = ask(place, "runs", "show", "r")
    assert (shown["revision"], shown["revisions"], shown["metrics"]) == (2, 2, {"test/auc": 0.8})
    assert ask(place, "runs", "show", "r", "--revision", "1")["metrics"] == {"test/auc": 0.9}
    reported = run(place, "runs", "show", "r").output
    assert "revision              2 of 2" in reported
    assert "aws s3 cp --recursive s3://rows data-training" in reported
    assert "pytest==" in run(place, "runs", "show", "r", "--print", "environment").output
    assert "no run x is registered" in run(place, "runs", "show", "x").output
    assert "has 2 revisions, and no 3" in run(place, "runs", "show", "r", "--revision", "3").output
    assert (
        "no changes of its work tree are kept" in run(place, "runs", "show", "r", "--print", "changes").output
    )
    bare = run(place, "runs", "register", "--model", "m", "--commit", "f00d")
    assert "artifact: give artifact= (a file or folder)" in bare.output
    assert (
        "'auc' is not NAME=VALUE" in run(place, "runs", "register", "--model", "m", "--metric", "auc").output
    )
