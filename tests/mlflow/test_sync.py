"""MLflow's registry is copied, nothing of it twice, and what is wrong with one model costs no other."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from driftline.errors import LogError
from driftline.mlflow.errors import MlflowAwayError, MlflowError
from driftline.mlflow.seen import SeenModel
from driftline.mlflow.sync import Sync, Wanted
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage, name_alias
from driftline.registry.events import Kind, Stage
from driftline.registry.policy import Policy
from driftline.testing import MemoryLog
from driftline.wire import MODEL_REGISTRY_TOPIC, TRAINING_RUNS_TOPIC, decode_record
from tests.mlflow.fake import URL, FakeMlflow

MODEL = "flight-delay"
ANN = Author("ann")


@pytest.fixture
def mlflow():
    fake = FakeMlflow()
    for version in ("1", "2", "3"):
        fake.add(MODEL, version)
    return fake


@pytest.fixture
def log():
    return MemoryLog()


def sync(mlflow, log, *, deep=True, **wanted):
    """Look once, as a new process does."""
    with closing(Sync(mlflow, log, wanted=Wanted(**wanted))) as one:
        return one.run(deep=deep)


def state(log, model=MODEL):
    with closing(Registry(log)) as registry:
        return registry.model(model)


def decide(log, make, model=MODEL):
    with closing(Registry(log)) as registry:
        return registry.submit(make(registry.model(model)))


def events(log, topic):
    with closing(log.scan(topic)) as scan:
        return [decode_record(value)[1] for batch in scan.read() for value in batch.values]


def sizes(log):
    """Return how many records each topic has."""
    return {topic: len(events(log, topic)) for topic in (MODEL_REGISTRY_TOPIC, TRAINING_RUNS_TOPIC)}


def runs(log):
    return events(log, TRAINING_RUNS_TOPIC)


def test_a_version_is_registered_with_its_run_as_it_was_in_mlflow(mlflow, log):
    done = sync(mlflow, log)
    assert done.new == [(MODEL, "1"), (MODEL, "2"), (MODEL, "3")]
    assert not done.problems
    version = state(log).versions["2"]
    assert version.training_run_id == "run-flight-delay-2"
    assert version.registered_by == "ann in MLflow"
    assert version.registered_at.year == 2026
    assert version.artifact_uri == "mlflow-artifacts://mlflow:5000/1/run-flight-delay-2/model"
    run = runs(log)[1]
    assert run["git_commit"] == "f00d"
    assert run["parameters"] == {"depth": "3"}
    assert run["metrics"] == {"auc": 0.9}
    assert run["environment_text"] == "scikit-learn==1.7.0\n"
    assert [each["path"] for each in run["artifacts"]] == ["MLmodel", "model.pkl", "requirements.txt"]
    assert run["tags"]["mlflow.server"] == URL
    assert set(run["waived"]) == {"data"}


@pytest.mark.parametrize("deep", [True, False])
def test_what_was_copied_is_not_copied_again(mlflow, log, deep):
    mlflow.name(MODEL, champion="2", production="1")
    sync(mlflow, log)
    before = sizes(log)
    done = sync(mlflow, log, deep=deep)
    assert sizes(log) == before
    assert (done.new, done.changed, done.moved, done.problems) == ([], [], [], [])


def test_a_shallow_look_asks_for_no_run_that_was_copied(mlflow, log):
    sync(mlflow, log)
    mlflow.asked.clear()
    mlflow.add(MODEL, "4")
    assert sync(mlflow, log, deep=False).new == [(MODEL, "4")]
    assert "run-flight-delay-4" in mlflow.asked
    assert "run-flight-delay-1" not in mlflow.asked


def test_what_mlflow_says_of_a_run_later_is_a_new_revision(mlflow, log):
    sync(mlflow, log)
    run = mlflow.runs["run-flight-delay-2"]
    mlflow.runs["run-flight-delay-2"] = replace(run, metrics={"auc": 0.9, "test/auc": 0.8})
    assert sync(mlflow, log).changed == [(MODEL, "2")]
    assert runs(log)[-1]["metrics"] == {"auc": 0.9, "test/auc": 0.8}
    assert sync(mlflow, log).changed == []


def test_what_is_deleted_in_mlflow_stays(mlflow, log):
    mlflow.name(MODEL, champion="1")
    sync(mlflow, log)
    before = sizes(log)
    del mlflow.runs["run-flight-delay-2"]
    mlflow.delete(MODEL, "3")
    done = sync(mlflow, log)
    assert done.gone == [(MODEL, "3")]
    assert not done.problems
    assert sizes(log) == before
    assert list(state(log).versions) == ["1", "2", "3"]


def test_a_run_that_is_gone_before_it_was_copied_is_waived_for_that_reason(mlflow, log):
    del mlflow.runs["run-flight-delay-2"]
    assert sync(mlflow, log).new == [(MODEL, "1"), (MODEL, "2"), (MODEL, "3")]
    assert runs(log)[1]["waived"]["code"] == "its run run-flight-delay-2 is gone from MLflow"
    assert state(log).versions["2"].training_run_id == "run-flight-delay-2"


def test_a_version_without_a_run_has_one_of_its_own_name(mlflow, log):
    mlflow.add(MODEL, "4", run_id="")
    sync(mlflow, log)
    assert state(log).versions["4"].training_run_id == "mlflow/flight-delay/4"
    assert runs(log)[-1]["waived"]["code"] == "it was registered in MLflow without a run"


def test_a_model_with_a_name_that_no_event_can_hold_costs_no_other(mlflow, log):
    mlflow.add("m" * 600, "1")
    mlflow.add("zeta", "1")
    done = sync(mlflow, log)
    assert (MODEL, "3") in done.new
    assert ("zeta", "1") in done.new
    assert [(each.what, "600" in each.message) for each in done.problems] == [("version 1", True)]


def test_a_version_that_another_run_has_here_is_named_and_left(mlflow, log):
    with closing(Registry(log)) as registry:
        registry.submit(ANN.event(MODEL, Kind.VERSION, model_version="2", training_run_id="own"))
    done = sync(mlflow, log)
    assert done.new == [(MODEL, "1"), (MODEL, "3")]
    assert "run own's" in str(done.problems[0])
    assert len(runs(log)) == 2


def test_a_version_that_its_own_run_registered_here_is_left_as_it_is(mlflow, log):
    with closing(Registry(log)) as registry:
        run = {"model_version": "2", "training_run_id": "run-flight-delay-2"}
        registry.submit(ANN.event(MODEL, Kind.VERSION, **run))
    done = sync(mlflow, log)
    assert done.new == [(MODEL, "1"), (MODEL, "3")]
    assert not done.problems


def test_a_version_is_copied_once_its_files_are_there(mlflow, log):
    mlflow.add(MODEL, "4", status="PENDING_REGISTRATION")
    assert "PENDING_REGISTRATION" in str(sync(mlflow, log).problems[0])
    mlflow.given[-1] = replace(mlflow.given[-1], status="READY")
    assert sync(mlflow, log).new == [(MODEL, "4")]


def test_files_that_can_not_be_read_are_read_once_they_can(mlflow, log):
    mlflow.broken = frozenset({"model.pkl"})
    assert (MODEL, "1") in sync(mlflow, log).new
    assert runs(log)[0]["artifacts"] == []
    assert runs(log)[0]["environment_text"] == "scikit-learn==1.7.0\n"
    assert sync(mlflow, log).changed == []
    mlflow.broken = frozenset()
    assert len(sync(mlflow, log).changed) == 3
    assert state(log).versions["1"].artifact_sha256 is not None
    assert sync(mlflow, log).changed == []


def test_a_model_that_is_larger_than_is_read_is_registered_without_digests(mlflow, log):
    sync(mlflow, log, limit_bytes=10)
    assert runs(log)[0]["artifacts"] == []
    assert runs(log)[0]["environment_text"] == "scikit-learn==1.7.0\n"


def test_a_version_that_lacks_what_the_policy_asks_for_is_named_and_costs_no_other(mlflow, log):
    run = mlflow.runs["run-flight-delay-2"]
    mlflow.runs["run-flight-delay-2"] = replace(run, tags={})
    done = sync(mlflow, log, policy=Policy("policy.toml", frozenset({"data"})))
    assert done.new == [(MODEL, "1"), (MODEL, "3")]
    assert "code may not be waived, says the policy in policy.toml" in str(done.problems[0])
    assert len(runs(log)) == 2


def test_prompts_and_models_that_are_not_wanted_are_left(mlflow, log):
    mlflow.add("other", "1")
    mlflow.add("greeting", "1")
    mlflow.registered["greeting"] = SeenModel("greeting", {}, is_prompt=True)
    assert {model for model, _ in sync(mlflow, log).new} == {MODEL, "other"}
    assert sync(mlflow, MemoryLog(), models=("other",)).new == [("other", "1")]


@pytest.mark.parametrize("error", [MlflowAwayError("away"), MlflowError("500")])
def test_an_mlflow_that_is_away_is_an_error_and_nothing_is_lost(mlflow, log, error):
    mlflow.error = error
    with pytest.raises(MlflowError):
        sync(mlflow, log)
    mlflow.error = None
    assert len(sync(mlflow, log).new) == 3


def test_an_alias_moves_here_when_it_moves_in_mlflow(mlflow, log):
    mlflow.name(MODEL, champion="2")
    assert sync(mlflow, log).moved == [f"{MODEL}: alias champion moved from nothing to 2"]
    mlflow.name(MODEL, champion="3")
    sync(mlflow, log)
    move = state(log).moves[-1]
    assert (move.before, move.after) == ("2", "3")
    assert move.event.written_by == f"MLflow at {URL}"
    assert move.event.reason == "alias champion names version 3 in MLflow"
    mlflow.name(MODEL, champion="")
    sync(mlflow, log)
    assert state(log).aliases == {}


def test_what_was_decided_here_stands_until_mlflow_moves_again(mlflow, log):
    mlflow.name(MODEL, champion="2")
    sync(mlflow, log)
    decide(log, lambda known: name_alias(known, "champion", "1", author=ANN, reason="2 is slow"))
    done = sync(mlflow, log)
    assert state(log).aliases == {"champion": "1"}
    assert "names 2 in MLflow and 1 here" in str(done.problems[0])
    mlflow.name(MODEL, champion="3")
    assert not sync(mlflow, log).problems
    assert state(log).aliases == {"champion": "3"}


def test_an_alias_called_production_has_its_version_serve(mlflow, log):
    mlflow.name(MODEL, production="1")
    sync(mlflow, log)
    mlflow.name(MODEL, production="2")
    sync(mlflow, log)
    assert state(log).in_production() == "2"
    assert state(log).previous() == "1"
    mlflow.name(MODEL, production="")
    sync(mlflow, log)
    assert state(log).in_production() is None


def test_another_alias_may_stand_for_production(mlflow, log):
    mlflow.name(MODEL, champion="1", production="2")
    sync(mlflow, log, stages={"champion": Stage.PRODUCTION})
    assert state(log).in_production() == "1"
    assert "champion" not in state(log).aliases


def test_a_canary_that_moves_is_one_canary(mlflow, log):
    for version in ("1", "2"):
        mlflow.name(MODEL, canary=version)
        sync(mlflow, log)
    assert state(log).at_stage(Stage.CANARY) == ["2"]


def test_a_rollback_here_stands_until_mlflow_moves_again(mlflow, log):
    mlflow.name(MODEL, production="2")
    sync(mlflow, log)
    decide(log, lambda known: give_stage(known, "1", Stage.PRODUCTION, author=ANN, reason="2 is slow"))
    assert "2 in MLflow and 1 here" in str(sync(mlflow, log).problems[0])
    assert state(log).in_production() == "1"


@pytest.mark.parametrize(
    ("aliases", "reported"),
    [
        ({"champion": "7"}, "names version 7, which was not copied or is gone; there are 1, 2, 3"),
        ({"1st": "2"}, "is no alias"),
        ({"candidate": "2"}, "is no alias"),
    ],
)
def test_an_alias_that_can_not_stand_here_is_named_and_costs_no_other(mlflow, log, aliases, reported):
    mlflow.name(MODEL, **aliases, second="2")
    sync(mlflow, log)
    before = sizes(log)
    done = sync(mlflow, log)
    assert reported in str(done.problems[0])
    assert state(log).aliases == {"second": "2"}
    assert sizes(log) == before, "what does not count is not appended at each look"


def test_an_archived_version_does_not_serve_because_mlflow_says_so(mlflow, log):
    sync(mlflow, log)
    decide(log, lambda known: give_stage(known, "2", Stage.ARCHIVED, author=ANN, reason="its data"))
    mlflow.name(MODEL, production="2")
    sync(mlflow, log)
    before = sizes(log)
    assert "archived" in str(sync(mlflow, log).problems[0])
    assert sizes(log) == before


def test_a_log_that_is_away_is_an_error(mlflow, log, monkeypatch):
    def refuse(*_args, **_options):
        raise LogError("away")

    monkeypatch.setattr(MemoryLog, "writer", refuse)
    with closing(Sync(mlflow, log, timeout_s=0.0)) as one, pytest.raises(LogError):
        one.run()


def test_a_crash_between_run_and_version_loses_nothing(mlflow, log, monkeypatch):
    def crash(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "submit", crash)
        with pytest.raises(KeyboardInterrupt):
            sync(mlflow, log)
    assert len(runs(log)) == 1
    assert len(sync(mlflow, log).new) == 3
    first, again, *_ = runs(log)
    assert first == again, "the same record lands as the same revision"
