"""What a model was called with, as rows of named features; numpy, pandas and others are never imported."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.sdk.columns import listed
from driftline.wire.values import as_category, is_nan

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_FEATURES: Final = 1_000
"""An input with more columns is no table of features: a text that was counted, an image."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The rows that a model answers for.

    Args:
        table: what ``log_batch`` takes as features; None: nothing that can be logged.
        count: how many rows; None: as many as the answer has.
        problem: why there are no features; empty: there are, or none were given.
    """

    table: Any
    count: int | None
    problem: str = ""

    def row(self) -> Mapping[Any, Any] | None:
        """Return the features of the only row, as ``log_batch`` would take them."""
        table = self.table
        if table is None:
            return None
        made_by = type(table).__module__.partition(".")[0]
        if made_by == "pandas":
            # Of pandas NaN is a missing value.
            values = [None if is_nan(value) else value for value in table.to_numpy(dtype=object)[0]]
            kinds = [hasattr(kind, "categories") for kind in table.dtypes]
            values = [
                as_category(value) if is_one else value for value, is_one in zip(values, kinds, strict=True)
            ]
            return dict(zip(table.columns.tolist(), values, strict=True))
        if made_by == "polars":
            return dict(zip(table.columns, table.row(0), strict=True))
        return {name: listed(column, "features")[0] for name, column in _columns(table)}


def _columns(table: Any) -> Iterable[tuple[Any, Any]]:
    if hasattr(table, "column_names"):  # Arrow.
        return zip(table.column_names, table.columns, strict=True)
    return table.items()  # type: ignore[no-any-return]  # Of a mapping, as was made here.


def inputs_of(given: Any, names: Sequence[str]) -> Inputs:  # noqa: PLR0911 - one per kind
    """Return what a model was given as rows of named features.

    Args:
        given: a frame, an Arrow table, an array of one or two dimensions, a matrix of scipy, a DMatrix of
            XGBoost, a mapping of values or of columns, an object with fields, a list of any of these rows, or
            a number or text.
        names: of the columns of what has no names itself; used where they are as many.
    """
    given = _plain_row(given)
    if given is None:
        return Inputs(None, None)
    if isinstance(given, Mapping):
        return _mapping(given)
    if hasattr(given, "get_data") and hasattr(given, "num_row"):
        return _matrix_of_xgboost(given, names)
    if hasattr(given, "column_names") or (hasattr(given, "columns") and hasattr(given, "shape")):
        width = len(given.column_names if hasattr(given, "column_names") else given.columns)
        return _bounded(given, len(given), width)
    if hasattr(given, "shape"):
        return _array(given, names)
    if isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
        return _rows([_plain_row(row) for row in given], names)
    return Inputs({_named(names, 1)[0]: [given]}, 1)


def _plain_row(row: Any) -> Any:
    """Return an object with fields (a dataclass's, pydantic's) as a mapping; anything else as it is."""
    if hasattr(row, "model_dump"):
        return row.model_dump()
    if is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in fields(row)}
    return row


def _mapping(given: Mapping[Any, Any]) -> Inputs:
    """Return one row, or columns, if each value is one and all have one length."""
    lengths = {len(value) if _is_column(value) else -1 for value in given.values()}
    if len(lengths) == 1 and lengths != {-1}:
        return _bounded(dict(given), lengths.pop(), len(given))
    return _bounded({name: [value] for name, value in given.items()}, 1, len(given))


def _is_column(value: Any) -> bool:
    if isinstance(value, (str, bytes, Mapping)) or getattr(value, "shape", None) == ():
        return False
    return hasattr(type(value), "__len__")


def _array(given: Any, names: Sequence[str]) -> Inputs:
    shape = tuple(map(int, given.shape))
    if len(shape) == 0:
        return Inputs({_named(names, 1)[0]: [given]}, 1)
    if len(shape) == 1:
        return Inputs(_one_dimension(given, names), None)
    if len(shape) > 2:
        return Inputs(None, shape[0], f"an array of {len(shape)} dimensions")
    if shape[1] > MOST_FEATURES:
        return _bounded(None, *shape)
    matrix = as_array(given.toarray() if hasattr(given, "toarray") else given)
    is_plain = shape[0] == 1 and getattr(matrix.dtype, "kind", "") in "fiub"
    columns = [[value] for value in matrix[0].tolist()] if is_plain else columns_of(matrix)
    return Inputs(dict(zip(_named(names, shape[1]), columns, strict=True)), shape[0])


@dataclass(frozen=True, slots=True)
class OneDimension:
    """Values of one dimension: one row, or one feature of many rows, which only the answer says.

    Args:
        values: each.
        labels: what each is called, if it is one row.
        name: what they are called together, if they are one feature.
    """

    values: Any
    labels: Sequence[Any]
    name: Any

    def inputs(self, count: int) -> Inputs:
        """Return the rows, of which there are so many answers."""
        if count == len(self.values) and count != 1:
            return Inputs({self.name: self.values}, count)
        values = listed(self.values, "features")
        return _bounded(
            {label: [value] for label, value in zip(self.labels, values, strict=True)}, 1, len(values)
        )


def _one_dimension(given: Any, names: Sequence[str]) -> OneDimension:
    labels = given.index.tolist() if hasattr(given, "items") else _named(names, len(given))
    own = getattr(given, "name", None)
    name = own if isinstance(own, str) and own else _named(names, 1)[0]
    return OneDimension(given if hasattr(given, "to_list") else as_array(given), labels, name)


def settled(inputs: Inputs, count: int) -> Inputs:
    """Return the rows, once it is known how many answers there are."""
    return inputs.table.inputs(count) if isinstance(inputs.table, OneDimension) else inputs


def _rows(rows: list[Any], names: Sequence[str]) -> Inputs:
    if not rows:
        return Inputs(None, 0)
    if all(isinstance(row, Mapping) for row in rows):
        every = list(dict.fromkeys(name for row in rows for name in row))
        return _bounded({name: [row.get(name) for row in rows] for name in every}, len(rows), len(every))
    if not all(_is_column(row) for row in rows):
        return Inputs(OneDimension(rows, _named(names, len(rows)), _named(names, 1)[0]), None)
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        return Inputs(None, len(rows), "rows of different lengths")
    width = widths.pop()
    columns = [list(column) for column in zip(*rows, strict=True)]
    return _bounded(dict(zip(_named(names, width), columns, strict=True)), len(rows), width)


def _matrix_of_xgboost(given: Any, names: Sequence[str]) -> Inputs:
    """Return the rows of a DMatrix; what it does not hold is a missing value."""
    count, width = int(given.num_row()), int(given.num_col())
    if width > MOST_FEATURES:
        return _bounded(None, count, width)
    held = given.get_data()
    numpy: Any = sys.modules["numpy"]
    dense = numpy.full((count, width), numpy.nan)
    for row in range(count):
        first, end = held.indptr[row], held.indptr[row + 1]
        dense[row, held.indices[first:end]] = held.data[first:end]
    named = given.feature_names or _named(names, width)
    columns = ([None if is_nan(value) else value for value in dense[:, at].tolist()] for at in range(width))
    return Inputs(dict(zip(named, columns, strict=True)), count)


def _bounded(table: Any, count: int, width: int) -> Inputs:
    if width > MOST_FEATURES:
        return Inputs(None, count, f"{width:,} columns; at most {MOST_FEATURES:,} are features")
    return Inputs(table, count)


def _named(names: Sequence[str], width: int) -> Sequence[str]:
    return names if len(names) == width else [f"x{place}" for place in range(width)]


def as_array(given: Any) -> Any:
    """Return what numpy makes of an array or a tensor of another library; without numpy, itself."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or isinstance(given, numpy.ndarray):
        return given
    for method in ("detach", "cpu"):  # A tensor of PyTorch that learns, or lies elsewhere.
        given = getattr(given, method)() if hasattr(given, method) else given
    return numpy.asarray(given)


def columns_of(matrix: Any) -> list[Any]:
    """Return the columns of an array of two dimensions, or of a list of rows."""
    if hasattr(matrix, "shape"):
        return [matrix[:, place] for place in range(int(matrix.shape[1]))]
    return [list(column) for column in zip(*matrix, strict=True)]
