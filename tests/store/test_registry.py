"""Registry events land in the order of the log, once, and come to the state that everybody reads there."""

from __future__ import annotations

from contextlib import closing

import pytest

from driftline import register_training_run
from driftline.log import Record
from driftline.registry.client import RefusedEventError, Registry
from driftline.registry.decisions import Author, give_stage, roll_back
from driftline.registry.events import Kind, Stage
from driftline.store.registry import read_registry
from driftline.store.runs import read_revisions
from driftline.wire import MODEL_REGISTRY_TOPIC
from tests.support.training import WAIVED

ANN = Author("ann")


def decide(landing, model):
    """Have three versions, of which the second is put back after the third."""
    with closing(Registry(landing.log)) as registry:
        for version in "123":
            run = f"run-{version}"
            registry.submit(ANN.event(model, Kind.VERSION, model_version=version, training_run_id=run))
            registry.submit(
                give_stage(
                    registry.model(model), version, Stage.PRODUCTION, author=ANN, reason=f"n° {version}"
                )
            )
        registry.submit(roll_back(registry.model(model), author=ANN, reason="worse"))
        return registry.model(model)


def test_what_landed_comes_to_the_state_that_stands_in_the_log_also_when_it_lands_again(landing, client):
    state = decide(landing, "landed")
    landing.land()
    assert read_registry(client)["landed"] == state
    landing.lander.rewind()
    landing.land()
    assert read_registry(client, "landed") == {"landed": state}
    assert state.in_production() == "2"
    counted = "SELECT count(), uniqExact(event_id) FROM registry_events FINAL WHERE model_name = 'landed'"
    assert client.rows(counted) == [(7, 7)]


def test_a_stale_decision_lands_is_refused_and_reported_to_who_wrote_it(landing, client):
    decide(landing, "raced")
    with closing(Registry(landing.log)) as registry:
        late = give_stage(registry.model("raced"), "1", Stage.PRODUCTION, author=Author("bob"), reason="mine")
        registry.submit(
            give_stage(registry.model("raced"), "3", Stage.PRODUCTION, author=ANN, reason="again")
        )
        with pytest.raises(RefusedEventError, match=r"version 3 went from candidate to production by ann at"):
            registry.submit(late)
    landing.land()
    state = read_registry(client, "raced")["raced"]
    assert (state.in_production(), list(state.refusals)) == ("3", [late.event_id])


def test_what_is_no_event_is_set_aside_and_the_rest_counts(landing, client):
    decide(landing, "garbled")
    with closing(landing.log.writer()) as writer:
        writer.append([Record(MODEL_REGISTRY_TOPIC, b"garbled", b"\xc3\x01garbage")])
    nameless = ANN.event("", Kind.VERSION, model_version="1", training_run_id="r")
    with closing(landing.log.writer()) as writer:
        writer.append([Record(MODEL_REGISTRY_TOPIC, b"", nameless.encode())])
    landing.land()
    query = "SELECT count() FROM dead_letters FINAL WHERE topic = 'driftline.model-registry'"
    assert client.rows(query) == [(2,)]
    assert read_registry(client, "garbled")["garbled"].in_production() == "2"


def test_a_run_that_is_registered_with_other_content_is_a_new_revision(landing, client):
    def register(**content):
        register_training_run("run", model_name="revised", log=landing.log, waive=WAIVED, **content)

    register(metrics={"auc": 0.8}, data_uri="s3://old")
    register(metrics={"auc": 0.8}, data_uri="s3://old")
    register(metrics={"auc": 0.9}, data_uri="s3://new")
    landing.land()
    landing.lander.rewind()
    landing.land()
    revisions = read_revisions(client, "revised", "run")
    assert [(run.revision, run.data_uri, run.metrics) for run in revisions] == [
        (1, "s3://old", {"auc": 0.8}),
        (2, "s3://new", {"auc": 0.9}),
    ]
    assert revisions[1].data_references[0].uri == "s3://new"
    newest = client.rows("SELECT data_uri FROM training_runs FINAL WHERE model_name = 'revised'")
    assert newest == [("s3://new",)]
