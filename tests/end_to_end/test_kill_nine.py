"""``driftline up`` is killed with -9 again and again while a service logs; its books stay exact."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

import pytest

from driftline.embedded import open_store
from driftline.store.ledger import read_ledger
from driftline.store.visible import visible
from tests.support.running import Place, Up, wait_until
from tests.support.traffic import REFERENCE_ROWS, derive, expected_books, read_books

IS_SOAK = os.environ.get("TESTS_SOAK", "0") not in ("", "0")
EVENTS, KILLS, SECONDS = (200_000, 20, 80.0) if IS_SOAK else (20_000, 6, 14.0)
SEED = int(os.environ.get("TESTS_SOAK_SEED", "20260131"))


@pytest.mark.timeout(900)
def test_up_killed_at_random_moments_loses_nothing_and_doubles_nothing(tmp_path):
    place = Place(tmp_path)
    moments = random.Random(SEED)
    client = _start_client(place)
    for kill in range(KILLS):
        up = Up(place)
        if kill % 3:  # Every third one is killed while it comes up.
            up.wait_until_up()
        time.sleep(moments.uniform(0.05, 2.0))
        assert up.is_alive, (tmp_path / "up.stderr").read_text()
        up.kill()
    up = Up(place).wait_until_up()
    assert client.wait(120) == 0
    wait_until(lambda: place.lag() == 0, timeout_s=120, what="landing what is left")
    (line,) = (line for line in place.ask("completeness") if line["environment"] == "production")
    up.stop()

    assert line == {
        "model_name": "till",
        "model_version": "3",
        "environment": "production",
        "sent": EVENTS,
        "landed": EVENTS,
        "missing": 0,
        "duplicates": 0,
        "dropped": 0,
        "dead_lettered": 0,
        "ratio": 1.0,
        "set_aside": {},
    }
    with open_store(place.store_url) as store:
        reader = store.connect()
        derive(store)  # The last profiler may have ended before it had derived everything.
        assert read_books(reader) == expected_books(EVENTS)
        assert read_books(reader, "reference").rows == REFERENCE_ROWS
        _assert_each_hour_counts_its_rows(reader)
        assert {line.missing + line.duplicates for line in read_ledger(reader)} == {0}
        assert reader.rows("SELECT count() FROM dead_letters") == [(0,)]
        reader.close()


def _start_client(place):
    line = [sys.executable, "-m", "tests.support.traffic", "--log", place.log_url]
    line += ["--events", str(EVENTS), "--seconds", str(SECONDS)]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL)


def _assert_each_hour_counts_its_rows(client):
    key = "environment, hour"
    by_hour = f"SELECT environment, {{}} AS hour, {{}} FROM {{}} GROUP BY {key} ORDER BY {key}"
    expected = client.rows(by_hour.format("toStartOfHour(event_time)", "count()", "predictions"))
    for counted, source in (
        ("sum(count)", f"profiles WHERE kind = 'rows' AND segment = '' AND {visible()}"),
        ("sum(rows)", f"session_hours WHERE {visible()}"),
        ("sum(rows)", "derived_hours FINAL"),
    ):
        assert client.rows(by_hour.format("hour", counted, source)) == expected
