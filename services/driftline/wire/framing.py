"""How a record says which schema wrote it. Two framings are read, one of them is written.

- Avro single-object encoding (Avro 1.12 specification): ``C3 01``, then the writer schema's
  CRC-64-AVRO fingerprint, 8 bytes, little-endian. Used without a schema registry.
- Confluent's wire format: ``00``, then the schema's id in the registry, 4 bytes, big-endian.

The rest of the record is the datum in Avro's binary encoding.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from driftline.errors import WireError

_SINGLE_OBJECT_MARKER = b"\xc3\x01"
_SINGLE_OBJECT_LENGTH = 10
_CONFLUENT_MAGIC = b"\x00"
_CONFLUENT_LENGTH = 5
_CONFLUENT_HEADER = Struct(">cI")


class SchemaRef(NamedTuple):
    """Which schema wrote a datum: exactly one of the two is set. Hashable: datums are grouped by it.

    Args:
        fingerprint: CRC-64-AVRO, 8 bytes, little-endian (single-object encoding).
        schema_id: the id in the schema registry (Confluent's wire format).
    """

    fingerprint: bytes | None = None
    schema_id: int | None = None


def frame_header(ref: SchemaRef) -> bytes:
    """Return the bytes that stand before a datum written with that schema."""
    if ref.fingerprint is not None:
        return _SINGLE_OBJECT_MARKER + ref.fingerprint
    return _CONFLUENT_HEADER.pack(_CONFLUENT_MAGIC, ref.schema_id)


@lru_cache(maxsize=256)
def _single_object_ref(header: bytes) -> SchemaRef:
    return SchemaRef(fingerprint=header[2:])


@lru_cache(maxsize=256)
def _confluent_ref(header: bytes) -> SchemaRef:
    return SchemaRef(schema_id=_CONFLUENT_HEADER.unpack(header)[1])


def split_frame(record: bytes) -> tuple[SchemaRef, bytes]:
    """Return which schema wrote a record, and its datum, without decoding the datum.

    Raises:
        WireError: reason ``empty_record`` (no bytes: Kafka's tombstone), ``truncated_frame`` (shorter
            than its framing) or ``unknown_frame`` (begins with neither marker).
    """
    # The length is checked after the marker: a record that is in order passes two comparisons.
    if record[:2] == _SINGLE_OBJECT_MARKER:
        if len(record) >= _SINGLE_OBJECT_LENGTH:
            return _single_object_ref(record[:_SINGLE_OBJECT_LENGTH]), record[_SINGLE_OBJECT_LENGTH:]
    elif record[:1] == _CONFLUENT_MAGIC:
        if len(record) >= _CONFLUENT_LENGTH:
            return _confluent_ref(record[:_CONFLUENT_LENGTH]), record[_CONFLUENT_LENGTH:]
    elif not record:
        raise WireError("empty_record", "the record has no bytes")
    elif record != _SINGLE_OBJECT_MARKER[:1]:
        raise WireError("unknown_frame", f"the record begins with 0x{record[:2].hex()}")
    raise WireError("truncated_frame", f"the record has only {len(record)} bytes")
