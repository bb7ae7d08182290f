"""Datums joined behind one header are an Avro container that any reader reads."""

from __future__ import annotations

import io

import fastavro
from hypothesis import given
from hypothesis import strategies as st

from driftline.lander.blocks import BlockWriter
from driftline.log import Record
from driftline.wire import (
    PREDICTION,
    PREDICTIONS_TOPIC,
    SESSION,
    encode_datum,
    encode_record,
    event_schema,
    split_frame,
)

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


def test_a_record_with_bytes_too_many_or_too_few_moves_none_of_the_others(landing):
    names = {"model_name": "m", "model_version": "1", "training_run_id": "r", "session_id": "s"}

    def value(number: int) -> bytes:
        own = {"event_id": f"01890000-0000-7000-8000-{number:012d}", "event_time": 1_769_860_800_000_000}
        return encode_record(PREDICTION, {**names, **own, "sequence": number, "environment": "production"})

    def datum(number: int) -> bytes:
        return split_frame(value(number))[1]

    odd = [value(1) + datum(2), value(3)[:-4], value(4) + b"rest", value(5), value(6)]
    landing.log.writer().append([Record(PREDICTIONS_TOPIC, b"", each) for each in odd])
    landing.lander.run_until_idle()
    landed = landing.client.query("SELECT sequence FROM predictions ORDER BY sequence").result_rows
    assert [row[0] for row in landed] == [1, 4, 5, 6]
    assert landing.client.query("SELECT offset FROM dead_letters FINAL").result_rows == [(1,)]
