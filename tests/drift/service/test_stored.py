"""What the worker tells of the store: at once after a restart, and no more often than needed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from driftline.drift.service import stored
from driftline.drift.service.metrics import (
    CHANGED,
    COMPLETENESS,
    DISK_FREE,
    DISK_SIZE,
    DROPPED,
    EVALUATED,
    INCIDENTS,
    MODEL,
    NEWEST,
    SCORE,
    UNREGISTERED,
    VERDICT,
    WORKER_METRICS,
)
from driftline.drift.service.stored import Pace, export_incidents
from driftline.drift.settings import DriftSettings
from driftline.metrics import Metrics
from driftline.monitors import ModelMonitor, Monitors
from driftline.store.incidents import write_incidents
from tests.drift.service.incident import FINDING, INCIDENT, SINCE
from tests.drift.service.watching import (
    HOUR,
    HOUR_S,
    PER_HOUR,
    STREAM,
    Clock,
    make_worker,
    opened_landing,
    put_hours,
)
from tests.support.landing import put
from tests.support.traffic import MODEL as NAME
from tests.support.traffic import VERSION, make_logger


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path / "place") as opened:
        yield opened


def exported(incidents, served=(STREAM,)):
    metrics = Metrics(WORKER_METRICS)
    export_incidents(metrics, incidents, served)
    return metrics.series(INCIDENTS)


def test_an_incident_tells_since_when_and_what_it_is_about():
    key = (NAME, VERSION, "p1", "city=Bergen", "amount", "data")
    assert exported([INCIDENT]) == {key: SINCE.timestamp()}


@pytest.mark.parametrize("feature", ["prediction.number", "prediction.label"])
def test_an_incident_under_an_answer_is_about_predictions(feature):
    incident = replace(INCIDENT, findings=(replace(FINDING, feature=feature), FINDING))
    assert [key[4:] for key in exported([incident])] == [(feature, "prediction")]


@pytest.mark.parametrize(
    "incident",
    [
        replace(INCIDENT, state="ended"),
        replace(INCIDENT, state="dismissed"),
        replace(INCIDENT, stream=STREAM._replace(model_version="gone")),
    ],
    ids=["ended", "noise", "not served"],
)
def test_what_nobody_has_to_look_at_is_not_exported(incident):
    assert exported([incident]) == {}


def test_after_a_restart_the_newest_verdicts_are_reported_at_once_and_read_once(landing, monkeypatch):
    put_hours(landing, 0, 12)
    before = make_and_watch(landing)
    assert len(before(VERDICT)) > 0
    again = make_worker(landing)
    asked = []
    read = stored.read_windows
    monkeypatch.setattr(
        stored, "read_windows", lambda *reported, **named: asked.append(1) or read(*reported, **named)
    )
    for _ in range(2):
        assert again.watch_once() == 0
        assert again.metrics.series(VERDICT) == before(VERDICT)
        assert again.metrics.series(SCORE) == before(SCORE)
    assert asked == [1]


def test_after_a_restart_open_incidents_and_what_was_judged_are_reported_at_once(landing):
    put_hours(landing, 0, 5)
    worker = make_worker(landing)
    assert worker.watch_once() > 0
    write_incidents(landing.client, [INCIDENT])
    again = make_worker(landing)
    assert again.watch_once() == 0
    assert [key[2] for key in again.metrics.series(INCIDENTS)] == ["p1"]
    assert again.metrics.series(EVALUATED) == {(NAME, VERSION): float((HOUR + 4) * HOUR_S)}


def test_an_incident_is_reported_with_its_verdicts_and_not_ten_seconds_later(landing, monkeypatch):
    put_hours(landing, 0, 5)
    worker = make_worker(landing)
    worker.watch_once()
    put_hours(landing, 5, 6)
    asked = []
    monkeypatch.setattr(stored, "read_incidents", lambda *_, **__: asked.append(1) or [INCIDENT])
    assert worker.watch_once() > 0
    assert asked == [1]
    assert len(worker.metrics.series(INCIDENTS)) == 1


def test_it_tells_of_the_last_day_and_of_the_disk(landing):
    put_hours(landing, 0, 30)
    series = make_and_watch(landing)
    assert series(NEWEST) == {(NAME, VERSION): (HOUR + 29) * HOUR_S + PER_HOUR - 1.0}
    assert series(COMPLETENESS) == {(NAME, VERSION): 1.0}
    assert series(UNREGISTERED) == {(NAME, VERSION): 24 * PER_HOUR}
    assert 0 < series(DISK_FREE)[()] < series(DISK_SIZE)[()]


def test_the_disk_is_looked_at_while_nothing_lands(landing, monkeypatch):
    """Others write to it, too, and an alert on a full disk is to come before the next event is lost on it."""
    put_hours(landing, 0, 3)
    clock, asked = Clock(), []
    healthy = stored.read_fullest_disk
    monkeypatch.setattr(stored, "read_fullest_disk", lambda client: asked.append(1) or healthy(client))
    worker = make_worker(landing, clock)
    for now_s in (0.0, 299.0, 301.0, 601.0, 902.0):
        clock.now_s = now_s
        worker.watch_once()
    assert len(asked) == 4


def test_a_model_is_reported_with_the_team_of_its_monitors(landing):
    put_hours(landing, 0, 3)
    labelled = ModelMonitor(settings=DriftSettings(), labels={"team": "flights", "city": "Oslo"})
    others = ModelMonitor(settings=DriftSettings())
    assert make_and_watch(landing, monitors=Monitors(others, {NAME: labelled}))(MODEL) == {
        (NAME, "flights", ""): 1.0
    }
    assert make_and_watch(landing, monitors=Monitors(others))(MODEL) == {(NAME, "", ""): 1.0}


@pytest.mark.parametrize("environment", ["production", "prod"])
def test_a_model_of_which_everything_was_dropped_is_reported_with_its_team(landing, environment):
    with make_logger(landing.log, model_name="silent", environment=environment) as logger:
        for _ in range(3):
            logger.log({str(place): 60_000 * "x" for place in range(20)})
    landing.land()
    monitors = Monitors(ModelMonitor(settings=DriftSettings(), labels={"team": "flights"}))
    series = make_and_watch(landing, monitors=monitors)
    assert series(DROPPED) == {("silent", VERSION, "too_large"): 3.0}
    assert series(COMPLETENESS) == {("silent", VERSION): 0.0}
    worker = make_worker(landing, Clock(), monitors=monitors)
    worker.watch_once()
    assert worker.metrics.series(MODEL) == {("silent", "flights", ""): 1.0}


def test_values_that_were_left_out_or_rounded_are_reported_by_feature(landing):
    put(landing, [{"features": {"vector": [1.0], "price": Decimal("0.1")}}] * 3)
    assert make_and_watch(landing)(CHANGED) == {
        (NAME, VERSION, "vector", "left_out"): 3.0,
        (NAME, VERSION, "price", "rounded"): 3.0,
    }


def make_and_watch(landing, **arguments):
    worker = make_worker(landing, Clock(), **arguments)
    worker.watch_once()
    return worker.metrics.series


def test_what_may_have_changed_is_read_once_and_not_too_soon():
    pace = Pace(10.0)
    assert pace.is_due(0.0)
    pace.done(0.0)
    assert not pace.is_due(100.0)
    pace.change()
    assert not pace.is_due(9.0)
    assert pace.is_due(10.0)
