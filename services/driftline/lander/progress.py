"""Up to when all that the log held has landed: it tells hours without events from events that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 60.0
"""How often it is noted."""


class Progress:
    """Follows how far landing is. For one thread.

    A busy log is never empty, so what waits at one moment is waited for: once as much has landed, all that
    the log held at that moment has.

    Args:
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        monotonic: a clock in seconds.
    """

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._landed = 0
        self._asked: tuple[float, int] | None = None
        self._due_s = monotonic() + EVERY_S

    def land(self, records: int) -> None:
        """Note that so many records have landed."""
        self._landed += records

    def tell(self, waiting: int) -> float | None:
        """Return up to when all has landed, seconds since the Unix epoch; None: nothing new is known.

        Args:
            waiting: how many records the log holds now that have not landed, at most.
        """
        if self._monotonic() < self._due_s:
            return None
        if self._asked is None:
            self._asked = self._clock(), self._landed + waiting
        until_s, needed = self._asked
        if waiting and self._landed < needed:
            return None
        self._asked, self._due_s = None, self._monotonic() + EVERY_S
        return until_s
