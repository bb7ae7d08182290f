"""Datums joined behind one header are an Avro container that any reader reads."""

from __future__ import annotations

import io

import fastavro
from hypothesis import given
from hypothesis import strategies as st

from driftline.lander.blocks import END, POSITION, BlockWriter, end_mark
from driftline.log import Batch, Record
from driftline.wire import (
    PREDICTION,
    PREDICTIONS_TOPIC,
    SESSION,
    SESSIONS_TOPIC,
    encode_datum,
    encode_record,
    event_schema,
    split_frame,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
HEARTBEATS = st.fixed_dictionaries(
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


def batch_at(offsets, *, source="a log", partition=3):
    nothing = [b""] * len(offsets)
    first, last = (offsets[0], offsets[-1]) if offsets else (0, 0)
    return Batch(
        source, SESSIONS_TOPIC, partition, first, last, nothing, nothing, offsets, [0] * len(offsets)
    )


@given(heartbeats=st.lists(HEARTBEATS, max_size=80))
def test_a_container_is_read_back_datum_by_datum(heartbeats):
    writer = BlockWriter(event_schema(SESSION).text)
    datums, batch = (
        [encode_datum(SESSION, heartbeat) for heartbeat in heartbeats],
        batch_at(list(range(len(heartbeats)))),
    )
    container = writer.container(datums, batch, batch.offsets)
    reader = fastavro.reader(io.BytesIO(container))
    assert [encode_datum(SESSION, heartbeat) for heartbeat in reader] == datums
    assert fastavro.schema.to_parsing_canonical_form(reader.writer_schema) == (
        fastavro.schema.to_parsing_canonical_form(event_schema(SESSION).parsed)
    )
    assert container == writer.container(datums, batch, batch.offsets)


@given(
    heartbeats=st.lists(HEARTBEATS, min_size=1, max_size=8),
    offsets=st.sets(st.integers(0, 2**62), min_size=20, max_size=20).map(sorted),
    source=TEXTS,
    partition=st.integers(0, 2**31 - 1),
    skipped=st.integers(0, 19),
)
def test_each_datum_has_its_place_in_the_log_in_front_of_its_own_fields(
    heartbeats, offsets, source, partition, skipped
):
    writer = BlockWriter(event_schema(SESSION).text, has_position=True)
    batch = batch_at(offsets, source=source, partition=partition)
    places = [place for place in range(20) if place != skipped][: len(heartbeats)]
    heartbeats = heartbeats[: len(places)]
    container = writer.container(
        [encode_datum(SESSION, heartbeat) for heartbeat in heartbeats], batch, places
    )
    for heartbeat, place, held in zip(
        heartbeats, places, fastavro.reader(io.BytesIO(container)), strict=True
    ):
        assert tuple(held.pop(name) for name in POSITION) == (source, partition, offsets[place])
        assert held.pop(END) == end_mark(len(encode_datum(SESSION, heartbeat)))
        assert encode_datum(SESSION, held) == encode_datum(SESSION, heartbeat)


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
    landed = landing.client.rows("SELECT sequence FROM predictions ORDER BY sequence")
    assert [row[0] for row in landed] == [5, 6]
    dead_letters = landing.client.rows("SELECT offset, reason FROM dead_letters FINAL ORDER BY offset")
    assert dead_letters == [(offset, "undecodable") for offset in range(3)]
