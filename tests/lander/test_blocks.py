"""Datums joined behind one header are an Avro container that any reader reads."""

from __future__ import annotations

import io

import fastavro
from hypothesis import given
from hypothesis import strategies as st

from driftline.lander.blocks import BlockWriter
from driftline.wire import SESSION, encode_datum, event_schema

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
BEATS = st.fixed_dictionaries(
    {
        "session_id": TEXTS,
        "beat_time": st.integers(0, 2**50),
        "model_name": TEXTS,
        "model_version": TEXTS,
        "environment": TEXTS,
        "last_sequence": st.integers(0, 2**62),
        "last_outcome_sequence": st.integers(0, 2**62),
        "dropped": st.dictionaries(TEXTS, st.integers(0, 2**40), max_size=3),
        "abandoned": st.just({}),
        "final": st.booleans(),
        "host": TEXTS,
        "process_id": st.integers(0, 2**31),
        "client": TEXTS,
    }
)


@given(beats=st.lists(BEATS, max_size=80))
def test_a_container_is_read_back_datum_by_datum(beats):
    writer = BlockWriter(event_schema(SESSION).text)
    container = writer.container([encode_datum(SESSION, beat) for beat in beats])
    reader = fastavro.reader(io.BytesIO(container))
    held = [encode_datum(SESSION, beat) for beat in reader]
    assert held == [encode_datum(SESSION, beat) for beat in beats]
    assert fastavro.schema.to_parsing_canonical_form(reader.writer_schema) == (
        fastavro.schema.to_parsing_canonical_form(event_schema(SESSION).parsed)
    )
    assert container == writer.container([encode_datum(SESSION, beat) for beat in beats])
