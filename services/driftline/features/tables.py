"""Columns of whatever table a user has, as keys, times and values of features."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.sdk.columns import check_length, listed
from driftline.wire.reasons import ValueRefusedError
from driftline.wire.values import event_time_us, is_nan, number_value, text_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.features.definitions import Entity, Kind


def columns_of(table: Any) -> Mapping[str, Any]:
    """Return a table's columns by name, as they are.

    Args:
        table: a DataFrame (pandas, polars), an Arrow table, or a dict of columns of one length.

    Raises:
        SettingError: it is no table, or its columns differ in length.
    """
    if hasattr(table, "column_names"):  # Arrow.
        columns = dict(zip(table.column_names, table.columns, strict=True))
    elif hasattr(table, "iter_columns"):  # polars.
        columns = {column.name: column for column in table.iter_columns()}
    elif hasattr(table, "items"):
        columns = {str(name): column for name, column in table.items()}
    else:
        raise SettingError(f"a {type(table).__name__} is no table; pass a DataFrame or a dict of columns")
    lengths = {name: len(column) for name, column in columns.items()}
    for name, length in lengths.items():
        check_length(length, next(iter(lengths.values())), name)
    return columns


def column_of(columns: Mapping[str, Any], name: str, what: str) -> Any:
    """Return a column.

    Raises:
        SettingError: there is none of this name; the message says what it is for, and which there are.
    """
    if name not in columns:
        raise SettingError(f"there is no column {name!r}, {what}; there are: {', '.join(columns)}")
    return columns[name]


def plain_column(column: Any, name: str) -> list[Any]:
    """Return a column's values; in what is made of pandas, NaN is a missing value."""
    values = listed(column, name)
    if type(column).__module__.partition(".")[0] == "pandas":
        return [None if is_nan(value) else value for value in values]
    return values


def key_texts(column: Any, name: str) -> list[str]:
    """Return keys as text: 7 and 7.0 are one; an empty text where there is none."""
    values = plain_column(column, name)
    texts = {value: text_value(value) or "" for value in set(values)}
    return [texts[value] for value in values]


def entity_texts(columns: Mapping[str, Any], entity: Entity) -> list[str]:
    """Return which entity each row is of, as text; an empty one where a key is lacking.

    Raises:
        SettingError: there is no column of one of its keys.
    """
    parts = [
        key_texts(
            column_of(columns, key, f"{'a' if len(entity.keys) > 1 else 'the'} key of {entity.name}"), key
        )
        for key in entity.keys
    ]
    return parts[0] if len(parts) == 1 else [entity.text_of(row) for row in zip(*parts, strict=True)]


def times_us(column: Any, name: str) -> list[int]:
    """Return times in microseconds since 1970.

    Raises:
        SettingError: one of them is no time; the message names its row.
    """
    quick = _datetimes(column)
    if quick is not None and (not len(quick) or quick.min() >= 0):
        found: list[int] = quick.tolist()
        return found
    values = listed(column, name)
    times = []
    for place, value in enumerate(values):
        try:
            time = event_time_us(value)
        except ValueRefusedError as error:
            raise SettingError(f"{name}, row {place}: {error}") from error
        if time is None:
            raise SettingError(f"{name}, row {place}: there is no time")
        times.append(time)
    return times


def feature_value_of(kind: Kind, value: Any) -> float | str | None:
    """Return a value as the prediction log keeps it, so that the two can be compared.

    Raises:
        ValueRefusedError: it is none of this kind.
    """
    return number_value(value) if kind == "numeric" else text_value(value)


def import_arrow(what: str) -> Any:
    """Return pyarrow; whoever only serves features does without.

    Raises:
        SettingError: it is not installed; the message says what needs it.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  see above
        import pyarrow.csv  # noqa: PLC0415  see above
        import pyarrow.ipc  # noqa: PLC0415  see above
        import pyarrow.parquet  # noqa: PLC0415  see above
    except ImportError as error:
        raise SettingError(
            f"{what} needs pyarrow; install it with: pip install 'driftline[features]'"
        ) from error
    return pa


def _datetimes(column: Any) -> Any | None:
    """Return times that pandas, numpy or Arrow holds, as an array of whole numbers; None: it holds none."""
    if str(getattr(column, "type", "")).startswith("timestamp") and not column.null_count:
        in_us = sys.modules["pyarrow"].timestamp("us", tz=column.type.tz)
        return column.cast(in_us, safe=False).cast("int64").to_numpy()
    if getattr(getattr(column, "dtype", None), "kind", "") != "M":
        return None
    array = column.to_numpy(dtype="datetime64[us]") if hasattr(column, "to_numpy") else column
    return array.astype("datetime64[us]").astype("int64")
