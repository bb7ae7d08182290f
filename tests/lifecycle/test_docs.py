"""docs/lifecycle.md says what the code does: its commands are run in their order, its files are read."""

from __future__ import annotations

import re
import shlex
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from driftline import register_training_run
from driftline.cli.app import driftline
from driftline.domain.retraining import WHYS
from driftline.drift import DriftSettings
from driftline.lifecycle.pipeline_file import read_pipeline
from driftline.lifecycle.steps import STEPS
from driftline.lifecycle.trigger import TriggerSettings
from driftline.monitors import read_monitors
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage
from driftline.registry.events import Stage
from tests.lifecycle.traffic import START, event, serve
from tests.support.training import WAIVED

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "lifecycle.md").read_text()
MONITORS, PIPELINE = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
LINES = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
MODEL = "flight-delay"
STATUS = {"gate": {0, 2}, "pipeline run": {0, 1, 2}}
"""A gate may hold: what was logged here is little."""

ROWS = range(400)


@pytest.fixture(scope="module")
def folder(landing, tmp_path_factory):
    """A folder with the files of the documentation, beside a store in which the model served an hour ago."""
    folder = tmp_path_factory.mktemp("docs")
    events = {number: {**event(number), "tags": {"origin": "EWR"}} for number in ROWS}
    ids = serve(landing, MODEL, ROWS, events=events)
    early = START - timedelta(days=1)
    for version in ("3", "4"):
        names = {"model_name": MODEL, "model_version": version, "log": landing.log}
        register_training_run(f"run-{version}", **names, waive=WAIVED, clock=early.timestamp)
    registry = Registry(landing.log)
    state = registry.model(MODEL)
    registry.submit(give_stage(state, "3", Stage.PRODUCTION, author=Author("me"), reason="first"))
    registry.close()
    landing.land()
    for table in ("predictions", "outcomes"):
        moved = f"UPDATE landed_at = landed_at - INTERVAL 1 HOUR WHERE model_name = '{MODEL}'"
        earlier = f"ALTER TABLE {table} {moved}"
        landing.client.command(earlier, settings={"mutations_sync": 2})
    (folder / "monitors.yaml").write_text(MONITORS)
    (folder / "driftline.yaml").write_text(here(PIPELINE, folder))
    scores = "\n".join(f"{event_id},0.5" for event_id in ids)
    (folder / "scores.csv").write_text(f"event_id,prediction\n{scores}\n")
    return folder


def here(text, folder):
    """Return an example with its places and periods as they are here."""
    text = (
        text.replace("s3://bucket/sets", str(folder / "sets")).replace("60d", "520w").replace("14d", "520w")
    )
    return text.replace("command: python train.py", f"command: {sys.executable} -c pass")


def test_the_commands_run_in_their_order(landing, folder, monkeypatch):
    monkeypatch.chdir(folder)
    env = {"DRIFTLINE_LOG": landing.place.log_url, "DRIFTLINE_STORE": landing.place.store_url}
    assert len(LINES) > 12
    for line in LINES:
        parts = shlex.split(here(line, folder))[1:]
        done = CliRunner().invoke(driftline, parts, env=env)
        allowed = STATUS.get(parts[0]) or STATUS.get(" ".join(parts[:2]), {0})
        assert done.exit_code in allowed, f"{line}: {done.output}"
        assert done.exception is None or isinstance(done.exception, SystemExit), line
    assert list((folder / "data" / "train").glob("*.parquet"))
    assert (folder / "gate.md").read_text().startswith("# HOLD: flight-delay 4 against 3")


def test_the_files_are_read(folder):
    monitor = read_monitors(folder / "monitors.yaml", DriftSettings()).of(MODEL)
    assert TriggerSettings(**monitor.retrain).minimum_labels == 2000
    assert read_pipeline(folder / "driftline.yaml").gate.rules().slices == ("origin=EWR", "carrier=UA")


def test_the_tables_have_each_reason_and_each_step():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", TEXT, re.MULTILINE)
    assert [row for row in rows if row[0] in WHYS] == [(code, *meaning) for code, meaning in WHYS.items()]
    named = re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)
    assert [name for name in named if name in STEPS] == list(STEPS)


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_what_the_examples_for_ci_call_is_there(name):
    text = (ROOT / "examples" / "ci" / name).read_text()
    assert yaml.safe_load(text)
    lines = re.findall(r"(?:run: |- |^ +)driftline (.*?)(?: \|\| .*)?$", text, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        parts = shlex.split(line)
        command = driftline.commands[parts[0]]
        command = command.commands[parts[1]] if parts[0] == "retrain" else command
        options = {part for part in parts if part.startswith("--")}
        assert options <= {option for parameter in command.params for option in parameter.opts}
