"""Answers and probabilities of many rows, in the shapes that models give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.sdk.columns import listed, value_column
from driftline.sdk.inputs import as_array, columns_of
from driftline.wire.shapes import is_several

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.wire import Column

_NUMBERS = frozenset("fiub")


def answer_columns(predictions: Any) -> tuple[Column | None, Any]:
    """Return a column of answers, or a table of outputs; the other one is None.

    Args:
        predictions: what ``log_batch`` takes: a column, of answers of any shape; a matrix, of n rows; or a
            table, of a column by output.

    Raises:
        SettingError: it is none of these.
    """
    if predictions is None:
        return None, None
    if _is_table(predictions):
        return None, predictions
    matrix = _matrix(predictions)
    if matrix is None:
        return value_column(predictions, "predictions"), None
    if int(matrix.shape[1]) == 1:
        return value_column(columns_of(matrix)[0], "predictions"), None
    if getattr(matrix.dtype, "kind", "") not in _NUMBERS:  # Of texts: rankings.
        return [row.tolist() for row in matrix], None
    return None, {str(place): column for place, column in enumerate(columns_of(matrix))}


def class_columns(probabilities: Any, classes: Sequence[Any] | None) -> Any:
    """Return a table of a column by class; rows as a list, where they differ in length.

    Args:
        probabilities: a table; or a matrix of n rows, as ``predict_proba`` gives it.
        classes: in the order of its columns. None: they are numbered.

    Raises:
        SettingError: there are more classes than columns, or fewer.
    """
    if probabilities is None or _is_table(probabilities):
        return probabilities
    matrix = _matrix(probabilities)
    if matrix is None:
        rows = listed(probabilities, "probabilities")
        if not all(row is None or is_several(row) for row in rows):
            kind = type(probabilities).__name__
            raise SettingError(f"probabilities: a {kind} of single values; pass a column, or a row, by class")
        return rows
    width = int(matrix.shape[1])
    names = range(width) if classes is None else classes
    if len(names) != width:
        raise SettingError(f"probabilities: {width} columns, where there are {len(names)} classes")
    return dict(zip(names, columns_of(matrix), strict=True))


def _is_table(given: Any) -> bool:
    if isinstance(given, Mapping) or hasattr(given, "column_names") or hasattr(given, "iter_columns"):
        return True
    return hasattr(given, "columns") and len(getattr(given, "shape", ())) == 2


def _matrix(given: Any) -> Any | None:
    """Return an array, or a tensor, of n rows; None: it has one dimension, or is no array.

    Raises:
        SettingError: it has more than two dimensions, of which a later one is more than 1.
    """
    shape = tuple(getattr(given, "shape", ()))
    if len(shape) < 2:
        return None
    if any(int(size) != 1 for size in shape[2:]):
        text = " by ".join(str(int(size)) for size in shape)
        raise SettingError(f"an array of {text} is neither a column nor a matrix")
    matrix = as_array(given)
    return matrix.reshape(shape[:2]) if len(shape) > 2 else matrix
