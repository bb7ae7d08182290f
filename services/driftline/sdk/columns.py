"""Columns of whatever a user has: DataFrames, Arrow tables, arrays, lists. None of them is imported."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.wire import NumberColumn, TextColumn
from driftline.wire.values import LARGEST_DENSE_INTEGER, as_category, is_nan

if TYPE_CHECKING:
    from driftline.wire import Column
    from driftline.wire.named import NamedValues

_PANDAS_TEXTS = frozenset({"str", "string"})
_ARROW_TEXTS = frozenset({"string", "large_string"})
_ARROW_NUMBERS = frozenset(
    "double float int8 int16 int32 int64 uint8 uint16 uint32 uint64".split(),
)


def table_columns(table: Any, argument: str, named: NamedValues) -> dict[str, Any]:
    """Return a table's columns as they are, by their names' texts.

    Args:
        table: a DataFrame (pandas, polars), an Arrow table or record batch, or a mapping of columns.
        argument: what the table is called in messages.
        named: turns names into text, and counts columns without one.

    Raises:
        SettingError: it is no table.
    """
    if table is None:
        return {}
    if hasattr(table, "column_names"):  # Arrow.
        return named.unique(zip(table.column_names, table.columns, strict=True), argument)
    if isinstance(table, Mapping) or hasattr(table, "items"):
        return named.unique(table.items(), argument)
    if hasattr(table, "iter_columns"):  # polars.
        return named.unique(((column.name, column) for column in table.iter_columns()), argument)
    raise SettingError(f"{argument}: a {type(table).__name__} is no table; pass a dict of columns")


def value_column(column: Any, argument: str) -> Column:
    """Return a column of features, as numpy holds it where it is made of numbers or times.

    In what is made of pandas NaN is a missing value, as pandas means it; elsewhere it is a number.

    Args:
        column: a list, tuple, array, Series or Arrow array, of one dimension.
        argument: what the column is called in messages.

    Raises:
        SettingError: it is no column.
    """
    is_loaded = "numpy" in sys.modules
    try:
        found = _texts(column) or _numbers(column) if is_loaded else None
    except Exception:  # noqa: BLE001 - whatever is out of the ordinary can still be taken value by value.
        found = None
    if found is not None:
        return found
    values = listed(column, argument)
    return [as_category(value) for value in values] if _is_coded(column) else values


def category_column(column: Any, argument: str) -> Column:
    """Return a column of a feature that is a category, whatever the type of its values: of texts.

    Raises:
        SettingError: it is no column.
    """
    found = value_column(column, argument)
    if isinstance(found, TextColumn):
        return found
    values = [as_category(value) for value in listed(column, argument)]
    return values if "numpy" not in sys.modules else _coded(values)


def _coded(values: list[Any]) -> Column:
    """Return texts, each different one once; as they are where something else is among them."""
    if not {*map(type, values)} <= {str, type(None)}:
        return values
    places: dict[str, int] = {}
    codes = [-1 if value is None else places.setdefault(value, len(places)) for value in values]
    return TextColumn(sys.modules["numpy"].array(codes, dtype="intp"), list(places))


def listed(column: Any, argument: str) -> list[Any]:
    """Return a column as a list of Python's own values; scalars of other libraries may remain.

    Args:
        column: as in ``value_column``.
        argument: what the column is called in messages.

    Raises:
        SettingError: it is no column.
    """
    kind = getattr(getattr(column, "dtype", None), "kind", "")
    values: Any = column
    if kind in {"m", "M"} and type(column).__module__.startswith("numpy"):
        values = column.astype(f"{kind}8[us]") if column.dtype.str.endswith("]") else [*column]
    for method in ("to_pylist", "to_list", "tolist"):  # Arrow; pandas and polars; numpy.
        if hasattr(values, method):
            values = getattr(values, method)()
            break
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Sequence):
        raise SettingError(f"{argument}: a {type(column).__name__} is no column")
    own = list(values)
    # pandas hands its texts out as arrays of objects.
    if (kind == "O" or _made_by(column) == "pandas") and any(
        issubclass(kind, float) or hasattr(kind, "dtype") for kind in set(map(type, own))
    ):
        return [None if is_nan(value) else value for value in own]
    return own


def check_length(rows: int, length: int, argument: str) -> None:
    """Check that a column has as many rows as the others.

    Raises:
        SettingError: it has not; the message names the column.
    """
    if rows != length:
        raise SettingError(f"{argument}: {rows} rows, where {length} were expected")


def _made_by(column: Any) -> str:
    return type(column).__module__.partition(".")[0]


def _texts(column: Any) -> TextColumn | None:
    """Return a column of texts that knows its different ones already, or finds them quickly; else None."""
    made_by = _made_by(column)
    if made_by == "pandas" and _is_coded(column):
        codes, texts = column.cat.codes.to_numpy().astype("intp"), column.cat.categories.tolist()
    elif made_by == "pandas" and column.dtype.name in _PANDAS_TEXTS:
        codes, different = sys.modules["pandas"].factorize(column)
        texts = different.tolist()
    elif made_by == "pyarrow" and str(column.type) in _ARROW_TEXTS:
        whole = column.combine_chunks() if hasattr(column, "combine_chunks") else column
        coded = whole.dictionary_encode()
        codes, texts = (
            coded.indices.fill_null(-1).to_numpy(zero_copy_only=False),
            coded.dictionary.to_pylist(),
        )
    else:
        return None
    if _is_coded(column):
        texts = [as_category(text) for text in texts]
    return TextColumn(codes, texts) if set(map(type, texts)) == {str} else None


def _is_coded(column: Any) -> bool:
    """Return whether a column's type says that it holds categories of whatever kind: pandas', Arrow's."""
    kind = getattr(column, "dtype", getattr(column, "type", None))
    return hasattr(kind, "categories") or str(kind).startswith("dictionary<")


def _numbers(column: Any) -> NumberColumn | None:
    """Return a column of numbers or times; None: it is none, or has numbers that no double equals."""
    numpy: Any = sys.modules["numpy"]
    made_by = _made_by(column)
    if made_by == "pandas":
        return _pandas_numbers(column, numpy)
    if type(column) is numpy.ndarray:
        return _array_numbers(column, numpy)
    if made_by == "pyarrow" and str(column.type) in _ARROW_NUMBERS:
        missing = numpy.asarray(column.is_null()) if column.null_count else None
        return _with_gaps(_array_numbers(numpy.asarray(column.fill_null(0)), numpy), missing)
    if made_by == "polars" and (column.dtype.is_integer() or column.dtype.is_float()):
        missing = column.is_null().to_numpy() if column.null_count() else None
        return _with_gaps(_array_numbers(column.fill_null(0).to_numpy(), numpy), missing)
    return None


def _pandas_numbers(column: Any, numpy: Any) -> NumberColumn | None:
    kind = getattr(column.dtype, "kind", "")
    if kind not in "fiubmM":
        return None
    if kind == "M":
        array = column.to_numpy(dtype="datetime64[us]")
    elif isinstance(column.dtype, numpy.dtype):
        array = column.to_numpy()
    elif kind == "f":
        array = column.to_numpy(dtype="float64", na_value=numpy.nan)
    else:
        array = column.fillna(0).to_numpy(
            dtype={"i": "int64", "u": "uint64", "b": "bool", "m": "m8[us]"}[kind]
        )
    found = _array_numbers(array, numpy)
    missing = numpy.asarray(column.isna())
    return _with_gaps(found, missing if missing.any() else None)


def _array_numbers(array: Any, numpy: Any) -> NumberColumn | None:
    kind, size = array.dtype.kind, array.dtype.itemsize
    if array.ndim != 1 or kind not in "fiubmM" or (kind == "f" and size > 8):
        return None
    if kind in "mM":
        if not array.dtype.str.endswith("]"):
            return None
        missing = numpy.isnat(array)
        seconds = array.astype(f"{kind}8[us]").astype("i8") / 1e6
        return NumberColumn(seconds, missing if missing.any() else None)
    is_large = kind in "iu" and size == 8 and len(array) > 0
    if is_large and (array.max() > LARGEST_DENSE_INTEGER or array.min() < -LARGEST_DENSE_INTEGER):
        return None
    return NumberColumn(numpy.ascontiguousarray(array, dtype="float64"))


def _with_gaps(column: NumberColumn | None, missing: Any | None) -> NumberColumn | None:
    return column if column is None or missing is None else NumberColumn(column.values, missing)
