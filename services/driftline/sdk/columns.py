"""Columns of whatever a user has: DataFrames, Arrow tables, arrays, lists. None of them is imported."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from driftline.errors import SettingError

_TEXT_DTYPES = frozenset({"str", "string", "category"})


def table_columns(table: Any, argument: str) -> dict[str, list[Any]]:
    """Return a table's columns as lists of Python's own values, by name.

    Args:
        table: a DataFrame (pandas, polars), an Arrow table or record batch, or a mapping of columns.
        argument: what the table is called in messages.

    Raises:
        SettingError: it is no table, a column's name is no string, empty or there twice, or the
            columns differ in length.
    """
    if table is None:
        return {}
    if hasattr(table, "column_names"):  # Arrow.
        pairs = list(zip(table.column_names, table.columns, strict=True))
    elif isinstance(table, Mapping) or hasattr(table, "items"):
        pairs = list(table.items())
    elif hasattr(table, "iter_columns"):  # polars.
        pairs = [(column.name, column) for column in table.iter_columns()]
    else:
        raise SettingError(f"{argument}: a {type(table).__name__} is no table; pass a dict of columns")
    columns: dict[str, list[Any]] = {}
    for name, column in pairs:
        if not isinstance(name, str) or not name:
            raise SettingError(f"{argument}: {name!r} is no name of a column: it must be a string, not empty")
        if name in columns:
            raise SettingError(f"{argument}: column {name!r} is there twice")
        columns[name] = column_values(column, f"{argument}[{name!r}]")
    return columns


def column_values(column: Any, argument: str) -> list[Any]:
    """Return a column as a list of Python's own values; scalars of other libraries may remain.

    In a column of strings NaN becomes None: pandas has no other way to say that a string is missing. In
    a column of numbers NaN stays what it is.

    Args:
        column: a list, tuple, array, Series or Arrow array, of one dimension.
        argument: what the column is called in messages.

    Raises:
        SettingError: it is no column.
    """
    dtype = getattr(column, "dtype", None)
    if getattr(dtype, "kind", "") == "M":
        return _times(column)
    values: Any = column
    for method in ("to_pylist", "to_list", "tolist"):  # Arrow; pandas and polars; numpy.
        if hasattr(column, method):
            values = getattr(column, method)()
            break
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Sequence):
        raise SettingError(f"{argument}: a {type(column).__name__} is no column")
    listed: list[Any] = list(values)
    types = set(map(type, listed))
    if float in types and (str in types or getattr(dtype, "name", "") in _TEXT_DTYPES):
        # Not every value can be compared with itself: pandas NA can't.
        return [None if isinstance(value, float) and isnan(value) else value for value in listed]
    return listed


def _times(column: Any) -> list[Any]:
    """Return a numpy array or pandas Series of times as numpy's own scalars, in UTC, NaT included."""
    to_numpy = getattr(column, "to_numpy", None)
    numpy: Any = sys.modules["numpy"]  # It made the dtype.
    array: Any = numpy.asarray(column) if to_numpy is None else to_numpy(dtype="datetime64[us]")
    return [*array]


def check_length(values: Sequence[Any], length: int, argument: str) -> None:
    """Check that a column has as many rows as the others.

    Raises:
        SettingError: it has not; the message names the column.
    """
    if len(values) != length:
        raise SettingError(f"{argument}: {len(values)} rows, where {length} were expected")
