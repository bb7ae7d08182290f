"""Records whose earlier copy has landed: a client died between appending and learning that it had.

Only records that say so of themselves are looked at; nothing else can stand in the log twice.
"""

from __future__ import annotations

import json
import uuid
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

import fastavro

from driftline.errors import WireError
from driftline.store.landing import Place, Prediction, find_landed
from driftline.wire import PREDICTION, event_schema, split_frame
from driftline.wire.values import END_OF_TIME_US

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.log import Batch
    from driftline.store.connection import Connection
    from driftline.wire import EventSchema, SchemaRef

SchemaOf: TypeAlias = "Callable[[SchemaRef], EventSchema | None]"

_FIELDS = frozenset("event_id event_time model_name session_id sequence".split())


def find_repeats(connection: Connection, batch: Batch, schema_of: SchemaOf) -> tuple[int, ...]:
    """Return the positions of a batch's records that landed from elsewhere, or stand earlier in it, rising.

    Blocks for the store if the batch has records that may repeat; otherwise costs nothing. What landed from
    these very records is no repeat, so that asking again after a crash gives the same.

    Raises:
        StoreError: the store is away.
        LogError: the schema registry is away.
    """
    if not batch.may_repeat:
        return ()
    seen: set[tuple[str, str, int]] = set()
    repeats = set()
    asked: dict[int, Prediction] = {}
    for place, value in enumerate(batch.values):
        identity = _identity(value, schema_of)
        if identity is None:
            continue
        if place in batch.may_repeat:
            if identity[:3] in seen:
                repeats.add(place)
                continue
            asked[place] = identity
        seen.add(identity[:3])
    held = find_landed(connection, list(asked.values()))
    repeats |= {
        place
        for place, identity in asked.items()
        if held.get(identity[:3], set()) - {Place(batch.source, batch.partition, batch.offsets[place])}
    }
    return tuple(sorted(repeats))


def event_id_of(record: bytes, schema_of: SchemaOf) -> str | None:
    """Return the id of a record's prediction; None if it holds none that can land."""
    identity = _identity(record, schema_of)
    return None if identity is None else identity.event_id


def _identity(record: bytes, schema_of: SchemaOf) -> Prediction | None:
    """Return what tells a record's prediction from others; None if it holds none that can land."""
    try:
        ref, datum = split_frame(record)
        schema = schema_of(ref)
    except WireError:
        return None
    if schema is None or schema.name != PREDICTION:
        return None
    try:
        event: Any = fastavro.schemaless_reader(BytesIO(datum), _plain(schema.text), _few_fields())
        event_id = str(uuid.UUID(str(event["event_id"])))
    except Exception:  # noqa: BLE001  fastavro raises whatever its parts raise on garbage.
        return None
    names = (event["session_id"], event["sequence"], event["model_name"])
    return Prediction(event_id, *names, min(max(event["event_time"], 0), END_OF_TIME_US - 1))


@cache
def _plain(text: str) -> Any:
    """Return a schema with times as numbers: of the times that land, not all are datetimes."""
    schema = json.loads(text)
    fields = [_as_number(field) if field["name"] == "event_time" else field for field in schema["fields"]]
    return fastavro.parse_schema({**schema, "fields": fields})


def _as_number(field: Any) -> Any:
    return {**field, "type": "long"}


@cache
def _few_fields() -> Any:
    parsed = _plain(event_schema(PREDICTION).text)
    return {**parsed, "fields": [field for field in parsed["fields"] if field["name"] in _FIELDS]}
