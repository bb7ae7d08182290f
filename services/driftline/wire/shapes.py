"""The shapes that answers come in: one value, or several that have names.

============================================ ======================================================
what a model answers                         what becomes of it
============================================ ======================================================
a number, a text, an array of one element    the prediction, by the rules of ``driftline.wire.values``
a dict, a row of a frame, a named tuple      an output by each name
a list or an array of several numbers        an output by each place: ``0``, ``1``, ...
a list of pairs (item, score)                a ranking
a list or an array of several texts          a ranking without scores
a list of one text, an empty list            a ranking of one item, or of none
``Ranking``                                  a ranking
============================================ ======================================================

A ranking has the outputs ``items`` (how many there are), ``item_1`` to ``item_10`` and, with scores,
``score_1`` to ``score_10``. Nothing is imported for this; arrays and tensors are recognised by their shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from driftline.wire.bounds import MAX_OUTPUTS
from driftline.wire.reasons import unencodable
from driftline.wire.values import is_nan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_RANKED: Final = 10
"""So many places of a ranking are logged; how many there were stands beside them."""

SINGLE: Final = frozenset({float, int, str, bool, type(None)})
"""Types of Python's own that are one value, and nearly all that there are."""
_SINGLE_KINDS = (float, int, str, bytes, type(None), Enum)


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a model ranks or recommends, the best first. Where items are integers only this says so.

    Args:
        items: by rank; each becomes what a label becomes.
        scores: of these items. None: it gives none.
    """

    items: Sequence[Any]
    scores: Sequence[Any] | None = None


def apart(answer: Any) -> tuple[Any, Mapping[Any, Any] | Iterable[tuple[Any, Any]] | Ranking | None]:
    """Return an answer as one value, or, where it has several, None and these: by name, or as a ranking.

    Raises:
        ValueRefusedError: ``unencodable``: it has many rows.
    """
    if not is_several(answer):
        return answer, None
    if isinstance(answer, Ranking):
        return None, answer
    shape = getattr(answer, "shape", None)
    if hasattr(type(answer), "_asdict"):
        return None, answer._asdict()
    if hasattr(type(answer), "items"):
        return _named(answer, shape)
    if shape is not None and sum(size != 1 for size in shape) > 1 and _is_numeric(answer):
        by = " by ".join(str(int(size)) for size in shape)
        raise unencodable(f"an array of {by} values: log_batch takes many rows")
    return _listed(row_values(answer), is_array=shape is not None)


def is_several(answer: Any) -> bool:
    """Return whether an answer has a shape of its own, so that ``apart`` has to look at it."""
    if isinstance(answer, _SINGLE_KINDS):  # numpy's doubles are floats, too.
        return False
    try:
        if getattr(answer, "shape", ()) != ():
            return True
    except Exception:  # noqa: BLE001 - a value's own methods may raise anything: it is looked at with care.
        return True
    return isinstance(answer, (list, tuple, Ranking)) or hasattr(type(answer), "items")


def _named(answer: Any, shape: Any) -> tuple[Any, Any]:
    """Return what has names: a mapping, a row of a frame, a frame of one row."""
    if shape is None:
        return None, answer
    if len(shape) == 2:
        if shape[0] != 1:
            raise unencodable(f"a table of {shape[0]} rows: log_batch takes many")
        return None, [(name, row_values(column)[0]) for name, column in answer.items()]
    pairs = [(name, None if is_nan(value) else value) for name, value in answer.items()]
    if len(pairs) == 1 and not isinstance(pairs[0][0], str):  # A column of one row.
        return pairs[0][1], None
    return None, pairs


def _listed(values: list[Any], *, is_array: bool) -> tuple[Any, Any]:
    if len(values) == 1 and not (_is_pair(values[0]) or (is_text(values[0]) and not is_array)):
        return values[0], None
    if all(map(_is_pair, values)):
        return None, Ranking([item for item, _ in values], [score for _, score in values])
    if any(isinstance(value, list) for value in values):
        raise unencodable(f"{len(values)} rows of values: log_batch takes many")
    if all(value is None or is_text(value) for value in values):
        return None, Ranking(values)
    return None, [(str(place), value) for place, value in enumerate(values[: MAX_OUTPUTS + 1])]


def _is_numeric(array: Any) -> bool:
    """Return whether an array surely holds numbers; of a library that does not say so, that it does."""
    return getattr(getattr(array, "dtype", None), "kind", "f") in {"f", "i", "u", "b"}


def row_values(row: Any) -> list[Any]:
    """Return the values of a row: of a list, an array, a tensor, or one of these in another one.

    Args:
        row: of one dimension; what has more has one row in each of them but the last.
    """
    values = _own_list(row)
    while (
        len(values) == 1
        and not _is_pair(values[0])
        and (isinstance(values[0], list) or getattr(values[0], "shape", ()) != ())
    ):
        values = _own_list(values[0])
    return values


def _is_pair(value: Any) -> bool:
    """Return whether a value is an item with its score: a tuple, or, as JSON has it, a list."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    return isinstance(value, tuple) or (is_text(value[0]) and not is_text(value[1]))


def _own_list(row: Any) -> list[Any]:
    if getattr(getattr(row, "dtype", None), "kind", "") in {"m", "M"}:  # Whose list would hold integers.
        return [*row]
    for method in ("tolist", "to_list", "to_pylist"):  # numpy, PyTorch and JAX; polars; Arrow.
        if hasattr(row, method):
            return [*getattr(row, method)()]
    return _own_list(row.numpy()) if hasattr(row, "numpy") else [*row]  # TensorFlow.


def is_text(value: Any) -> bool:
    """Return whether a value is a text, which has items ranked where numbers would have places."""
    return isinstance(value.value if isinstance(value, Enum) else value, (str, UUID))


def one(value: Any) -> Any:
    """Return what an array of one element holds; anything else as it is."""
    if type(value) in SINGLE:
        return value
    try:
        shape = getattr(value, "shape", ())
        if shape == () or any(size != 1 for size in shape):
            return value
        is_numpy = type(value).__module__.partition(".")[0] == "numpy"
        return value.reshape(()) if is_numpy else row_values(value)[0]
    except Exception:  # noqa: BLE001 - as above: it is left out where it is encoded.
        return value


def by_class(probabilities: Any, classes: Any) -> Any:
    """Return probabilities by class, of a mapping as they are.

    Args:
        probabilities: a mapping; or a row of values, in the order of the classes.
        classes: what they are of. None: the places of the values.

    Raises:
        ValueRefusedError: ``unencodable``: there are more or fewer classes, or many rows.
    """
    if hasattr(type(probabilities), "items"):
        return probabilities
    if isinstance(probabilities, (set, frozenset)):
        raise unencodable("probabilities in a set have no order")
    values = row_values(probabilities)
    names = range(len(values)) if classes is None else row_values(classes)
    if len(names) != len(values):
        raise unencodable(f"{len(values)} probabilities for {len(names)} classes")
    return dict(zip(names, values, strict=True))
