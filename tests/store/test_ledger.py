"""The ledger: what each model version sent, of which how much landed, is missing, doubled or given up."""

from __future__ import annotations

import uuid

import pytest

from driftline.domain.hours import hour_time
from driftline.domain.streams import Stream
from driftline.log import Record
from driftline.store.ledger import Ledger, read_ledger
from driftline.store.signs import read_landing_signs
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, SESSION, SESSIONS_TOPIC, encode_record

HOUR_US = 3_600_000_000
FIRST_HOUR = 490_000


def append(landing, model, numbers, *, heartbeat=None, heartbeat_hour=50, hour_of=lambda _: 0, **counts):
    """Append a session's events of some numbers, and its last heartbeat; land them."""
    names = {"session_id": f"session of {model}", "model_name": model, "model_version": "1"}
    names["environment"] = "production"
    records = []
    for number in numbers:
        event_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{model} {number}"))
        own = {"event_id": event_id, "sequence": number, "training_run_id": "run"}
        time = (FIRST_HOUR + hour_of(number)) * HOUR_US + number
        value = encode_record(PREDICTION, {**names, **own, "event_time": time})
        records.append(Record(PREDICTIONS_TOPIC, b"", value))
    if heartbeat is not None:
        reported = {"beat_time": (FIRST_HOUR + heartbeat_hour) * HOUR_US, "last_sequence": heartbeat}
        process = {"last_outcome_sequence": 0, "final": True, "host": "h", "process_id": 1, "client": "test"}
        value = encode_record(
            SESSION, {**names, **reported, "dropped": {}, "abandoned": {}, **counts, **process}
        )
        records.append(Record(SESSIONS_TOPIC, b"", value))
    landing.log.writer().append(records)
    landing.land()


def line_of(client, model):
    (line,) = (line for line in read_ledger(client) if line.model_name == model)
    return line.sent, line.landed, line.missing, line.duplicates, line.dropped, line.ratio


def hours_of(client, model):
    by_hour = Ledger(client).missing(Stream(model, "1", "production"))
    return {hour - FIRST_HOUR: count for hour, count in by_hour.items()}


def test_a_whole_session_has_no_hole(landing, client):
    append(landing, "whole", range(1, 11), heartbeat=10)
    assert line_of(client, "whole") == (10, 10, 0, 0, 0, 1.0)
    assert hours_of(client, "whole") == {}


def test_a_gap_inside_is_counted_in_its_hour(landing, client):
    append(landing, "gap", [1, 2, 3, 7, 8], heartbeat=8)
    assert line_of(client, "gap") == (8, 5, 3, 0, 0, 5 / 8)
    assert hours_of(client, "gap") == {0: 3}


def test_a_gap_at_the_beginning_and_one_at_the_end_are_counted_where_the_session_has_rows(landing, client):
    append(landing, "ends", [3, 4, 5, 6], heartbeat=10, hour_of=lambda number: number // 5)
    assert line_of(client, "ends")[:3] == (10, 4, 6)
    assert hours_of(client, "ends") == {0: 2, 1: 4}


def test_a_gap_across_hours_is_shared_by_them(landing, client):
    append(landing, "across", [1, 2, 9, 10], heartbeat=10, hour_of=lambda number: 2 if number > 5 else 0)
    assert hours_of(client, "across") == pytest.approx({0: 2, 1: 2, 2: 2})


def test_an_event_that_came_late_fills_its_gap(landing, client):
    append(landing, "late", [1, 2, 4], heartbeat=4)
    assert line_of(client, "late")[2] == 1
    append(landing, "late", [3])
    assert line_of(client, "late") == (4, 4, 0, 0, 0, 1.0)
    assert hours_of(client, "late") == {}


def test_rows_beyond_the_first_are_duplicates_and_fill_no_gap(landing, client):
    append(landing, "twice", [1, 2, 2, 2, 4], heartbeat=4)
    assert line_of(client, "twice") == (4, 3, 1, 2, 0, 3 / 4)


def test_what_was_refused_is_dropped_and_counts_against_the_ratio(landing, client):
    append(landing, "dropped", range(1, 5), heartbeat=4, dropped={"queue_full": 6})
    assert line_of(client, "dropped") == (4, 4, 0, 0, 6, 0.4)
    assert hours_of(client, "dropped") == {50: 6}


def test_a_model_of_which_everything_was_refused_is_known_and_nothing_of_it_arrived(landing, client):
    append(landing, "all", [], heartbeat=0, dropped={"queue_full": 200_000})
    assert line_of(client, "all") == (0, 0, 0, 0, 200_000, 0.0)


def test_outcomes_that_were_refused_are_no_predictions(landing, client):
    append(landing, "outcomes", range(1, 5), heartbeat=4, dropped_outcomes={"missing_actual": 7})
    assert line_of(client, "outcomes") == (4, 4, 0, 0, 0, 1.0)
    assert hours_of(client, "outcomes") == {}


def test_what_was_given_up_is_dropped_and_counts_against_the_ratio(landing, client):
    append(landing, "abandoned", range(1, 5), heartbeat=10, abandoned={"log_unusable": 4})
    assert line_of(client, "abandoned") == (10, 4, 2, 0, 4, 0.4)
    assert hours_of(client, "abandoned") == {0: 6}
    append(landing, "all abandoned", range(1, 5), heartbeat=10, abandoned={"log_unusable": 6})
    assert line_of(client, "all abandoned") == (10, 4, 0, 0, 6, 0.4)
    assert hours_of(client, "all abandoned") == {0: 6}


def test_of_several_heartbeats_the_largest_numbers_count_whatever_their_clocks_say(landing, client):
    append(landing, "clocks", range(1, 5), heartbeat=9, dropped={"queue_full": 5}, heartbeat_hour=50)
    append(landing, "clocks", [], heartbeat=4, dropped={"queue_full": 2, "closed": 1}, heartbeat_hour=60)
    append(landing, "clocks", [], heartbeat=0, heartbeat_hour=70)
    assert line_of(client, "clocks") == (9, 4, 5, 0, 6, 4 / 15)
    newest = "SELECT last_sequence, final FROM sessions FINAL WHERE model_name = 'clocks'"
    assert client.rows(newest) == [(9, True)]


def test_what_is_dropped_is_missing_in_the_hour_in_which_it_was_reported(landing, client):
    append(landing, "hours", [1], heartbeat=1, dropped={"queue_full": 5}, heartbeat_hour=3)
    append(landing, "hours", [], heartbeat=1, dropped={"queue_full": 7, "closed": 2}, heartbeat_hour=5)
    append(landing, "hours", [], heartbeat=1, dropped={"queue_full": 6}, heartbeat_hour=4)
    append(landing, "hours", [], heartbeat=1, dropped={"queue_full": 7, "closed": 2}, heartbeat_hour=9)
    assert hours_of(client, "hours") == {3: 5, 4: 1, 5: 3}


def test_a_client_whose_clock_is_fast_drops_nothing_in_the_future(landing, client):
    append(landing, "fast", [1], heartbeat=1, dropped={"queue_full": 5}, heartbeat_hour=700_000)
    (hour,) = (FIRST_HOUR + hour for hour in hours_of(client, "fast"))
    now = client.rows("SELECT intDiv(toUnixTimestamp(now()), 3600)")[0][0]
    assert hour in {now - 1, now}


def test_a_session_without_a_heartbeat_has_sent_its_highest_number(landing, client):
    append(landing, "silent", [2, 5])
    assert line_of(client, "silent") == (5, 2, 3, 0, 0, 2 / 5)


def test_a_session_of_which_nothing_landed_is_missed_in_the_hour_of_its_heartbeat(landing, client):
    append(landing, "lost", [], heartbeat=6)
    assert line_of(client, "lost") == (6, 0, 6, 0, 0, 0.0)
    assert hours_of(client, "lost") == {50: 6}


def test_sessions_are_chosen_by_their_last_heartbeat(landing, client):
    append(landing, "early", range(1, 5), hour_of=lambda _: 3)
    append(landing, "beating", range(1, 5), heartbeat=4, hour_of=lambda _: 3)

    def named(hour):
        lines = read_ledger(client, since=hour_time(FIRST_HOUR + hour))
        return {line.model_name for line in lines} & {"early", "beating"}

    assert named(3) == {"early", "beating"}
    assert named(4) == named(49) == {"beating"}
    assert named(50) == set()
    (line,) = read_ledger(client, model_name="beating", since=hour_time(FIRST_HOUR + 49))
    assert (line.sent, line.landed) == (4, 4)


def test_a_gap_is_found_too_where_numbers_do_not_ascend_with_the_hours(landing, client):
    """Events that were logged with times of their own: the rows tell which landed before and behind."""
    append(landing, "mixed", [1, 2, 3, 6, 7, 8], heartbeat=8, hour_of=lambda number: number % 2)
    assert hours_of(client, "mixed") == {0: 1.0, 1: 1.0}  # Between number 3 and number 6.


def test_what_is_missing_is_looked_up_once_until_something_of_its_session_lands(landing, client, monkeypatch):
    append(landing, "known", [1, 2, 5], heartbeat=5)
    ledger, stream = Ledger(client), Stream("known", "1", "production")
    assert ledger.missing(stream) == {FIRST_HOUR: 2}
    append(landing, "known", [3])
    assert ledger.missing(stream) == {FIRST_HOUR: 2}  # As it was read.
    asked = []
    rows = client.rows

    def noting(text, *bound, **named):
        asked.extend(["session_hours"] * ("session_hours" in text))
        return rows(text, *bound, **named)

    monkeypatch.setattr(client, "rows", noting)
    ledger.refresh()
    assert ledger.missing(stream) == {FIRST_HOUR: 1}
    assert len(asked) == 2  # The ledger, and this session.
    ledger.refresh()
    assert ledger.missing(stream) == {FIRST_HOUR: 1}
    assert len(asked) == 3  # The ledger.
    assert ledger.missing(stream, since_hour=FIRST_HOUR + 1) == {}


def test_the_sign_of_landing_changes_when_something_lands_and_not_when_parts_are_merged(landing, client):
    signs = [read_landing_signs(client)]
    append(landing, "sign", [1], heartbeat=1)
    signs.append(read_landing_signs(client))
    append(landing, "sign", [], heartbeat=2)
    signs.append(read_landing_signs(client))
    assert len({tuple(sorted(sign.items())) for sign in signs}) == 3
    client.command("OPTIMIZE TABLE derived_hours FINAL")
    assert read_landing_signs(client) == signs[-1]
