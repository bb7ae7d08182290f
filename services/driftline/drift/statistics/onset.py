"""Onsets: since when a channel that pages has moved, which may be days before a window was sure of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.settings import HOURS_PER_WEEK

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import FloatArray

EARLIEST_HOURS = HOURS_PER_WEEK
_SURELY = 3.0


def moved_before(rows: FloatArray, excess: FloatArray, *, effect: float, variance: float) -> int:
    """Return for how many hours before a window its shift had been there already.

    The likelihood of each beginning is compared with that of the window's own (Page 1954): an hour speaks for
    an earlier one where it holds more than half of the shift.

    Args:
        rows: of the hours before the window, ascending; 0 where nothing is known of one, (h,).
        excess: rows in the channel beyond those expected, (h,).
        effect: the shift that the window shows.
        variance: of one row, overdispersion included.

    Returns:
        0 where none speaks for it surely enough.
    """
    evidence = (effect * excess - effect**2 * rows / 2) / max(variance, 1e-12)
    since = np.cumsum(evidence[::-1])
    if not since.size or since.max() < _SURELY:
        return 0
    return int(since.argmax()) + 1
