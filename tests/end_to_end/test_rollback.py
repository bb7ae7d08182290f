"""Three versions over a year of flights; the third is worse, is rolled back, and one host goes on with it."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from click.testing import CliRunner

from driftline import ModelWatch, PredictionLogger, register_training_run, resolve_model
from driftline.cli.app import driftline
from driftline.demo.flights import load_flights
from driftline.domain.streams import Stream
from driftline.drift.service.declared import DeclaredExport
from driftline.drift.service.metrics import UNDECLARED, WORKER_METRICS
from driftline.log import open_log
from driftline.metrics import Metrics
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage, roll_back
from driftline.registry.events import Stage
from driftline.sdk.deployed import WATCH_INTERVAL_S
from driftline.store.answered import read_answered
from driftline.store.registry import read_registry
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.training import WAIVED

MODEL = "flight-delay"
FLIGHTS = 3_000
MOMENTS = 50
PATIENCE_S = 60.0
WINDOW = timedelta(hours=12)
TURNS = {
    "1": datetime(2013, 1, 1, tzinfo=UTC),
    "2": datetime(2013, 5, 1, 7, 30, tzinfo=UTC),
    "3": datetime(2013, 9, 1, 16, 45, tzinfo=UTC),
}
ROLLBACK = datetime(2013, 9, 20, 11, 15, tzinfo=UTC)
STRAGGLER_UNTIL = ROLLBACK + timedelta(days=10)


def serving(time):
    """Return which version was in production at a time, by the book that this test keeps."""
    if time >= ROLLBACK:
        return "2"
    return max(version for version, turn in TURNS.items() if turn <= time)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Log a year of flights, each answered by what was in production then, and by a host that went on."""
    place = Place(tmp_path_factory.mktemp("rollback"))
    flights = load_flights().sample(FLIGHTS, random_state=0).sort_values("event_time")
    times = [each.to_pydatetime() for each in flights["event_time"]]
    distances = flights["distance"].tolist()
    with open_log(place.log_url) as log:
        for version, turn in TURNS.items():
            promote(log, version, turn)
        decide(log, lambda state, by: roll_back(state, author=by, reason="3 is worse"), ROLLBACK)
        answered = [(time, serving(time), "service") for time in times]
        answered += [(time, "3", "straggler") for time in times if ROLLBACK <= time < STRAGGLER_UNTIL]
        for version, host in sorted({(version, host) for _, version, host in answered}):
            names = {"model_name": MODEL, "model_version": version, "training_run_id": f"run-{version}"}
            with PredictionLogger(**names, log=log) as logger:
                for (time, by, where), distance in zip(answered, distances + distances, strict=False):
                    if (by, where) == (version, host):
                        logger.log({"distance": distance}, 0.5, event_time=time)
    return place, answered


def promote(log, version, turn):
    """Register a version and put it into production."""
    clock = turn.timestamp
    register_training_run(f"run-{version}", model_name=MODEL, log=log, waive=WAIVED, clock=clock)
    decide(log, lambda state, by: give_stage(state, version, Stage.PRODUCTION, author=by, reason="new"), turn)


def decide(log, make, time):
    author = Author("ann", clock=time.timestamp)
    with closing(Registry(log)) as registry:
        registry.submit(make(registry.model(MODEL), author))


def test_history_answers_for_any_moment_what_was_declared_and_what_answered(place):
    where, answered = place
    landing = Landing(where)
    landing.land()
    try:
        state = read_registry(landing.client)[MODEL]
        chance = Random(0)
        begin, end = TURNS["1"], datetime(2013, 12, 31, tzinfo=UTC)
        for _ in range(MOMENTS):
            moment = begin + (end - begin) * chance.random()
            assert state.declared(moment).production_after == serving(moment)
            found = read_answered(
                landing.client, MODEL, moment - WINDOW, moment, environment="production", by_hour=False
            )
            expected = {}
            for time, version, _ in answered:
                if moment - WINDOW <= time < moment:
                    expected[version] = expected.get(version, 0) + 1
            assert {each.version: each.events for each in found} == expected
        metrics = Metrics(WORKER_METRICS)
        streams = [Stream(MODEL, version, "production") for version in "123"]
        DeclaredExport(metrics).refresh(landing.client, streams, dict.fromkeys(streams, 0), ())
        reported = [
            line for line in metrics.expose().decode().splitlines() if line.startswith(f"{UNDECLARED}{{")
        ]
        host = landing.client.rows("SELECT any(host) FROM sessions")[0][0]
        assert len(reported) == 1
        for label in ('model_version="3"', 'declared="2"', f'host="{host}"'):
            assert label in reported[0]
    finally:
        landing.close()


def test_a_running_service_sees_a_rollback_from_the_command_line(place):
    where, _ = place
    moved = threading.Event()
    seen = []

    def reload(before, now):
        seen.append((before.model_version, now.model_version))
        moved.set()

    with open_log(where.log_url) as log:
        known = resolve_model(f"{MODEL}@production", log=log)
        assert known.model_version == "2"
        with ModelWatch(f"{MODEL}@production", reload, log=where.log_url, known=known):
            line = ["models", "rollback", MODEL, "--why", "2 is worse, too", "--by", "ann"]
            done = CliRunner().invoke(driftline, line, env={"DRIFTLINE_LOG": where.log_url})
            assert "production was rolled back from 2 to 1 by ann" in done.output
            assert moved.wait(PATIENCE_S)
        assert seen == [("2", "1")]
        assert resolve_model(f"{MODEL}@production", log=log).training_run_id == "run-1"
    assert WATCH_INTERVAL_S <= 5, "a service sees it within ten seconds, also where the log takes a few"
