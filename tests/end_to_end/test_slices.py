"""Drift in one slice of the traffic, from the logged events to the incident and the metrics."""

from __future__ import annotations

import random

import pytest

from driftline.drift import DriftSettings
from driftline.drift.service.metrics import INCIDENTS
from driftline.monitors import ModelMonitor, Monitors
from driftline.store.incidents import read_incidents
from driftline.store.segments import name_segments
from tests.drift.service.watching import HOUR, HOUR_S, make_worker, opened_landing, reported
from tests.support.landing import put
from tests.support.traffic import MODEL

TENANTS = [f"t{number}" for number in range(8)]
ROWS = 500
LEARNED = 9 * 24
BROKEN = "t3"
"""From LEARNED on this tenant sends cents for euros."""


def events(first, end):
    for hour in range(first, end):
        rng = random.Random(hour)
        for number in range(ROWS):
            tenant = TENANTS[number % 50] if number % 50 < len(TENANTS) else "others"
            amount = rng.gauss(50.0, 10.0)
            if tenant == BROKEN and hour >= LEARNED:
                amount *= 100
            yield {
                "features": {"amount": amount, "age": rng.gauss(40.0, 8.0)},
                "tags": {"tenant": tenant},
                "event_time": float((HOUR + hour) * HOUR_S + number),
            }


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


def test_drift_in_a_slice_of_two_percent_is_found_and_named_and_no_other_slice_is(landing):
    segments = tuple(f"tenant={tenant}" for tenant in TENANTS)
    monitor = ModelMonitor(settings=DriftSettings(), segments=segments)
    name_segments(landing.client, MODEL, segments)
    put(landing, events(0, LEARNED + 13))
    worker = make_worker(landing, monitors=Monitors(ModelMonitor(settings=DriftSettings()), {MODEL: monitor}))
    worker.watch_once()
    paging = [row for row in reported(landing) if row["verdict"] == "page"]
    assert {row["feature"] for row in paging} == {"amount"}
    assert {row["segment"] for row in paging} - {""} == {f"tenant={BROKEN}"}
    ends = [int(row["window_end"].timestamp()) // HOUR_S - HOUR - LEARNED for row in paging]
    assert 0 < min(ends) <= 6
    drivers = [row["drivers"] for row in paging if row["segment"] == ""]
    assert all(list(each) == [f"tenant={BROKEN}"] for each in drivers if each)
    (incident,) = read_incidents(landing.client)
    assert f"tenant={BROKEN}" in {finding.segment for finding in incident.findings}
    exposed = [line for line in worker.metrics.expose().decode().splitlines() if line.startswith(INCIDENTS)]
    assert len(exposed) == 1
    assert f'incident_id="{incident.incident_id}"' in exposed[0]
