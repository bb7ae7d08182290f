"""What MLflow says is copied in whole; what it does not say is waived for a reason that says so."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from driftline.mlflow.files import ModelFiles
from driftline.mlflow.intake import MAX_EVENT_BYTES, Subject, take_in
from driftline.mlflow.seen import SeenDataset, SeenLoggedModel, SeenRun, SeenVersion
from driftline.mlflow.source import Keeper, Place, place_of
from driftline.registry.runs import ArtifactFile
from driftline.sdk.environments import TrainingEnvironment
from driftline.wire import decode_record

URL = "http://mlflow:5000"
VERSION = SeenVersion(
    model_name="flight-delay",
    version="3",
    run_id="r1",
    source="mlflow-artifacts:/1/r1/artifacts/model",
    created_ms=1_767_225_600_000,
    user="ann",
    description="late flights",
    tags={"team": "ops"},
)
RUN = SeenRun(
    run_id="r1",
    artifact_uri="mlflow-artifacts:/1/r1/artifacts",
    start_ms=1_767_225_000_000,
    end_ms=1_767_225_060_500,
    parameters={"depth": "3"},
    metrics={"auc": 0.91, "loss": math.nan},
    tags={
        "mlflow.source.git.commit": "f00d",
        "mlflow.source.git.branch": "main",
        "mlflow.source.git.repoURL": "https://ann:secret@git.example.com/models.git",
        "mlflow.runName": "kind-owl-7",
    },
    datasets=(
        SeenDataset("unseen", "test", "", "s3://flights/test", None, {}),
        SeenDataset("flights", "training", "1a2b3c4d", "s3://flights/2013", 7, {"distance": "double"}),
        SeenDataset("more", "training", "5e6f7a8b", "s3://flights/2012", None, {}),
    ),
)
FILES = ModelFiles(
    files=[ArtifactFile("MLmodel", "0" * 64, 7)],
    environment=TrainingEnvironment("requirements", "numpy==2\n"),
    runtime={"python": "3.12.1"},
    features={"distance": "double"},
)
PLACE = place_of(VERSION, RUN, None, URL)


def taken(subject=None, *, files=FILES, place=PLACE, more=None):
    intake = take_in(subject or Subject(VERSION, RUN), files=files, place=place, url=URL, more=more)
    return decode_record(intake.record)[1], intake.notes


def test_a_run_is_copied_in_whole():
    run, notes = taken()
    assert (run["training_run_id"], run["model_version"], run["registered_by"]) == (
        "r1",
        "3",
        "ann in MLflow",
    )
    assert run["registered_time"].isoformat() == "2026-01-01T00:00:00+00:00"
    assert (run["git_commit"], run["git_branch"]) == ("f00d", "main")
    assert run["git_remote"] == "https://git.example.com/models.git"
    assert run["environment_kind"] == "requirements"
    assert run["environment_text"] == "numpy==2\n"
    assert run["artifact_uri"] == "mlflow-artifacts://mlflow:5000/1/r1/artifacts/model"
    assert run["artifacts"] == [{"path": "MLmodel", "sha256": "0" * 64, "bytes": 7}]
    assert run["cost"] == {"wall_s": 60.5}
    assert run["features"] == {"distance": "double"}
    assert run["metrics"]["auc"] == 0.91
    assert math.isnan(run["metrics"]["loss"])
    assert run["tags"]["mlflow.runName"] == "kind-owl-7"
    assert run["tags"]["team"] == "ops"
    assert run["tags"]["mlflow.version.description"] == "late flights"
    assert run["waived"] == {}
    assert notes == []


def test_data_that_trained_comes_first_and_each_has_a_name_of_its_own():
    run, _ = taken()
    named = [(each["name"], each["fingerprint"]) for each in run["data_references"]]
    assert named == [("training", "mlflow:1a2b3c4d"), ("training-2", "mlflow:5e6f7a8b"), ("test", None)]
    assert (run["data_uri"], run["data_references"][0]["rows"]) == ("s3://flights/2013", 7)


def test_what_was_measured_of_a_logged_model_is_copied_as_well():
    logged = SeenLoggedModel(
        model_id="m-1",
        run_id="r1",
        artifact_uri="mlflow-artifacts:/1/models/m-1/artifacts",
        parameters={"rate": "0.1"},
        metrics={"test/auc": 0.8},
        tags={},
    )
    subject = Subject(replace(VERSION, source="models:/m-1"), RUN, logged)
    run, _ = taken(subject, place=place_of(subject.version, RUN, logged, URL))
    assert run["metrics"]["test/auc"] == 0.8
    assert run["parameters"] == {"depth": "3", "rate": "0.1"}
    assert run["artifact_uri"] == "mlflow-artifacts://mlflow:5000/1/models/m-1/artifacts"


@pytest.mark.parametrize(
    ("subject", "files", "waived"),
    [
        (
            Subject(VERSION, replace(RUN, tags={}, datasets=())),
            ModelFiles(files=FILES.files),
            {
                "code": "its run in MLflow has no tag mlflow.source.git.commit",
                "data": "its run in MLflow names no dataset (mlflow.log_input)",
                "environment": "its files in MLflow hold no requirements.txt and no conda.yaml",
            },
        ),
        (
            Subject(VERSION, replace(RUN, tags={}, lifecycle="deleted")),
            FILES,
            {"code": "its run in MLflow (which is deleted there) has no tag mlflow.source.git.commit"},
        ),
        (
            Subject(VERSION, None),
            ModelFiles(unread="status 500"),
            {
                "code": "its run r1 is gone from MLflow",
                "data": "its run r1 is gone from MLflow",
                "environment": "its files in MLflow could not be read: status 500",
            },
        ),
        (
            Subject(replace(VERSION, run_id=""), None),
            FILES,
            {
                "code": "it was registered in MLflow without a run",
                "data": "it was registered in MLflow without a run",
            },
        ),
    ],
    ids=["says little", "deleted", "gone", "no run"],
)
def test_what_mlflow_lacks_is_waived_for_that_reason(subject, files, waived):
    assert taken(subject, files=files)[0]["waived"] == waived


def test_a_place_that_mlflow_does_not_say_is_waived():
    run, notes = taken(place=None, files=ModelFiles(unread="MLflow does not say where they lie"))
    assert run["waived"]["artifact"] == "MLflow does not say where the model lies"
    assert notes == ["no digests of its files: MLflow does not say where they lie"]


def test_what_is_known_besides_fills_gaps_alone():
    bare = Subject(VERSION, replace(RUN, tags={"mlflow.source.git.commit": "f00d"}))
    more = {"git_branch": "wip", "runtime": {"python": "3.13"}}
    run, _ = taken(bare, more=more)
    assert (run["git_commit"], run["git_branch"], run["runtime"]) == ("f00d", "wip", {"python": "3.12.1"})


def test_the_changes_of_another_commit_are_not_those_of_this_one():
    more = {"git_commit": "beef", "git_dirty": True, "git_changes": "--- a\n", "data_uri": "s3://other"}
    run, _ = taken(Subject(VERSION, replace(RUN, datasets=())), more=more)
    assert (run["git_commit"], run["git_dirty"], run["git_changes"]) == ("f00d", None, None)
    assert run["data_uri"] == "s3://other"
    same, _ = taken(more={**more, "git_commit": "f00d"})
    assert (same["git_dirty"], same["git_changes"]) == (True, "--- a\n")


def test_what_no_event_can_hold_is_left_out_and_costs_nothing_else():
    odd = replace(RUN, tags={"x" * 600: "1", "fine": "yes"}, parameters={"a": "\ud800", "b": "2"})
    run, notes = taken(Subject(VERSION, odd))
    assert run["tags"]["fine"] == "yes"
    assert run["parameters"] == {"b": "2"}
    assert len(notes) == 2


def test_a_run_that_is_too_large_loses_its_longest_texts():
    large = replace(RUN, tags={"long": "x" * 600_000, "longer": "y" * 700_000, "fine": "yes"})
    intake = take_in(Subject(VERSION, large), files=FILES, place=PLACE, url=URL)
    run = decode_record(intake.record)[1]
    assert len(intake.record) <= MAX_EVENT_BYTES
    assert {"long", "fine"} <= run["tags"].keys()
    assert "longer" not in run["tags"]
    assert "tags['longer'] is left out" in intake.notes[0]


def test_changes_that_mlflow_kept_are_kept():
    tags = {"mlflow.git.commit": "f00d", "mlflow.git.dirty": "True", "mlflow.git.diff": "--- a\n+++ b\n"}
    run, _ = taken(Subject(VERSION, replace(RUN, tags=tags)))
    assert (run["git_commit"], run["git_dirty"], run["git_changes"]) == ("f00d", True, "--- a\n+++ b\n")


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"stage": "Production"}, True),
        ({"description": "other"}, False),
        ({"tags": {}}, False),
    ],
)
def test_a_digest_is_of_what_a_version_is_and_not_of_where_it_stands(change, is_same):
    before = Subject(VERSION, RUN).digest(is_whole=True)
    after = Subject(replace(VERSION, **change), RUN).digest(is_whole=True)
    assert (before == after) is is_same


@pytest.mark.parametrize(
    ("source", "keeper", "owner", "folder"),
    [
        ("mlflow-artifacts:/1/r1/artifacts/model", Keeper.RUN, "r1", "model"),
        ("runs:/r1/model", Keeper.RUN, "r1", "model"),
        ("mlflow-artifacts:/1/r2/artifacts/model", Keeper.PROXY, "1/r2/artifacts/model", ""),
        ("s3://bucket/model", Keeper.STORAGE, "s3://bucket/model", ""),
    ],
)
def test_files_are_asked_for_where_they_are_kept(source, keeper, owner, folder):
    place = place_of(replace(VERSION, source=source), RUN, None, URL)
    assert isinstance(place, Place)
    assert (place.keeper, place.owner, place.folder) == (keeper, owner, folder)
