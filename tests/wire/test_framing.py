"""A record says which schema wrote it, in one of two framings; anything else is an error with a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.errors import WireError
from driftline.wire import SchemaRef, frame_header, split_frame

REASONS = {"empty_record", "truncated_frame", "unknown_frame"}
refs = st.one_of(
    st.binary(min_size=8, max_size=8).map(lambda crc: SchemaRef(fingerprint=crc)),
    st.integers(0, 2**32 - 1).map(lambda number: SchemaRef(schema_id=number)),
)


@given(refs, st.binary())
def test_a_frame_is_split_into_what_it_was_made_of(ref, datum):
    assert split_frame(frame_header(ref) + datum) == (ref, datum)


def test_the_single_object_encoding_is_avros():
    assert frame_header(SchemaRef(fingerprint=bytes(range(8)))) == bytes.fromhex("c301 0001020304050607")


def test_the_registrys_framing_is_confluents():
    assert frame_header(SchemaRef(schema_id=258)) == bytes.fromhex("00 00000102")


@given(st.binary())
def test_bytes_are_a_frame_or_an_error_with_a_known_reason(record):
    try:
        ref, datum = split_frame(record)
    except WireError as error:
        reason = error.reason
    else:
        reason = None
        assert frame_header(ref) + datum == record
    assert reason in {None, *REASONS}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"", "empty_record"),
        (b"\xc3", "truncated_frame"),
        (b"\xc3\x01", "truncated_frame"),
        (b"\xc3\x01" + bytes(7), "truncated_frame"),
        (b"\x00", "truncated_frame"),
        (b"\x00\x00\x00\x01", "truncated_frame"),
        (b"\xc3\x02" + bytes(20), "unknown_frame"),
        (b"\x01" + bytes(20), "unknown_frame"),
        (b'{"event_id": 1}', "unknown_frame"),
        (b"Obj\x01", "unknown_frame"),
    ],
)
def test_each_kind_of_broken_frame_has_its_reason(record, reason):
    with pytest.raises(WireError) as error:
        split_frame(record)
    assert error.value.reason == reason
