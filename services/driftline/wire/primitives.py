"""Avro's binary encoding of the few types that the events use (Avro 1.12 specification, "Binary Encoding").

The SDK encodes predictions with these instead of with a general encoder: a value is checked and
encoded in one step, which takes a third of the time. Property tests hold them against fastavro.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from driftline.wire.bounds import MAX_TEXT_BYTES
from driftline.wire.reasons import unencodable

NULL: Final = b"\x00"
"""Branch 0 of a union with null first, and also the empty map and the empty array."""

SOME: Final = b"\x02"
"""Branch 1 of a union with null first; the value follows."""

pack_double = Struct("<d").pack
"""A double: IEEE 754 binary64, little-endian; NaN payloads and signed zeros stay as they are."""

_MAX_CACHED_LENGTH = 128
_KNOWN_LENGTHS = 1024


def encode_long(value: int) -> bytes:
    """Return a 64-bit integer as zig-zag varint."""
    return _varint(value << 1 if value >= 0 else (~value << 1) | 1)


def _varint(rest: int) -> bytes:
    if rest < 0x80:
        return rest.to_bytes(1, "little")
    groups = bytearray()
    while rest >= 0x80:
        groups.append(rest & 0x7F | 0x80)
        rest >>= 7
    groups.append(rest)
    return bytes(groups)


_LONGEST_TEXT = len(encode_long(MAX_TEXT_BYTES)) + MAX_TEXT_BYTES
_LENGTHS = tuple(encode_long(length) for length in range(_KNOWN_LENGTHS))


def encode_text(text: str) -> bytes:
    """Return a string: its length in bytes, then UTF-8.

    Raises:
        ValueRefusedError: ``unencodable``: it holds a lone surrogate, which UTF-8 can't express.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise unencodable(f"a lone surrogate at character {error.start} is no text") from None
    length = len(data)
    return (_LENGTHS[length] if length < _KNOWN_LENGTHS else encode_long(length)) + data


def encode_value_text(text: str) -> bytes:
    """Return a user's string, as ``encode_text``.

    Raises:
        ValueRefusedError: ``unencodable``: as ``encode_text``, or it is longer than ``MAX_TEXT_BYTES``.
    """
    encoded = encode_text(text)
    if len(encoded) > _LONGEST_TEXT:
        raise unencodable(f"a text of {len(text):,} characters; at most {MAX_TEXT_BYTES:,} bytes")
    return encoded


def encode_entries(count: int, entries: bytes) -> bytes:
    """Return a map or an array of ``count`` entries, which are encoded already and joined."""
    return encode_long(count) + entries + NULL if count else NULL


class Numbers:
    """Encodes natural numbers that mostly follow each other. For one thread at a time.

    A zig-zag varint has six bits of such a number in its first byte; the others change every 64 numbers.
    """

    _FIRST = tuple(bytes((low << 1,)) for low in range(64))
    _FIRST_OF_MORE = tuple(bytes((low << 1 | 0x80,)) for low in range(64))

    def __init__(self) -> None:
        self._known = (0, b"")  # One object, so that whoever interrupts never sees half of it.

    def encode(self, number: int) -> bytes:
        """Return a number of 0 or more, as ``encode_long``."""
        block, rest = self._known
        if number >> 6 != block:
            block = number >> 6
            rest = _varint(block) if block else b""
            self._known = block, rest
        return (self._FIRST_OF_MORE if block else self._FIRST)[number & 63] + rest

    def run(self, first: int, count: int) -> list[bytes]:
        """Return ``count`` numbers from ``first`` on."""
        encoded: list[bytes] = []
        end = first + count
        while first < end:
            block = first >> 6
            heads = (self._FIRST_OF_MORE if block else self._FIRST)[first & 63 : (first & 63) + end - first]
            rest = _varint(block) if block else b""
            encoded += [head + rest for head in heads]
            first += len(heads)
        return encoded


class Times:
    """Encodes times of now, again and again. Safe to use from several threads.

    Of a time in microseconds all but the last 27 bits stay the same for two minutes.
    """

    def __init__(self) -> None:
        self._known = (0, b"\x00")

    def encode(self, micros: int) -> bytes:
        """Return a time of 0 or more, microseconds, as ``encode_long``."""
        block, rest = self._known
        if micros >> 27 != block:
            block = micros >> 27
            rest = _varint(block)
            self._known = block, rest
        if not block:
            return encode_long(micros)
        low = micros << 1 & 0xFFF_FFFF
        low = low & 0x7F | low << 1 & 0x7F00 | low << 2 & 0x7F_0000 | low << 3 & 0x7F00_0000 | 0x8080_8080
        return low.to_bytes(4, "little") + rest


class Room:
    """How many more texts may be kept by caches that share a bound."""

    def __init__(self, texts: int) -> None:
        self.left = texts


class EncodedTexts(dict[str, bytes]):
    """Encoded strings by text, for those that come again and again: categories, tags.

    Looking a text up encodes it when it isn't known yet, and raises as ``encode_value_text``. Texts of at
    most 128 characters are kept while there is room; others are encoded each time. Safe to share between
    threads. To be asked for strings of Python's own type only: what equals one need not have its text.

    Args:
        before: what stands before each string: the name of the feature, encoded.
        room: how many more texts may be kept.
    """

    def __init__(self, before: bytes, room: Room) -> None:
        super().__init__()
        self._before = before
        self._room = room

    def __missing__(self, text: str) -> bytes:
        encoded = self._before + encode_value_text(text)
        if self._room.left > 0 and len(text) <= _MAX_CACHED_LENGTH:
            self._room.left -= 1
            self[text] = encoded
        return encoded
