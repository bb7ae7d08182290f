"""What ledger and verdicts say when events are gone, and what becomes of records that are no events."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from driftline.domain.names import VOLUME
from driftline.log import Record, open_log
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, TRAINING_RUN, encode_record
from tests.support.traffic import MODEL, RUN, START_S, VERSION, make_logger, serve

EVENTS = 2_000
PER_HOUR = EVENTS / 36


def test_a_range_deleted_by_hand_is_missed_and_its_hour_is_incomplete(place):
    serve(place.log_url, EVENTS, 0)
    first, last = int(PER_HOUR * 10) + 5, int(PER_HOUR * 10) + 24  # Twenty, of the eleventh hour.
    with closing(sqlite3.connect(place.folder / "log" / "events.sqlite")) as log, log:
        log.execute('DELETE FROM "driftline.predictions" WHERE offset BETWEEN ? AND ?', (first, last))
    for command in (("land", "--until-idle"), ("profile", "--until-idle"), ("watch", "--once")):
        assert place.run(*command).returncode == 0

    (line,) = place.ask("completeness")
    assert (line["model_name"], line["model_version"]) == (MODEL, VERSION)
    assert (line["sent"], line["landed"], line["missing"]) == (EVENTS, EVENTS - 20, 20)
    hourly = [
        verdict for verdict in place.ask("verdicts", "--limit", "100000") if verdict["scale_hours"] == 1
    ]
    incomplete = {verdict["window_end"] for verdict in hourly if verdict["verdict"] == "incomplete"}
    assert incomplete == {"2026-01-31T23:00:00+00:00"}
    assert {verdict["window_end"] for verdict in hourly if verdict["completeness"] < 1} == incomplete
    for verdict in hourly:
        if verdict["window_end"] in incomplete and verdict["feature"] != VOLUME:
            assert verdict["verdict"] == "incomplete"


def _prediction(**changed):
    event = {
        "event_id": "01890000-0000-7000-8000-000000000001",
        "event_time": START_S * 1_000_000,
        "model_name": MODEL,
        "model_version": VERSION,
        "training_run_id": RUN,
        "session_id": "by-hand",
        "sequence": 1,
        "environment": "shadow",
    }
    return encode_record(PREDICTION, {**event, **changed})


def test_records_that_are_no_events_go_to_the_dead_letters_and_all_others_land(place):
    run = {"training_run_id": RUN, "model_name": MODEL, "model_version": VERSION, "registered_time": 0}
    bad = {
        "unknown_frame": b"neither frame",
        "empty_record": b"",
        "truncated_frame": b"\xc3\x01ab",
        "undecodable": _prediction()[:-40],
        "violates_training_run_id_given": _prediction(training_run_id=""),
        "violates_model_name_given": _prediction(model_name=""),
        "unknown_schema": b"\xc3\x01" + b"\x17" * 8 + _prediction()[10:],
        "wrong_topic": encode_record(TRAINING_RUN, {**run, "runtime": {}}),
    }
    with open_log(place.log_url) as log, make_logger(log) as logger:
        writer = log.writer()
        for value in bad.values():
            logger.log({"amount": 1.0})
            assert logger.flush()
            writer.append([Record(PREDICTIONS_TOPIC, b"", value)])
        logger.log({"amount": 1.0})
    assert place.run("land", "--until-idle").returncode == 0

    dead_letters = place.ask("dead-letters list")
    assert {dead_letter["offset"]: dead_letter["reason"] for dead_letter in dead_letters} == {
        2 * index + 1: reason for index, reason in enumerate(bad)
    }
    assert {bytes.fromhex(dead_letter["value_hex"]) for dead_letter in dead_letters} == set(bad.values())
    assert {(dead_letter["topic"], dead_letter["partition"]) for dead_letter in dead_letters} == {
        (PREDICTIONS_TOPIC, 0)
    }
    assert all(dead_letter["detail"] for dead_letter in dead_letters)
    (line,) = place.ask("completeness")
    assert (line["sent"], line["landed"], line["missing"]) == (len(bad) + 1, len(bad) + 1, 0)
