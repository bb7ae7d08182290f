"""Hours, counted from the Unix epoch in UTC, and times."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

HOUR_S = 3600


class CellSpan(NamedTuple):
    """Hours in [first, end), since the Unix epoch, UTC, in cells of equal length, counted from 0.

    Args:
        first_hour: the first one.
        end_hour: the one behind the last.
        cell_hours: the length of a cell; the last one may reach beyond the end.
    """

    first_hour: int
    end_hour: int
    cell_hours: int


@lru_cache(maxsize=10_000)
def hour_time(hour: int) -> datetime:
    """Return the beginning of an hour."""
    return datetime.fromtimestamp(hour * HOUR_S, UTC)


def utc(time: datetime) -> datetime:
    """Return a time in UTC; one without a zone is in UTC already, as the store gives it."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def hour_of(time: datetime) -> int:
    """Return the hour that a time lies in; one without a zone is in UTC."""
    return int(utc(time).timestamp()) // HOUR_S
