"""Planned events as the worker takes them: out of the store, and out of a file of monitors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from driftline.domain.calendars import PlannedEvent
from driftline.domain.hours import hour_time
from driftline.drift import DriftSettings
from driftline.errors import NotFoundError
from driftline.monitors import read_monitors
from driftline.store.incidents import read_incidents
from driftline.store.planned import find_planned_event, read_planned_events, write_planned_event
from driftline.store.verdicts import read_verdicts
from tests.drift.service.watching import HOUR, PER_HOUR, make_worker, opened_landing, put_hours

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEARNED = 9 * 24
SALE = range(LEARNED + 30, LEARNED + 42)


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


def sale(**names):
    return PlannedEvent("Sale", hour_time(HOUR + SALE.start), hour_time(HOUR + SALE.stop), **names)


def put_sale(landing):
    """Land ordinary hours, and three times as many predictions in those of the sale."""
    put_hours(landing, 0, SALE.start)
    put_hours(landing, SALE.start, SALE.stop, rows=3 * PER_HOUR)
    put_hours(landing, SALE.stop, SALE.stop + 2)


def watch(landing, **arguments):
    worker = make_worker(landing, **arguments)
    while worker.watch_once():
        pass


def test_an_event_in_the_store_is_no_incident_and_its_verdicts_name_it(landing):
    write_planned_event(landing.client, sale(), given_at=NOW)
    put_sale(landing)
    watch(landing)
    assert [one.headline for one in read_incidents(landing.client)] == []
    named = [row for row in read_verdicts(landing.client, limit=100_000) if "Sale (first" in row["reason"]]
    assert {row["feature"] for row in named} >= {"amount", "city"}


def test_an_event_of_another_model_or_one_that_was_removed_excuses_nothing(landing):
    write_planned_event(landing.client, sale(model_name="another"), given_at=NOW)
    write_planned_event(landing.client, sale(), given_at=NOW)
    write_planned_event(landing.client, sale(), given_at=NOW.replace(year=2027), is_removed=True)
    assert [each.model_name for each in read_planned_events(landing.client).values()] == ["another"]
    with pytest.raises(NotFoundError, match="there is no planned event"):
        find_planned_event(landing.client, "nothing")
    put_sale(landing)
    watch(landing)
    assert read_incidents(landing.client)


def test_an_event_in_a_file_of_monitors_counts_the_same(landing, tmp_path):
    file = tmp_path / "monitors.yaml"
    times = f"{hour_time(HOUR + SALE.start):%Y-%m-%dT%H:%M}/{hour_time(HOUR + SALE.stop):%Y-%m-%dT%H:%M}"
    file.write_text(f"version: 1\ndefaults:\n  events:\n    Sale: [{times}]\n")
    put_sale(landing)
    watch(landing, monitors=read_monitors(file, DriftSettings()))
    assert [one.headline for one in read_incidents(landing.client)] == []
