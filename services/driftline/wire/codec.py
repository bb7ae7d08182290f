"""Whole events to records and back, by fastavro."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from fastavro import schemaless_reader, schemaless_writer

from driftline.errors import WireError
from driftline.wire.framing import SchemaRef, frame_header, split_frame
from driftline.wire.schemas import EventSchema, event_schema, schema_of_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping


def encode_datum(name: str, event: Mapping[str, Any]) -> bytes:
    """Return an event in Avro's binary encoding, without a frame.

    Args:
        name: the event's schema, such as ``SessionBeat``.
        event: value by field; fields with a default may be left out. Times are microseconds.

    Raises:
        WireError: ``unencodable``: the event does not fit the schema.
    """
    buffer = BytesIO()
    try:
        schemaless_writer(buffer, event_schema(name).parsed, event)
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError("unencodable", f"{name}: {error}") from error
    return buffer.getvalue()


def encode_record(name: str, event: Mapping[str, Any], schema_id: int | None = None) -> bytes:
    """Return an event as a record: framed for single-object encoding, or with a registry's schema id.

    Raises:
        WireError: as ``encode_datum``.
    """
    return event_header(name, schema_id) + encode_datum(name, event)


def event_header(name: str, schema_id: int | None = None) -> bytes:
    """Return the frame header of an event: with a registry's schema id, else with its fingerprint."""
    if schema_id is not None:
        return frame_header(SchemaRef(schema_id=schema_id))
    return frame_header(SchemaRef(fingerprint=event_schema(name).fingerprint))


def decode_datum(name: str, datum: bytes) -> dict[str, Any]:
    """Return an event's value by field, as the schema's logical types say: times are aware datetimes.

    Raises:
        WireError: ``undecodable``: the bytes are no such event, or bytes are left over.
    """
    return decode_as(event_schema(name), datum)


def decode_record(
    record: bytes, names_by_schema_id: Mapping[int, str] | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the event's name and its value by field. For looking at single records: it is slow.

    Args:
        record: framed either way.
        names_by_schema_id: the events' names by their id in the schema registry, if there is one.

    Raises:
        WireError: as ``split_frame`` and ``decode_datum``, and ``unknown_schema``.
    """
    ref, datum = split_frame(record)
    if ref.fingerprint is not None:
        schema = schema_of_fingerprint(ref.fingerprint)
    else:
        name = (names_by_schema_id or {}).get(ref.schema_id or 0)
        schema = event_schema(name) if name else None
    if schema is None:
        raise WireError("unknown_schema", f"no schema is known for {ref}")
    return schema.name, decode_as(schema, datum)


def decode_as(schema: EventSchema, datum: bytes) -> dict[str, Any]:
    """Return the value by field of a datum that a schema wrote; otherwise as ``decode_datum``."""
    buffer = BytesIO(datum)
    try:
        event = schemaless_reader(buffer, schema.parsed, None)
    except Exception as error:  # fastavro raises whatever its parts raise on garbage.
        raise WireError("undecodable", f"{schema.name}: {error!r}") from error
    if rest := len(datum) - buffer.tell():
        raise WireError("undecodable", f"{schema.name}: {rest} bytes are left over")
    if not isinstance(event, dict):
        raise WireError("undecodable", f"{schema.name}: no record")
    return event
