"""The encoding of single values is Avro's."""

from __future__ import annotations

from io import BytesIO

import pytest
from fastavro import schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from driftline.wire import Reason, ValueRefusedError
from driftline.wire.primitives import (
    EncodedTexts,
    encode_entries,
    encode_long,
    encode_text,
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
    assert refused.value.reason is Reason.INVALID_TEXT


def test_the_cache_of_texts_is_bounded():
    texts = EncodedTexts()
    for number in range(10_000):
        assert texts[str(number)] == encode_text(str(number))
    long_text = "x" * 1_000
    assert EncodedTexts()[long_text] == encode_text(long_text)
    assert len(texts) == 4096
