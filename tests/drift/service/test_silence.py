"""A model that used to speak and falls silent, while nothing of it is missing."""

from __future__ import annotations

import pytest

from driftline.domain.names import VOLUME
from driftline.store.incidents import read_incidents
from driftline.store.landed import write_landed_until
from driftline.store.verdicts import read_verdicts
from tests.drift.service.served import HISTORY, let_land_at_once, report, serve
from tests.drift.service.watching import HOUR, HOUR_S, Clock, ends_of, make_worker, opened_landing


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


def silence(landing):
    rows = read_verdicts(landing.client, limit=1_000_000)
    return ends_of(row for row in rows if row["feature"] == VOLUME and row["verdict"] == "page")


def test_silence_is_an_incident_by_the_reports_of_sessions_that_go_on(landing):
    serve(landing)
    let_land_at_once(landing)
    worker = make_worker(landing)
    while worker.watch_once():
        pass
    assert silence(landing) == set()
    report(landing, HISTORY + 3)
    while worker.watch_once():
        pass
    assert silence(landing) == {HISTORY + 1, HISTORY + 2, HISTORY + 3}
    (incident,) = read_incidents(landing.client)
    assert "0% of the predictions" in incident.headline


def test_the_end_of_a_replay_is_not_called_silence(landing):
    """Its sessions go on, and its events are of another time than their reports."""
    serve(landing)
    worker = make_worker(landing)
    report(landing, HISTORY + 3)
    while worker.watch_once():
        pass
    assert silence(landing) == set()


def test_what_the_ledger_misses_is_not_called_silence(landing):
    serve(landing)
    let_land_at_once(landing)
    worker = make_worker(landing)
    report(landing, HISTORY + 3, lost=120)
    while worker.watch_once():
        pass
    assert silence(landing) == set()


def landed_until(landing, hour):
    """Note that all that was logged by eleven minutes into an hour has landed."""
    write_landed_until(landing.client, "host:1", float((HOUR + hour) * HOUR_S + 660))


def watch(worker, clock):
    clock.now_s += 61.0
    while worker.watch_once():
        pass


def test_a_service_that_is_gone_is_an_incident_within_two_hours(landing):
    """No session reports any more, and no row lands: only the lander knows that nothing waits."""
    serve(landing)
    let_land_at_once(landing)
    clock = Clock()
    worker = make_worker(landing, clock)
    watch(worker, clock)
    landed_until(landing, HISTORY)
    watch(worker, clock)
    assert silence(landing) == set()
    landed_until(landing, HISTORY + 1)
    watch(worker, clock)
    assert silence(landing) == {HISTORY + 1}
    (incident,) = read_incidents(landing.client)
    assert "0% of the predictions" in incident.headline


def test_what_still_waits_in_the_log_is_no_silence(landing):
    """One lander of two is behind; what it has not landed may be the model's."""
    serve(landing)
    let_land_at_once(landing)
    clock = Clock()
    worker = make_worker(landing, clock)
    landed_until(landing, HISTORY + 1)
    write_landed_until(landing.client, "host:2", float((HOUR + HISTORY) * HOUR_S + 900))
    watch(worker, clock)
    assert silence(landing) == set()


def test_a_service_that_is_gone_while_the_ledger_misses_events_is_not_called_silent(landing):
    serve(landing)
    let_land_at_once(landing)
    report(landing, HISTORY - 1, lost=120)
    clock = Clock()
    worker = make_worker(landing, clock)
    landed_until(landing, HISTORY + 3)
    watch(worker, clock)
    assert silence(landing) == set()
