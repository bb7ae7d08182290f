"""Records whose earlier copy has landed: a client died between appending and learning that it had.

Only records that say so of themselves are looked at; nothing else can stand in the log twice.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import fastavro
from clickhouse_connect.driver.binding import format_str

from driftline.errors import WireError
from driftline.wire import PREDICTION, event_schema, split_frame
from driftline.wire.values import END_OF_TIME_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from driftline.log import Batch
    from driftline.store.connection import Connection
    from driftline.wire import EventSchema, SchemaRef

SchemaOf: TypeAlias = "Callable[[SchemaRef], EventSchema | None]"

_CHUNK = 2_000
_FIELDS = frozenset("event_id event_time model_name session_id sequence".split())
_LARGE_QUERY = {
    "max_query_size": 16 << 20,
    "max_ast_elements": 1_000_000,
    "max_expanded_ast_elements": 1_000_000,
}


class _Identity(NamedTuple):
    """What tells a prediction from all others; with where it stands in the store."""

    event_id: str
    session_id: str
    sequence: int
    model_name: str
    time_us: int


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
    asked: dict[int, _Identity] = {}
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
    held = _held(connection, list(asked.values()))
    here = (batch.source, batch.partition)
    repeats |= {
        place
        for place, identity in asked.items()
        if held.get(identity[:3], set()) - {(*here, batch.offsets[place])}
    }
    return tuple(sorted(repeats))


def event_id_of(record: bytes, schema_of: SchemaOf) -> str | None:
    """Return the id of a record's prediction; None if it holds none that can land."""
    identity = _identity(record, schema_of)
    return None if identity is None else identity.event_id


def _held(
    connection: Connection, identities: Sequence[_Identity]
) -> Mapping[tuple[str, str, int], set[tuple[str, int, int]]]:
    """Return from where the store holds predictions: log, partition and offset, by what tells them apart."""
    held: dict[tuple[str, str, int], set[tuple[str, int, int]]] = defaultdict(set)
    for start in range(0, len(identities), _CHUNK):
        chunk = identities[start : start + _CHUNK]
        times = [each.time_us for each in chunk]
        # What the table is sorted by, too: so it is a look at a few places.
        query = (
            "SELECT toString(event_id), toString(session_id), sequence, toString(log_id), log_partition, "
            "log_offset FROM predictions "
            f"WHERE model_name IN ({_listed(each.model_name for each in chunk)}) "
            f"AND event_time >= fromUnixTimestamp64Micro({min(times)}, 'UTC') "
            f"AND event_time <= fromUnixTimestamp64Micro({max(times)}, 'UTC') "
            f"AND event_id IN ({_listed(each.event_id for each in chunk)})"
        )
        rows = connection.rows(query, settings=_LARGE_QUERY)
        for event_id, session_id, sequence, *place in rows:
            held[str(event_id), str(session_id), int(sequence)].add((place[0], place[1], place[2]))
    return held


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(format_str(text) for text in sorted(set(texts)))


def _identity(record: bytes, schema_of: SchemaOf) -> _Identity | None:
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
    return _Identity(event_id, *names, min(max(event["event_time"], 0), END_OF_TIME_US - 1))


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
