"""How far answers that are numbers are from the truth, from sums."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from driftline.performance.intervals import Measured, insufficient, mean
from driftline.performance.tally import of_status, total

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.performance.tally import Group


def measure_regression(groups: Sequence[Group]) -> Mapping[str, Measured]:
    """Return every metric of answers that are numbers, by name.

    Args:
        groups: of which those count that are known, with numbers for answer and truth.
    """
    known = [each for each in of_status(groups, "known") if each.sum_of("numbers") > 0]
    if not known:
        return {}
    count = total(known, "numbers")
    weight = sum(each.count for each in known)
    ratio = sum(each.squared for each in known) / weight if weight > 0 else 1.0
    squared = total(known, "error_squared")
    spread = _spread(known)
    around = math.sqrt(spread / count)
    return {
        "mae": mean(total(known, "error_absolute"), squared, count, ratio, is_positive=True),
        "rmse": mean(
            squared,
            total(known, "error_fourth"),
            count,
            ratio,
            is_positive=True,
            then=lambda each: math.sqrt(max(each, 0.0)),
            baseline=around,
        ),
        "mape": mean(
            total(known, "error_relative"),
            total(known, "error_relative_squared"),
            count,
            ratio,
            is_positive=True,
        ),
        "r2": Measured(1 - squared / spread, None, None, count / ratio, baseline=0.0)
        if spread > 0
        else insufficient(count / ratio),
        "bias": mean(total(known, "error"), squared, count, ratio),
        "largest_error": Measured(max(each.largest for each in known), None, None, count / ratio),
    }


def _spread(groups: Sequence[Group]) -> float:
    """Return the sum of squares of the truths about their mean, without cancellation (Chan et al. 1979)."""
    counts, means, squares = np.concatenate([each.moments for each in groups]).T
    middle = float(counts @ means / counts.sum())
    return float(squares.sum() + counts @ (means - middle) ** 2)
