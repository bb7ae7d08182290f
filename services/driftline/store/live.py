"""What a model does at this moment: its traffic by the minute, and what its open hour holds.

What is read here is bounded by hours: the raw rows of two, and the counts of two and of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
model_name = {{model:String}} AND model_version = {{version:String}} AND segment = ''
AND (environment = '{REFERENCE}' OR (environment = {{environment:String}}
    AND hour >= toDateTime({{first:Int64}} * 3600, 'UTC')))
"""
_LAYER = f"if(environment = '{REFERENCE}', 'training', 'now')"
_PROFILES = (
    f"(SELECT * FROM profiles WHERE {_OF_LAYERS} "
    f"AND {visible('model_name = {model:String} AND model_version = {version:String}')})"
)
_COUNTED = f"""
SELECT feature, {_LAYER} AS layer,
    sumIf(count, kind = 'numeric'), sumIf(count, kind = 'categorical'),
    sumIf(folded, kind = 'categorical'), sumIf(count, kind = 'missing'), sum(nans), sum(infinities),
    minOrNullIf(minimum, kind = 'numeric' AND count > 0),
    maxOrNullIf(maximum, kind = 'numeric' AND count > 0)
FROM {_PROFILES} WHERE kind != 'rows' GROUP BY feature, layer ORDER BY feature, layer
"""
_BUCKETS = f"""
SELECT feature, center, scale, resolution, {_LAYER} AS layer, bucket, sum(n)
FROM {_PROFILES} ARRAY JOIN buckets AS bucket, counts AS n
WHERE kind = 'numeric' GROUP BY feature, center, scale, resolution, layer, bucket
ORDER BY feature, center, scale, resolution, layer, bucket
"""
_VALUES = f"""
SELECT feature, value, sumIf(n, layer = 'now') AS held, sumIf(n, layer = 'training') AS learned
FROM
(
    SELECT feature, {_LAYER} AS layer, value, n
    FROM {_PROFILES} ARRAY JOIN values AS value, counts AS n WHERE kind = 'categorical'
)
GROUP BY feature, value
ORDER BY feature, greatest(
    held / greatest(sum(held) OVER (PARTITION BY feature), 1),
    learned / greatest(sum(learned) OVER (PARTITION BY feature), 1)) DESC, value
LIMIT {_TOP_VALUES} BY feature
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
    counted: dict[str, dict[str, Sequence[Any]]] = {}
    for feature, layer, *row in connection.rows(_COUNTED, parameters=bound):
        counted.setdefault(feature, {})[layer] = row
    buckets: dict[str, dict[Grid, dict[str, list[tuple[int, int]]]]] = {}
    for feature, center, scale, resolution, layer, bucket, count in connection.rows(
        _BUCKETS, parameters=bound
    ):
        grid = Grid(center, scale, resolution)
        buckets.setdefault(feature, {}).setdefault(grid, {}).setdefault(layer, []).append((bucket, count))
    values: dict[str, list[tuple[str, int, int]]] = {}
    for feature, value, held, learned in connection.rows(_VALUES, parameters=bound):
        values.setdefault(feature, []).append((value, held, learned))
    found = []
    for feature, layers in counted.items():
        if feature in buckets:
            found.append(_numeric(feature, layers, buckets[feature]))
        if feature in values:
            found.append(_categorical(feature, layers, values[feature]))
    return found


def _numeric(
    feature: str,
    counted: Mapping[str, Sequence[Any]],
    by_grid: Mapping[Grid, Mapping[str, Sequence[tuple[int, int]]]],
) -> OpenFeature:
    """Return a numeric feature; hours that are still to be counted anew, on another grid, are left out."""
    grid = max(
        by_grid, key=lambda each: (sum(n for _, n in by_grid[each].get("now", ())), len(by_grid[each]))
    )
    layers: dict[LayerName, Layer] = {}
    for name in _LAYERS:
        held = by_grid[grid].get(name, ())
        if name in counted and held:
            present, _, _, nulls, nans, infinities, minimum, maximum = counted[name]
            layers[name] = Layer(
                [bucket for bucket, _ in held],
                [count for _, count in held],
                present,
                nulls,
                nans,
                infinities,
                minimum,
                maximum,
            )
    return OpenFeature(Feature(feature, "numeric"), Distribution(layers), grid)


def _categorical(
    feature: str, counted: Mapping[str, Sequence[Any]], values: Sequence[tuple[str, int, int]]
) -> OpenFeature:
    layers: dict[LayerName, Layer] = {}
    for name in _LAYERS:
        if name in counted and counted[name][1] + counted[name][2]:
            _, named, folded, nulls, *_ = counted[name]
            layers[name] = Layer(present=named + folded, nulls=nulls)
    shares = [
        ValueShare(
            value,
            {
                name: count / max(layers[name].present, 1)
                for name, count in zip(_LAYERS, held, strict=True)
                if name in layers
            },
        )
        for value, *held in values
    ]
    others = {name: max(1 - sum(each.shares[name] for each in shares), 0.0) for name in layers}
    return OpenFeature(Feature(feature, "categorical"), Distribution(layers, shares, others))


_LAYERS: tuple[LayerName, LayerName] = ("now", "training")
