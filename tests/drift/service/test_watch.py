"""Events that arrive late change the verdicts of the windows that hold them, once, and say so."""

from __future__ import annotations

import pytest

from driftline.drift import DriftSettings
from driftline.drift.service.metrics import REVISED
from driftline.drift.service.watch import LATE_HOURS
from driftline.errors import StoreError
from driftline.monitors import ModelMonitor, Monitors
from driftline.store.connection import Connection
from driftline.store.verdicts import read_judged_hours
from tests.drift.service.watching import (
    HOUR,
    HOUR_S,
    KEY,
    PER_HOUR,
    STREAM,
    Clock,
    ends_of,
    make_worker,
    opened_landing,
    put_hours,
    put_late,
    reported,
    without_revisions,
)
from tests.support.landing import put
from tests.support.traffic import MODEL


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


@pytest.fixture
def clock():
    return Clock()


def test_late_events_are_in_every_window_that_holds_their_hour_and_in_no_other(landing):
    put_hours(landing, 0, 40)
    worker = make_worker(landing)
    worker.watch_once()
    put_late(landing, 10)
    assert worker.watch_once() > 0
    revised = [row for row in reported(landing) if row["revision"] > 1]
    assert {row["revision"] for row in revised} == {2}
    for scale in (1, 6, 24):
        expected = set(range(11, 11 + scale))
        assert ends_of(row for row in revised if row["scale_hours"] == scale) == expected
    assert {row["sample_size"] for row in revised if row["scale_hours"] == 1} == {PER_HOUR + 12}


def test_the_reason_says_how_many_events_of_when_and_what_was_judged_without_them(landing):
    put_hours(landing, 0, 12)
    worker = make_worker(landing)
    worker.watch_once()
    put_late(landing, 9, rows=1)
    put_late(landing, 10)
    worker.watch_once()
    revised = [row for row in reported(landing) if row["revision"] == 2 and row["feature"] == "amount"]
    because = {row["scale_hours"]: row["revised_because"] for row in revised if ends_of([row]) == {11}}
    landed = landing.client.rows(
        "SELECT formatDateTime(max(landed_at), '%Y-%m-%d %H:%i', 'UTC') FROM predictions"
    )[0][0]
    assert because[1] == (
        f"12 events of this hour arrived late, the last at {landed} UTC; it was judged learning (100% there)"
    )
    assert because[6] == (
        f"13 events of 2 hours since 2025-11-25 09:00 UTC arrived late, the last at {landed} UTC; "
        "the window was judged learning (100% there)"
    )
    (alone,) = [row for row in revised if row["scale_hours"] == 1 and ends_of([row]) == {10}]
    assert alone["revised_because"].startswith("1 event of this hour arrived late")


def test_a_second_look_changes_nothing_and_neither_does_a_restart(landing):
    put_hours(landing, 0, 12)
    worker = make_worker(landing)
    worker.watch_once()
    put_late(landing, 5)
    assert worker.watch_once() > 0
    after = reported(landing)
    assert worker.watch_once() == 0
    worker = make_worker(landing)
    assert worker.watch_once() == 0
    assert reported(landing) == after
    assert len(after) == len({tuple(row[name] for name in KEY) for row in after})


def test_in_the_end_it_judges_as_if_nothing_had_been_late(tmp_path):
    """A fault of nine hours, four of which came a day late: verdicts, incidents and episodes are the same.

    But for windows without a late hour, whose reference was what it was then.
    """
    fault, arrives, end = 9 * 24 + 6, 10 * 24 + 12, 11 * 24

    def shift(hour):
        return 40.0 if fault <= hour < fault + 9 else 0.0

    def run(folder, *, late):
        with opened_landing(folder) as landing:
            return judge(landing, late=late)

    def judge(landing, *, late):
        worker = make_worker(landing)
        put_hours(landing, 0, fault, shift=shift)
        put_hours(landing, fault, fault + 4, shift=shift, rows=10 if late else PER_HOUR)
        put_hours(landing, fault + 4, arrives, shift=shift)
        worker.watch_once()
        if late:
            put_hours(landing, fault, fault + 4, shift=shift, begin=10)
        put_hours(landing, arrives, end, shift=shift)
        worker.watch_once()
        return reported(landing)

    def touched(rows):
        return [
            row
            for row in without_revisions(rows)
            if not ends_of([row]) <= set(range(fault + row["scale_hours"] + 4, arrives))
        ]

    on_time, late = run(tmp_path / "on_time", late=False), run(tmp_path / "late", late=True)
    assert {row["revision"] for row in on_time} == {1}
    assert {row["revision"] for row in late} == {1, 2}
    assert len(touched(on_time)) > 0.9 * len(on_time)
    assert touched(late) == touched(on_time)
    standing = [
        {
            (row["scale_hours"], row["window_end"]): row["episode_id"]
            for row in rows
            if row["verdict"] == "page"
        }
        for rows in (on_time, late)
    ]
    assert standing[0] == standing[1]
    assert len(set(standing[0].values())) == 1


def test_an_incident_that_had_come_of_missing_events_is_gone_with_them_and_its_episode_too(landing):
    """Half a category was late: what looked like a change was none, and no verdict names its episode."""
    weeks = 9 * 24
    worker = make_worker(landing)

    def put_city(hour, city, numbers):
        put(
            landing,
            (
                {
                    "features": {"city": city},
                    "event_time": float((HOUR + hour) * HOUR_S + number),
                }
                for number in numbers
            ),
        )

    put(
        landing,
        (
            {
                "features": {"city": ("Bergen", "Cork")[number % 2]},
                "event_time": float((HOUR + hour) * HOUR_S + number),
            }
            for hour in range(weeks)
            for number in range(100)
        ),
    )
    put_city(weeks, "Bergen", range(50))
    put_city(weeks + 1, "Bergen", range(50))
    put_city(weeks + 1, "Cork", range(50))
    put_city(weeks + 2, "Cork", range(1))
    worker.watch_once()
    assert {1} < {row["scale_hours"] for row in reported(landing, verdicts=["page"])} | {1, 6}
    assert ends_of(reported(landing, verdicts=["page"])) >= {weeks + 1}
    put_city(weeks, "Cork", range(50))
    worker.watch_once()
    assert reported(landing, verdicts=["page"]) == []
    assert {row["episode_id"] for row in reported(landing)} == {None}


def test_several_late_hours_are_one_pass_and_each_is_revised_once(landing):
    put_hours(landing, 0, 80)
    worker = make_worker(landing)
    worker.watch_once()
    for hour in (10, 12, 70):
        put_late(landing, hour)
    worker.watch_once()
    judged = read_judged_hours(landing.client, STREAM, hours=LATE_HOURS)
    assert {hour - HOUR for hour, one in judged.items() if one.revision == 2} == {10, 12, 70}
    assert {one.revision for one in judged.values()} == {1, 2}
    hourly = [row for row in reported(landing) if row["revision"] > 1 and row["scale_hours"] == 1]
    assert ends_of(hourly) == {11, 13, 71}
    assert max(row["revision"] for row in reported(landing)) == 2
    assert worker.metrics.series(REVISED)[()] == 3


def test_a_trickle_is_one_revision_once_it_has_been_quiet(landing, clock):
    put_hours(landing, 0, 12)
    worker = make_worker(landing, clock, late_quiet_s=60.0)
    worker.watch_once()
    for number in range(5):
        clock.now_s += 30.0
        put_hours(landing, 6, 7, begin=PER_HOUR + number, rows=PER_HOUR + number + 1)
        assert worker.watch_once() == 0
    clock.now_s += 59.0
    assert worker.watch_once() == 0
    clock.now_s += 1.0
    assert worker.watch_once() > 0
    assert max(row["revision"] for row in reported(landing)) == 2


def test_a_trickle_that_never_ends_is_judged_all_the_same(landing, clock):
    put_hours(landing, 0, 12)
    worker = make_worker(landing, clock, late_quiet_s=60.0)
    worker.watch_once()
    given = []
    for number in range(12):
        clock.now_s += 55.0
        put_hours(landing, 6, 7, begin=PER_HOUR + number, rows=PER_HOUR + number + 1)
        given.append(worker.watch_once())
    assert sum(map(bool, given)) == 1


def test_an_hour_of_which_nothing_was_there_is_judged_when_it_arrives(landing):
    put_hours(landing, 0, 5)
    put_hours(landing, 6, 12)
    worker = make_worker(landing)
    worker.watch_once()
    assert 6 not in ends_of(reported(landing))
    put_hours(landing, 5, 6)
    worker.watch_once()
    hourly = [row for row in reported(landing) if row["scale_hours"] == 1 and ends_of([row]) == {6}]
    assert {(row["revision"], row["sample_size"]) for row in hourly} == {(1, PER_HOUR)}
    assert {row["revised_because"].rpartition("; ")[2] for row in hourly} == {
        "nothing of this window was judged before"
    }


def test_events_that_are_later_than_five_weeks_change_no_verdict(landing):
    put_hours(landing, 0, 2)
    put_hours(landing, LATE_HOURS + 2, LATE_HOURS + 6)
    worker = make_worker(landing)
    worker.watch_once()
    before = reported(landing)
    put_late(landing, 1)
    assert worker.watch_once() == 0
    assert reported(landing) == before


@pytest.mark.parametrize("table", ["verdict_records", "judged_hours"])
def test_a_revision_that_was_cut_short_is_found_again_and_leaves_nothing_doubled(landing, monkeypatch, table):
    put_hours(landing, 0, 12)
    worker = make_worker(landing)
    worker.watch_once()
    put_late(landing, 5)
    insert = Connection.insert

    def fail(connection, name, *arguments, **options):
        if name == table:
            raise StoreError("killed")
        return insert(connection, name, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "insert", fail)
        worker.watch_once()
    assert set(worker.failing) == {STREAM}
    worker.close()
    cut_short = reported(landing)
    assert max(row["revision"] for row in cut_short) == (1 if table == "verdict_records" else 2)
    worker = make_worker(landing)
    worker.watch_once()
    after = reported(landing)
    assert max(row["revision"] for row in after) == 2
    assert {row["sample_size"] for row in after if row["scale_hours"] == 1 and ends_of([row]) == {6}} == {
        PER_HOUR + 12
    }
    assert read_judged_hours(landing.client, STREAM, hours=LATE_HOURS)[HOUR + 5].revision == 2
    assert worker.watch_once() == 0
    if table == "judged_hours":
        assert after == cut_short


def test_what_was_judged_and_not_noted_is_judged_again_and_written_only_where_it_differs(
    landing, monkeypatch
):
    """Killed between an hour's verdicts and the note of it: events that landed since make a revision."""
    put_hours(landing, 0, 6)
    worker = make_worker(landing)
    insert = Connection.insert

    def fail(connection, name, *arguments, **options):
        if name == "judged_hours":
            raise StoreError("killed")
        return insert(connection, name, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "insert", fail)
        worker.watch_once()
    assert set(worker.failing) == {STREAM}
    worker.close()
    before = reported(landing)
    assert before
    put_late(landing, 3)
    worker = make_worker(landing)
    worker.watch_once()
    after = reported(landing)
    assert ends_of(row for row in after if row["revision"] == 2) == {4, 5}
    assert {row["revised_because"] for row in after if row["revision"] == 2} == {
        "judged again after the worker was interrupted; events had landed meanwhile"
    }
    assert [row for row in after if ends_of([row]) <= {1, 2, 3}] == [
        row for row in before if ends_of([row]) <= {1, 2, 3}
    ]


def test_a_model_is_judged_by_its_own_settings_and_anew_when_they_change(landing):
    put_hours(landing, 0, 4)
    put_hours(landing, 0, 4, model_name="other")
    entries = {MODEL: ModelMonitor(settings=DriftSettings(scales_hours=(1, 3)))}
    worker = make_worker(landing, monitors=Monitors(ModelMonitor(settings=DriftSettings()), entries))
    worker.watch_once()
    assert {row["scale_hours"] for row in reported(landing, model_name=MODEL)} == {1, 3}
    assert {row["scale_hours"] for row in reported(landing, model_name="other")} == {1, 6, 24}
    entries[MODEL] = ModelMonitor(settings=DriftSettings(scales_hours=(1, 2)))
    put_hours(landing, 4, 6)
    worker.watch_once()
    late = [row for row in reported(landing, model_name=MODEL) if ends_of([row]) == {5}]
    assert {row["scale_hours"] for row in late} == {1, 2}
