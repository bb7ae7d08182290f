"""Raw datums joined into one Avro container, so that the store's engine decodes them and not Python.

Each datum has a block of its own in the container, which tells the reader where it ends. In a common block
a datum with bytes too many, or too few, moves the beginning of all that follow: two datums in one record
made the engine take both and lose the last record of the block in silence. It costs 20 bytes and
0.5 us a record.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.log import Batch

# Any 16 bytes will do for a container that never meets another; a fixed marker keeps blocks reproducible.
_SYNC = b"driftline-block\n"


POSITION = ("log_id", "log_partition", "log_offset")
"""The columns that say which record of which log a row is."""

END = "record_end"
"""The column that says whether a datum ended where it should: it must hold ``END_MARK``."""

END_MARK = 6_201_837


class BlockWriter:
    """Writes Avro object containers of a block for each datum, for one writer schema.

    Source: Avro 1.12 specification, "Object Container Files". A record's encoding is that of its fields, one
    behind the other: so a datum gets fields in front of its own without being looked into, and one behind
    them. Of bytes that are left over, which the engine would pass over in silence, that one is made.

    Args:
        schema_text: the writer schema as JSON.
        has_position: whether each datum is written with where it stood in the log, and with its end.
    """

    def __init__(self, schema_text: str, *, has_position: bool = False) -> None:
        schema = json.loads(schema_text)
        if has_position:
            types = dict(zip(POSITION, ("string", "int", "long"), strict=True))
            position = [{"name": name, "type": kind} for name, kind in types.items()]
            end = {"name": END, "type": "long"}
            schema = {**schema, "fields": [*position, *schema["fields"], end]}
        self._has_position = has_position
        meta = {b"avro.schema": json.dumps(schema).encode(), b"avro.codec": b"null"}
        entries = b"".join(_bytes(key) + _bytes(value) for key, value in meta.items())
        self._head = b"Obj\x01" + _long(len(meta)) + entries + _long(0) + _SYNC

    def container(self, datums: Sequence[bytes], batch: Batch, places: Sequence[int]) -> bytes:
        """Return one container that holds the datums, none of which is looked into.

        Args:
            datums: without frames.
            batch: that they stand in.
            places: of each datum in the batch.
        """
        parts = [self._head]
        if not self._has_position:
            for datum in datums:
                parts += (_ONE, _length(len(datum)), datum, _SYNC)
            return b"".join(parts)
        log = _bytes(batch.source.encode()) + _long(batch.partition)
        offsets, size = batch.offsets, len(log) + len(_MARK)
        for place, datum in zip(places, datums, strict=True):
            offset = _long(offsets[place])
            parts += (_ONE, _length(size + len(offset) + len(datum)), log, offset, datum, _MARK, _SYNC)
        return b"".join(parts)


def _long(number: int) -> bytes:
    """Avro's long: zig-zag, then base 128, least significant group first."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_ONE = _long(1)
_MARK = _long(END_MARK)
_length = lru_cache(maxsize=1 << 16)(_long)


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value
