"""Records that the lander has to cope with, made by hand."""

from __future__ import annotations

import io
import uuid

import fastavro

from driftline.log import Record
from driftline.wire import (
    PREDICTION,
    PREDICTIONS_TOPIC,
    SchemaRef,
    encode_record,
    frame_header,
    parse_event_schema,
)

NOON_US = 1_769_860_800_000_000


def record(schema_id, text, number, **more):
    """Return a prediction as a writer with another schema makes it, with its id in a registry."""
    names = {"model_name": "m", "model_version": "1", "training_run_id": "r", "session_id": "s"}
    own = {"event_id": str(uuid.UUID(int=number)), "event_time": NOON_US + number, "sequence": number}
    event = {**names, **own, "environment": "production", "numeric_features": {"x": 1.5 * number}, **more}
    schema = parse_event_schema(text)
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema.parsed, event)
    return Record(PREDICTIONS_TOPIC, b"s", frame_header(SchemaRef(schema_id=schema_id)) + stream.getvalue())


def refused_record():
    """A record that is in order for Avro, and of the year 2150."""
    return encode_record(
        PREDICTION,
        {
            "event_id": "01890000-0000-7000-8000-000000000000",
            "event_time": 5_680_281_600_000_000,
            "model_name": "till",
            "model_version": "3",
            "training_run_id": "run-7f3a",
            "session_id": "s",
            "sequence": 1,
            "environment": "production",
        },
    )
