"""Two runs differ in what was registered of them, part by part, and in nothing else."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from driftline.registry.diff import code_command, differences
from driftline.registry.runs import ArtifactFile, Run, RunData

RUN = Run(
    training_run_id="run-1",
    model_name="delay",
    model_version="1",
    registered_time=datetime(2026, 1, 1, tzinfo=UTC),
    registered_by="ann",
    artifact_uri="s3://models/1",
    artifacts=(ArtifactFile("", "a" * 64, 10),),
    git_commit="1" * 40,
    git_branch="main",
    git_remote="https://example.com/delay.git",
    git_dirty=False,
    git_changes_sha256=None,
    git_changes=None,
    environment_kind="packages",
    environment_sha256="e" * 64,
    environment_text="numpy==2.2.0\nscikit_learn==1.6\n-e .\n",
    data_uri=None,
    data_fingerprint=None,
    data_references=(RunData("training", "s3://data/1", "sha256:1", 1000, {"distance": "double"}),),
    reference_rows=0,
    reference_session_id="",
    runtime={"python": "3.12.1"},
    parameters={"depth": "6"},
    metrics={"test/auc": 0.91},
    cost={"wall_s": 12.0},
    features={"distance": "numeric"},
    tags={"team": "ops"},
    waived={},
)


def changed(**fields):
    return dataclasses.replace(RUN, **fields)


def found(after, before=RUN):
    return [dataclasses.astuple(each) for each in differences(before, after)]


def test_runs_of_the_same_content_do_not_differ_by_who_registered_them_and_when():
    assert found(changed(training_run_id="run-2", model_version="2", registered_by="bob")) == []


@pytest.mark.parametrize(
    ("fields", "difference"),
    [
        ({"git_commit": "2" * 40}, ("code", "commit", "1" * 40, "2" * 40)),
        (
            {"git_dirty": True, "git_changes_sha256": "c"},
            ("code", "uncommitted changes", "none", "changed (c)"),
        ),
        ({"runtime": {"python": "3.13.0"}}, ("environment", "python", "3.12.1", "3.13.0")),
        (
            {"environment_text": "numpy==2.3.0\nscikit-learn==1.6\n"},
            ("environment", "numpy", "2.2.0", "2.3.0"),
        ),
        ({"environment_text": "numpy==2.2.0\n"}, ("environment", "scikit-learn", "1.6", None)),
        ({"features": {"distance": "numeric", "hour": "numeric"}}, ("features", "hour", None, "numeric")),
        ({"parameters": {"depth": "8"}}, ("parameters", "depth", "6", "8")),
        ({"metrics": {"test/auc": 0.87}}, ("metrics", "test/auc", "0.91", "0.87")),
        ({"cost": {"wall_s": 24.5}}, ("cost", "wall_s", "12", "24.5")),
        ({"artifact_uri": "s3://models/2"}, ("artifact", "place", "s3://models/1", "s3://models/2")),
        ({"tags": {}}, ("tags", "team", "ops", None)),
        ({"waived": {"data": "simulated"}}, ("waived", "data", None, "simulated")),
    ],
)
def test_a_difference_is_named_by_its_part(fields, difference):
    assert found(changed(**fields)) == [difference]


def test_data_differs_by_place_fingerprint_rows_and_columns():
    data = RunData("training", "s3://data/2", "sha256:2", 900, {"distance": "int64"})
    assert found(changed(data_references=(data,))) == [
        ("data", "training: place", "s3://data/1", "s3://data/2"),
        ("data", "training: fingerprint", "sha256:1", "sha256:2"),
        ("data", "training: rows", "1,000", "900"),
        ("data", "training: distance", "double", "int64"),
    ]


def test_environments_that_do_not_both_list_packages_differ_by_their_digests():
    locked = changed(environment_kind="lock", environment_sha256="f" * 64, environment_text="[[package]]")
    assert found(locked) == [
        ("environment", "packages", f"sha256 {'e' * 64}", None),
        ("environment", "lock", None, f"sha256 {'f' * 64}"),
    ]


def test_what_was_too_long_to_be_kept_differs_by_its_digest():
    one = changed(environment_text=None)
    assert found(changed(environment_text=None, environment_sha256="f" * 64), one) == [
        ("environment", "packages", f"sha256 {'e' * 64}", f"sha256 {'f' * 64}")
    ]


def test_the_commits_between_two_runs_are_listed_by_a_command():
    assert code_command(RUN, changed(git_commit="2" * 40)) == f"git log --oneline {'1' * 40}..{'2' * 40}"
    assert code_command(RUN, changed(git_commit="$(x)")) == f"git log --oneline {'1' * 40}..'$(x)'"
    assert code_command(RUN, RUN) is None
    assert code_command(RUN, changed(git_commit=None)) is None
