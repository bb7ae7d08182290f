"""A feature that a run calls a category is judged as one from the start, whatever was judged before."""

from __future__ import annotations

import pytest

from driftline import register_training_run
from driftline.store.verdicts import read_verdicts
from tests.drift.service.watching import HOUR, HOUR_S, make_worker, opened_landing
from tests.support.landing import put
from tests.support.traffic import MODEL, RUN, VERSION
from tests.support.training import WAIVED

DAYS, PER_HOUR = 8, 120


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


def put_stores(landing, first, end):
    put(
        landing,
        (
            {
                "features": {"store_id": float(number % 7)},
                "event_time": float((HOUR + hour) * HOUR_S + number),
            }
            for hour in range(first, end)
            for number in range(PER_HOUR)
        ),
    )


def call_a_category(landing, kind):
    register_training_run(
        RUN,
        model_name=MODEL,
        model_version=VERSION,
        features={"store_id": kind},
        waive=WAIVED,
        log=landing.log,
    )
    landing.land()


def watched(worker):
    while worker.watch_once():
        pass


@pytest.mark.parametrize("kinds", [["categorical"], ["categorical", "float64"]])
def test_a_run_that_says_so_later_makes_no_change_of_type(landing, kinds):
    put_stores(landing, 0, 24 * DAYS)
    worker = make_worker(landing)
    watched(worker)
    for place, kind in enumerate(kinds, 24 * DAYS):
        call_a_category(landing, kind)
        put_stores(landing, place, place + 3)
        watched(worker)
    rows = read_verdicts(landing.client, limit=100_000)
    assert [row["reason"] for row in rows if "type changed" in row["reason"]] == []
    assert {row["verdict"] for row in rows if row["feature"] == "store_id"} <= {"ok", "learning"}
    newest = max(row["window_end"] for row in rows)
    found = {row["kind"] for row in rows if row["feature"] == "store_id" and row["window_end"] == newest}
    assert found == {"categorical" if kinds[-1] == "categorical" else "numeric"}
