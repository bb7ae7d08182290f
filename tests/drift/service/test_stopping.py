"""A worker that is asked to stop does so between two steps, and leaves nothing half done."""

from __future__ import annotations

import logging
import threading

import pytest

from driftline.errors import DriftlineError
from driftline.health import STALL_S, Pulse
from tests.drift.service.watching import Clock, make_worker, opened_landing, put_hours, reported

WEEKS_HOURS = 2 * 7 * 24 + 5


class StopsAfter(threading.Event):
    """Set once it has been asked some times."""

    def __init__(self, times):
        super().__init__()
        self.left = times

    def is_set(self):
        self.left -= 1
        return super().is_set() or self.left < 0


def test_weeks_that_are_caught_up_with_are_left_between_two_of_them_and_taken_up_again(tmp_path):
    with opened_landing(tmp_path / "landing") as landing:
        put_hours(landing, 0, WEEKS_HOURS, rows=2)
        make_worker(landing, reference_patience_s=0.0).run(StopsAfter(3))
        first = reported(landing)
        make_worker(landing, reference_patience_s=0.0).watch_once()
        everything = reported(landing)
    with opened_landing(tmp_path / "whole") as whole:
        put_hours(whole, 0, WEEKS_HOURS, rows=2)
        make_worker(whole, reference_patience_s=0.0).watch_once()
        expected = reported(whole)
    assert 0 < len(first) < len(everything)
    assert sorted(map(str, everything)) == sorted(map(str, expected))


def test_a_worker_that_is_asked_to_stop_judges_no_further_stream(tmp_path, monkeypatch):
    """With a thousand models, what each of them takes adds up to more than an orchestrator waits."""
    looked_at = []
    with opened_landing(tmp_path) as landing:
        for number in range(5):
            put_hours(landing, 0, 3, rows=2, model_version=f"{number}")
        worker = make_worker(landing)
        monkeypatch.setattr(worker, "_watch", lambda span, *_, **__: looked_at.append(span) or 0)
        worker.run(StopsAfter(3))
    assert len(looked_at) == 2


def test_a_worker_shows_that_it_is_alive_while_it_judges(tmp_path):
    clock = Clock()
    pulse = Pulse("drift worker", clock)
    clock.now_s = STALL_S + 1
    with opened_landing(tmp_path) as landing:
        put_hours(landing, 0, 3)
        with pytest.raises(DriftlineError, match="got no further"):
            pulse.check()
        make_worker(landing, pulse=pulse).watch_once()
    assert pulse.check() is None


def test_an_incident_that_opens_is_logged_with_what_finds_it_again(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="driftline.drift.incidents")
    with opened_landing(tmp_path) as landing:
        put_hours(landing, 0, 9 * 24, shift=lambda hour: 40.0 * (hour >= 8 * 24))
        make_worker(landing).watch_once()
        (incident,) = {
            row["incident_id"] for row in landing.client.named_rows("SELECT incident_id FROM incidents")
        }
    opened = [vars(record) for record in caplog.records if record.name == "driftline.drift.incidents.store"]
    assert [(line["incident_id"], line["state"], line["feature"]) for line in opened] == [
        (incident, "open", "amount")
    ]
    assert opened[0]["model_name"] in opened[0]["message"]
