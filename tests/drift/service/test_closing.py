"""The newest hour of a model closes by the clock, too."""

from __future__ import annotations

import pytest

from driftline.drift.service.closing import QUIET_S, QuietHours
from driftline.store.signs import Heartbeats
from tests.drift.service.served import HISTORY, let_land_at_once, report, serve
from tests.drift.service.watching import HOUR_S, Clock, ends_of, make_worker, opened_landing, reported

NEWEST = 490_000


class TestQuietHours:
    def test_an_hour_of_the_past_is_over_at_once_and_quiet_an_hour_later(self):
        quiet = QuietHours()
        quiet.moved("till", NEWEST, now_s=100.0, store_s=(NEWEST + 50) * HOUR_S)
        assert quiet.is_over("till", NEWEST, 100.0)
        assert not quiet.is_quiet("till", NEWEST, 100.0 + QUIET_S - 1)
        assert quiet.is_quiet("till", NEWEST, 100.0 + QUIET_S)

    def test_an_hour_that_goes_on_is_over_a_minute_after_its_end(self):
        quiet = QuietHours()
        quiet.moved("till", NEWEST, now_s=0.0, store_s=NEWEST * HOUR_S + 600)
        assert not quiet.is_over("till", NEWEST, 3059.0)
        assert quiet.is_over("till", NEWEST, 3060.0)
        assert quiet.is_quiet("till", NEWEST, QUIET_S)

    def test_what_comes_meanwhile_begins_the_quiet_anew(self):
        quiet = QuietHours()
        for now_s in (0.0, 3000.0):
            quiet.moved("till", NEWEST, now_s=now_s, store_s=(NEWEST + 2) * HOUR_S)
        assert not quiet.is_quiet("till", NEWEST, QUIET_S)

    def test_a_model_is_due_once_for_each_of_the_two(self):
        quiet = QuietHours()
        quiet.moved("till", NEWEST, now_s=0.0, store_s=NEWEST * HOUR_S + 600)
        assert quiet.due(3000.0) == set()
        assert quiet.due(3060.0) == {"till"}
        assert quiet.due(3061.0) == set()
        assert quiet.due(QUIET_S) == {"till"}
        assert quiet.due(2 * QUIET_S) == set()

    def test_other_hours_and_models_are_neither(self):
        quiet = QuietHours()
        quiet.moved("till", NEWEST, now_s=0.0, store_s=(NEWEST + 2) * HOUR_S)
        assert not quiet.is_over("till", NEWEST - 1, 1e6)
        quiet.forget("till")
        assert not quiet.is_quiet("till", NEWEST, 1e6)


@pytest.mark.parametrize(
    ("going_on", "ended", "has_ended"),
    [(0, NEWEST * HOUR_S + 5, True), (NEWEST * HOUR_S + 1, NEWEST * HOUR_S + 5, False), (0, 0, False)],
)
def test_an_hour_has_ended_when_all_who_logged_in_it_have(going_on, ended, has_ended):
    assert Heartbeats(1, 0, going_on, ended).has_ended(NEWEST) == has_ended


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


def judge_all(worker):
    while worker.watch_once():
        pass


def test_the_last_hour_is_judged_after_a_quiet_one(landing):
    serve(landing)
    clock = Clock()
    worker = make_worker(landing, clock)
    judge_all(worker)
    assert max(ends_of(reported(landing))) == HISTORY - 1
    clock.now_s = QUIET_S - 1
    judge_all(worker)
    assert max(ends_of(reported(landing))) == HISTORY - 1
    clock.now_s = QUIET_S
    judge_all(worker)
    assert max(ends_of(reported(landing))) == HISTORY


def test_a_batch_whose_logger_was_closed_is_judged_at_once(landing):
    """Its hour is over by the store's clock, its session ended in order, and nothing of it is missing."""
    serve(landing)
    let_land_at_once(landing)
    report(landing, HISTORY - 1, is_final=True)
    worker = make_worker(landing)
    judge_all(worker)
    assert max(ends_of(reported(landing))) == HISTORY


@pytest.mark.parametrize("reports", [{"is_final": False}, {"is_final": True, "lost": 100}])
def test_a_batch_that_goes_on_or_lacks_events_is_waited_for(landing, reports):
    serve(landing)
    let_land_at_once(landing)
    report(landing, HISTORY - 1, **reports)
    worker = make_worker(landing)
    judge_all(worker)
    assert max(ends_of(reported(landing))) == HISTORY - 1
