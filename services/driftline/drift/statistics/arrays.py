"""Names for the arrays of this package, and what numpy does only by sorting them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def run_starts(values: IntArray) -> IntArray:
    """Return where each run of equal values begins. Shape (n,) in, (runs,) out."""
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])[: values.size])
