"""What a model's answers were worth, a prediction, from counts: exact, and added up as all else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.performance.binary import binary_of
from driftline.performance.intervals import mean
from driftline.performance.multiclass import confusion
from driftline.performance.tally import of_status, total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.domain.business_value import BusinessValue, Worth
    from driftline.performance.intervals import Measured
    from driftline.performance.tally import Floats, Group

BUSINESS_VALUE: Final = "business_value"
"""The metric's name."""


def value_of_yes(
    groups: Sequence[Group], decides: Callable[[str], bool | None], worth: Worth
) -> Measured | None:
    """Return what answers of yes and no were worth, on average; None: no truth is known.

    The baseline is that of answering always yes, or always no, whichever is worth more.

    Args:
        groups: of which the known ones count.
        decides: whether a label means yes; None: the score decides, from 0.5 on.
        worth: of each kind of answer.
    """
    known = [each for each in of_status(groups, "known") if each.truth in {"0", "1"}]
    if not known:
        return None
    binary = binary_of(known, decides)
    worths = np.array(
        [[worth.true_negative, worth.false_negative], [worth.false_positive, worth.true_positive]]
    )
    return _mean(binary.matrix, worths, binary.ratio)


def value_of_labels(groups: Sequence[Group], value: BusinessValue) -> Measured | None:
    """Return what answers that are labels were worth, on average; None: no truth is known.

    An answer is one about each class: of that which was answered, of that which came true, and of all others.
    The baseline is that of the label that is worth most if it is answered always.

    Args:
        groups: of which the known ones count.
        value: what answers are worth, by label.
    """
    matrix = confusion(groups)
    if not matrix.labels:
        return None
    worths = np.array(
        [[_of_pair(answered, true, value) for true in matrix.labels] for answered in matrix.labels]
    )
    return _mean(matrix.weights, worths, matrix.ratio)


def value_of_numbers(groups: Sequence[Group], value: BusinessValue) -> Measured | None:
    """Return what answers that are numbers were worth, on average; None: no truth is known.

    Args:
        groups: of which those count that are known, with numbers for answer and truth.
        value: what a unit of error is worth, by its sign.
    """
    known = [each for each in of_status(groups, "known") if each.sum_of("numbers") > 0]
    if not known:
        return None
    weight = sum(each.count for each in known)
    ratio = sum(each.squared for each in known) / weight if weight > 0 else 1.0
    apart, signed = total(known, "error_absolute"), total(known, "error")
    over, under = (apart + signed) / 2, (apart - signed) / 2
    over_squared = total(known, "error_over_squared")
    under_squared = max(total(known, "error_squared") - over_squared, 0.0)
    return mean(
        value.over * over + value.under * under,
        value.over**2 * over_squared + value.under**2 * under_squared,
        total(known, "numbers"),
        ratio,
    )


def _of_pair(answered: str, true: str, value: BusinessValue) -> float:
    worth = 0.0
    for label, own in value.classes.items():
        if label == answered:
            worth += own.true_positive if label == true else own.false_positive
        else:
            worth += own.false_negative if label == true else own.true_negative
    return worth


def _mean(weights: Floats, worths: Floats, ratio: float) -> Measured:
    """Return the mean of what answers are worth.

    Args:
        weights: by answer and truth. Shape (k, k).
        worths: likewise.
        ratio: sum of squares of weights by sum of weights.
    """
    count = float(weights.sum())
    baseline = float((worths @ weights.sum(axis=0)).max()) / count if count > 0 else None
    return mean(
        float((weights * worths).sum()), float((weights * worths**2).sum()), count, ratio, baseline=baseline
    )
