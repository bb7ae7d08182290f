"""MLflow's own server: three versions and an alias that moves are copied once, however often it is asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from driftline import PredictionLogger
from driftline.cli.app import driftline
from driftline.log import open_log
from driftline.registry.client import Registry
from driftline.wire import MODEL_REGISTRY_TOPIC, TRAINING_RUNS_TOPIC, decode_record
from tests.support.landing import Landing
from tests.support.mlflow import MlflowServer
from tests.support.process import ServerProcess, free_ports
from tests.support.running import Place

MODEL = "flight-delay"
SERVED = Path(__file__).parent / "served"
pytestmark = pytest.mark.timeout(1800)


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Return a work tree with the training code: MLflow looks for a commit where a script lies."""
    folder = tmp_path_factory.mktemp("code")
    for script in SERVED.glob("*.py"):
        shutil.copy(script, folder)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "train")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory, tree):
    """Start a server with three versions of a model; ``runs`` are theirs."""
    one = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    one.start()
    one.runs = [train(one, tree, MODEL, depth)[0] for depth in (1, 2, 3)]
    yield one
    one.stop()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def train(server, tree, *arguments, **others):
    """Return the run's id, and its version."""
    named = server.python(tree / "train.py", *map(str, arguments), **others).splitlines()[-1].split()
    return named[0], named[1]


def change(server, tree, *what):
    server.python(tree / "change.py", *what)


def run(place, *arguments, **variables):
    """Run a command of driftline in this process."""
    given = {"DRIFTLINE_LOG": place.log_url, "DRIFTLINE_STORE": place.store_url, **variables}
    return CliRunner().invoke(driftline, list(arguments), env=given)


def sync(place, server):
    done = run(place, "mlflow", "sync", "--uri", server.url, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def records(place):
    """Return what the log holds of runs and of the registry, decoded."""
    with open_log(place.log_url) as log:
        return {
            topic: [decode_record(value)[1] for batch in scan.read() for value in batch.values]
            for topic in (TRAINING_RUNS_TOPIC, MODEL_REGISTRY_TOPIC)
            for scan in [log.scan(topic)]
        }


def state(place, model=MODEL):
    with open_log(place.log_url) as log, closing(Registry(log)) as registry:
        return registry.model(model)


def trace(place, version, run_id):
    """Log a prediction of a version, land everything, and return what is found of the prediction."""
    with PredictionLogger(
        model_name=MODEL, model_version=version, training_run_id=run_id, log=place.log_url
    ) as logger:
        event_id = logger.log(features={"distance": 733.0}, prediction=0.5)
    landing = Landing(place)
    landing.land()
    landing.close()
    done = run(place, "trace", str(event_id), "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_three_versions_and_an_alias_that_moves_are_copied_and_traced_with_nothing_twice(place, server, tree):
    change(server, tree, "alias", MODEL, "champion", "2")
    first = sync(place, server)
    assert [each["version"] for each in first["new"]] == ["1", "2", "3"]
    assert state(place).aliases == {"champion": "2"}

    change(server, tree, "alias", MODEL, "champion", "3")
    change(server, tree, "alias", MODEL, "production", "3")
    moved = sync(place, server)
    assert (moved["new"], moved["changed"], moved["problems"]) == ([], [], [])
    assert state(place).aliases == {"champion": "3"}
    assert state(place).in_production() == "3"

    before = records(place)
    server.stop()
    away = run(place, "mlflow", "sync", "--uri", server.url)
    assert away.exit_code == 1
    assert f"{server.url} does not answer" in away.output
    server.start()
    again = sync(place, server)
    assert (again["new"], again["changed"], again["moved"], again["problems"]) == ([], [], [], [])
    assert records(place) == before, "nothing is there twice"

    found = trace(place, "3", server.runs[2])
    training = found["training_run"]
    assert training["training_run_id"] == server.runs[2]
    assert training["git_commit"] == git(tree, "rev-parse", "HEAD")
    assert training["parameters"] == {"depth": "3"}
    assert training["metrics"]["auc"] == pytest.approx(0.83)
    assert training["tags"]["team"] == "ops"
    assert training["data_uri"] == "s3://flights/2013.parquet"
    assert training["data_fingerprint"].startswith("mlflow:")


def test_a_run_can_be_rebuilt_from_what_was_copied(place, server, tmp_path):
    """By the commands that are printed, in MLflow's own environment; the digests are those of its files."""
    sync(place, server)
    copied = records(place)[TRAINING_RUNS_TOPIC][1]
    assert copied["environment_kind"] == "requirements"
    assert "pandas" in copied["environment_text"]
    assert copied["features"] == {"distance": "double"}
    assert copied["runtime"]["python"].startswith("3.")
    assert {"MLmodel", "requirements.txt"} <= {each["path"] for each in copied["artifacts"]}
    assert copied["waived"] == {}
    landing = Landing(place)
    landing.land()
    landing.close()
    shown = run(place, "runs", "show", server.runs[1], "--model", MODEL, "--json")
    commands = json.loads(shown.output)["rebuild"]["artifact"]
    path = f"{server.home / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(commands)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == len(copied["artifacts"]) > 2


def test_a_metric_that_is_measured_later_is_a_new_revision(place, server, tree):
    sync(place, server)
    change(server, tree, "metric", server.runs[0], "late", "0.5")
    assert sync(place, server)["changed"] == [{"model_name": MODEL, "version": "1"}]
    assert records(place)[TRAINING_RUNS_TOPIC][-1]["metrics"]["late"] == 0.5
    assert sync(place, server)["changed"] == []


def test_what_is_deleted_in_mlflow_stays(place, server, tree):
    run_id, version = train(server, tree, "doomed", 4)
    sync(place, server)
    before = records(place)
    change(server, tree, "delete", "doomed", version, run_id)
    assert sync(place, server)["gone"] == [{"model_name": "doomed", "version": version}]
    assert records(place) == before
    assert list(state(place, "doomed").versions) == [version]


def test_a_webhook_of_mlflow_has_it_look_at_once(place, server, tree, tmp_path):
    """The next look of its own would be in an hour."""
    secret, log = tmp_path / "secret", tmp_path / "bridge.log"
    secret.write_text("of both\n")
    (port,) = free_ports(1)
    intervals = ("--interval", "3600", "--metrics-port", str(port))
    command = [sys.executable, "-m", "driftline.cli", "--log-level", "info", "mlflow", "sync", "--watch"]
    variables = {"DRIFTLINE_LOG": place.log_url, "DRIFTLINE_MLFLOW_WEBHOOK_SECRET_FILE": str(secret)}
    bridge = ServerProcess("bridge", [*command, "--uri", server.url, *intervals], log, variables)
    bridge.start()
    try:
        bridge.wait_until(lambda: "version 3: registered" in bridge.output(), timeout_s=300)
        change(server, tree, "webhook", f"http://127.0.0.1:{port}/mlflow/webhook", "of both")
        change(server, tree, "alias", MODEL, "hinted", "1")
        bridge.wait_until(lambda: state(place).aliases.get("hinted") == "1", timeout_s=300)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            assert 'driftline_mlflow_hints_total{outcome="accepted"}' in answer.read().decode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as answer:
            assert json.load(answer)["status"] == "ok"
        bridge.terminate()
        bridge.wait_until_gone(timeout_s=120)
        assert bridge.exit_status == 0
    finally:
        bridge.kill()


def test_one_line_in_the_training_registers_what_sync_then_finds_as_it_is(place, server, tree):
    log = place.log_url
    run_id, version = train(server, tree, "punctual", 7, "--autolog", log)
    copied = state(place, "punctual").versions[version]
    assert copied.training_run_id == run_id
    recorded = records(place)[TRAINING_RUNS_TOPIC][-1]
    assert recorded["git_commit"] == git(tree, "rev-parse", "HEAD")
    assert recorded["git_dirty"] is False, "MLflow does not know that"
    assert recorded["waived"] == {}

    unregistered, _ = train(server, tree, "punctual", 8, "--autolog", log, "--unregistered")
    assert state(place, "flights").versions[f"run-{unregistered[:12]}"].training_run_id == unregistered
    done = sync(place, server)
    assert {"model_name": "punctual", "version": version} not in [*done["new"], *done["changed"]]
    assert (done["gone"], done["problems"]) == ([], [])


def test_training_goes_on_where_nothing_can_be_registered(server, tree):
    run_id, _ = train(server, tree, "punctual", 9, "--autolog", "file:///proc/nowhere")
    assert run_id


def test_a_store_is_read_by_mlflows_own_client_where_that_is_installed(place, server, tree):
    """The very store of the server; what its files could not tell is read once the server is asked."""
    server.python(tree / "read_store.py", server.store, place.log_url)
    assert list(state(place).versions) == ["1", "2", "3"]
    assert state(place).versions["2"].training_run_id == server.runs[1]
    sync(place, server)
    assert state(place).versions["2"].artifact_sha256 is not None
    assert sync(place, server)["changed"] == []
