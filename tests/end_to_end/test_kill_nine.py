"""``driftline up`` is killed with -9 again and again while a service logs; its books stay exact."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

import pytest

from driftline.store import open_store
from driftline.store.grids import IN_FORCE, rebuild_profiles
from driftline.store.ledger import read_ledger
from driftline.store.rollups import IS_MARK, NEVER, ROLLUPS, contribution
from tests.support.running import Place, Up, wait_until
from tests.support.traffic import REFERENCE_ROWS, expected_books, read_books

IS_SOAK = os.environ.get("DRIFTLINE_SOAK", "0") not in ("", "0")
EVENTS, KILLS, SECONDS = (200_000, 20, 80.0) if IS_SOAK else (20_000, 6, 14.0)
SEED = int(os.environ.get("DRIFTLINE_SOAK_SEED", "20260131"))


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
    }
    with open_store(place.store_url) as store:
        reader = store.client()
        rebuild_profiles(reader)  # The last lander may have ended before it had counted anew.
        assert read_books(reader) == expected_books(EVENTS)
        assert read_books(reader, "reference").rows == REFERENCE_ROWS
        for rollup in ROLLUPS:
            _assert_counts_what_the_rows_give(reader, rollup)
        assert {line.missing + line.duplicates for line in read_ledger(reader)} == {0}
        assert reader.query("SELECT count() FROM dead_letters").result_rows == [(0,)]
        reader.close()


def _start_client(place):
    line = [sys.executable, "-m", "tests.support.traffic", "--log", place.log_url]
    line += ["--events", str(EVENTS), "--seconds", str(SECONDS)]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL)


def _assert_counts_what_the_rows_give(client, rollup):
    """The rollup's view over all stored rows counts exactly what the rollup holds, by hour: minutes age."""
    given = contribution(client, rollup, rows="1")
    hour = "toStartOfHour(minute) AS hour"
    by_hour = f"SELECT {hour}, sum({rollup.counted}) FROM {{}} GROUP BY hour ORDER BY hour"
    # A lander that was killed while it counted anew leaves rows that count for nobody.
    counts = "1" if rollup.by_generation == NEVER else f"(NOT ({rollup.by_generation}) OR {IN_FORCE})"
    held, expected = (
        client.query(by_hour.format(source), parameters={"model": "till"}).result_rows
        for source in (f"{rollup.table} WHERE NOT {IS_MARK} AND {counts}", f"({given}) WHERE NOT {IS_MARK}")
    )
    assert held == expected
