"""What a record of the registry's topic holds, also one that another release wrote."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import fastavro
import pytest

from driftline.registry.events import Kind, RegistryEvent, decode_event
from driftline.wire import MODEL_REGISTRY, SchemaRef, event_schema, parse_event_schema
from driftline.wire.framing import frame_header

EVENT = RegistryEvent(
    event_id="01a22a1c-83ab-7c97-9321-d68a107e0055",
    event_time=datetime(2026, 1, 31, 12, tzinfo=UTC),
    model_name="till",
    kind=Kind.VERSION,
    model_version="1",
    training_run_id="run",
)


def written_by(schema, **fields):
    """Return the event as a release with another schema writes it, and what finds that schema."""

    datum = io.BytesIO()
    own = {name: getattr(EVENT, name) for name in EVENT.__slots__}
    fastavro.schemaless_writer(datum, fastavro.parse_schema(schema), {**own, **fields})
    ref = SchemaRef(schema_id=7)
    return frame_header(ref) + datum.getvalue(), lambda _ref: parse_event_schema(json.dumps(schema))


def test_an_event_is_what_it_was_written_as():
    assert decode_event(EVENT.encode(), lambda _ref: event_schema(MODEL_REGISTRY)) == EVENT


def test_a_field_of_a_later_release_is_passed_over_and_the_event_counts():
    """Or readers of two releases would come to two states of one log."""
    schema = json.loads(event_schema(MODEL_REGISTRY).text)
    schema["fields"].append({"name": "ticket", "type": "string", "default": ""})
    record, schema_of = written_by(schema, ticket="OPS-1")
    assert decode_event(record, schema_of) == EVENT


@pytest.mark.parametrize("record", [b"", b"garbage", EVENT.encode()[:-3]])
def test_what_holds_no_event_is_none(record):
    assert decode_event(record, lambda _ref: event_schema(MODEL_REGISTRY)) is None
