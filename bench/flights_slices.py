"""The flights of New York, 2013, with each airport as a segment: false pages of the year, delays of faults.

Run: python -m bench.flights_slices [--quick]

Prints markdown. Half of the page budget is the whole traffic's, the three airports share the other half.
"""

from __future__ import annotations

import argparse
import copy
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import pandas as pd

from bench.flights_drift import (
    DATES,
    FAULT_HOURS,
    FAULTS,
    NUMERIC,
    SETTINGS,
    WEATHER,
    Fault,
    Frame,
    as_time,
    grids_of,
    hour_of,
    load_flights,
    profile_of,
)
from bench.tables import print_table
from driftline.domain.streams import Stream
from driftline.drift import Judge, Verdict
from driftline.drift.hours import WHOLE, Arrival, StreamHour
from driftline.drift.incidents.book import IncidentBook
from driftline.drift.judges import SegmentJudges
from driftline.drift.segments import name_drivers, whole_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.profiles import Grid

AIRPORTS = ("EWR", "JFK", "LGA")
SEGMENTS = tuple(f"origin={airport}" for airport in AIRPORTS)
LEARNING_UNTIL = "2013-01-29"


class Judges:
    """Judges of the whole traffic and of its airports, over hours of one frame."""

    def __init__(self, grids: Mapping[str, Grid]) -> None:
        self._grids = grids
        self._whole = Judge(grids=grids, settings=whole_settings(SETTINGS, len(SEGMENTS)), identity="bench")
        self._parts = SegmentJudges(SEGMENTS, grids=grids, settings=SETTINGS, identity="bench")
        self.history_hours = self._whole.history_hours

    def remember(self, frame: Frame) -> None:
        """Take hours as history."""
        for hour in self._hours(frame):
            self._whole.remember(hour.profiles[WHOLE])
            self._parts.remember(hour)

    def judge(self, frame: Frame) -> Iterator[tuple[int, list[Verdict]]]:
        """Judge hour after hour."""
        for hour in self._hours(frame):
            attributed = name_drivers(self._whole.judge(hour.profiles[WHOLE]), self._parts.judge(hour))
            yield hour.hour, [*attributed.whole, *attributed.segments]

    def _hours(self, frame: Frame) -> Iterator[StreamHour]:
        for hour, rows in frame.groupby("event_hour", sort=True):
            parts = {
                f"origin={airport}": profile_of(own, int(hour), self._grids)
                for airport, own in rows.groupby("origin")
            }
            whole = profile_of(rows, int(hour), self._grids)
            yield StreamHour(int(hour), Arrival(whole.rows), {WHOLE: whole, **parts})


def print_year(frame: Frame) -> None:
    """Judge every hour without faults and print its pages."""
    judges = Judges(grids_of(frame[frame["event_hour"] < hour_of(LEARNING_UNTIL)], NUMERIC))
    book = IncidentBook(Stream("bench", "", ""), settings=SETTINGS)
    hours = 0
    for hour, verdicts in judges.judge(frame):
        book.take(hour, verdicts)
        hours += hour >= hour_of(LEARNING_UNTIL)
    print(f"No faults injected: {len(book.incidents)} pages in {hours:,} judged hours.\n")
    print_table(
        ["page of", "what"], [[as_time(incident.detected), incident.headline] for incident in book.incidents]
    )


def run_date(date: str) -> list[tuple[int, str] | None]:
    """Let each fault begin at a date; return after how many hours it pages, and of which segment."""
    begin, frame = hour_of(date), load_flights()
    judges = Judges(grids_of(frame[frame["event_hour"] < hour_of(LEARNING_UNTIL)], NUMERIC))
    judges.remember(
        frame[(frame["event_hour"] < begin) & (frame["event_hour"] >= begin - judges.history_hours)]
    )
    after = frame[(frame["event_hour"] >= begin) & (frame["event_hour"] < begin + FAULT_HOURS)]
    return [find_fault(fault, copy.deepcopy(judges), fault.apply(after.copy()), begin) for fault in FAULTS]


def find_fault(fault: Fault, judges: Judges, frame: Frame, begin: int) -> tuple[int, str] | None:
    """Return after how many hours the faulty feature pages, and in which segment."""
    wanted = WEATHER if fault.feature == "weather" else (fault.feature,)
    for hour, verdicts in judges.judge(frame):
        where = [each.segment for each in verdicts if each.verdict == "page" and each.feature in wanted]
        if where:
            return hour + 1 - begin, min(where)
    return None


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="January to March, faults at one date")
    options = parser.parse_args()
    frame = load_flights()
    print_year(frame[frame["event_hour"] < hour_of("2013-04-01")] if options.quick else frame)
    dates = DATES[:1] if options.quick else DATES
    with ProcessPoolExecutor(2) as pool:
        by_date = list(pool.map(run_date, dates))
    rows = [
        [fault.name, *(delay_text(found[index]) for found in by_date)] for index, fault in enumerate(FAULTS)
    ]
    print("\nHours until the page, and the airport that it names first.\n")
    print_table(["fault", *(f"{pd.Timestamp(date):%-d %b}" for date in dates)], rows)


def delay_text(found: tuple[int, str] | None) -> str:
    """Return a delay as a cell of a table."""
    if found is None:
        return "never"
    delay, segment = found
    return f"{delay} {segment.partition('=')[2]}".rstrip()


if __name__ == "__main__":
    main()
