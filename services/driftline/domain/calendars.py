"""Calendars: public holidays and planned events, by which hours are known to be unlike ordinary ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from driftline.domain.hours import hour_of, hour_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

LONGEST_EVENT = timedelta(days=14)
"""What goes on for longer is no event: it is what is normal by then."""


@dataclass(frozen=True, slots=True, order=True)
class PlannedEvent:
    """Something planned that makes traffic unlike ordinary traffic, such as a sale.

    Args:
        name: events of one name are like each other.
        since: its begin, UTC.
        until: its end, UTC.
        model_name: of this model only; empty: of all.
        given_by: who planned it; empty: it stands in a file of monitors.

    Raises:
        ValueError: it has no name, does not end after it began, or takes longer than two weeks.
    """

    name: str
    since: datetime
    until: datetime
    model_name: str = ""
    given_by: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no event."""
        if not self.name.strip():
            raise ValueError("a planned event needs a name")
        if self.until <= self.since:
            raise ValueError(f"the event {self.name!r} ends before it begins")
        if self.until - self.since > LONGEST_EVENT:
            raise ValueError(
                f"the event {self.name!r} takes longer than {LONGEST_EVENT.days} days; what lasts so long "
                "is the new normal: acknowledge its incident with --accept"
            )

    @property
    def first_hour(self) -> int:
        """The first hour that it touches, since the Unix epoch."""
        return hour_of(self.since)

    @property
    def end_hour(self) -> int:
        """The hour after the last that it touches."""
        return hour_of(self.until - timedelta(microseconds=1)) + 1


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which hours are unlike ordinary ones, and what they are called.

    Args:
        holidays: the countries, or subdivisions of them, whose public holidays count: `US`, `DE-BY`.
        timezone: the clock by which a day begins and ends.
        events: that are planned.
    """

    holidays: tuple[str, ...] = ()
    timezone: str = "UTC"
    events: tuple[PlannedEvent, ...] = ()

    def __bool__(self) -> bool:
        """Return whether any hour may be unlike ordinary ones."""
        return bool(self.holidays or self.events)

    def entry(self, hour: int) -> str:
        """Return what an hour is called, empty for an ordinary one; hours of one name are like each other.

        Args:
            hour: since the Unix epoch, UTC.
        """
        if not self:
            return ""
        day = hour_time(hour).astimezone(_zone(self.timezone)).date()
        names = [f"{name} ({place})" for place in self.holidays if (name := _days(place, day.year).get(day))]
        names += sorted({each.name for each in self.events if each.first_hour <= hour < each.end_hour})
        return " and ".join(names)


@lru_cache(maxsize=64)
def _zone(timezone: str) -> ZoneInfo:
    return ZoneInfo(timezone)


@lru_cache(maxsize=256)
def _days(place: str, year: int) -> Mapping[date, str]:
    """Return the public holidays of a year, by day.

    Raises:
        ValueError: there is no such country or subdivision.
    """
    import holidays  # noqa: PLC0415  it takes a moment, and few need it

    country, _, subdivision = place.partition("-")
    known = holidays.list_supported_countries()
    if country not in known or (subdivision and subdivision not in known[country]):
        raise ValueError(
            f"no public holidays are known of {place!r}; write a country by its code in ISO 3166, such as "
            "US, or one of its subdivisions, such as DE-BY"
        )
    return dict(holidays.country_holidays(country, subdiv=subdivision or None, years=year))


def check_holidays(places: tuple[str, ...]) -> None:
    """Ask for the holidays of places once.

    Raises:
        ValueError: those of one are not known.
    """
    for place in places:
        _days(place, datetime.now(UTC).year)
