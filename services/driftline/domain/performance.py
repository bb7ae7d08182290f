"""How predictions with a truth are counted: bins of scores, and places of delays."""

from __future__ import annotations

from typing import Final

RESOLUTION: Final = 64
"""Bins a unit of log-odds: neighbouring bins differ by 1.6 % in odds. 0.5 is an edge."""

NO_SCORE: Final = -(1 << 31)
"""The bin of what has no score."""

OUTSIDE: Final = 1_000_000
"""Added to the bins of scores above 1, and taken from those of scores below 0, which are no probabilities."""

LOWEST: Final = -64 * RESOLUTION
HIGHEST: Final = 64 * RESOLUTION
"""The bins of 0 and of 1, and of what is as near to them as makes no difference."""

_MINUTES = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1080)
_DAYS = (1, 1.5, 2, 3, 4, 5, 6, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 730)
DELAY_EDGES_S: Final = (*(60.0 * each for each in _MINUTES), *(86_400.0 * each for each in _DAYS))
"""Delays are counted between these, seconds: the place of a delay is that of the first edge not below it."""


def is_probability(low: int, high: int) -> bool:
    """Return whether scores between these bins are probabilities."""
    return low >= LOWEST and high <= HIGHEST
