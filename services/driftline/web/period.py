"""The period that a page shows. It follows the newest judged window, never the wall clock."""

from __future__ import annotations

from dataclasses import dataclass

from driftline.domain.hours import CellSpan

DAYS = (7, 28, 90, 365)
DEFAULT_DAYS = 28

# About 170 cells a strip, whatever the period: fine enough to see an hour in a week, wide enough for a phone.
_CELL_HOURS = {7: 1, 28: 4, 90: 12, 365: 48}


@dataclass(frozen=True, slots=True)
class Period:
    """Whole hours in [first_hour, end_hour), in cells of equal length.

    Args:
        end_hour: the hour behind the newest window shown, since the Unix epoch, UTC.
        days: length; one of `DAYS`.
    """

    end_hour: int
    days: int = DEFAULT_DAYS

    @property
    def hours(self) -> int:
        """Length in hours."""
        return self.days * 24

    @property
    def first_hour(self) -> int:
        """The first hour shown, since the Unix epoch, UTC."""
        return self.end_hour - self.hours

    @property
    def cell_hours(self) -> int:
        """Hours in one cell of a strip."""
        return _CELL_HOURS[self.days]

    @property
    def span(self) -> CellSpan:
        """The hours, and the length of their cells."""
        return CellSpan(self.first_hour, self.end_hour, self.cell_hours)

    @property
    def cells(self) -> int:
        """How many cells a strip has; the last may reach beyond the end."""
        return -(-self.hours // self.cell_hours)

    def fraction(self, hour: float) -> float:
        """Return the position of an hour, 0 at the first and 1 at the end; hours outside are clipped."""
        return min(max((hour - self.first_hour) / self.hours, 0.0), 1.0)


def parse_days(text: str | None) -> int:
    """Return the days that a link asks for; the default where it asks for none that is offered."""
    return next((days for days in DAYS if str(days) == text), DEFAULT_DAYS)
