"""Columns as numpy holds them, and rows of one width put together by it.

numpy is not imported: who hands in arrays has it loaded. Without it there are lists.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_ENTRIES = 4_096


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A column of numbers.

    Args:
        values: float64. Shape (n,).
        missing: whether a value is missing, bool; None: none is. Shape (n,).
    """

    values: Any
    missing: Any | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of texts, each different one written once.

    Args:
        codes: places in ``texts``, intp; -1: missing. Shape (n,).
        texts: the different texts.
    """

    codes: Any
    texts: list[str]

    def __len__(self) -> int:
        return len(self.codes)


def loaded() -> Any | None:
    """Return numpy; None: this process does not use it."""
    return sys.modules.get("numpy")


def pack(parts: Sequence[Any], rows: int) -> list[bytes]:
    """Return, for each row, its parts behind each other.

    Args:
        parts: bytes, which all rows have in common, and arrays of one value a row: float64, which become
            little-endian, or bytes of one length. Shape (rows,).
        rows: how many.
    """
    numpy: Any = loaded()
    parts = [part for part in parts if not isinstance(part, bytes) or part]
    kinds = tuple(f"S{len(part)}" if isinstance(part, bytes) else _little(part.dtype) for part in parts)
    layout = _layout(kinds)
    block = numpy.empty(rows, layout)
    for name, part in zip(layout.names, parts, strict=True):
        block[name] = part
    packed: list[bytes] = block.view(f"V{layout.itemsize}").tolist()
    return packed


def _little(kind: Any) -> str:
    return "<f8" if kind.kind == "f" else str(kind.str)


@lru_cache(maxsize=64)
def _layout(kinds: tuple[str, ...]) -> Any:
    numpy: Any = loaded()
    return numpy.dtype([(str(at), kind) for at, kind in enumerate(kinds)])


class Coded:
    """Entries that rows have by their codes: each different one is made once, and columns are taken together.

    Args:
        codes: places in ``entries``, at least 0, intp. Shape (n,).
        entries: the different ones.
    """

    def __init__(self, codes: Any, entries: Sequence[bytes]) -> None:
        numpy: Any = loaded()
        self.codes = codes
        self.longest = max(map(len, entries), default=0)
        self._table = numpy.empty(len(entries), object)
        self._table[:] = entries

    def __len__(self) -> int:
        """How many different entries there are."""
        return len(self._table)

    def followed_by(self, other: Coded) -> Coded:
        """Return what rows have if each of them has its entry of another column behind its own."""
        entries = (self._table[:, None] + other._table).ravel().tolist()
        return Coded(self.codes * len(other) + other.codes, entries)

    def take(self, first: int, end: int) -> list[bytes]:
        """Return the entries of rows [first, end)."""
        taken: list[bytes] = self._table[self.codes[first:end]].tolist()
        return taken


def together(columns: Sequence[Coded]) -> list[Coded]:
    """Return neighbouring columns as one, where its different entries are few beside its rows."""
    merged: list[Coded] = []
    for column in columns:
        if merged and len(merged[-1]) * len(column) <= min(_MOST_ENTRIES, len(column.codes) // 8):
            merged[-1] = merged[-1].followed_by(column)
        else:
            merged.append(column)
    return merged


def dashed(prefix: bytes, digits: bytes) -> Any:
    """Return UUIDs' texts.

    Args:
        prefix: their first 14 characters, which all have in common.
        digits: the other 20 hexadecimal digits of each, behind each other.

    Returns:
        An array of 36 bytes each.
    """
    numpy: Any = loaded()
    given = numpy.frombuffer(digits, _layout(("S4", "S4", "S12")))
    block = numpy.empty(len(given), _layout(("S14", "S4", "S1", "S4", "S1", "S12")))
    for place, part in enumerate((prefix, given["0"], b"-", given["1"], b"-", given["2"])):
        block[str(place)] = part
    return block.view("S36")
