"""What a model does at this moment: its traffic by the minute, and what its open hour holds.

What is read here is bounded by hours: the raw rows of two, and the counts of two and of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from driftline.domain.hours import HOUR_S
from driftline.domain.streams import REFERENCE, Stream
from driftline.domain.verdicts import Feature
from driftline.profiles import Grid
from driftline.store.distributions import Distribution, Layer, LayerName, ValueShare
from driftline.store.hours import HOUR, stream_parameters
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.store.connection import Connection

TRAFFIC_MINUTES = 60
"""So many minutes of traffic are shown, up to the newest event."""

OPEN_HOURS = 2
"""Distributions are those of the newest hour and the one before, so that there is something at its start."""

_TOP_VALUES = 6
_PERCENTILES = (0.5, 0.95, 0.99)

_NEWEST_HOUR = f"""
SELECT toInt64(max({HOUR})) FROM derived_hours
WHERE model_name = {{model:String}} AND environment != '{REFERENCE}' AND rows > 0
"""
_RECENT = f"""
model_name = {{model:String}} AND environment != '{REFERENCE}' AND set_aside = ''
AND hour >= toDateTime({{first:Int64}} * 3600, 'UTC')
"""
# By stream and minute before the newest event, the newest minute first.
_TRAFFIC = f"""
WITH (SELECT max(counted_time) FROM predictions WHERE {_RECENT}) AS newest
SELECT toString(model_version), toString(environment), toUnixTimestamp(newest),
    intDiv(dateDiff('second', counted_time, newest), 60) AS ago, count()
FROM predictions WHERE {_RECENT} AND ago < {TRAFFIC_MINUTES}
GROUP BY model_version, environment, ago
"""
_TIMES = f"""
WITH (SELECT max(counted_time) FROM predictions WHERE {_RECENT}) AS newest
SELECT toString(model_version), toString(environment),
    count(latency_us), quantiles{_PERCENTILES}(latency_us) AS latency,
    count(compute_us), quantiles{_PERCENTILES}(compute_us) AS compute
FROM predictions WHERE {_RECENT} AND dateDiff('second', counted_time, newest) < {TRAFFIC_MINUTES * 60}
GROUP BY model_version, environment
"""

_OF_LAYERS = f"""
model_name = {{model:String}} AND model_version = {{version:String}}
AND (environment = '{REFERENCE}' OR (environment = {{environment:String}}
    AND hour >= toDateTime({{first:Int64}} * 3600, 'UTC')))
"""
# One pass for all that the pictures show; buckets and values come as maps, in their order.
_OPEN = f"""
SELECT feature, kind, if(environment = '{REFERENCE}', 'training', 'now') AS layer,
    center, scale, resolution, sum(count), sum(nans), sum(infinities), sum(folded),
    minOrNullIf(minimum, count > 0), maxOrNullIf(maximum, count > 0),
    sumMapIf(buckets, counts, kind = 'numeric'), sumMapIf(values, counts, kind = 'categorical')
FROM profiles
WHERE {_OF_LAYERS} AND segment = '' AND kind != 'rows' AND {visible(_OF_LAYERS)}
GROUP BY feature, kind, layer, center, scale, resolution
"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The events of one stream.

    Args:
        stream: which.
        minutes: events of each of the last minutes, the oldest first, (`TRAFFIC_MINUTES`,).
        latency_us: percentiles 50, 95 and 99 of the time from request to answer; None: nobody measured it.
        compute_us: the same of the time spent on computing.
    """

    stream: Stream
    minutes: Sequence[int]
    latency_us: Sequence[float] | None = None
    compute_us: Sequence[float] | None = None

    @property
    def events(self) -> int:
        """How many there were in all."""
        return sum(self.minutes)


@dataclass(frozen=True, slots=True)
class RecentTraffic:
    """A model's traffic of the last minutes.

    Args:
        newest_s: when its newest event was, seconds since the Unix epoch.
        streams: those with events, the busiest first.
    """

    newest_s: int
    streams: Sequence[Traffic]


@dataclass(frozen=True, slots=True)
class OpenFeature:
    """One feature, or part of the answer, in the open hour and in the reference.

    Args:
        feature: its key and kind.
        distribution: its layers, `now` and `training`.
        grid: of a numeric one, by which the buckets of all its layers are counted.
    """

    feature: Feature
    distribution: Distribution
    grid: Grid | None = field(default=None)


def read_newest_hour(connection: Connection, model_name: str) -> int | None:
    """Return the newest hour of which a model has events that were counted; None where it has none."""
    found = int(connection.rows(_NEWEST_HOUR, parameters={"model": model_name})[0][0])
    return found or None


def read_traffic(connection: Connection, model_name: str, newest_hour: int) -> RecentTraffic:
    """Return a model's traffic of the last minutes, by version and environment.

    Args:
        connection: to the store.
        model_name: which.
        newest_hour: of `read_newest_hour`.
    """
    bound = {"model": model_name, "first": newest_hour - 1}
    minutes: dict[Stream, list[int]] = {}
    counted = connection.rows(_TRAFFIC, parameters=bound)
    for version, environment, _, ago, count in counted:
        own = minutes.setdefault(Stream(model_name, version, environment), [0] * TRAFFIC_MINUTES)
        own[TRAFFIC_MINUTES - 1 - ago] = count
    times = {
        Stream(model_name, row[0], row[1]): (row[3] if row[2] else None, row[5] if row[4] else None)
        for row in connection.rows(_TIMES, parameters=bound)
    }
    streams = [
        Traffic(stream, counts, *times.get(stream, (None, None))) for stream, counts in minutes.items()
    ]
    newest_s = int(counted[0][2]) if counted else newest_hour * HOUR_S
    return RecentTraffic(newest_s, sorted(streams, key=lambda each: (-each.events, each.stream)))


def read_open(connection: Connection, stream: Stream, newest_hour: int) -> Sequence[OpenFeature]:
    """Return every feature of a stream in its newest hours, and in the reference of the same version.

    Args:
        connection: to the store.
        stream: which.
        newest_hour: of `read_newest_hour`.
    """
    bound: dict[str, Any] = {**stream_parameters(stream), "first": newest_hour - OPEN_HOURS + 1}
    parts: dict[str, list[_Part]] = {}
    for name, *row in connection.rows(_OPEN, parameters=bound):
        parts.setdefault(name, []).append(_part(*row))
    found = []
    for name, own in parts.items():
        nulls = {part.layer: part.events for part in own if part.kind == "missing"}
        numeric = [part for part in own if part.kind == "numeric" and part.held]
        categorical = {part.layer: part for part in own if part.kind == "categorical" and part.held}
        if numeric:
            found.append(_numeric(name, numeric, nulls))
        if categorical:
            found.append(_categorical(name, categorical, nulls))
    return found


class _Part(NamedTuple):
    """What one layer counted of a feature as one kind; of a numeric one, on one grid."""

    kind: str
    layer: LayerName
    grid: Grid
    events: int
    nans: int
    infinities: int
    folded: int
    minimum: float | None
    maximum: float | None
    held: Sequence[Any]
    counts: Sequence[int]


def _part(kind: str, layer: LayerName, *row: Any) -> _Part:
    center, scale, resolution, count, nans, infinities, folded, minimum, maximum, buckets, values = row
    counted = (count, nans, infinities, folded, minimum, maximum)
    held = values if kind == "categorical" else buckets
    return _Part(kind, layer, Grid(center, scale, resolution), *counted, *held)


def _numeric(name: str, parts: Sequence[_Part], nulls: Mapping[LayerName, int]) -> OpenFeature:
    """Return a numeric feature; hours that are still to be counted anew, on another grid, are left out."""
    newest = max(parts, key=lambda each: (each.layer == "now", sum(each.counts), len(each.held)))
    layers: dict[LayerName, Layer] = {
        part.layer: Layer(
            part.held,
            part.counts,
            part.events,
            nulls.get(part.layer, 0),
            part.nans,
            part.infinities,
            part.minimum,
            part.maximum,
        )
        for part in parts
        if part.grid == newest.grid
    }
    return OpenFeature(Feature(name, "numeric"), Distribution(layers), newest.grid)


def _categorical(name: str, parts: Mapping[LayerName, _Part], nulls: Mapping[LayerName, int]) -> OpenFeature:
    layers = {
        layer: Layer(present=part.events + part.folded, nulls=nulls.get(layer, 0))
        for layer, part in parts.items()
    }
    shares: dict[str, dict[LayerName, float]] = {}
    for layer, part in parts.items():
        for value, count in zip(part.held, part.counts, strict=True):
            own = shares.setdefault(value, dict.fromkeys(parts, 0.0))
            own[layer] = count / max(layers[layer].present, 1)
    most = sorted(shares.items(), key=lambda each: (-max(each[1].values()), each[0]))[:_TOP_VALUES]
    shown = [ValueShare(value, own) for value, own in most]
    others = {layer: max(1 - sum(each.shares[layer] for each in shown), 0.0) for layer in layers}
    return OpenFeature(Feature(name, "categorical"), Distribution(layers, shown, others))
