"""Whether a background thread runs while its process does: under some servers it does not.

A server that embeds Python may keep the interpreter to itself while it waits for requests, as uWSGI does
without ``enable-threads``. A thread then runs only in the moments in which a request gives the interpreter
away. Whoever logs notices that, says so, and gives the thread such moments.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LATE_S: Final = 1.0
"""So late a thread that waits for its turn is found; twice, before anything is made of it."""

HANGS_S: Final = 60.0
"""So long a round may take: what a log's own timeouts allow is shorter."""

_LENT_S = 0.02
_LOOKS = 20
_RECOVERED = 20


class Liveness:
    """Follows a thread that works in rounds and waits in between. Nothing here takes a lock.

    Args:
        interval_s: how long it waits at most, seconds.
        clock: the time now, seconds since 1970-01-01T00:00:00Z. May jump.
        tell: called once with what is wrong.
    """

    def __init__(self, interval_s: float, clock: Callable[[], float], tell: Callable[[str], None]) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._tell = tell
        self._steps = 0
        self._suspected = -1
        self._is_waiting = True
        self._is_told = False
        self._is_starved = False
        self._is_lent = False
        self._alone = 0
        self.due_at = float("inf")
        """When the thread should have been seen, by the clock."""

    def begin(self) -> None:
        """Take note that the thread was started, and waits to run."""
        self._step(is_waiting=True)

    def work(self) -> None:
        """Take note, on the thread, that a round begins, or has tried something."""
        self._step(is_waiting=False)

    def wait(self) -> None:
        """Take note, on the thread, that a round has ended."""
        self._alone = 0 if self._is_lent else self._alone + 1
        self._is_lent = False
        if self._alone >= _RECOVERED:  # It was the machine that was too busy.
            self._is_starved = False
        self._step(is_waiting=True)

    def _step(self, *, is_waiting: bool) -> None:
        self._steps += 1
        self._is_waiting = is_waiting
        patience_s = self._interval_s + LATE_S if is_waiting else HANGS_S
        self.due_at = self._clock() + (self._interval_s if self._is_starved else patience_s)

    def look(self, now_s: float) -> None:
        """See to a thread that is overdue: called by those who log, once ``due_at`` has passed.

        A process that slept as a whole wakes up with threads that are late and run a moment later; so what
        is late has to be late again. Takes some milliseconds where threads are kept from running, else none.

        Args:
            now_s: the time now, by the clock.
        """
        if self._is_starved:
            self._lend(now_s)
        elif self._suspected != self._steps:
            self._suspected = self._steps
            self.due_at = now_s + (LATE_S if self._is_waiting else HANGS_S)
        else:
            self._is_starved = self._is_waiting
            self._alone = 0
            self.due_at = now_s + HANGS_S
            if not self._is_told:
                self._is_told = True
                self._tell(_STARVED if self._is_waiting else _HANGS)

    def _lend(self, now_s: float) -> None:
        """Give the interpreter away until the thread has run, and not for long."""
        steps = self._steps
        self._is_lent = True
        self.due_at = now_s + LATE_S  # For others, and should it be of no use.
        for _ in range(_LOOKS):
            time.sleep(_LENT_S / _LOOKS)
            if self._steps != steps and self._is_waiting:
                return


_STARVED = (
    "the background thread does not run, since this process keeps the interpreter while it waits for "
    "requests (under uWSGI: set enable-threads = true); events are appended while others are logged"
)
_HANGS = "the background thread does not come back from the event log, events wait in memory"
