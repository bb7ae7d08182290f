"""What can't be landed is kept with its bytes, reported, bounded, and can be sent through again."""

from __future__ import annotations

import pytest

from driftline.errors import DeadLetterLimitError
from driftline.lander.dead_letters import (
    LIMIT_AT_LEAST,
    LIMIT_WINDOW_S,
    MAX_VALUE_BYTES,
    DeadLetterLimit,
    dead_letter_record,
    report_dead_letters,
)
from driftline.lander.insert import DeadLetter
from driftline.log import Record
from driftline.wire import DEAD_LETTERS_TOPIC, PREDICTION, PREDICTIONS_TOPIC, decode_record, encode_record

SESSION = "01890000-0000-7000-8000-00000000000a"


def dead_letter(value: bytes = b"x", key: bytes = b"", **changes) -> DeadLetter:
    names = {"log_id": "log", "topic": PREDICTIONS_TOPIC, "partition": 3, "offset": 7}
    return DeadLetter(
        **{**names, "reason": "undecodable", "detail": "too short", **changes}, key=key, value=value
    )


def prediction(**changes) -> bytes:
    names = {"model_name": "m", "model_version": "1", "training_run_id": "r", "session_id": SESSION}
    own = {"event_id": "01890000-0000-7000-8000-000000000001", "event_time": 1_769_860_800_000_000}
    event = {**names, **own, "sequence": 5, "environment": "production", **changes}
    return encode_record(PREDICTION, event)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_dead_letter_says_where_it_stood_and_keeps_its_bytes_and_key():
    record = dead_letter_record(dead_letter(b"\x00\xff", b"k"), 1_700_000_000_000_000)
    name, event = decode_record(record.value)
    assert (record.topic, record.key, name) == (DEAD_LETTERS_TOPIC, b"k", "DeadLetter")
    assert (event["topic"], event["partition"], event["offset"]) == (PREDICTIONS_TOPIC, 3, 7)
    assert (event["reason"], event["detail"], event["value"]) == ("undecodable", "too short", b"\x00\xff")


@pytest.mark.parametrize(
    ("value", "key", "origin"),
    [
        (prediction(), b"", (SESSION, 5)),
        (prediction()[:-4], SESSION.encode(), (SESSION, 0)),
        (b"", b"any key", ("", 0)),
        (b"", b"\xff\xfe", ("", 0)),
    ],
    ids=["the record", "its key", "neither", "a key that is no text"],
)
def test_a_dead_letters_session_is_reported_by_the_record_or_else_by_its_key(value, key, origin):
    _, event = decode_record(dead_letter_record(dead_letter(value, key), 0).value)
    assert (event["session_id"], event["sequence"]) == origin


def test_a_dead_letter_of_a_very_large_record_is_cut_and_says_so():
    _, event = decode_record(dead_letter_record(dead_letter(bytes(1_040_000)), 0).value)
    assert len(event["value"]) == MAX_VALUE_BYTES
    assert "of 1,040,000 bytes" in event["detail"]


def test_single_bad_records_stay_below_the_limit():
    limit = DeadLetterLimit(0.2, Clock())
    limit.check(LIMIT_AT_LEAST, [dead_letter()] * LIMIT_AT_LEAST)
    limit.check(20_000, [dead_letter()] * 4_000)
    assert limit.allowed(20_000) == 4_000


def test_more_than_the_share_stops_the_lander_and_says_what_to_do():
    limit = DeadLetterLimit(0.2, Clock())
    with pytest.raises(DeadLetterLimitError, match=r"--dead-letter-limit 1") as caught:
        limit.check(10_000, [dead_letter()] * 2_001)
    assert "driftline.predictions/3" in str(caught.value)
    assert "too short" in str(caught.value)


def test_small_batches_add_up_and_are_forgotten_in_time():
    clock = Clock()
    limit = DeadLetterLimit(0.2, clock)
    for _ in range(9):
        limit.check(LIMIT_AT_LEAST // 10, [dead_letter()] * (LIMIT_AT_LEAST // 10))
        limit.count(LIMIT_AT_LEAST // 10, LIMIT_AT_LEAST // 10)
    one_more = [dead_letter()] * (LIMIT_AT_LEAST // 10 + 1)
    with pytest.raises(DeadLetterLimitError):
        limit.check(len(one_more), one_more)
    clock.now_s += LIMIT_WINDOW_S + 1
    limit.check(len(one_more), one_more)


def test_a_limit_of_one_lets_everything_pass():
    limit = DeadLetterLimit(1.0, Clock())
    limit.check(10_000, [dead_letter()] * 10_000)
    assert limit.allowed(10_000) == 10_000


def test_a_lander_above_its_limit_dead_letters_nothing_and_repeats_the_range_when_it_may(landing):
    records = [
        Record(PREDICTIONS_TOPIC, b"", b"garbage %d" % number) for number in range(LIMIT_AT_LEAST + 50)
    ]
    landing.log.writer().append([*records, Record(PREDICTIONS_TOPIC, b"", prediction())])
    with pytest.raises(DeadLetterLimitError):
        landing.lander.run_until_idle()
    assert landing.count("dead_letters") == 0
    landing.again(dead_letter_limit=1.0)
    landing.lander.run_until_idle()
    assert landing.count("dead_letters") == LIMIT_AT_LEAST + 50
    assert landing.client.rows("SELECT count() FROM predictions") == [(1,)]


def test_the_ledger_counts_a_dead_letter_as_one_and_not_as_missing(landing):
    good = [Record(PREDICTIONS_TOPIC, b"", prediction(sequence=number)) for number in (1, 2, 4)]
    bad = Record(PREDICTIONS_TOPIC, SESSION.encode(), prediction(sequence=3)[:-6])
    landing.log.writer().append([*good, bad])
    landing.lander.run_until_idle()
    (line,) = landing.ledger()
    assert (line.sent, line.landed, line.dead_lettered, line.missing) == (4, 3, 1, 0)


def test_what_is_logged_of_a_dead_letter_names_its_place_its_session_and_its_event(caplog):
    report_dead_letters(
        [dead_letter(prediction(trace_id="4bf92f3577b34da6a3ce929d0e0e4736")), dead_letter(b"no event")]
    )
    known, unknown = map(vars, caplog.records)
    assert (known["topic"], known["partition"], known["offset"]) == (PREDICTIONS_TOPIC, 3, 7)
    assert (known["session_id"], known["sequence"], known["model_name"]) == (SESSION, 5, "m")
    assert known["event_id"] == "01890000-0000-7000-8000-000000000001"
    assert known["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert unknown["reason"] == "undecodable"
    assert "session_id" not in unknown
