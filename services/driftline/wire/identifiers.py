"""UUIDs of version 7: unique, and in the order of time (RFC 9562, section 5.7)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS = 20  # Behind the time, of which the version and the variant take six bits.
_BITS = 4 * _DIGITS
_POOL = 256
_MOST = 1_024  # At once: as long as a slice of a batch, so that few masks are needed.


class Ids:
    """Gives new UUIDv7s in their canonical lower-case form. Safe to use from several threads.

    Random bits are drawn for many at once, since each draw is a call of the system. What is left belongs to
    one process: a forked child needs an object of its own.

    Args:
        random: gives as many random bits as asked for, as an integer, such as
            ``random.SystemRandom().getrandbits``.
    """

    def __init__(self, random: Callable[[int], int]) -> None:
        self._random = random
        self._pool: list[str] = []
        self._time = (-1, "")

    def new(self, time_ms: int) -> str:
        """Return a new id.

        Args:
            time_ms: milliseconds since 1970-01-01T00:00:00Z, at most 48 bits.
        """
        try:
            return self._prefix(time_ms) + self._pool.pop()
        except IndexError:
            *others, own = self._suffixes(_POOL)
            self._pool += others
            return self._prefix(time_ms) + own

    def several(self, time_ms: int, count: int) -> list[str]:
        """Return new ids, as ``new``."""
        prefix = self._prefix(time_ms)
        return [
            prefix + suffix
            for first in range(0, count, _MOST)
            for suffix in self._suffixes(min(_MOST, count - first))
        ]

    def digits(self, time_ms: int, count: int) -> tuple[bytes, bytes]:
        """Return the first 14 characters of new ids, and the other 20 digits of each, without dashes."""
        parts = (self._digits(min(_MOST, count - first)) for first in range(0, count, _MOST))
        return self._prefix(time_ms).encode(), "".join(parts).encode()

    def _prefix(self, time_ms: int) -> str:
        known, prefix = self._time
        if known != time_ms:
            time = f"{time_ms:012x}"
            prefix = f"{time[:8]}-{time[8:]}-"
            self._time = time_ms, prefix
        return prefix

    def _suffixes(self, count: int) -> list[str]:
        """Return the ends of ids, from the version on; the last has the lowest bits."""
        digits = self._digits(count)
        return [
            f"{digits[at : at + 4]}-{digits[at + 4 : at + 8]}-{digits[at + 8 : at + _DIGITS]}"
            for at in range(0, _DIGITS * count, _DIGITS)
        ]

    def _digits(self, count: int) -> str:
        keep, version = _masks(count)
        return f"{self._random(_BITS * count) & keep | version:0{_DIGITS * count}x}"


@lru_cache(maxsize=8)
def _masks(count: int) -> tuple[int, int]:
    """Return which bits of so many ends of ids are random, and the version and the variant of all."""
    return int("0fff3fffffffffffffff" * count, 16), int("70008000000000000000" * count, 16)


def new_id(clock: Callable[[], float], random: Callable[[int], int]) -> str:
    """Return a new UUIDv7.

    Args:
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: as in ``Ids``.
    """
    return Ids(random).several(int(clock() * 1000), 1)[0]
