"""Drift verdicts on the real flights of New York, 2013: false pages of the year, delays of faults.

Run: python -m bench.flights_drift [--quick] [--output .cache/bench/flights.json]

Prints markdown, and notes the days with a page for `bench.flights_peers`, which asks other monitors.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bench.simulation import Pages
from bench.tables import print_table
from driftline.demo.flights import published
from driftline.drift import DriftSettings, Judge, Verdict
from driftline.profiles import CategoricalCounts, Grid, HourProfile, NumericCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
NUMERIC = (*WEATHER, "distance", "sched_dep_time")
CATEGORICAL = ("carrier", "origin", "dest")
FAULT_HOURS = 168
SETTINGS = DriftSettings(timezone="America/New_York")
Frame = pd.DataFrame


@cache
def load_flights() -> Frame:
    """Return all flights with the weather at their origin, by scheduled departure."""
    weather = published("weather.csv")[["origin", "time_hour", *WEATHER]]
    frame = published("flights.csv.zip").merge(weather, on=["origin", "time_hour"], how="left")
    hhmm = frame["sched_dep_time"]
    frame["sched_dep_time"] = (hhmm // 100 * 60 + hhmm % 100).astype(float)
    frame["distance"] = frame["distance"].astype(float)
    frame["late"] = (frame["dep_delay"].fillna(60) > 15).astype(int)
    utc = pd.to_datetime(frame["time_hour"], utc=True)
    frame["event_hour"] = (utc - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(hours=1)
    frame = frame.sort_values(["event_hour", "flight", "carrier"], kind="stable").reset_index(drop=True)
    return frame[["event_hour", *NUMERIC, *CATEGORICAL, "late"]]


def hour_of(text: str) -> int:
    """Return hours since the epoch of a time in New York."""
    return int(pd.Timestamp(text, tz="America/New_York").timestamp() // 3600)


def as_time(hour: int) -> str:
    """Return an hour as a time in New York."""
    return f"{pd.Timestamp(hour * 3600, unit='s', tz='UTC').tz_convert('America/New_York'):%d %b %H:00}"


def grids_of(reference: Frame, numeric: Iterable[str]) -> dict[str, Grid]:
    """Choose the grids from reference rows."""
    return {name: Grid.from_values(reference[name].dropna().to_numpy()) for name in numeric}


def profile_of(frame: Frame, hour: int, grids: Mapping[str, Grid]) -> HourProfile:
    """Count one hour."""
    numeric = {}
    for name, grid in grids.items():
        values = frame[name].to_numpy(dtype=float)
        present = values[~np.isnan(values)]
        buckets, counts = np.unique(grid.bucket(present), return_counts=True)
        low, high = (present.min(), present.max()) if present.size else (np.nan, np.nan)
        numeric[name] = NumericCounts(
            buckets, counts.astype(np.int64), float(low), float(high), nulls=len(values) - present.size
        )
    categorical = {}
    for name in CATEGORICAL:
        values, counts = np.unique(frame[name].dropna().to_numpy(dtype=str), return_counts=True)
        pairs = dict(zip(values.tolist(), counts.tolist(), strict=True))
        categorical[name] = CategoricalCounts(pairs, nulls=len(frame) - int(counts.sum()))
    return HourProfile(hour, len(frame), numeric, categorical)


def profiles_of(frame: Frame, grids: Mapping[str, Grid]) -> list[HourProfile]:
    """Count every hour that has flights."""
    return [profile_of(rows, int(hour), grids) for hour, rows in frame.groupby("event_hour", sort=True)]


@dataclass(frozen=True)
class Fault:
    """An error of the feed."""

    name: str
    feature: str
    apply: Callable[[Frame], Frame]


def _weather_null(rows: Frame) -> Frame:
    rows.loc[rows["origin"] == "LGA", list(WEATHER)] = np.nan
    return rows


def _kilometres(rows: Frame) -> Frame:
    return rows.assign(distance=rows["distance"].where(rows["carrier"] != "UA", rows["distance"] * 1.609344))


def _celsius(rows: Frame) -> Frame:
    return rows.assign(temp=(rows["temp"] - 32) / 1.8)


def _renamed(rows: Frame) -> Frame:
    return rows.assign(carrier=rows["carrier"].replace({"DL": "DAL"}))


def _unknown_destinations(rows: Frame) -> Frame:
    return rows.assign(dest=rows["dest"].replace({"ORD": "UNK", "ATL": "UNK"}))


def _time_zone(rows: Frame) -> Frame:
    return rows.assign(sched_dep_time=(rows["sched_dep_time"] + 300) % 1440)


def _stuck(rows: Frame) -> Frame:
    return rows.assign(wind_speed=rows["wind_speed"].dropna().iloc[0])


FAULTS = (
    Fault("weather null at LGA", "weather", _weather_null),
    Fault("UA distances in km", "distance", _kilometres),
    Fault("temperatures in Celsius", "temp", _celsius),
    Fault("carrier DL renamed DAL", "carrier", _renamed),
    Fault("ORD and ATL become UNK", "dest", _unknown_destinations),
    Fault("scheduled 5 h off", "sched_dep_time", _time_zone),
    Fault("wind speed stuck", "wind_speed", _stuck),
)
DATES = (
    "2013-02-20 14:00",
    "2013-04-09 09:00",
    "2013-06-04 18:00",
    "2013-07-19 09:00",
    "2013-09-11 12:00",
    "2013-11-20 07:00",
)


def episodes_of(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Group pages by episode, in order."""
    episodes: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.verdict == "page" and verdict.episode_id:
            episodes[verdict.episode_id].append(verdict)
    return dict(episodes)


def print_episodes(verdicts: list[Verdict]) -> None:
    """Print each episode's gravest first verdict."""
    rows = []
    for pages in episodes_of(verdicts).values():
        first = max(
            (page for page in pages if page.window_end == pages[0].window_end),
            key=lambda page: abs(page.effect or 0),
        )
        rows.append(
            [
                as_time(first.window_end),
                f"`{first.feature}`: {first.channel.text}",
                f"{first.observed:.1%}, expected {first.expected:.1%}",
                f"{first.scale_hours} h",
                f"{pages[-1].window_end - pages[0].window_end + 1} h",
            ]
        )
    print_table(["page of", "what", "share of rows", "window", "went on for"], rows)


def run_date(date: str) -> list[tuple[int | None, int | None]]:
    """Let each fault begin at a date; return hours until the page on the faulty feature, and on any other."""
    begin, frame = hour_of(date), load_flights()
    grids = grids_of(frame[frame["event_hour"] < hour_of("2013-01-29")], NUMERIC)
    judge = Judge(grids=grids, settings=SETTINGS, identity="bench")
    past = frame[(frame["event_hour"] < begin) & (frame["event_hour"] >= begin - judge.history_hours)]
    for profile in profiles_of(past, grids):
        judge.remember(profile)
    after = frame[(frame["event_hour"] >= begin) & (frame["event_hour"] < begin + FAULT_HOURS)]
    return [
        find_fault(fault, copy.deepcopy(judge), profiles_of(fault.apply(after.copy()), grids), begin)
        for fault in FAULTS
    ]


def find_fault(
    fault: Fault, judge: Judge, profiles: Iterable[HourProfile], begin: int
) -> tuple[int | None, int | None]:
    """Judge hours under a fault; return after how many the faulty feature pages, and any other before it."""
    wanted = WEATHER if fault.feature == "weather" else (fault.feature,)
    other = None
    for profile in profiles:
        pages = [verdict.feature for verdict in judge.judge(profile) if verdict.verdict == "page"]
        if any(feature in wanted for feature in pages):
            return profile.hour + 1 - begin, other
        if pages and other is None:
            other = profile.hour + 1 - begin
    return None, other


def print_year(frame: Frame) -> set[int]:
    """Judge the frame without faults; print pages, and return the days of the year that have any."""
    begin = hour_of("2013-01-29")
    grids = grids_of(frame[frame["event_hour"] < begin], NUMERIC)
    profiles = profiles_of(frame, grids)
    judge = Judge(grids=grids, settings=SETTINGS, identity="bench")
    counted, paging = Pages(), []
    began_s = time.process_time()
    for profile in profiles:
        verdicts = judge.judge(profile)
        counted.take(profile.hour, verdicts)
        paging += [verdict for verdict in verdicts if verdict.verdict == "page"]
    spent_ms = 1000 * (time.process_time() - began_s) / len(profiles)
    hours = profiles[-1].hour - begin
    print(f"driftline, no faults injected: {len(counted.starts)} pages in {hours:,} hours, up in")
    print(f"{counted.paging_hours} of them. Judging an hour takes {spent_ms:.1f} ms.\n")
    print_episodes(paging)
    return set(days_of(np.array([page.window_end - 1 for page in paging], dtype=np.int64)).tolist())


def days_of(hours: np.ndarray) -> np.ndarray:
    """Return the day of the year of hours, by New York's clock, 0 on 1 January. Shape (n,) in, (n,) out."""
    utc = pd.to_datetime(pd.Series(hours) * 3600, unit="s", utc=True)
    return (utc.dt.tz_convert(SETTINGS.timezone).dt.day_of_year - 1).to_numpy()


def print_faults(dates: Sequence[str]) -> None:
    """Print hours until the page of each fault at each date."""
    print("Hours until the page; in brackets: until an earlier page on another feature.\n")
    with ProcessPoolExecutor(2) as pool:
        by_date = list(pool.map(run_date, dates))
    rows = [
        [fault.name, *(delay_text(*found[index]) for found in by_date)] for index, fault in enumerate(FAULTS)
    ]
    print_table(["fault", *(f"{pd.Timestamp(date):%-d %b}" for date in dates)], rows)


def delay_text(delay: int | None, other: int | None) -> str:
    """Return a delay as a cell of a table."""
    return ("never" if delay is None else str(delay)) + (f" ({other})" if other else "")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="January to March, faults at one date")
    parser.add_argument("--output", type=Path, default=Path(".cache/bench/flights.json"))
    options = parser.parse_args()
    frame = load_flights()
    if options.quick:
        print_year(frame[frame["event_hour"] < hour_of("2013-04-01")])
        print_faults(DATES[:1])
        return
    paging = print_year(frame)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps({"paging_days": sorted(paging)}))
    print_faults(DATES)


if __name__ == "__main__":
    main()
