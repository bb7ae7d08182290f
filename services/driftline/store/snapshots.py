"""Training sets out of what was logged: predictions as served, with their truths as known at a time."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import replace
from datetime import UTC
from typing import IO, TYPE_CHECKING, Any, Final

from driftline.domain.hours import hour_time
from driftline.domain.snapshots import ENTITY_PLACES, TEST, TRAIN, SnapshotLine
from driftline.domain.streams import Stream
from driftline.errors import NotFoundError
from driftline.store.exporting import PIECE_ROWS, Piece, pieces_of
from driftline.store.hours import COUNTS, HOUR, KEYS
from driftline.store.outcomes import TRUTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.domain.snapshots import Definition, Split
    from driftline.store.connection import Connection

_MAPS: Final = ("numeric_features", "categorical_features", "class_probabilities", "tags")
MAP_COLUMNS: Final = {
    "numeric_features": "numeric",
    "categorical_features": "categorical",
    "class_probabilities": "probability",
    "tags": "tag",
}
"""The columns that are maps, and what the columns are called that are made of their values."""

_ROW_COLUMNS = (
    "event_id counted_time landed_at model_name model_version environment training_run_id entity_id "
    "request_id numeric_features categorical_features missing_features prediction_number prediction_label "
    "class_probabilities tags latency_us hour"
).split()
_TIME = "{%s:DateTime64(6, 'UTC')}"
_ROWS = f"""
model_name = {{model:String}} AND environment = {{environment:String}}
AND ({{version:String}} = '' OR model_version = {{version:String}})
AND hour >= toStartOfHour({_TIME % "since"}) AND hour <= toStartOfHour({_TIME % "until"})
AND counted_time >= {_TIME % "since"} AND counted_time < {_TIME % "until"}
AND landed_at <= {{as_of:DateTime64(3, 'UTC')}} AND {COUNTS.sql}
"""
_IS_LEFT_OUT = (
    "arrayExists(window -> intDiv(toUnixTimestamp(hour), 3600) >= window.1 "
    "AND intDiv(toUnixTimestamp(hour), 3600) < window.2, {left_out:Array(Tuple(Int64, Int64))})"
)
_JOINED = f"""
SELECT
    {", ".join(f"made.{name} AS {name}" for name in _ROW_COLUMNS)},
    {{split}} AS split,
    truth.1 AS actual_number, truth.2 AS actual_label, is_acted_on AS acted_on,
    if(made.landed_at > made.counted_time + INTERVAL 1 HOUR, first_observed, toDateTime64(first_landed, 6))
        AS known_time,
    multiIf(
        {_IS_LEFT_OUT}, 'left_out',
        made.counted_time + toIntervalSecond({{maturity_s:Int64}}) > {_TIME % "as_of"}, 'too_young',
        is_acted_on AND NOT {{with_acted_on:Bool}}, 'acted_on',
        NOT is_known, 'no_truth',
        toFloat64(known_time) - toFloat64(made.counted_time) > {{age:Float64}}, 'known_too_late',
        'taken') AS status
FROM (SELECT {", ".join(_ROW_COLUMNS)} FROM predictions WHERE {_ROWS}) AS made
LEFT JOIN
(
    SELECT event_id, {TRUTH} FROM outcomes
    WHERE landed_at <= {{as_of:DateTime64(3, 'UTC')}}
        AND event_id IN (SELECT event_id FROM predictions WHERE {_ROWS})
    GROUP BY event_id
) AS truths ON made.event_id = truths.event_id
"""
COLUMNS: Final = (
    *("toString(event_id) AS event_id", "counted_time AS event_time", "model_name", "model_version"),
    *("environment", "training_run_id", "entity_id", "request_id", "numeric_features"),
    *("categorical_features", "missing_features", "prediction_number", "prediction_label"),
    *("class_probabilities", "tags", "latency_us", "actual_number", "actual_label", "acted_on", "known_time"),
)
_TAKEN = "status = 'taken' AND split = {side:String}"
_SETTINGS: Mapping[str, Any] = {
    "max_threads": 1,
    "output_format_parquet_string_as_string": 1,
    "join_use_nulls": 0,
}
_LINE_NAMES = [field.name for field in dataclasses.fields(SnapshotLine)]
_WRITTEN_NAMES = [name for name in _LINE_NAMES if name != "made_at"]


def _split_sql(split: Split) -> tuple[str, dict[str, Any]]:
    """Return SQL for which part a row belongs to, and what it binds."""
    match split.kind:
        case "time":
            return (
                f"if(made.counted_time >= {_TIME % 'boundary'}, '{TEST}', '{TRAIN}')",
                {"boundary": split.boundary},
            )
        case "entity":
            key = "ifNull(made.entity_id, toString(made.event_id))"
            return (
                f"if(cityHash64({key}) % {ENTITY_PLACES} < {{test_places:UInt64}}, '{TEST}', '{TRAIN}')",
                {"test_places": round(split.share * ENTITY_PLACES)},
            )
        case _:
            return f"'{TRAIN}'", {}


def _query(definition: Definition, select: str, condition: str = "1") -> tuple[str, dict[str, Any]]:
    split, bound = _split_sql(definition.split)
    joined = _JOINED.replace("{split}", split)
    return f"SELECT {select} FROM ({joined}) WHERE {condition}", {
        **_parameters(definition),
        **bound,
    }


def _parameters(definition: Definition) -> dict[str, Any]:
    age = definition.label_age
    return {
        "model": definition.model_name,
        "version": definition.model_version,
        "environment": definition.environment,
        "since": definition.since,
        "until": definition.until,
        "as_of": definition.as_of,
        "maturity_s": int(definition.maturity.total_seconds()),
        "age": float("inf") if age is None else age.total_seconds(),
        "with_acted_on": definition.with_acted_on,
        "left_out": [(each.first_hour, each.end_hour) for each in definition.left_out],
    }


def snapshot_query(definition: Definition) -> tuple[str, Mapping[str, Any]]:
    """Return the query of a snapshot's rows for a person to read, and what it binds."""
    select = ", ".join(COLUMNS)
    query, bound = _query(definition, f"{select}, split", "status = 'taken'")
    return " ".join(query.split()), bound


def read_served_hours(
    connection: Connection,
    model_name: str,
    environment: str,
    *,
    since: datetime,
    until: datetime,
    as_of: datetime,
) -> tuple[int, int] | None:
    """Return the first hour of a period that has predictions, and the one behind the last; None: none has.

    Args:
        connection: to the store.
        model_name: of all versions of this model.
        environment: where they were made.
        since: of this time or later, UTC.
        until: before this time, UTC.
        as_of: of predictions that had landed by then, UTC.
    """
    (row,) = connection.rows(
        f"SELECT count(), min({HOUR}), max({HOUR}) FROM predictions "
        "WHERE model_name = {model:String} AND environment = {environment:String} "
        f"AND hour >= toStartOfHour({_TIME % 'since'}) AND hour < {_TIME % 'until'} "
        f"AND landed_at <= {{as_of:DateTime64(3, 'UTC')}} AND {COUNTS.sql}",
        {"model": model_name, "environment": environment, "since": since, "until": until, "as_of": as_of},
    )
    return (int(row[1]), int(row[2]) + 1) if row[0] else None


def taken_rows(definition: Definition, part: str = "") -> tuple[str, dict[str, Any]]:
    """Return SQL for a definition's rows, all or those of a part of its split, and what it binds."""
    query, bound = _query(definition, "*", "status = 'taken' AND {side:String} IN ('', split)")
    return query, {**bound, "side": part}


def count_snapshot(connection: Connection, definition: Definition) -> Mapping[str, int]:
    """Return how many rows of the period are ``taken``, and how many are not, by why."""
    query, bound = _query(definition, "status, count()")
    rows = connection.rows(f"{query} GROUP BY status ORDER BY status", bound, settings=_SETTINGS)
    return {str(status): int(count) for status, count in rows}


def count_streams(connection: Connection, definition: Definition) -> Mapping[Stream, int]:
    """Return of which versions so many rows are taken."""
    query, bound = _query(definition, f"{KEYS}, count()", "status = 'taken'")
    rows = connection.rows(f"{query} GROUP BY {KEYS} ORDER BY {KEYS}", bound, settings=_SETTINGS)
    return {Stream(*map(str, names)): int(count) for *names, count in rows}


def read_map_keys(connection: Connection, definition: Definition) -> Mapping[str, Sequence[str]]:
    """Return the names in each of the columns that are maps, of the rows that are taken, ascending."""
    select = ", ".join(f"arraySort(groupUniqArrayArray(mapKeys({name})))" for name in _MAPS)
    query, bound = _query(definition, select, "status = 'taken'")
    (row,) = connection.rows(query, bound, settings=_SETTINGS)
    return {name: list(map(str, names)) for name, names in zip(_MAPS, row, strict=True)}


def plan_snapshot(
    connection: Connection, definition: Definition, *, piece_rows: int = PIECE_ROWS
) -> Sequence[tuple[str, Piece]]:
    """Return the pieces of a snapshot, each with the part of the split that it belongs to."""
    query, bound = _query(definition, f"split, {HOUR} AS at, count()", "status = 'taken'")
    rows = connection.rows(f"{query} GROUP BY split, at ORDER BY split, at", bound, settings=_SETTINGS)
    hours: dict[str, list[tuple[int, int]]] = {}
    for split, hour, count in rows:
        hours.setdefault(str(split), []).append((int(hour), int(count)))
    return [(split, piece) for split, own in hours.items() for piece in pieces_of(own, piece_rows)]


def write_snapshot_piece(
    connection: Connection, definition: Definition, split: str, piece: Piece, file: IO[bytes]
) -> None:
    """Write a piece as Parquet, by hour and event; the columns are those of `COLUMNS`."""
    of_piece, more = piece.condition()
    of_piece = of_piece.replace("predictions.event_id", "toUUID(event_id)")
    # Nothing but the piece's own hours is read, so a snapshot costs what its rows do.
    narrow = replace(
        definition,
        since=max(definition.since, hour_time(piece.first_hour)),
        until=min(definition.until, hour_time(piece.end_hour)),
    )
    query, bound = _query(narrow, "*", f"{_TAKEN} AND {of_piece}")
    select = f"SELECT {', '.join(COLUMNS)} FROM ({query} ORDER BY hour, event_id)"
    bound |= {"side": split, **more}
    connection.write(select, file, fmt="Parquet", parameters=bound, settings=_SETTINGS)


def write_snapshot_line(connection: Connection, line: SnapshotLine) -> None:
    """Write that a snapshot was made. Again changes nothing."""
    row = [getattr(line, name) for name in _WRITTEN_NAMES]
    connection.insert("snapshots", [row], column_names=_WRITTEN_NAMES)


def read_snapshot_lines(
    connection: Connection, *, model_name: str = "", snapshot_id: str = "", limit: int = 1000
) -> Sequence[SnapshotLine]:
    """Return snapshots, the newest first.

    Args:
        connection: to the store.
        model_name: of this model only; empty: of all.
        snapshot_id: of those whose id begins so, or that are labelled so; empty: of all.
        limit: at most so many.
    """
    rows = connection.named_rows(
        f"SELECT {', '.join(_LINE_NAMES)} FROM snapshots FINAL "
        "WHERE ({model:String} = '' OR model_name = {model:String}) "
        "AND (startsWith(snapshot_id, {id:String}) OR label = {id:String}) "
        "ORDER BY made_at DESC, snapshot_id LIMIT {limit:UInt32}",
        {"model": model_name, "id": snapshot_id, "limit": limit},
    )
    return [_line(row) for row in rows]


def find_snapshot(connection: Connection, wanted: str) -> SnapshotLine:
    """Return the snapshot with an id, or the only one whose id begins so or that has this label.

    Raises:
        NotFoundError: there is none, or there are several.
    """
    found = read_snapshot_lines(connection, snapshot_id=wanted) if wanted else []
    ids = Counter(each.snapshot_id for each in found)
    if not found:
        raise NotFoundError(
            f"there is no snapshot {wanted!r}; 'driftline snapshot list' lists those there are"
        )
    if len(ids) > 1:
        raise NotFoundError(
            f"several snapshots are meant by {wanted!r}, such as {' and '.join(list(ids)[:2])}"
        )
    return found[0]


def _line(row: Mapping[str, Any]) -> SnapshotLine:
    times = {name: row[name].replace(tzinfo=UTC) for name in ("since", "until", "as_of", "made_at")}
    texts = {
        name: value.decode() if isinstance(value := row[name], bytes) else value
        for name in ("row_hash", "manifest_sha256")
    }
    return SnapshotLine(**{**row, **times, **texts})
