"""Events that the ledger misses, or misses no more, change the verdicts of their hours."""

from __future__ import annotations

import pytest

from driftline.drift.service.watch import LATE_HOURS
from driftline.log import Record
from driftline.store.verdicts import read_judged_hours
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, SESSION, SESSIONS_TOPIC, encode_record
from tests.drift.service.watching import (
    HOUR,
    HOUR_S,
    PER_HOUR,
    STREAM,
    ends_of,
    make_worker,
    opened_landing,
    put_hours,
    reported,
)
from tests.support.traffic import MODEL, VERSION


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


def append(landing, numbers, *, heartbeat=None, hour_of):
    """Land events of one session by their numbers, and its heartbeat."""
    names = {"session_id": "numbered", "model_name": MODEL, "model_version": VERSION}
    names["environment"] = "production"
    records = []
    for number in numbers:
        own = {"event_id": f"01890000-0000-7000-8000-{number:012x}", "training_run_id": "run"}
        time = (HOUR + hour_of(number)) * HOUR_S * 1_000_000 + number
        event = {**names, **own, "sequence": number, "event_time": time, "numeric_features": {"amount": 1.0}}
        records.append(Record(PREDICTIONS_TOPIC, b"", encode_record(PREDICTION, event)))
    if heartbeat is not None:
        reported = {
            "beat_time": HOUR * HOUR_S * 1_000_000,
            "last_sequence": heartbeat,
            "last_outcome_sequence": 0,
        }
        process = {"final": True, "host": "h", "process_id": 1, "client": "test"}
        value = encode_record(SESSION, {**names, **reported, **process, "dropped": {}, "abandoned": {}})
        records.append(Record(SESSIONS_TOPIC, b"", value))
    landing.log.writer().append(records)
    landing.land()


def of_hour(rows, hour):
    return [row for row in rows if row["scale_hours"] == 1 and ends_of([row]) == {hour + 1}]


def test_what_the_ledger_misses_later_makes_an_hour_incomplete_and_what_arrives_makes_it_whole(landing):
    def hour_of(number):
        return min(number // 40, 5)

    append(landing, range(1, 241), hour_of=hour_of)
    put_hours(landing, 6, 8)
    worker = make_worker(landing)
    worker.watch_once()
    assert {row["verdict"] for row in of_hour(reported(landing), 5)} == {"learning"}
    append(landing, [], heartbeat=281, hour_of=hour_of)
    worker.watch_once()
    (row,) = of_hour(reported(landing), 5)
    assert (row["verdict"], row["revision"], row["completeness"]) == ("incomplete", 2, 0.5)
    assert row["revised_because"] == (
        "of this hour 41 events are missing by the ledger now, where it was 0; "
        "it was judged learning (100% there)"
    )
    append(landing, range(241, 282), hour_of=hour_of)
    worker.watch_once()
    (row,) = of_hour(reported(landing), 5)
    assert (row["verdict"], row["revision"], row["completeness"]) == ("learning", 3, 1.0)
    assert row["revised_because"].endswith("it was judged incomplete (50% there)")
    assert worker.watch_once() == 0


def test_an_hour_that_is_missing_altogether_is_noted_and_its_neighbours_are_incomplete(landing):
    """Nobody knows in which of the three hours the missing events were, until they arrive."""
    append(landing, [*range(1, 200), *range(240, 401)], heartbeat=400, hour_of=lambda number: number // 40)
    worker = make_worker(landing)
    worker.watch_once()
    hourly = [row for row in reported(landing) if row["scale_hours"] == 1]
    assert ends_of(row for row in hourly if row["verdict"] == "incomplete") == {5, 7}
    judged = read_judged_hours(landing.client, STREAM, hours=LATE_HOURS)[HOUR + 5]
    assert (judged.rows, round(judged.missing, 3)) == (0, 13.333)
    append(landing, range(200, 240), hour_of=lambda number: number // 40)
    worker.watch_once()
    hourly = [row for row in reported(landing) if row["scale_hours"] == 1]
    assert {row["verdict"] for row in hourly} == {"learning"}
    assert {row["completeness"] for row in hourly} == {1.0}
    assert [row["revision"] for hour in (4, 5, 6) for row in of_hour(hourly, hour)] == [2, 1, 2]
    assert worker.watch_once() == 0


def test_an_hour_that_was_deleted_by_hand_is_judged_by_what_is_left(landing):
    """The ledger misses its events from then on, and can't know in which of three hours."""
    put_hours(landing, 0, 12)
    worker = make_worker(landing)
    worker.watch_once()
    hour = f"toDateTime({(HOUR + 5) * HOUR_S}, 'UTC')"
    landing.client.command(f"DELETE FROM predictions WHERE toStartOfHour(event_time) = {hour}")
    landing.client.command(f"DELETE FROM derived_hours WHERE hour = {hour}")
    put_hours(landing, 12, 13)
    worker.watch_once()
    long = [row for row in reported(landing) if row["scale_hours"] == 6 and ends_of([row]) == {8}]
    assert {row["sample_size"] for row in long} == {5 * PER_HOUR}
    assert {row["revised_because"].partition(";")[0] for row in long} == {
        "40 events of 3 hours since 2025-11-25 04:00 UTC are in the store no more"
    }
    assert worker.watch_once() == 0
