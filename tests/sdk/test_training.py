"""A training run is registered in whole, with its reference rows, or not at all."""

from __future__ import annotations

import hashlib
import math
import platform
import shutil
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from driftline import DataReference, register_training_run
from driftline.errors import LogError, LogFullError, SettingError
from driftline.log import Record, open_log
from driftline.registry.client import Registry
from driftline.registry.decisions import Author
from driftline.registry.events import Kind
from driftline.sdk.code import CodeState, code_state
from driftline.testing import MemoryLog
from driftline.wire import MODEL_REGISTRY_TOPIC
from tests.sdk.logs import events_in
from tests.support.training import WAIVED

MODEL = {"model_name": "flight-delay", "model_version": "3", "waive": WAIVED}
ORIGINS = {"artifact_uri": "s3://models/3", "data_uri": "s3://flights", "git_commit": "f00d"}


WHOLE = {
    "training_run_id": "run-7f3a",
    "model_name": "flight-delay",
    "model_version": "3",
    "registered_time": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
    "registered_by": "ann",
    "artifact_uri": "s3://models/flight-delay/3",
    "artifacts": [{"path": "", "sha256": "0" * 64, "bytes": 0}],
    "git_commit": "f00d",
    "git_dirty": False,
    "git_branch": None,
    "git_remote": None,
    "git_changes": None,
    "git_changes_sha256": None,
    "environment_kind": "packages",
    "data_uri": "s3://flights/2013",
    "data_fingerprint": "sha256:abc",
    "data_references": [
        {
            "name": "training",
            "uri": "s3://flights/2013",
            "fingerprint": "sha256:abc",
            "rows": 7,
            "columns": {"distance": "double"},
        },
        {
            "name": "test",
            "uri": "SELECT * FROM flights",
            "fingerprint": None,
            "rows": None,
            "columns": {},
        },
    ],
    "reference_rows": 0,
    "reference_session_id": None,
    "parameters": {"depth": "3", "rate": "0.1", "loss": "log"},
    "metrics": {"auc": 0.91, "test/auc": 0.9},
    "cost": {"gpu_s": 12.0},
    "features": {"distance": "numeric"},
    "tags": {"team": "ops"},
    "waived": {},
}


@pytest.fixture
def url(tmp_path):
    return (tmp_path / "log").as_uri()


@pytest.fixture
def work_tree(tmp_path, monkeypatch):
    folder = tmp_path / "training"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return folder


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    return subprocess.run(
        ["git", *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_run_is_registered_with_all_that_is_known_of_it(url):
    run_id = register_training_run(
        "run-7f3a",
        model_name="flight-delay",
        model_version="3",
        log=url,
        artifact_uri="s3://models/flight-delay/3",
        artifact_sha256="0" * 64,
        git_commit="f00d",
        git_dirty=False,
        data=[
            DataReference(
                "s3://flights/2013", fingerprint="sha256:abc", rows=7, columns={"distance": "double"}
            ),
            DataReference("SELECT * FROM flights", name="test"),
        ],
        parameters={"depth": 3, "rate": 0.1, "loss": "log"},
        metrics={"auc": np.float64(0.91), "log_loss": math.nan, "test": {"auc": 0.9}},
        cost={"gpu_s": 12},
        features={"distance": "numeric"},
        tags={"team": "ops"},
        registered_by="ann",
        clock=lambda: 1_700_000_000.0,
    )
    assert (run_id, run_id.model_version) == ("run-7f3a", "3")
    (event,) = events_in(url)["driftline.training-runs"]
    assert math.isnan(event["metrics"].pop("log_loss"))
    versions, packages = event.pop("runtime"), event.pop("environment_text")
    assert event.pop("environment_sha256") == hashlib.sha256(packages.encode()).hexdigest()
    assert f"numpy=={np.__version__}" in packages.splitlines()
    assert event == WHOLE
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == np.__version__
    assert versions["platform"]


@pytest.mark.usefixtures("work_tree")
def test_a_run_that_does_not_say_what_made_it_is_refused_with_what_to_do(url):
    """Outside of a work tree nothing tells the code."""
    with pytest.raises(SettingError) as refused:
        register_training_run(model_name="m", log=url)
    for way in (
        "artifact: give artifact= (a file or folder)",
        "code: train in a git work tree",
        "data: give data=",
    ):
        assert way in str(refused.value)
    assert "environment:" not in str(refused.value)
    assert "waive={'artifact': 'why it is right without'}" in str(refused.value)
    assert not any(events_in(url).values())


def test_what_is_waived_is_kept_with_its_reason_and_what_is_there_needs_none(url):
    register_training_run(
        "run", model_name="m", log=url, **ORIGINS, waive={"data": "given", "environment": "x"}
    )
    register_training_run(
        "bare", model_name="m", log=url, waive={**WAIVED, "data": "synthetic rows", "artifact": "a formula"}
    )
    whole, bare = events_in(url)["driftline.training-runs"]
    assert whole["waived"] == {"environment": "x"}
    assert bare["waived"] == {
        "artifact": "a formula",
        "data": "synthetic rows",
        "environment": WAIVED["environment"],
    } | ({"code": WAIVED["code"]} if bare["git_commit"] is None else {})
    with pytest.raises(SettingError, match="it takes a reason for artifact, code, environment, data"):
        register_training_run(model_name="m", log=url, waive={"artefact": "x"})


def test_versions_are_numbered_by_the_model_and_a_run_that_is_registered_again_keeps_its_own(url):
    first = register_training_run("a", model_name="m", log=url, waive=WAIVED)
    second = register_training_run("b", model_name="m", log=url, waive=WAIVED)
    other = register_training_run("b", model_name="other", log=url, waive=WAIVED)
    again = register_training_run("a", model_name="m", log=url, waive=WAIVED, metrics={"auc": 0.5})
    assert [run.model_version for run in (first, second, other, again)] == ["1", "2", "1", "1"]
    assert [event["model_version"] for event in events_in(url)["driftline.training-runs"]] == [
        "1",
        "2",
        "1",
        "1",
    ]


def test_a_version_of_another_run_is_refused_before_anything_is_logged(url):
    register_training_run("a", **MODEL, log=url)
    with pytest.raises(SettingError, match="version 3 of flight-delay is run a's"):
        register_training_run("b", **MODEL, log=url, reference={"x": [1.0]})
    events = events_in(url)
    assert len(events["driftline.training-runs"]) == 1
    assert events["driftline.predictions"] == []


def test_two_who_number_a_version_at_once_get_one_each():
    """The other one's claim comes between looking and claiming."""
    log = RacingLog()
    run = register_training_run("mine", model_name="m", log=log, waive=WAIVED)
    assert run.model_version == "2"
    with closing(Registry(log)) as registry:
        versions = registry.model("m").versions
    assert {name: version.training_run_id for name, version in versions.items()} == {
        "1": "theirs",
        "2": "mine",
    }


class RacingLog(MemoryLog):
    """A log in which somebody else registers a version whenever one is about to be registered first."""

    is_raced = False

    def append(self, records, **options):
        if not self.is_raced and {record.topic for record in records} == {MODEL_REGISTRY_TOPIC}:
            self.is_raced = True
            author = Author("they")
            event = author.event("m", Kind.VERSION, model_version="1", training_run_id="theirs")
            super().append([Record(MODEL_REGISTRY_TOPIC, b"m", event.encode())])
        super().append(records, **options)


def test_a_run_without_an_id_gets_one(url):
    run_id = register_training_run(**MODEL, log=url)
    assert UUID(run_id).version == 7
    assert events_in(url)["driftline.training-runs"][0]["training_run_id"] == run_id


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_commit_and_changes_are_found_in_the_work_tree(url, work_tree):
    git("init", "-q")
    (work_tree / "train.py").write_text("fit()")
    git("add", ".")
    git("commit", "-q", "-m", "train")
    register_training_run("run", **MODEL, log=url)
    (work_tree / "train.py").write_text("fit(depth=4)")
    register_training_run("run", **MODEL, log=url, keep_changes=True)
    clean, dirty = events_in(url)["driftline.training-runs"]
    assert clean["git_commit"] == dirty["git_commit"] == git("rev-parse", "HEAD")
    assert (clean["git_dirty"], dirty["git_dirty"]) == (False, True)
    assert (clean["git_changes_sha256"], clean["git_changes"]) == (None, None)
    assert "+fit(depth=4)" in dirty["git_changes"]
    assert dirty["git_changes_sha256"]


@pytest.mark.usefixtures("work_tree")
def test_without_a_work_tree_the_commit_is_not_known(url):
    register_training_run(**MODEL, log=url)
    (event,) = events_in(url)["driftline.training-runs"]
    assert (event["git_commit"], event["git_dirty"]) == (None, None)


def test_without_git_the_commit_is_not_known(work_tree, monkeypatch):
    monkeypatch.setenv("PATH", str(work_tree))
    assert code_state(work_tree) == CodeState()


def test_reference_rows_are_predictions_of_the_reference_environment(url):
    frame = pd.DataFrame({"distance": [733.0, 100.0, 5.0], "carrier": ["UA", "DL", None]})
    with open_log(url) as log:
        register_training_run(
            "run",
            **MODEL,
            log=log,
            reference=frame,
            reference_predictions=np.array([0.1, 0.2, 0.3]),
            reference_labels=["on time", "late", "late"],
            reference_event_times=pd.date_range("2013-01-01", periods=3),
            reference_actuals=[1.0, math.nan, "late"],
            reference_tags={"origin": ["EWR", "JFK", "LGA"]},
        )
    events = events_in(url)
    predictions, outcomes = events["driftline.predictions"], events["driftline.outcomes"]
    assert {event["environment"] for event in predictions} == {"reference"}
    assert {event["training_run_id"] for event in predictions} == {"run"}
    assert [event["numeric_features"] for event in predictions] == [{"distance": d} for d in frame.distance]
    assert [event["prediction_label"] for event in predictions] == ["on time", "late", "late"]
    assert [event["tags"]["origin"] for event in predictions] == ["EWR", "JFK", "LGA"]
    assert predictions[2]["event_time"] == datetime(2013, 1, 3, tzinfo=UTC)
    assert predictions[2]["missing_features"] == ["carrier"]
    assert [(event["event_id"], event["actual_number"], event["actual_label"]) for event in outcomes] == [
        (predictions[0]["event_id"], 1.0, None),
        (predictions[2]["event_id"], None, "late"),
    ]
    assert events["driftline.training-runs"][0]["reference_rows"] == 3
    assert events["driftline.sessions"][-1]["final"]
    assert events["driftline.sessions"][-1]["last_sequence"] == 3


def test_a_value_that_does_not_fit_is_left_out_of_the_reference_as_it_is_in_serving(url, caplog):
    reference = {"customer": [1, 2**53 + 1], "embedding": [[0.5], [0.25]]}
    register_training_run("run", **MODEL, log=url, reference=reference)
    events = events_in(url)["driftline.predictions"]
    assert [event["numeric_features"] for event in events] == [{"customer": 1.0}, {"customer": 2.0**53}]
    assert "embedding" in caplog.text


def test_a_reference_row_that_is_too_large_is_reported_and_the_run_not_registered(url):
    reference = {f"essay {i}": ["x" * 60_000, "short"] for i in range(17)}
    with pytest.raises(LogError, match="not registered"):
        register_training_run(**MODEL, log=url, reference=reference)
    assert events_in(url)["driftline.training-runs"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model_name": ""}, "model_name"),
        ({"model_version": 3}, "model_version"),
        ({"training_run_id": ""}, "training_run_id"),
        ({"artifact_uri": ""}, "artifact_uri"),
        ({"parameters": {"depth": []}}, "depth"),
        ({"metrics": {"auc": "high"}}, "auc"),
        ({"tags": {"team": "\ud800"}}, "team"),
        ({"log": "kafka://localhost?no.such.option=1"}, "no.such.option"),
        ({"model_version": "x" * 513}, "model_version"),
        ({"reference": {"a": [1.0], "b": [1.0, 2.0]}}, "'b'"),
        ({"reference": {"a": [1.0]}, "reference_predictions": [1.0, 2.0]}, "predictions"),
        ({"reference": {"a": [1.0]}, "reference_actuals": [1.0, 2.0]}, "actuals"),
        ({"reference": {"a": [1.0]}, "reference_actuals": [[1.0]]}, "actuals, row 0"),
        ({"reference_labels": ["late"]}, "reference_labels"),
        ({"data_fingerprint": "sha256:1"}, "data_fingerprint needs data_uri"),
        ({"data": "s3://a", "data_uri": "s3://b"}, "give one of them"),
        ({"data": [7]}, "int is no DataReference"),
        ({"artifact_sha256": "abc"}, "no sha256"),
        ({"artifact": "nowhere/model.bin"}, "there is no such file"),
        ({"environment": "notes.md"}, "the name is that of no lock file"),
        ({"environment": "nowhere/uv.lock"}, "can't be read"),
    ],
)
def test_a_wrong_argument_is_reported_and_nothing_is_logged(url, arguments, message):
    with pytest.raises(SettingError, match=message):
        register_training_run(**{**MODEL, "log": url, **arguments})
    assert not any(events_in(url).values())


def test_a_log_that_takes_nothing_is_reported(url):
    full = f"{url}?max_bytes={4 << 20}"
    with open_log(full) as log, pytest.raises(LogFullError):
        register_training_run(**MODEL, log=log, tags={"essay": "x" * (5 << 20)})


def test_a_log_that_does_not_take_the_reference_in_time_is_reported_and_the_run_not_registered(url):
    full = f"{url}?max_bytes={4 << 20}"
    reference = {"essay": ["x" * 60_000] * 100}
    with pytest.raises(LogError, match="not registered"):
        register_training_run(**MODEL, log=full, reference=reference, timeout_s=0.3)
    assert events_in(url)["driftline.training-runs"] == []
