"""How long to wait before what failed is tried again."""

from __future__ import annotations

from dataclasses import dataclass

_DOUBLINGS = 30
"""More change nothing, and would not fit a float for ever."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double, up to a bound.

    Args:
        first_s: the wait after one failure.
        last_s: the longest.
    """

    first_s: float
    last_s: float

    def wait_s(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row, at least one."""
        return float(min(self.first_s * 2.0 ** min(failures - 1, _DOUBLINGS), self.last_s))
