"""Parts of the traffic that nobody configured, and how many of their rows moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Condition(NamedTuple):
    """What rows have in common: one of some values of a tag or of a categorical feature."""

    key: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.key}={' or '.join(self.values)}"


Part = tuple[Condition, ...]
"""Rows that meet all of these conditions, each of another key; without any: all rows."""


def part_text(part: Part) -> str:
    """Return a part as a person reads it, such as ``country=NO and channel=web``."""
    return " and ".join(map(str, part))


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows a part has, and how many of these moved, in a window and in its reference.

    Args:
        rows: of the window.
        moved: of these, by each cut that was asked for; the first is the incident's channel, (c,).
        rows_before: of the reference.
        moved_before: of these, (c,).
    """

    rows: int
    moved: tuple[int, ...]
    rows_before: int
    moved_before: tuple[int, ...]

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.rows + other.rows,
            tuple(a + b for a, b in zip(self.moved, other.moved, strict=True)),
            self.rows_before + other.rows_before,
            tuple(a + b for a, b in zip(self.moved_before, other.moved_before, strict=True)),
        )

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.rows - other.rows,
            tuple(a - b for a, b in zip(self.moved, other.moved, strict=True)),
            self.rows_before - other.rows_before,
            tuple(a - b for a, b in zip(self.moved_before, other.moved_before, strict=True)),
        )

    def observed(self, cut: int = 0) -> float:
        """Return the share of the window's rows that moved, by a cut."""
        return self.moved[cut] / max(self.rows, 1)

    def expected(self, cut: int = 0) -> float:
        """Return the share of the reference's rows that did."""
        return self.moved_before[cut] / max(self.rows_before, 1)

    def effect(self, cut: int = 0) -> float:
        """Return observed - expected."""
        return self.observed(cut) - self.expected(cut)

    @property
    def largest_effect(self) -> float:
        """The largest effect of any cut, without its sign."""
        return max(abs(self.effect(cut)) for cut in range(len(self.moved)))

    def led_by(self, cut: int) -> Counts:
        """Return the same with one of the cuts in front."""
        moved, before = (
            (each[cut], *each[:cut], *each[cut + 1 :]) for each in (self.moved, self.moved_before)
        )
        return Counts(self.rows, moved, self.rows_before, before)
