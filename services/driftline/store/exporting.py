"""Predictions as Parquet, piece by piece: whatever is exported, a piece is small."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final

from driftline.domain.streams import Stream
from driftline.store.hours import HOUR, KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.store.connection import Connection

COLUMNS: Final = (
    *("toString(event_id) AS event_id", "event_time", "counted_time", "landed_at"),
    *("model_name", "model_version", "environment", "training_run_id", "session_id", "sequence"),
    *("entity_id", "request_id", "trace_id", "numeric_features", "categorical_features", "missing_features"),
    *("prediction_number", "prediction_label", "class_probabilities", "tags", "latency_us", "compute_us"),
    *("numeric_outputs", "categorical_outputs", "missing_outputs"),
    *("set_aside", "log_id", "log_partition", "log_offset"),
)
NAMES: Final = tuple(column.rpartition(" ")[2] for column in COLUMNS)
"""The columns of an export."""

PIECE_ROWS: Final = 100_000
"""So many rows a piece has about: an embedded store's owner holds all of one."""

_EQUALS: Mapping[str, str] = {
    "model_name": "model_name = {model_name:String}",
    "model_version": "model_version = {model_version:String}",
    "environment": "environment = {environment:String}",
    "training_run_id": "training_run_id = {training_run_id:String}",
    "entity_id": "entity_id = {entity_id:String}",
}
_TIME = "{%s:DateTime64(6, 'UTC')}"
_COUNTED = f"""
SELECT {HOUR} AS at, count() FROM predictions WHERE %s GROUP BY at ORDER BY at
"""
_STREAMS = f"SELECT {KEYS}, count() FROM predictions WHERE %s GROUP BY {KEYS} ORDER BY {KEYS}"
_ROWS = f"""
SELECT {", ".join(COLUMNS)} FROM predictions WHERE %s
ORDER BY model_name, model_version, environment, hour, predictions.event_id
"""
# One thread reads in the order of the table, so nothing is sorted.
_SETTINGS: Mapping[str, Any] = {
    "max_threads": 1,
    "optimize_read_in_order": 1,
    "output_format_parquet_compression_method": "zstd",
    "output_format_parquet_string_as_string": 1,
    "output_format_parquet_row_group_size": 50_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which predictions; what is None does not matter.

    Args:
        model_name: of this model.
        model_version: of this version.
        environment: of this environment.
        training_run_id: of this training run.
        entity_id: of this entity.
        since: of this time or later, in UTC.
        until: before this time, in UTC.
        landed_before: that had landed before this time, in UTC.
    """

    model_name: str | None = None
    model_version: str | None = None
    environment: str | None = None
    training_run_id: str | None = None
    entity_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    landed_before: datetime | None = None

    def condition(self) -> tuple[str, dict[str, Any]]:
        """Return SQL for which rows, and what it binds."""
        conditions, bound = ["1"], {}
        for name, sql in _EQUALS.items():
            if (value := getattr(self, name)) is not None:
                conditions.append(sql)
                bound[name] = value
        for name, sign in (("since", ">="), ("until", "<")):
            if (time := getattr(self, name)) is not None:
                at = _TIME % name
                conditions.append(f"hour {sign[0]}= toStartOfHour({at}) AND counted_time {sign} {at}")
                bound[name] = _micros(time)
        if self.landed_before is not None:
            conditions.append(f"landed_at < {_TIME % 'landed_before'}")
            bound["landed_before"] = _micros(self.landed_before)
        return " AND ".join(conditions), bound

    def query(self) -> str:
        """Return the query for a person to read; `condition` has what it binds."""
        return f"SELECT {', '.join(NAMES)} FROM predictions WHERE {self.condition()[0]}"


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of what is exported: hours in [first, end), and of these rows one part of so many.

    Args:
        first_hour: since the Unix epoch, UTC.
        end_hour: the one behind the last.
        rows: how many there are in all parts.
        part: which part, from 0.
        parts: how many there are.
    """

    first_hour: int
    end_hour: int
    rows: int
    part: int = 0
    parts: int = 1

    def condition(self) -> tuple[str, dict[str, Any]]:
        """Return SQL for which rows, and what it binds."""
        bound = {"first": self.first_hour * 3600, "end": self.end_hour * 3600}
        sql = "hour >= fromUnixTimestamp({first:UInt32}) AND hour < fromUnixTimestamp({end:UInt32})"
        if self.parts > 1:
            sql += " AND cityHash64(predictions.event_id) % {parts:UInt32} = {part:UInt32}"
            bound |= {"part": self.part, "parts": self.parts}
        return sql, bound


def plan_export(
    connection: Connection, selection: Selection, *, piece_rows: int = PIECE_ROWS
) -> Sequence[Piece]:
    """Return the pieces of what is selected, by hour; an hour with many rows makes several."""
    condition, bound = selection.condition()
    hours = [(int(hour), int(rows)) for hour, rows in connection.rows(_COUNTED % condition, bound)]
    return list(pieces_of(hours, piece_rows))


def pieces_of(hours: Sequence[tuple[int, int]], most: int) -> Iterator[Piece]:
    """Yield pieces of hours, each hour with its rows, so that none has many more than ``most``."""
    gathered: list[tuple[int, int]] = []
    for hour, rows in hours:
        if gathered and sum(held for _, held in gathered) + rows > most:
            yield _whole(gathered)
            gathered = []
        if rows > most:
            parts = -(-rows // most)
            yield from (Piece(hour, hour + 1, rows, part, parts) for part in range(parts))
        else:
            gathered.append((hour, rows))
    if gathered:
        yield _whole(gathered)


def _whole(hours: Sequence[tuple[int, int]]) -> Piece:
    return Piece(hours[0][0], hours[-1][0] + 1, sum(rows for _, rows in hours))


def write_piece(connection: Connection, selection: Selection, piece: Piece, file: IO[bytes]) -> None:
    """Write a piece as Parquet, in the order of the table."""
    condition, bound = _both(selection, piece)
    connection.write(_ROWS % condition, file, fmt="Parquet", parameters=bound, settings=_SETTINGS)


def count_piece(connection: Connection, selection: Selection, piece: Piece) -> int:
    """Return how many rows a piece has now."""
    condition, bound = _both(selection, piece)
    return int(connection.rows(f"SELECT count() FROM predictions WHERE {condition}", bound)[0][0])


def read_exported_streams(connection: Connection, selection: Selection) -> Mapping[Stream, int]:
    """Return how many rows are selected of which stream."""
    condition, bound = selection.condition()
    return {Stream(*names): int(rows) for *names, rows in connection.rows(_STREAMS % condition, bound)}


def _both(selection: Selection, piece: Piece) -> tuple[str, dict[str, Any]]:
    (of_selection, bound), (of_piece, more) = selection.condition(), piece.condition()
    return f"{of_selection} AND {of_piece}", {**bound, **more}


def _micros(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
