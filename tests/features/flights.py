"""Two days of flights, as a service would serve them right, and wrong in each way that triage tells apart."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from driftline.demo.flights import READ_AFTER, load_weather, published
from driftline.features import Entity, FeatureService, FeatureView
from driftline.features.history import push
from driftline.features.materialize import materialize
from driftline.features.online import get_online, open_online
from driftline.features.registering import register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from driftline.features.online import Online
    from driftline.store.connection import Connection

BEGIN = pd.Timestamp("2013-05-10T04:00", tz="UTC")
BROKE = BEGIN + pd.Timedelta(days=1)
"""From here on what is to break is broken."""

END = BROKE + pd.Timedelta(hours=18)
EVERY = 12
"""Every so many flights is served."""

AIRPORT, PLANE = Entity("airport", key="origin"), Entity("plane", key="tailnum")
WEATHER = FeatureView(
    "weather", AIRPORT, {"temp": "numeric", "pressure": "numeric"}, ttl=timedelta(hours=6), owner="met"
)
BROKEN = FeatureView("broken_weather", AIRPORT, WEATHER.features, ttl=WEATHER.ttl, owner="met")
PLANES = FeatureView("planes", PLANE, {"seats": "numeric", "built": "numeric"}, owner="fleet")
RIGHT = FeatureService("delays", [WEATHER, PLANES], model="flight-delay")
FROM_BROKEN = FeatureService("broken_delays", [BROKEN, PLANES])


@dataclass(frozen=True)
class Served:
    """How a model is served once it is broken.

    Args:
        change: what serving makes of the features that it got.
        service: whose features.
        is_stuck: what is online stays what it was.
        other: the airport or plane that is asked for, of those that should be.
        version: of the model that is loaded.
        with_provenance: whether predictions say where their features came from.
    """

    change: Callable[[dict[str, Any]], dict[str, Any]] = dict
    service: FeatureService = RIGHT
    is_stuck: bool = False
    other: Callable[[Mapping[str, str]], dict[str, str]] = dict
    version: int = 1
    with_provenance: bool = True


def _in_celsius(features):
    temp = features.get("temp")
    return features if temp is None else {**features, "temp": (temp - 32) / 1.8}


WAYS: Mapping[str, Served] = {
    "upstream": Served(service=FROM_BROKEN),
    "stale": Served(is_stuck=True),
    "unit": Served(change=_in_celsius),
    "other-airport": Served(other=lambda keys: {**keys, "origin": "JFK"}),
    "other-plane": Served(other=lambda keys: {**keys, "tailnum": "N14228"}),
    "other-version": Served(version=2),
    "silent": Served(change=_in_celsius, with_provenance=False),
}


def store_features(connection: Connection) -> None:
    """Register and push what the airports' weather and the planes are; broken: as the feed breaks."""
    register(connection, [RIGHT, FROM_BROKEN], author="a test")
    weather = load_weather()
    hours = weather["hour_utc"]
    weather = weather[(hours >= BEGIN - pd.Timedelta(hours=8)) & (hours < END)].dropna(subset=["temp"])
    frame = {
        "origin": weather["origin"],
        "event_time": weather["hour_utc"],
        "known": weather["hour_utc"] + READ_AFTER,
        "temp": weather["temp"],
        "pressure": weather["pressure"],
    }
    push(connection, WEATHER, frame, available_time="known")
    is_broken = frame["known"] >= BROKE
    celsius = frame["temp"].where(~is_broken, (frame["temp"] - 32) / 1.8)
    push(connection, BROKEN, {**frame, "temp": celsius}, available_time="known")
    planes = published("planes.csv")
    static = {
        "tailnum": planes["tailnum"],
        "event_time": ["2012-01-01"] * len(planes),
        "seats": planes["seats"],
        "built": planes["year"],
    }
    push(connection, PLANES, static, available_time="event_time")


def flights() -> pd.DataFrame:
    """Return the flights that are served, in their order."""
    table = published("flights.csv.zip")
    at = pd.to_datetime(table["time_hour"], utc=True) + pd.to_timedelta(table["minute"], unit="min")
    table = table.assign(event_time=at)[(at >= BEGIN) & (at < END)].dropna(subset=["tailnum"])
    return table.sort_values("event_time", kind="stable").iloc[::EVERY]


def serve(connection: Connection, folder: Path) -> Mapping[str, list[dict[str, Any]]]:
    """Return the arguments of ``log`` by way: up to `BROKE` all are served right."""
    made: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    with (
        closing(open_online(f"sqlite://{folder}/online.db")) as online,
        closing(open_online(f"sqlite://{folder}/stuck.db")) as stuck,
    ):
        for hour, rows in _by_hour():
            for view in (WEATHER, BROKEN, PLANES):
                now_us = hour.value // 1000
                materialize(connection, online, view, now_us=now_us)
                if hour <= BROKE:
                    materialize(connection, stuck, view, now_us=now_us)
            for flight in rows:
                for way, event in _events(flight, online, stuck):
                    made[way].append(event)
    return made


def _by_hour() -> Iterator[tuple[pd.Timestamp, list[Any]]]:
    table = flights()
    for hour, rows in table.groupby(table["event_time"].dt.floor("h")):
        yield hour, list(rows.itertuples())


def _events(flight: Any, online: Any, stuck: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for way, served in WAYS.items():
        now = served if flight.event_time >= BROKE else Served(service=served.service)
        keys = now.other({"origin": flight.origin, "tailnum": flight.tailnum})
        source = stuck if now.is_stuck else online
        found: Online = get_online(source, now.service, keys, clock=flight.event_time.timestamp)
        features = {**now.change(dict(found.features)), "origin": flight.origin}
        yield (
            way,
            {
                "features": features,
                "prediction": _answer(features, now.version),
                "entity_id": flight.tailnum,
                "event_time": flight.event_time.to_pydatetime(),
                "tags": dict(found.provenance.tags) if now.with_provenance else {},
            },
        )


def _answer(features: Mapping[str, Any], version: int) -> float:
    """Return what a version of the model answers: the second one leans the other way."""
    temp = features.get("temp")
    lean = (60.0 if temp is None else temp) / 40 - 1.5
    return float(1 / (1 + np.exp(-lean if version == 1 else lean - 2)))
