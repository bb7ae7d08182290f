"""UUIDs of version 7: unique, and in the order of time (RFC 9562, section 5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RANDOM_BITS = 74
"""Random bits in one UUIDv7: 12 after the version, 62 after the variant."""


def uuid7(time_ms: int, random_bits: int) -> str:
    """Return a UUIDv7 in its canonical lower-case form.

    Args:
        time_ms: milliseconds since 1970-01-01T00:00:00Z, at most 48 bits.
        random_bits: 74 random bits.
    """
    high = random_bits >> 62
    low = random_bits & 0x3FFF_FFFF_FFFF_FFFF
    digits = f"{time_ms << 80 | 0x7 << 76 | high << 64 | 0x2 << 62 | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_id(clock: Callable[[], float], random: Callable[[int], int]) -> str:
    """Return a new UUIDv7.

    Args:
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: a source of random bits, such as ``random.SystemRandom().getrandbits``.
    """
    return uuid7(int(clock() * 1000), random(RANDOM_BITS))
