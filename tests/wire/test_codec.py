"""Whole events survive encoding and decoding; what is none is an error with a name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.errors import WireError
from driftline.wire import (
    SESSION,
    TRAINING_RUN,
    SchemaRef,
    decode_datum,
    decode_record,
    encode_datum,
    encode_record,
    event_schema,
    frame_header,
    split_frame,
)

HEARTBEAT = {
    "session_id": "s",
    "beat_time": 1_000_000,
    "model_name": "m",
    "model_version": "3",
    "environment": "production",
    "last_sequence": 7,
    "last_outcome_sequence": 2,
    "dropped": {"queue_full": 3},
}


def reason_of(function, *arguments) -> str:
    with pytest.raises(WireError) as error:
        function(*arguments)
    return error.value.reason


def test_a_record_comes_back_with_defaults_filled_in():
    name, event = decode_record(encode_record(SESSION, HEARTBEAT))
    assert name == SESSION
    assert event["beat_time"] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert event["dropped"] == {"queue_full": 3}
    assert event["abandoned"] == {}
    assert event["final"] is False


def test_a_record_of_a_schema_registry_is_read_by_its_id():
    record = encode_record(SESSION, HEARTBEAT, schema_id=12)
    assert split_frame(record)[0] == SchemaRef(schema_id=12)
    assert decode_record(record, {12: SESSION})[1]["last_sequence"] == 7


def test_a_record_of_an_unknown_schema_is_reported():
    assert reason_of(decode_record, encode_record(SESSION, HEARTBEAT, schema_id=12)) == "unknown_schema"
    unknown = frame_header(SchemaRef(fingerprint=bytes(8))) + b"x"
    assert reason_of(decode_record, unknown) == "unknown_schema"


def test_an_event_that_does_not_fit_its_schema_is_reported():
    assert reason_of(encode_datum, SESSION, HEARTBEAT | {"last_sequence": "7"}) == "unencodable"
    assert reason_of(encode_datum, SESSION, {"session_id": "s"}) == "unencodable"
    assert reason_of(encode_datum, SESSION, HEARTBEAT | {"last_sequence": 2**63}) == "unencodable"


@given(st.binary(max_size=60))
def test_garbage_is_reported(garbage):
    datum = encode_datum(SESSION, HEARTBEAT)
    assert reason_of(decode_datum, TRAINING_RUN, b"\xff" + garbage) == "undecodable"
    if garbage:
        assert reason_of(decode_datum, SESSION, datum + garbage) == "undecodable"


@given(st.integers(0, 30))
def test_a_datum_cut_short_is_reported(length):
    datum = encode_datum(SESSION, HEARTBEAT)
    assert reason_of(decode_datum, SESSION, datum[:length]) == "undecodable"


def test_schemas_are_parsed_once():
    assert event_schema(SESSION) is event_schema(SESSION)
