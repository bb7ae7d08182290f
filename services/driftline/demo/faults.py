"""Faults of the upstream, injected on purpose: what breaks, when, and in which features it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from driftline.demo.flights import WEATHER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAULT_HOURS = 72
_WARM_UP = pd.Timedelta(days=105)
_KM_PER_MILE = 1.609344
_HOURS_TO_UTC = 5
_MINUTES_PER_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault.

    Args:
        name: in words.
        features: in which it shows, the most telling first.
        start: when it begins, UTC.
        end: when the upstream is mended, UTC.
    """

    name: str
    features: tuple[str, ...]
    start: pd.Timestamp
    end: pd.Timestamp


def _weather_null(rows: pd.DataFrame) -> pd.DataFrame:
    at_airport = rows["origin"] == "JFK"
    return rows.assign(**{name: rows[name].mask(at_airport) for name in WEATHER})


def _kilometres(rows: pd.DataFrame) -> pd.DataFrame:
    united = rows["carrier"] == "UA"
    return rows.assign(distance=rows["distance"].where(~united, rows["distance"] * _KM_PER_MILE))


def _celsius(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{name: (rows[name] - 32) * 5 / 9 for name in ("temp", "dewp")})


def _renamed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(carrier=rows["carrier"].replace({"DL": "DAL"}))


def _time_zone(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(sched_dep_minute=(rows["sched_dep_minute"] + _HOURS_TO_UTC * 60) % _MINUTES_PER_DAY)


def _stuck(rows: pd.DataFrame) -> pd.DataFrame:
    known = rows["wind_speed"].dropna()
    return rows.assign(wind_speed=known.iloc[0] if len(known) else np.nan)


_KINDS: Sequence[tuple[str, tuple[str, ...], Callable[[pd.DataFrame], pd.DataFrame]]] = (
    ("weather of JFK is null", WEATHER, _weather_null),
    ("distances of UA in kilometres", ("distance",), _kilometres),
    ("temperatures in Celsius", ("temp", "dewp"), _celsius),
    ("carrier DL renamed to DAL", ("carrier",), _renamed),
    ("scheduled times in UTC", ("sched_dep_minute",), _time_zone),
    ("wind speed stuck at one value", ("wind_speed",), _stuck),
)


def plan_faults(start: pd.Timestamp, end: pd.Timestamp) -> Sequence[Fault]:
    """Spread the faults over a replay, each with more time to recover from than it lasted.

    They begin 105 days in, or after 45 % of a shorter replay: before, the reference is learned.
    """
    span = end - start
    first = (start + min(_WARM_UP, span * 0.45)).floor("h")
    gap = ((end - first) / len(_KINDS)).floor("h")
    length = min(pd.Timedelta(hours=FAULT_HOURS), (gap / 4).floor("h"))
    return [
        Fault(name, features, first + place * gap, first + place * gap + length)
        for place, (name, features, _) in enumerate(_KINDS)
    ]


def break_upstream(rows: pd.DataFrame, faults: Sequence[Fault]) -> pd.DataFrame:
    """Return the flights as the broken upstream would have sent them. Shape and order stay."""
    changes = {name: change for name, _, change in _KINDS}
    broken = rows.copy()
    broken["carrier"] = broken["carrier"].astype(object)
    for fault in faults:
        during = (rows["event_time"] >= fault.start) & (rows["event_time"] < fault.end)
        if during.any():
            changed = changes[fault.name](broken.loc[during])
            for name in fault.features:
                broken.loc[during, name] = changed[name]
    return broken
