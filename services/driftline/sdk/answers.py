"""What a model answered, as arguments of a prediction."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.sdk.columns import listed
from driftline.sdk.inputs import as_array, columns_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


_SUM_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers for some rows; each column has ``count`` values, None: there are none.

    Args:
        count: how many rows.
        predictions: numbers or labels, or answers of any shape that ``log`` takes.
        labels: the classes decided for.
        probabilities: a column by class.
        problem: why there are none of these; empty: there are.
    """

    count: int
    predictions: Any = None
    labels: Any = None
    probabilities: Mapping[Any, Any] | None = None
    problem: str = ""

    def only_probabilities(self) -> Mapping[Any, Any] | None:
        """Return the probabilities of the only row, by class."""
        by_class = self.probabilities
        return None if by_class is None else {name: column[0] for name, column in by_class.items()}


def answers_of(  # noqa: PLR0911 - one per kind
    answer: Any, rows: int | None, classes: Sequence[Any], threshold: float | None, *, are_labels: bool
) -> Answers:
    """Return what a model answered.

    Args:
        answer: a number or label, one for each row, probabilities of each class for each row, several outputs
            for each row; or, for the one row that there is, a mapping of probabilities by class (what adds up
            to 1), or of outputs by name.
        rows: how many rows were asked for; None: as many as are answered.
        classes: that the model decides between, in the order of the probabilities' columns; empty: not known.
        threshold: of two classes the second is decided for from this probability on; None: the likelier one.
        are_labels: whether single answers are classes.
    """
    if isinstance(answer, Mapping):
        if not classes and not _are_shares(answer.values()):
            return Answers(1, [answer])
        return _by_class({name: [value] for name, value in answer.items()}, 1, threshold)
    values = _array_of(answer)
    shape = tuple(map(int, getattr(values, "shape", (len(values),) if isinstance(values, list) else ())))
    if shape[1:] == (1,):
        values, shape = columns_of(values)[0], shape[:1]
    if len(shape) == 2 and len(classes) == shape[1]:
        return _by_class(dict(zip(classes, columns_of(values), strict=True)), shape[0], threshold)
    if len(shape) == 2 and not classes:
        return Answers(shape[0], values)
    if len(shape) > 1:
        return Answers(shape[0], problem=f"{' by '.join(map(str, shape))} values for {len(classes)} classes")
    single = listed(values, "predictions") if shape else [values]
    if rows == 1 and len(single) == len(classes) > 1 and not are_labels:
        by_class = {name: [value] for name, value in zip(classes, single, strict=True)}
        return _by_class(by_class, 1, threshold)
    if len(classes) == 2 and not are_labels and all(map(_is_probability, single)):
        return _by_class(
            {classes[0]: [1.0 - value for value in single], classes[1]: single}, len(single), threshold
        )
    has_several = any(isinstance(value, (list, tuple, Mapping)) for value in single)
    if has_several and are_labels:
        return Answers(len(single), problem="each row has several answers")
    return Answers(len(single), None if are_labels else single, single if are_labels else None)


def _array_of(answer: Any) -> Any:
    """Return an answer as an array, as a list of scalars, or as the scalar that it is."""
    if isinstance(answer, (list, tuple)):
        nested = [row for row in answer if _has_dimensions(row)]
        if not nested or isinstance(answer, tuple):
            return list(answer)
        matrix = as_array([listed(row, "predictions") for row in nested])
        return matrix if hasattr(matrix, "shape") else list(answer)
    if hasattr(answer, "to_numpy") and len(getattr(answer, "shape", ())) == 2:  # A frame.
        return answer.to_numpy()
    if hasattr(answer, "to_list") or not hasattr(answer, "shape"):  # A series, or a scalar.
        return answer
    return as_array(answer)


def _has_dimensions(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or getattr(value, "shape", None) not in {None, ()}


def _is_probability(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0.0 <= value <= 1.0


def _are_shares(values: Collection[Any]) -> bool:
    """Return whether values may be the probabilities of classes of which one holds."""
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return False
    return all(map(_is_probability, values)) and abs(sum(values) - 1.0) <= _SUM_TOLERANCE


def _by_class(by_class: Mapping[Any, Any], count: int, threshold: float | None) -> Answers:
    """Return probabilities by class, the label decided for and, of two classes, the second one's number."""
    names, columns = list(by_class), list(by_class.values())
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and all(isinstance(column, numpy.ndarray) for column in columns):
        matrix = numpy.stack(columns)
        is_second = len(names) == 2 and threshold is not None
        places = (matrix[1] >= threshold if is_second else matrix.argmax(axis=0)).tolist()
    elif len(names) == 2 and threshold is not None:
        places = [second >= threshold for second in columns[1]]
    else:
        places = [max(range(len(names)), key=row.__getitem__) for row in zip(*columns, strict=True)]
    labels = [names[place] for place in places]
    return Answers(count, columns[1] if len(names) == 2 else None, labels, by_class)
