"""A model that used to speak and falls silent, while nothing of it is missing."""

from __future__ import annotations

import pytest

from driftline.domain.names import VOLUME
from driftline.store.incidents import read_incidents
from driftline.store.verdicts import read_verdicts
from tests.drift.service.served import HISTORY, let_land_at_once, report, serve
from tests.drift.service.watching import ends_of, make_worker, opened_landing


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
