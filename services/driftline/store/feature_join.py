"""The point-in-time join: for each entity and time the row that was the newest then, of those known then.

A row can be read from when its time has come and it could be known, the later of the two: there it *begins*.
Of the rows that have begun, the one with the newest event time counts, and of several the one that arrived
last. So along their beginnings only rows matter that are newer than all before them, and of these the last
one before the time that is asked for is the answer: one window, and one join on one clock.
"""

from __future__ import annotations

import base64
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, Final

from driftline.store.feature_values import HISTORY, US, FeatureRow, history_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.store.connection import Connection
    from driftline.store.feature_values import Place

PIECE_ROWS: Final = 100_000
"""So many rows are asked for at once: their texts are part of the statement."""

_FORMAT = "ArrowStream"
_SETTINGS: Mapping[str, Any] = {
    "max_query_size": 1 << 30,
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_compression_method": "none",
    "join_algorithm": "hash",
}
# What is asked for comes as two texts: of numbers, and of entities in base 64, which holds nothing to quote.
_ASKED = """
SELECT entity, time, row FROM
(
    SELECT
        arrayJoin(arrayZip(
            arrayMap(text -> base64Decode(text), splitByChar(',', '{entities}')),
            arrayMap(text -> toInt64(text), splitByChar(',', '{times}')),
            range(toUInt64({count})))) AS asked,
        asked.1 AS entity, asked.2 AS time, asked.3 AS row
)
"""
_BEGUN = f"""
SELECT entity, event_us, available_us, arrival, numbers, texts, begins FROM
(
    SELECT entity, {US % "event_time"} AS event_us, {US % "available_time"} AS available_us, arrival,
        numbers, texts, greatest(event_us, available_us) AS begins,
        max((event_us, arrival)) OVER (PARTITION BY entity ORDER BY begins) AS newest
    FROM feature_values
    WHERE {HISTORY}
        AND entity IN (SELECT arrayJoin(arrayMap(
            text -> base64Decode(text), splitByChar(',', '{{different}}'))))
        AND event_time <= fromUnixTimestamp64Micro({{until:Int64}}, 'UTC')
        AND available_time <= fromUnixTimestamp64Micro({{until:Int64}}, 'UTC')
)
WHERE (event_us, arrival) = newest
"""
_JOINED = """
SELECT {columns}
FROM ({asked}) AS asked ASOF LEFT JOIN ({begun}) AS begun
    ON asked.entity = begun.entity AND asked.time >= begun.begins
ORDER BY asked.row
"""
_IS_THERE = "(begun.entity != '' AND ({ttl:Int64} = 0 OR begun.event_us >= asked.time - {ttl:Int64}))"


def write_as_of(
    connection: Connection,
    place: Place,
    entities: Sequence[str],
    times_us: Sequence[int],
    file: IO[bytes],
    *,
    ttl_us: int | None,
    numbers: Mapping[str, int],
    texts: Mapping[str, int],
) -> None:
    """Write, for each entity and time, the values that were the newest known, as an Arrow stream.

    Its columns are the names, and ``event_us``: when the values came true, null where there are none.

    Args:
        connection: to the store.
        place: the view.
        entities: what is asked about; n of them.
        times_us: as of when, microseconds since 1970. Length n.
        file: takes the stream.
        ttl_us: how old values may be; None: of any age.
        numbers: which numeric features are wanted, the place of each by the name of its column, from 0.
        texts: which categorical ones, likewise.
    """
    wanted = [
        f"if({_IS_THERE}, begun.{column}[{place_of + 1}], NULL) AS {_quoted(name)}"
        for column, names in (("numbers", numbers), ("texts", texts))
        for name, place_of in names.items()
    ]
    columns = [f"if({_IS_THERE}, begun.event_us, NULL) AS event_us", *wanted]
    query, bound = _query(place, entities, times_us, columns)
    bound["ttl"] = ttl_us or 0
    connection.write(query, file, fmt=_FORMAT, parameters=bound, settings=_SETTINGS)


def read_as_of(
    connection: Connection, place: Place, entities: Sequence[str], times_us: Sequence[int]
) -> Sequence[FeatureRow | None]:
    """Return, for each entity and time, the newest row that could be known then, however old; None: none.

    Args:
        connection: to the store.
        place: the view.
        entities: what is asked about; n of them, not many.
        times_us: as of when, microseconds since 1970. Length n.
    """
    if not entities:
        return []
    names = "entity event_us available_us arrival numbers texts".split()
    query, bound = _query(place, entities, times_us, [f"begun.{name} AS {name}" for name in names])
    rows = connection.rows(query, bound, settings={"max_query_size": 1 << 30})
    return [FeatureRow(*row) if row[0] else None for row in rows]


def read_versions_before(
    connection: Connection, place: Place, entity: str, until_us: int, *, limit: int
) -> Sequence[FeatureRow]:
    """Return an entity's rows that could be known at a time, the newest by event time first."""
    query = (
        f"SELECT entity, {US % 'event_time'}, {US % 'available_time'}, arrival, numbers, texts "
        f"FROM feature_values WHERE {HISTORY} AND entity = {{entity:String}} "
        "AND greatest(event_time, available_time) <= fromUnixTimestamp64Micro({until:Int64}, 'UTC') "
        "ORDER BY event_time DESC, arrival DESC LIMIT {limit:UInt32}"
    )
    bound = {**history_parameters(place), "entity": entity, "until": until_us, "limit": limit}
    return [FeatureRow(*row) for row in connection.rows(query, bound)]


def arrow_stream(
    connection: Connection,
    place: Place,
    entities: Sequence[str],
    times_us: Sequence[int],
    *,
    ttl_us: int | None,
    numbers: Mapping[str, int],
    texts: Mapping[str, int],
) -> BytesIO:
    """Return what `write_as_of` writes, from its beginning."""
    stream = BytesIO()
    write_as_of(connection, place, entities, times_us, stream, ttl_us=ttl_us, numbers=numbers, texts=texts)
    stream.seek(0)
    return stream


def _query(
    place: Place, entities: Sequence[str], times_us: Sequence[int], columns: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    different = dict.fromkeys(entities)
    coded = {entity: base64.b64encode(entity.encode()).decode() for entity in different}
    asked = _ASKED.format(
        entities=",".join(coded[entity] for entity in entities),
        times=",".join(map(str, times_us)),
        count=len(entities),
    )
    begun = _BEGUN.replace("{different}", ",".join(coded.values()))
    query = _JOINED.format(columns=", ".join(columns), asked=asked, begun=begun)
    return query, {**history_parameters(place), "until": max(times_us)}


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
