"""Events that land a day late: their hour was incomplete until then, and is judged anew, once."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from driftline.domain.names import VOLUME
from driftline.log import Record, open_log
from driftline.wire import PREDICTIONS_TOPIC
from tests.support.traffic import START_S, serve

EVENTS = 2_000
PER_HOUR = EVENTS / 36
LATE_HOUR = 10
ENDS = "2026-01-31T23:00:00+00:00"


def take_away(place, offsets):
    """Take records out of the log, as if their client had kept them on its disk; return them."""
    marks = ", ".join("?" * len(offsets))
    chosen = f'"driftline.predictions" WHERE offset IN ({marks})'
    with closing(sqlite3.connect(place.folder / "log" / "events.sqlite")) as log, log:
        rows = log.execute(f"SELECT key, value FROM {chosen} ORDER BY offset", offsets).fetchall()
        log.execute(f"DELETE FROM {chosen}", offsets)
    assert len(rows) == len(offsets)
    return [Record(PREDICTIONS_TOPIC, key, value) for key, value in rows]


def watch(place):
    """Land and judge what there is; return how many verdicts that gave, and all that the store holds."""
    assert place.run("land", "--until-idle").returncode == 0
    assert place.run("profile", "--until-idle").returncode == 0
    done = place.run("watch", "--once")
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[0]), place.ask("verdicts", "--limit", "100000")


def holds_the_hour(verdict):
    return verdict["window_start"] < ENDS <= verdict["window_end"]


def test_an_hour_that_lands_a_day_late_changes_its_verdicts_once_and_says_why(place):
    assert START_S % 3600 == 0
    serve(place.log_url, EVENTS, 0)
    first, end = int(PER_HOUR * LATE_HOUR) + 1, int(PER_HOUR * (LATE_HOUR + 1)) + 1
    kept_back = [number for number in range(first + 1, end - 1) if number % 5]
    records = take_away(place, kept_back)
    given, before = watch(place)
    assert given == len(before)
    hourly = [one for one in before if one["scale_hours"] == 1 and one["window_end"] == ENDS]
    assert hourly
    # What is known to be missing counts as volume, so that is not incomplete.
    assert {one["verdict"] for one in hourly if one["feature"] != VOLUME} == {"incomplete"}
    assert {one["revision"] for one in before} == {1}
    there = (end - first - len(kept_back)) / (end - first)
    assert [one["completeness"] for one in hourly] == pytest.approx([there] * len(hourly))

    with open_log(place.log_url) as log:
        log.writer().append(records)
    given, after = watch(place)
    revised = [one for one in after if one["revision"] > 1]
    assert given == len(revised)
    assert {one["revision"] for one in revised} == {2}
    assert all(map(holds_the_hour, revised))
    assert len(revised) == sum(map(holds_the_hour, before))
    assert [one for one in after if not holds_the_hour(one)] == [
        one for one in before if not holds_the_hour(one)
    ]
    for one in revised:
        if one["scale_hours"] == 1 and one["feature"] != VOLUME:
            assert one["verdict"] == "learning"
            assert one["completeness"] == 1.0
            assert re.fullmatch(
                rf"{len(kept_back)} events of this hour arrived late, the last at 20\d\d-.* UTC; "
                rf"it was judged incomplete \({there:.0%} there\)",
                one["revised_because"],
            )
    (ledger,) = place.ask("completeness")
    assert ledger["missing"] == ledger["duplicates"] == 0

    assert watch(place) == (0, after)
    shown = place.run("verdicts", "--limit", "100000").stdout
    assert "arrived late" in shown
    assert "revision" in shown.splitlines()[0]
