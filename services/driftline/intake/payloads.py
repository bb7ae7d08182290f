"""Bodies of inference requests and responses, as rows.

Of TensorFlow's protocol (v1), the Open Inference Protocol (v2) and Seldon's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from driftline.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_CELLS = 1_000_000
"""An input of more values is no table of features."""

MOST_ROWS = 10_000
"""So many rows does one request have."""


def request_rows(body: Any, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the features of each row that was asked about.

    Args:
        body: the request, as JSON says it.
        names: of the columns of what has no names itself; used where they are as many.

    Raises:
        WireError: ``payload``: it is none that is known.
    """
    if isinstance(body, Mapping):
        if isinstance(body.get("inputs"), list):
            return _rows_of_tensors(body["inputs"], names)
        if isinstance(body.get("instances"), list):
            return [_row(each, names) for each in _bounded(body["instances"])]
        if isinstance(body.get("data"), Mapping):
            matrix, own = _seldon(body["data"])
            return [_row(each, own or names) for each in _bounded(matrix)]
    raise WireError("payload", "a request has inputs (v2), instances (v1) or data (Seldon)")


def response_rows(body: Any, classes: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the answer for each row, as fields of a prediction.

    Args:
        body: the response, as JSON says it.
        classes: in the order of columns of probabilities that have no names themselves.

    Raises:
        WireError: as ``request_rows``.
    """
    if isinstance(body, Mapping):
        if isinstance(body.get("outputs"), list):
            return _answers_of_tensors(body["outputs"], classes)
        if isinstance(body.get("predictions"), list):
            return [_answer(each, classes) for each in _bounded(body["predictions"])]
        if isinstance(body.get("data"), Mapping):
            matrix, own = _seldon(body["data"])
            return [_answer(each, own or classes) for each in _bounded(matrix)]
    raise WireError("payload", "a response has outputs (v2), predictions (v1) or data (Seldon)")


def _bounded(rows: list[Any]) -> list[Any]:
    if len(rows) > MOST_ROWS:
        raise WireError("payload", f"{len(rows):,} rows; at most {MOST_ROWS:,}")
    return rows


def _row(values: Any, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(values, Mapping):
        return dict(values)
    cells = values if isinstance(values, list) else [values]
    return dict(zip(_named(names, len(cells), "x"), cells, strict=True))


def _answer(values: Any, classes: Sequence[str]) -> dict[str, Any]:
    """Return one row's answer: a number, a label, or probabilities by class."""
    if isinstance(values, Mapping):
        return {"probabilities": dict(values), **_decided(dict(values))}
    if isinstance(values, list) and len(values) > 1:
        by_class = dict(zip(_named(classes, len(values), ""), values, strict=True))
        return {"probabilities": by_class, **_decided(by_class)}
    only = values[0] if isinstance(values, list) and values else values
    if isinstance(only, list):
        raise WireError("payload", "an answer of more than two dimensions")
    return {"prediction": only}


def _decided(by_class: Mapping[str, Any]) -> dict[str, Any]:
    """Return the likeliest class and, of two, the second one's probability."""
    numbers = {name: value for name, value in by_class.items() if isinstance(value, (int, float))}
    if len(numbers) != len(by_class) or not numbers:
        return {}
    label = max(numbers, key=lambda name: numbers[name])
    second = {"prediction": list(numbers.values())[1]} if len(numbers) == 2 else {}
    return {"label": label, **second}


def _named(names: Sequence[str], width: int, prefix: str) -> list[str]:
    return list(names) if len(names) == width else [f"{prefix}{place}" for place in range(width)]


def _seldon(data: Mapping[str, Any]) -> tuple[list[Any], Sequence[str]]:
    """Return rows and the names of their columns; empty: they have none."""
    given = data.get("names")
    names = [str(name) for name in given] if isinstance(given, list) else []
    if isinstance(data.get("ndarray"), list):
        matrix = data["ndarray"]
        return (matrix if any(isinstance(row, list) for row in matrix) else [matrix]), names
    tensor = data.get("tensor")
    if isinstance(tensor, Mapping):
        matrix, _ = _matrix({"name": "tensor", "shape": tensor.get("shape"), "data": tensor.get("values")})
        return matrix, names
    raise WireError("payload", "data has ndarray or tensor; binData, strData and jsonData are no rows")


def _matrix(tensor: Any) -> tuple[list[list[Any]], str]:
    """Return a tensor's rows, each a list, and its name.

    Raises:
        WireError: ``payload``: its data is not what its shape says, or it is no table.
    """
    if not isinstance(tensor, Mapping) or not isinstance(tensor.get("shape"), list):
        raise WireError("payload", "a tensor has a name, a shape and data")
    name, shape = str(tensor.get("name", "")), tensor["shape"]
    if not isinstance(tensor.get("data"), list):
        raise WireError("payload", f"{name}: data is a list; binary tensors are no JSON")
    if not shape or len(shape) > 2 or not all(type(size) is int and size >= 0 for size in shape):
        raise WireError("payload", f"{name}: a shape of one or two dimensions is a table; {shape} is none")
    rows, width = shape[0], shape[1] if len(shape) > 1 else 1
    if rows > MOST_ROWS or rows * width > MOST_CELLS:
        detail = f"{name}: {rows:,} rows of {width:,}; at most {MOST_ROWS:,}, and {MOST_CELLS:,} values"
        raise WireError("payload", detail)
    flat = [cell for row in tensor["data"] for cell in (row if isinstance(row, list) else [row])]
    if len(flat) != rows * width:
        raise WireError("payload", f"{name}: {len(flat)} values for a shape of {shape}")
    return [flat[at * width : (at + 1) * width] for at in range(rows)], name


def _rows_of_tensors(tensors: Sequence[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows of the Open Inference Protocol: a tensor is a column, or a whole table."""
    found = [_matrix(tensor) for tensor in tensors]
    count = max((len(matrix) for matrix, _ in found), default=0)
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for matrix, name in found:
        if len(matrix) != count:
            raise WireError("payload", f"{name}: {len(matrix)} rows, where other inputs have {count}")
        width = len(matrix[0]) if matrix else 0
        own = list(names) if len(names) == width and len(found) == 1 else _columns(name, width)
        for row, cells in zip(rows, matrix, strict=True):
            row.update(zip(own, cells, strict=True))
    return rows


def _columns(name: str, width: int) -> list[str]:
    return [name] if width == 1 else [f"{name}_{place}" for place in range(width)]


def _answers_of_tensors(tensors: Sequence[Any], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return answers of the Open Inference Protocol: a column is the answer, a table probabilities."""
    found = [matrix for matrix, _ in map(_matrix, tensors)]
    if len({len(matrix) for matrix in found}) > 1:
        raise WireError("payload", "outputs of different numbers of rows")
    tables = [matrix for matrix in found if matrix and len(matrix[0]) > 1]
    singles = [matrix for matrix in found if matrix and len(matrix[0]) == 1]
    if not tables:
        return [_answer(cells, classes) for cells in (singles[0] if singles else [])]
    answers = [_answer(cells, classes) for cells in tables[0]]
    if singles:  # What the model decided stands, whatever its probabilities say.
        for answer, (decided,) in zip(answers, singles[0], strict=True):
            answer["label"] = decided
    return answers
