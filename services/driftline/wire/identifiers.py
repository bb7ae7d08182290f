"""UUIDs of version 7: unique, and in the order of time (RFC 9562, section 5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RANDOM_BITS = 74
"""Random bits in one UUIDv7: the version and the variant take the other 6 beside the time."""


def uuid7(time_ms: int, random_bits: int) -> str:
    """Return a UUIDv7 in its canonical lower-case form.

    Args:
        time_ms: milliseconds since 1970-01-01T00:00:00Z, at most 48 bits.
        random_bits: 74 random bits.
    """
    time = f"{time_ms:012x}"
    rest = f"{random_bits:019x}"
    variant = "89ab"[random_bits >> 72]
    return f"{time[:8]}-{time[8:]}-7{rest[1:4]}-{variant}{rest[4:7]}-{rest[7:]}"


def new_id(clock: Callable[[], float], random: Callable[[int], int]) -> str:
    """Return a new UUIDv7.

    Args:
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: a source of random bits, such as ``random.SystemRandom().getrandbits``.
    """
    return uuid7(int(clock() * 1000), random(RANDOM_BITS))
