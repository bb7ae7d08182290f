"""What a run's commands rebuild trains the same model again: the same bytes, and the same metrics."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.sdk.artifacts import file_sha256
from tests.support.installing import make_environment
from tests.support.landing import Landing
from tests.support.running import Place

SOURCE = Path(__file__).parents[2] / "services"
NEEDED = ("numpy", "fastavro", "confluent-kafka")

TRAIN = '''\
"""Fits a line to the rows of a file or a folder, and registers the run."""

import sys
from pathlib import Path

import numpy as np

from driftline import DataReference, training_run

PENALTY = 1.0

data, model = Path(sys.argv[1]), Path(sys.argv[2])
files = sorted(data.glob("*.csv")) if data.is_dir() else [data]
rows = np.concatenate([np.loadtxt(file, delimiter=",", skiprows=1) for file in files])
inputs, truth = np.column_stack([rows[:, :-1], np.ones(len(rows))]), rows[:, -1]
with training_run(model_name="fare", data=DataReference.from_path(data), keep_changes=True) as run:
    weights = np.linalg.solve(inputs.T @ inputs + PENALTY * np.eye(inputs.shape[1]), inputs.T @ truth)
    np.save(model, weights)
    rmse = float(np.sqrt(np.mean((inputs @ weights - truth) ** 2)))
    run.add(artifact=model, parameters={"penalty": PENALTY}, metrics={"train": {"rmse": rmse}})
print(run.registered, rmse)
'''


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return the Python of the environment that trains: what the run needs, and driftline's own needs."""
    packages = [f"{name}=={version(name)}" for name in NEEDED]
    return make_environment(tmp_path_factory.mktemp("training") / "env", packages)


def train(interpreter, folder, log_url, *arguments):
    """Run a training script in a folder; return the id of the run, and its metric."""
    variables = {"PYTHONPATH": str(SOURCE), "DRIFTLINE_LOG": log_url, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [interpreter, *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def shown(place, run_id):
    """Return a run as ``driftline runs show`` has it, once it has landed."""
    landing = Landing(place)
    landing.land()
    landing.close()
    variables = {"DRIFTLINE_LOG": place.log_url, "DRIFTLINE_STORE": place.store_url}
    done = CliRunner().invoke(driftline, ["runs", "show", run_id, "--json"], env=variables)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def checkout_of(folder):
    """Make a checkout with a commit, a remote, and a change that the commit does not hold."""
    tree = folder / "checkout"
    tree.mkdir()
    (tree / "train.py").write_text(TRAIN)
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "train")
    git(tree, "remote", "add", "origin", str(tree))
    (tree / "train.py").write_text(TRAIN.replace("PENALTY = 1.0", "PENALTY = 2.0"))
    return tree


def rows_of(count, seed):
    lines = [f"{n % 7},{(n * seed) % 11},{2 * (n % 7) - (n * seed) % 11 + n % 3}" for n in range(count)]
    return "distance,hour,fare\n" + "\n".join(lines) + "\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_run_is_rebuilt_by_its_commands_and_trains_the_same_model(tmp_path, python):
    place = Place(tmp_path / "place")
    place.folder.mkdir(exist_ok=True)
    tree, data = checkout_of(tmp_path), tmp_path / "rows"
    (data / "2026").mkdir(parents=True)
    for name, seed in (("a", 3), ("a-b", 5), ("2026/a", 7)):
        (data / f"{name}.csv").write_text(rows_of(50, seed))
    run_id, _ = train(python, tree, place.log_url, "train.py", data, tmp_path / "model.npy")
    before = shown(place, run_id)

    fresh = tmp_path / "fresh"
    fresh.mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "DRIFTLINE_STORE": place.store_url}
    commands = [command for step in before["rebuild"].values() for command in step]
    assert not [command for command in commands if command.startswith("#")]
    for command in commands:
        done = subprocess.run(
            command, shell=True, check=False, cwd=fresh, env=variables, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"

    again = (tmp_path / "again").as_uri()
    own = fresh / "env" / "bin" / "python"
    _, rmse = train(own, fresh / "code", again, "train.py", "../data-training", "../model.npy")
    assert before["parameters"] == {"penalty": "2"}
    assert before["metrics"] == {"train/rmse": float(rmse)}
    assert file_sha256(fresh / "model.npy") == before["artifacts"][0]["sha256"]
    assert (fresh / "artifact").read_bytes() == (fresh / "model.npy").read_bytes()
    (check,) = (command for command in before["rebuild"]["data"] if "sha256sum" in command)
    (fresh / "data-training" / "a.csv").write_text("another")
    assert subprocess.run(check, check=False, shell=True, cwd=fresh).returncode == 1
