"""Who asks again and again: it counts what is decided, and says for how long a training has been refused."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from driftline import register_training_run
from driftline.domain.hours import hour_of
from driftline.domain.incidents import Incident
from driftline.domain.streams import Stream
from driftline.drift import DriftSettings
from driftline.health import Pulse
from driftline.lifecycle import watch as watching
from driftline.lifecycle.metrics import ASKED, BLOCKED, DECISIONS, FAILURES, RETRAIN_METRICS
from driftline.lifecycle.watch import RetrainWatch
from driftline.metrics import Metrics
from driftline.monitors import ModelMonitor, Monitors
from driftline.store.incidents import write_incidents
from driftline.store.retraining import read_decisions
from tests.lifecycle.traffic import START, finding_of, serve
from tests.support.training import WAIVED

DAY = timedelta(days=1)
NOW = START + 10 * DAY


@pytest.fixture
def watch(landing):
    """Return a function that asks once about one model, which may be trained again."""
    metrics = Metrics(RETRAIN_METRICS)

    def look(model, at=NOW, **settings):
        usual = ModelMonitor(settings=DriftSettings())
        allowed = replace(usual, retrain={"enabled": True, **settings})
        pulse = Pulse("retrain watch", time.monotonic)
        monitors = Monitors(usual, {model: allowed})
        watching = RetrainWatch(
            landing.store, monitors, metrics=metrics, pulse=pulse, author="watch", clock=at.timestamp
        )
        watching.look()
        return metrics, pulse

    return look


def incident(model, name, day, **changes):
    hour = hour_of(START + day * DAY)
    finding = finding_of(hour, hour + 2)
    stream = Stream(model, "1", "production")
    given = {"stream": stream, "incident_id": name, "detected": hour + 1, "findings": (finding,)}
    return Incident(**{**given, **changes})


def test_what_refuses_a_training_is_exported_with_how_long_there_has_been_a_cause(landing, client, watch):
    serve(landing, "blocked", range(20))
    names = {"model_name": "blocked", "model_version": "1", "log": landing.log}
    register_training_run("run-1", **names, waive=WAIVED, clock=START.timestamp)
    landing.land()
    accepted = {"state": "accepted", "acknowledged": "accept", "accepted_at": hour_of(START + 5 * DAY)}
    written = [
        incident("blocked", "new-normal", 4, **accepted),
        incident("blocked", "broken", 9, state="ended"),
    ]
    write_incidents(client, written)
    metrics, pulse = watch("blocked")
    assert metrics.series(BLOCKED) == {("blocked", "unacknowledged_incident"): (5 * DAY).total_seconds()}
    assert metrics.series(DECISIONS) == {("blocked", "refuse"): 1.0}
    assert metrics.series(ASKED) == {("blocked",): NOW.timestamp()}
    assert pulse.warning == ""
    write_incidents(
        client, [incident("blocked", "broken", 9, state="ended", acknowledged="noise", revision=2)]
    )
    metrics, _ = watch("blocked", NOW + DAY)
    assert metrics.series(BLOCKED) == {}
    kept = read_decisions(client, model_name="blocked")
    assert [each.action for each in kept] == ["wait", "refuse"]


def test_what_can_t_be_carried_out_is_counted_and_warned_of(landing, client, watch):
    serve(landing, "fails", range(400))
    names = {"model_name": "fails", "model_version": "1", "log": landing.log}
    register_training_run("run-1", **names, waive=WAIVED, clock=START.timestamp)
    landing.land()
    accepted = {"state": "accepted", "acknowledged": "accept", "accepted_at": hour_of(START)}
    write_incidents(client, [incident("fails", "moved", 0, **accepted)])
    metrics, pulse = watch("fails", minimum_labels=0, command="no-such-program")
    assert metrics.series(FAILURES) == {("fails",): 1.0}
    assert pulse.warning.startswith("fails: TrainingError: 'no-such-program' can't be run")


def test_a_model_that_fails_as_nobody_foresaw_stops_no_other(landing, monkeypatch):
    for model in ("a-odd", "b-sound"):
        names = {"model_name": model, "model_version": "1", "log": landing.log}
        register_training_run(f"run-{model}", **names, waive=WAIVED, clock=START.timestamp)
        serve(landing, model, range(20))
    healthy = watching.run_retraining

    def fails(connection, model_name, *arguments, **options):
        if model_name == "a-odd":
            raise OverflowError("odd")
        return healthy(connection, model_name, *arguments, **options)

    monkeypatch.setattr(watching, "run_retraining", fails)
    metrics, pulse = Metrics(RETRAIN_METRICS), Pulse("retrain watch", time.monotonic)
    every = Monitors(ModelMonitor(settings=DriftSettings(), retrain={"enabled": True}), {})
    RetrainWatch(
        landing.store, every, metrics=metrics, pulse=pulse, author="watch", clock=NOW.timestamp
    ).look()
    assert metrics.series(FAILURES)["a-odd",] == 1.0
    assert ("b-sound",) in metrics.series(ASKED)
    assert "a-odd: OverflowError: odd" in pulse.warning
