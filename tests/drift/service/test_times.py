"""Whatever times single events claim, hours close as traffic closes them, and each is judged in whole."""

from __future__ import annotations

import time

import pytest

from driftline.drift.service.metrics import EVALUATED, NEWEST
from driftline.store.connection import Connection
from driftline.store.set_aside import read_set_aside
from driftline.store.verdicts import read_judged_hours, read_verdicts
from tests.drift.service.watching import HOUR, HOUR_S, STREAM, make_worker, opened_landing, put_hours
from tests.support.landing import put

DAY_S = 86400.0
ODD = {"an hour ahead": 3600.0, "60 days ahead": 60 * DAY_S, "2099": None, "epoch": 0, "1970": 1.7e6}


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


def odd_time(name):
    value = ODD[name]
    if value is None:
        return 4.08e9
    return value if name in {"epoch", "1970"} else time.time() + value


def hour_of_now():
    return int(time.time()) // HOUR_S


def put_live(landing, first, end, now_hour):
    """Land hours, counted from the one under way."""
    put_hours(landing, first + now_hour - HOUR, end + now_hour - HOUR)


@pytest.mark.parametrize("name", ODD)
def test_one_odd_time_changes_no_verdict_of_live_traffic(landing, name):
    end = hour_of_now()
    put_live(landing, -9, -3, end)
    worker = make_worker(landing)
    worker.watch_once()
    put(landing, [{"features": {"amount": 7.0, "city": "Bergen"}, "event_time": odd_time(name)}])
    worker.watch_once()
    put_live(landing, -3, 0, end)
    worker.watch_once()
    judged = read_judged_hours(landing.client, STREAM, hours=100)
    assert [each.rows for hour, each in sorted(judged.items()) if hour < end - 1] == [40] * len(
        [hour for hour in judged if hour < end - 1]
    )
    assert len([hour for hour in judged if hour < end - 1]) >= 7
    assert max(judged) < hour_of_now()
    assert {each.revision for each in judged.values()} == {1}
    evaluated = worker.metrics.series(EVALUATED)["till", "3"]
    newest = worker.metrics.series(NEWEST)["till", "3"]
    assert evaluated <= time.time()
    assert newest <= time.time() + 1
    assert newest - evaluated < 2 * 3600


def test_a_client_that_is_hours_fast_is_judged_by_when_its_events_landed(landing):
    """Local time taken for UTC: nothing of it is set aside, and no hour is judged before it has ended."""
    put_live(landing, -5, 0, hour_of_now())
    ahead = time.time() + 9 * 3600
    put(landing, [{"features": {"amount": 7.0, "city": "Bergen"}, "event_time": ahead} for _ in range(50)])
    worker = make_worker(landing)
    worker.watch_once()
    assert read_set_aside(landing.client) == {}
    assert max(row["window_end"].timestamp() for row in read_verdicts(landing.client)) <= time.time()


def test_one_event_of_today_closes_no_hour_of_a_year_that_is_replayed(landing):
    put_hours(landing, -100_000, -99_995)
    put(landing, [{"features": {"amount": 7.0, "city": "Bergen"}}])
    worker = make_worker(landing)
    worker.watch_once()
    put_hours(landing, -99_995, -99_990)
    worker.watch_once()
    judged = read_judged_hours(landing.client, STREAM, hours=100)
    assert sorted(judged) == list(range(HOUR - 100_000, HOUR - 99_991))
    assert {each.rows for each in judged.values()} == {40}


@pytest.mark.parametrize("hours_before", [40, 24 * 365 * 6])
def test_a_new_version_with_a_stray_event_has_the_history_of_the_one_before(landing, hours_before):
    """Also where the stray was judged before the traffic came."""
    old = {"model_version": "2"}
    put_hours(landing, 0, 24 * 15, rows=20, **old)
    stray = (HOUR + 24 * 15 - hours_before) * HOUR_S
    put(landing, [{"features": {"amount": 7.0, "city": "Bergen"}, "event_time": stray}])
    worker = make_worker(landing)
    worker.watch_once()
    put_hours(landing, 24 * 15, 24 * 15 + 6, rows=20)
    worker.watch_once()
    rows = read_verdicts(landing.client, limit=1_000_000)
    ends = {
        row["window_end"].timestamp() // HOUR_S: row["verdict"]
        for row in rows
        if row["model_version"] == "3" and row["scale_hours"] == 1 and row["feature"] == "amount"
    }
    new = {name for end, name in ends.items() if end > HOUR + 24 * 15}
    assert new
    assert "learning" not in new


def test_the_years_between_a_stray_and_the_traffic_cost_nothing(landing, monkeypatch):
    put(landing, [{"features": {"amount": 7.0}, "event_time": 1.6e8}])
    worker = make_worker(landing)
    worker.watch_once()
    put_hours(landing, 0, 6)
    asked, rows = [], Connection.rows
    with monkeypatch.context() as patched:
        patched.setattr(Connection, "rows", lambda *a, **o: asked.append(a) or rows(*a, **o))
        worker.watch_once()
    assert len(asked) < 100
    judged = read_judged_hours(landing.client, STREAM, hours=100)
    assert [hour for hour in judged if hour >= HOUR] == list(range(HOUR, HOUR + 5))


def test_events_that_come_weeks_late_are_set_aside_and_counted(landing):
    put_hours(landing, 0, 2)
    put_hours(landing, 1000, 1006)
    worker = make_worker(landing)
    worker.watch_once()
    put(landing, [{"features": {"amount": 7.0}, "event_time": float((HOUR + 30) * HOUR_S)} for _ in range(3)])
    worker.watch_once()
    assert read_set_aside(landing.client) == {STREAM: {"late": 3}}
