"""Requests that wait for their responses, and responses for their requests: in any order, or for ever."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.intake.cloudevents import Half, Logged

EXPIRY_S: Final = 60.0
"""A half that has waited so long waits in vain."""

MOST_WAITING: Final = 10_000
MOST_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Pair:
    """A request and its response."""

    request: Logged
    response: Logged


@dataclass(frozen=True, slots=True)
class _Waiting:
    half: Logged
    size: int
    since_s: float


class Pairs:
    """Pairs halves by their key. Bounded in number and bytes. Safe to use from several threads.

    A pair that is complete is remembered for as long as a half may wait, so that a broker that delivers
    again makes no second one.

    Args:
        monotonic: a clock in seconds.
        unpaired: is called with the half and the reason for each that is given up.
        expiry_s: how long a half waits, seconds.
        most: how many wait at most.
        most_bytes: how large they are together.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        unpaired: Callable[[Half, str], object],
        *,
        expiry_s: float = EXPIRY_S,
        most: int = MOST_WAITING,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._monotonic = monotonic
        self._unpaired = unpaired
        self._expiry_s = expiry_s
        self._most = most
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._bytes = 0
        self._complete: OrderedDict[str, float] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many halves wait."""
        return len(self._waiting)

    def take(self, half: Logged, size: int) -> Pair | None:
        """Return the pair that a half completes; None: it waits, or was delivered again.

        Args:
            half: a request or a response.
            size: of its body, bytes.
        """
        with self._lock:
            self._expire()
            if half.key in self._complete:
                return None
            other = self._waiting.get(half.key)
            if other is None or other.half.half == half.half:
                self._wait(half, size)
                return None
            self._leave(half.key)
            self._complete[half.key] = self._monotonic()
            if len(self._complete) > 2 * self._most:
                self._complete.popitem(last=False)
        both = (half, other.half) if half.half == "request" else (other.half, half)
        return Pair(*both)

    def expire(self) -> None:
        """Give up what has waited for too long."""
        with self._lock:
            self._expire()

    def give_up(self) -> None:
        """Give up all that waits, at the end of the process."""
        with self._lock:
            for waiting in self._waiting.values():
                self._unpaired(waiting.half.half, "ended")
            self._waiting.clear()
            self._bytes = 0

    def _wait(self, half: Logged, size: int) -> None:
        if half.key in self._waiting:  # The same half again.
            self._leave(half.key)
        self._waiting[half.key] = _Waiting(half, size, self._monotonic())
        self._bytes += size
        while self._waiting and (len(self._waiting) > self._most or self._bytes > self._most_bytes):
            self._unpaired(self._leave(next(iter(self._waiting))).half.half, "full")

    def _leave(self, key: str) -> _Waiting:
        left = self._waiting.pop(key)
        self._bytes -= left.size
        return left

    def _expire(self) -> None:
        limit_s = self._monotonic() - self._expiry_s
        while self._waiting and next(iter(self._waiting.values())).since_s <= limit_s:
            self._unpaired(self._leave(next(iter(self._waiting))).half.half, "expired")
        while self._complete and next(iter(self._complete.values())) <= limit_s:
            self._complete.popitem(last=False)
