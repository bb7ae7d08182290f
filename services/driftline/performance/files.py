"""Rows of files that hold outcomes: CSV, or Parquet."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.performance.importing import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


def read_rows(path: Path, names: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a file, with the values that make an outcome by their names.

    Args:
        path: ends in ``.parquet``, or holds CSV in UTF-8 with a heading.
        names: what the file calls a column, by its name here; columns with the same name need not be given.

    Raises:
        SettingError: the file can't be read, or lacks a column that was named, or names no prediction.
        OSError: the file can't be opened.
    """
    wanted = {name: names.get(name, name) for name in COLUMNS}
    read = _parquet if path.suffix.lower() in {".parquet", ".pq"} else _csv
    return read(path, wanted, list(names.values()))


def _check(path: Path, found: Sequence[str], wanted: Mapping[str, str], named: Sequence[str]) -> None:
    lacking = [name for name in named if name not in found]
    if lacking:
        raise SettingError(f"{path}: there is no column {lacking[0]!r}; there are: {', '.join(found)}")
    names_prediction = wanted["event_id"] in found or {wanted["entity_id"], wanted["time"]} <= set(found)
    if not names_prediction or not {wanted["actual"], wanted["acted_on"]} & set(found):
        raise SettingError(
            f"{path}: it needs a column actual (or acted_on), and event_id, or entity_id and time; "
            f"there are: {', '.join(found)}. --column actual=NAME says what the file calls one"
        )


def _csv(path: Path, wanted: Mapping[str, str], named: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.DictReader(file)
        _check(path, rows.fieldnames or [], wanted, named)
        for row in rows:
            yield {name: row.get(column) for name, column in wanted.items()}


def _parquet(path: Path, wanted: Mapping[str, str], named: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  only who has such a file needs it
    except ImportError as error:
        raise SettingError(
            "a Parquet file needs pyarrow; install it with: pip install 'driftline[parquet]'"
        ) from error
    try:
        file = parquet.ParquetFile(path)
        found = file.schema_arrow.names
        _check(path, found, wanted, named)
        own = {name: column for name, column in wanted.items() if column in found}
        for batch in file.iter_batches(columns=[*own.values()]):
            for row in batch.to_pylist():
                yield {name: row[column] for name, column in own.items()}
    except ArrowException as error:
        raise SettingError(f"{path}: it is no Parquet file: {error}") from error
