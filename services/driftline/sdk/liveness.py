"""Watches whether a background thread runs while its process does.

A thread that logs notices that it does not, and warns. A server that keeps the interpreter to itself while it
waits for requests, as uWSGI may, lets a thread run only amid a request: late, but it does run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LATE_S: Final = 5.0
"""A waiting thread that is so late is suspected; one that is late twice is reported."""

HANGS_S: Final = 60.0
"""So long a round may take; a log's own timeouts are shorter."""

_NOT_RUNNING = (
    "the background thread does not run in this process, so events wait in memory, and are lost if it is "
    "killed"
)
_HANGS = "the background thread does not come back from the event log, so events wait in memory"


class Liveness:
    """Follows a thread that works in rounds and waits in between. Nothing here takes a lock, or waits.

    Args:
        interval_s: how long it waits at most, seconds.
        clock: the time now, seconds since 1970-01-01T00:00:00Z. May jump.
        warn: called once with what is wrong.
    """

    def __init__(self, interval_s: float, clock: Callable[[], float], warn: Callable[[str], None]) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._warn = warn
        self._steps = 0
        self._suspected = -1
        self._has_warned = False
        self.is_waiting = True
        """Whether the thread waits for its next round."""
        self.due_at = float("inf")
        """When the thread should have been seen, by the clock."""

    def work(self) -> None:
        """Note, on the thread, that a round begins, or that it has tried to append."""
        self._step(HANGS_S, is_waiting=False)

    def wait(self) -> None:
        """Note that the thread is about to wait, or to start."""
        self._step(self._interval_s + LATE_S, is_waiting=True)

    def _step(self, patience_s: float, *, is_waiting: bool) -> None:
        self._steps += 1
        self.is_waiting = is_waiting
        self.due_at = self._clock() + patience_s

    def look(self, now_s: float) -> None:
        """Check a thread that is overdue: called by those who log, once ``due_at`` has passed.

        A process that slept as a whole wakes up with threads that are late and run a moment later; so what
        is late has to be late again.

        Args:
            now_s: the time now, by the clock.
        """
        self.due_at = now_s + (LATE_S if self.is_waiting else HANGS_S)
        if self._suspected == self._steps and not self._has_warned:
            self._has_warned = True
            self._warn(_NOT_RUNNING if self.is_waiting else _HANGS)
        self._suspected = self._steps
