"""Writing the history of features: rows that are pushed, and rows that are read from a view's source."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, NamedTuple

from driftline.errors import SettingError
from driftline.features.tables import (
    column_of,
    columns_of,
    entity_texts,
    feature_value_of,
    import_arrow,
    plain_column,
    times_us,
)
from driftline.features.transforms import Transform
from driftline.store.feature_sources import write_table
from driftline.store.feature_values import (
    FeatureRow,
    Place,
    arrival_us,
    next_arrival,
    nth_arrival,
    write_values,
)
from driftline.wire.reasons import ValueRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from driftline.features.definitions import FeatureView
    from driftline.store.connection import Connection

_PIECE_ROWS = 200_000
_MOST_REFUSALS = 100


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was not taken: which of those that were given, from 0, and why."""

    row: int
    why: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of rows.

    Args:
        rows: how many were written.
        refused: how many were not; the others were.
        refusals: the first of these.
    """

    rows: int
    refused: int
    refusals: Sequence[Refusal]

    def __add__(self, other: Pushed) -> Pushed:
        """Return what became of both."""
        refusals = [*self.refusals, *other.refusals][:_MOST_REFUSALS]
        return Pushed(self.rows + other.rows, self.refused + other.refused, refusals)


class _Times(NamedTuple):
    """When each row's values came true, and could be known; the arrival of the first."""

    events: Sequence[int]
    known: Sequence[int]
    first: int


def push(
    connection: Connection,
    view: FeatureView,
    table: Any,
    *,
    event_time: str = "event_time",
    available_time: str = "",
    salt: Callable[[int], int] = secrets.randbits,
) -> Pushed:
    """Write rows of a view. What it can't take it leaves out and names; the rest is written.

    A row holds every feature; None says that it has no value, which differs from there being no row.

    Args:
        connection: to the store.
        view: whose rows they are.
        table: a DataFrame, an Arrow table or a dict of columns: the entity's keys, the event time, and the
            features, or what the view's transform makes them of.
        event_time: the column that says when the values came true.
        available_time: the column that says from when on they could be known; empty: from now on.
        salt: gives so many random bits.

    Raises:
        SettingError: it is no table, or lacks a column, or a time is none.
        StoreError: the store did not take the rows.
    """
    columns = columns_of(table)
    events = times_us(column_of(columns, event_time, "the event time"), event_time)
    first = next_arrival(connection, view.name, salt(10))
    if available_time:
        known = times_us(column_of(columns, available_time, "from when on rows are known"), available_time)
    else:
        known = [arrival_us(first)] * len(events)
    return _write(connection, view, columns, _Times(events, known, first))


def backfill(
    connection: Connection, view: FeatureView, *, salt: Callable[[int], int] = secrets.randbits
) -> Pushed:
    """Write all rows of a view's source, as ``push`` does. Doing it again changes no value.

    Raises:
        SettingError: the view has no source, or the source can't be read.
        StoreError: the store did not take the rows.
    """
    source = view.source
    if source is None:
        raise SettingError(f"feature view {view.name} has no source; push its rows")
    done = Pushed(0, 0, [])
    pieces = _parquet(Path(source.path)) if source.path else _stored(connection, source.table)
    for piece in pieces:
        columns = columns_of(piece)
        events = times_us(column_of(columns, source.event_time, "the event time"), source.event_time)
        if source.delay is None:
            name = source.available_time
            known = times_us(column_of(columns, name, "from when on rows are known"), name)
        else:
            delay = round(source.delay.total_seconds() * 1e6)
            known = [event + delay for event in events]
        first = next_arrival(connection, view.name, salt(10))
        done += _write(connection, view, columns, _Times(events, known, first))
    return done


def _write(
    connection: Connection,
    view: FeatureView,
    columns: Mapping[str, Any],
    times: _Times,
) -> Pushed:
    keys = entity_texts(columns, view.entity)
    rows: list[FeatureRow] = []
    refusals: list[Refusal] = []
    for place, values in enumerate(_values(view, columns)):
        try:
            numbers, texts = _typed(view, keys[place], values)
        except (SettingError, ValueRefusedError) as error:
            refusals.append(Refusal(place, str(error)))
            continue
        arrival = nth_arrival(times.first, place)
        rows.append(FeatureRow(keys[place], times.events[place], times.known[place], arrival, numbers, texts))
    write_values(connection, Place(view.name, view.computation), rows)
    return Pushed(len(rows), len(refusals), refusals[:_MOST_REFUSALS])


def _values(view: FeatureView, columns: Mapping[str, Any]) -> Iterator[Mapping[str, Any] | SettingError]:
    """Yield each row's features by name, or why it has none."""
    if view.transform is None:
        lists = [plain_column(column_of(columns, name, "a feature"), name) for name in view.features]
        for row in zip(*lists, strict=True):
            yield dict(zip(view.features, row, strict=True))
        return
    transform = Transform.of(view.transform)
    own = {name: plain_column(column, name) for name, column in columns.items()}
    for row in zip(*own.values(), strict=True):
        try:
            yield transform(dict(zip(own, row, strict=True)))
        except Exception as error:  # noqa: BLE001 - a user's own function may raise anything.
            yield SettingError(f"the transform failed: {type(error).__name__}: {error}")


def _typed(
    view: FeatureView, key: str, values: Mapping[str, Any] | SettingError
) -> tuple[Sequence[float | None], Sequence[str | None]]:
    if isinstance(values, SettingError):
        raise values
    if not key:
        raise SettingError(f"there is no {' or no '.join(view.entity.keys)}")
    numbers: list[Any] = []
    texts: list[Any] = []
    for name, kind in view.features.items():
        if name not in values:
            raise SettingError(f"the transform returns no {name!r}; None says that there is no value")
        try:
            (numbers if kind == "numeric" else texts).append(feature_value_of(kind, values[name]))
        except ValueRefusedError as error:
            raise SettingError(f"{name}: {error}") from error
    return numbers, texts


def _parquet(path: Path) -> Iterator[Any]:
    """Yield the tables of a Parquet file, or of all those in a folder, in pieces."""
    arrow = import_arrow("Parquet")
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise SettingError(f"{path}: there is no Parquet file in it")
    for file in files:
        try:
            for batch in arrow.parquet.ParquetFile(file).iter_batches(batch_size=_PIECE_ROWS):
                yield arrow.Table.from_batches([batch])
        except arrow.ArrowException as error:
            raise SettingError(f"{file}: it is no Parquet file: {error}") from error


def _stored(connection: Connection, table: str) -> Iterator[Any]:
    """Yield a table of the store, in pieces."""
    arrow = import_arrow("a table of the store")
    with TemporaryFile() as file:
        write_table(connection, table, file)
        file.seek(0)
        for batch in arrow.ipc.open_stream(file):
            yield arrow.Table.from_batches([batch])
