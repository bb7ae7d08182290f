"""The encoding of single values is Avro's."""

from __future__ import annotations

from io import BytesIO

import pytest
from fastavro import schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from driftline.wire import Reason, ValueRefusedError
from driftline.wire.bounds import MAX_TEXT_BYTES
from driftline.wire.primitives import (
    EncodedTexts,
    Numbers,
    Room,
    Times,
    encode_entries,
    encode_long,
    encode_text,
    encode_value_text,
    pack_double,
)


def by_fastavro(schema, value) -> bytes:
    buffer = BytesIO()
    schemaless_writer(buffer, schema, value)
    return buffer.getvalue()


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_long_is_encoded_as_by_fastavro(value):
    assert encode_long(value) == by_fastavro("long", value)


@pytest.mark.parametrize("value", [0, -1, 1, 63, 64, -64, -65, 2**63 - 1, -(2**63)])
def test_a_long_at_the_edge_of_a_byte_is_encoded_as_by_fastavro(value):
    assert encode_long(value) == by_fastavro("long", value)


@given(st.text())
def test_a_string_is_encoded_as_by_fastavro(text):
    assert encode_text(text) == by_fastavro("string", text)


@given(st.floats())
def test_a_double_is_encoded_as_by_fastavro(number):
    assert pack_double(number) == by_fastavro("double", number)


@given(st.dictionaries(st.text(), st.floats()))
def test_a_map_is_encoded_as_by_fastavro(numbers):
    entries = b"".join(encode_text(name) + pack_double(number) for name, number in numbers.items())
    encoded = encode_entries(len(numbers), entries)
    assert encoded == by_fastavro({"type": "map", "values": "double"}, numbers)


def test_a_lone_surrogate_is_refused():
    with pytest.raises(ValueRefusedError) as refused:
        encode_text("late\ud800")
    assert refused.value.reason is Reason.UNENCODABLE


def test_a_text_that_is_too_long_for_a_value_is_refused():
    longest = "é" * (MAX_TEXT_BYTES // 2)
    assert encode_value_text(longest) == encode_text(longest)
    with pytest.raises(ValueRefusedError) as refused:
        encode_value_text(longest + "x")
    assert refused.value.reason is Reason.UNENCODABLE


counts = st.integers(0, 300) | st.integers(0, 2**62)


@given(st.lists(counts, max_size=6), counts, st.integers(0, 300))
def test_numbers_that_follow_each_other_are_encoded_as_each_is_alone(before, first, count):
    numbers = Numbers()
    assert [numbers.encode(number) for number in before] == [encode_long(number) for number in before]
    expected = [encode_long(number) for number in range(first, first + count)]
    assert numbers.run(first, count) == expected
    assert [numbers.encode(number) for number in range(first, first + count)] == expected


@given(st.lists(st.integers(0, 4_102_444_800_000_000), max_size=6))
def test_times_are_encoded_as_numbers_are(micros):
    times = Times()
    assert [times.encode(time) for time in micros] == [encode_long(time) for time in micros]


def test_the_caches_of_texts_are_bounded_together():
    room = Room(100)
    texts, others = EncodedTexts(b"", room), EncodedTexts(b"name", room)
    for number in range(80):
        assert texts[str(number)] == encode_text(str(number))
        assert others[str(number)] == b"name" + encode_text(str(number))
    long_text = "x" * 1_000
    assert texts[long_text] == encode_text(long_text)
    assert len(texts) + len(others) == 100
