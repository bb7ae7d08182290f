"""When a batch lands: once it is full, or its oldest record is as old as it may be, and not more often.

An insert costs the same for one event as for a thousand, so sparse traffic is landed about once a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.log import Batch

POLL_S = 0.25
"""How often a log is asked whether anything has come, while nothing waits."""

_LEAST_WAIT_S = 0.02


class Freshness:
    """Knows for how long what was fetched last may still wait. For one thread.

    Args:
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        monotonic: a clock in seconds.
    """

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._due_s: dict[tuple[str, int], float] = {}
        self._now_s = monotonic()

    def begin(self) -> None:
        """Begin a round of fetching."""
        self._now_s = self._monotonic()

    def may_fetch(self, place: tuple[str, int]) -> bool:
        """Return whether a partition is worth fetching: nothing of it waits, or its time has come."""
        return self._due_s.get(place, 0.0) <= self._now_s

    def is_due(self, place: tuple[str, int], batch: Batch, fresh_s: float) -> bool:
        """Return whether a batch is as old as it may be. If not, it is due then, whatever comes behind it.

        The age is that of the oldest record, by the clock of who appended it: one that is wrong can make a
        batch wait for ``fresh_s`` at most, counted from when it was seen first.
        """
        if place in self._due_s or batch.repeated or not batch.timestamps_ms:
            return True
        age_s = self._clock() - batch.timestamps_ms[0] / 1000
        left_s = fresh_s - max(age_s, 0.0)
        if left_s <= 0:
            return True
        self._due_s[place] = self._now_s + left_s
        return False

    def land(self, place: tuple[str, int]) -> None:
        """Note that what waited is landed now."""
        self._due_s.pop(place, None)

    def wait_s(self) -> float:
        """Return for how long there is nothing to do, as far as is known."""
        now_s = self._monotonic()
        next_s = min(self._due_s.values(), default=now_s + POLL_S)
        return min(max(next_s - now_s, _LEAST_WAIT_S), POLL_S)
