"""A candidate's answers in a file, by event: for models that have served nothing yet."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.store.paired import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_PARQUET = frozenset({".parquet", ".pq"})


def read_scores(path: Path) -> Mapping[str, Answer]:
    """Return answers by event_id.

    Args:
        path: Parquet (``.parquet``), or CSV in UTF-8 with a heading: columns ``event_id``, and
            ``prediction`` (a number), ``label``, or both.

    Raises:
        SettingError: a column is missing, or an event stands there twice.
        OSError: it can't be read.
    """
    answers: dict[str, Answer] = {}
    rows = _parquet(path) if path.suffix.lower() in _PARQUET else _csv(path)
    for number, row in enumerate(rows, 1):
        event_id = str(row.get("event_id") or "")
        if not event_id or not {"prediction", "label"} & row.keys():
            raise SettingError(f"{path}: scores have columns event_id, and prediction or label")
        if event_id in answers:
            raise SettingError(f"{path}, row {number}: event {event_id} stands there twice")
        label = row.get("label")
        answers[event_id] = Answer(
            _number(row.get("prediction")), None if label in (None, "") else str(label), None
        )
    return answers


def _number(value: Any) -> float | None:
    """Return a number; what is none is no answer, which the gate counts."""
    try:
        return None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None


def _csv(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  the extra need not be installed
    except ImportError as error:
        raise SettingError("scores in Parquet need: pip install 'driftline[lifecycle]'") from error
    try:
        for batch in parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    except ArrowException as error:
        raise SettingError(f"{path}: it is no Parquet file: {error}") from error
