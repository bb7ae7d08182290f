"""Reading profiles: what was counted of a stream of predictions, hour by hour."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.domain.streams import Stream
from driftline.profiles import CategoricalCounts, Grid, HourProfile, NumericCounts
from driftline.store.collecting import without_collecting
from driftline.store.grids import read_grids
from driftline.store.hours import HOUR, KEYS, LARGE_QUERY, STREAM
from driftline.store.kinds import had_categories
from driftline.store.recipes import read_recipes
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from driftline.store.connection import Connection


LAST_HOUR = 1_139_544
"""Behind the last that there can be: 2100, in hours since the Unix epoch."""

SPAN = "hour >= toDateTime({first:Int64} * 3600, 'UTC') AND hour < toDateTime({end:Int64} * 3600, 'UTC')"
"""SQL: which derived hours are read, by the parameters ``first`` and ``end``."""

_PROFILES = f"""
SELECT
    toString(segment) AS part, {HOUR} AS at, toString(feature) AS name, toString(kind), count, nans,
    infinities, minimum, maximum, center, scale, resolution, buckets, values, counts, folded, hashed
FROM profiles
WHERE {STREAM} AND segment IN {{segments:Array(String)}} AND {SPAN} AND {visible(f"{STREAM} AND {SPAN}")}
ORDER BY part, at, name, kind
"""
_CATEGORICAL = f"""
SELECT DISTINCT toString(feature) FROM profiles
WHERE {STREAM} AND segment = '' AND kind = 'categorical' AND {visible(STREAM)}
"""
_OTHER_SEGMENTS = f"""
SELECT min({HOUR}), count() FROM derived_hours FINAL
WHERE {STREAM} AND {SPAN} AND segments != {{hash:UInt64}}
"""
_SPANS = f"""
SELECT {KEYS}, minIf(at, held > 0), arrayMap(back -> -back, groupArraySortedIf(2)(-at, held > 0)), sum(held),
    max(derivation), sum(future), sum(old)
FROM
(
    SELECT {KEYS}, toInt64({HOUR}) AS at, counted AS held, derivation, future, old FROM derived_hours FINAL
    WHERE %s
)
GROUP BY {KEYS}
"""
_MOVED = f"""
SELECT {KEYS}, min({HOUR}) FROM derived_hours
WHERE derived_at >= {{since:DateTime64(3, 'UTC')}} GROUP BY {KEYS}
"""
_IN_STREAMS = f"({KEYS}) IN {{streams:Array(Tuple(String, String, String))}}"
_HOURS_OF = f"""
SELECT {HOUR} AS at, counted FROM derived_hours FINAL
WHERE {STREAM} AND counted > 0 AND {SPAN} ORDER BY at
"""


@dataclass(frozen=True, slots=True)
class StreamSpan:
    """A stream and the hours that are derived of it.

    Args:
        stream: which.
        first_hour: the oldest of which an event counts, hours since the Unix epoch, UTC; 0 without any.
        last_hour: the newest such hour.
        rows: how many are counted.
        before_hour: the last but one; ``last_hour`` where there is none.
        derivation: the newest of its hours; it changes when any of them does.
        future: events that were set aside as more than a day ahead of their landing.
        old: events that were set aside as of 1970.
    """

    stream: Stream
    first_hour: int
    last_hour: int
    rows: int
    before_hour: int
    derivation: int
    future: int = 0
    old: int = 0


def read_streams(connection: Connection, streams: Collection[Stream] | None = None) -> Sequence[StreamSpan]:
    """Return every stream of which something is derived, the oldest first; `rows` may be 0.

    Args:
        connection: to the store.
        streams: these alone; None: all.
    """
    if streams is not None and not streams:
        return []
    which, bound = ("1", {}) if streams is None else (_IN_STREAMS, {"streams": [tuple(s) for s in streams]})
    rows = connection.rows(_SPANS % which, parameters=bound, settings=dict(LARGE_QUERY))
    found = []
    for *names, first_hour, newest, held, derivation, future, old in rows:
        last_hour, before_hour = (newest[0], newest[-1]) if newest else (0, 0)
        ends = (first_hour, last_hour, held, before_hour)
        found.append(StreamSpan(Stream(*names), *ends, derivation, future, old))
    return sorted(found, key=lambda span: (span.first_hour, span.stream))


def read_moved_streams(connection: Connection, since: datetime) -> Mapping[Stream, int]:
    """Return of which streams hours were derived since a time, and the oldest of these hours."""
    rows = connection.rows(_MOVED, parameters={"since": since})
    return {Stream(*row[:3]): int(row[3]) for row in rows}


def read_counted_hours(
    connection: Connection, stream: Stream, *, first_hour: int = 0, end_hour: int = LAST_HOUR
) -> Mapping[int, int]:
    """Return how many rows each hour of a stream counts, ascending; hours without any are left out."""
    bound = bind(stream, first_hour=first_hour, end_hour=end_hour)
    return {int(hour): int(rows) for hour, rows in connection.rows(_HOURS_OF, parameters=bound)}


@dataclass(frozen=True, slots=True)
class Hours:
    """Profiles of a stream's hours, as far as they could be read in one piece.

    Args:
        profiles: ascending; hours without rows are left out.
        end_hour: hours before it were read. Less than what was asked for where an hour is still to be derived
            on the grids, or in the segments, that are in force.
    """

    profiles: Sequence[HourProfile]
    end_hour: int


@dataclass(slots=True)
class _Parts:
    """What is read of one hour."""

    rows: int = 0
    numeric: dict[str, NumericCounts] = field(default_factory=dict)
    categorical: dict[str, CategoricalCounts] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    is_stale: bool = False


def read_hours(
    connection: Connection, stream: Stream, *, first_hour: int, end_hour: int, segment: str = ""
) -> Hours:
    """Return the profiles of hours in [first_hour, end_hour), up to the first that is to be derived anew.

    Args:
        connection: to the store.
        stream: whose.
        first_hour: hours since the Unix epoch, UTC.
        end_hour: the hour behind the last.
        segment: ``key=value``; empty: the whole traffic. Hours without rows of it are left out, and one that
            is not counted in its model's segments yet is not read.
    """
    span = {"first_hour": first_hour, "end_hour": end_hour}
    return read_segment_hours(connection, stream, segments=[segment], **span)[segment]


def read_segment_hours(
    connection: Connection, stream: Stream, *, first_hour: int, end_hour: int, segments: Sequence[str]
) -> Mapping[str, Hours]:
    """Return what `read_hours` does of several segments, asked at once, by segment.

    Args:
        connection: to the store.
        stream: whose.
        first_hour: hours since the Unix epoch, UTC.
        end_hour: the hour behind the last.
        segments: each ``key=value``, or empty for the whole traffic.
    """
    bound = bind(stream, first_hour=first_hour, end_hour=end_hour) | {"segments": list(segments)}
    has_kinds = had_categories(connection, stream.model_name)
    counted_until = _counted_until(connection, bound) if has_kinds or any(segments) else end_hour
    grids = read_grids(connection, stream.model_name)
    parts: dict[str, dict[int, _Parts]] = {segment: {} for segment in segments}
    with without_collecting():
        for segment, hour, *row in connection.rows(_PROFILES, parameters=bound):
            _take(parts[segment].setdefault(hour, _Parts()), row, grids)
    every = [own for hours in parts.values() for own in hours.values()]
    if any(own.missing for own in every):
        known = connection.rows(_CATEGORICAL, parameters=bound)
        _place_missing(every, {row[0] for row in known})
    return {
        segment: _hours(hours, min(end_hour, counted_until) if segment or has_kinds else end_hour)
        for segment, hours in parts.items()
    }


def _counted_until(connection: Connection, bound: dict[str, Any]) -> int:
    """Return the first hour of a span that is not counted in its model's segments; else the span's end."""
    wanted = read_recipes(connection).segments_hash(bound["model"])
    first, count = connection.rows(_OTHER_SEGMENTS, parameters={**bound, "hash": wanted})[0]
    return int(first) if count else int(bound["end"])


def _hours(parts: Mapping[int, _Parts], end_hour: int) -> Hours:
    """Return hours before an end, up to the first that was derived on another grid than is in force."""
    profiles: list[HourProfile] = []
    for hour, own in sorted(parts.items()):
        if hour >= end_hour:
            break
        if own.is_stale:
            return Hours(profiles, hour)
        profiles.append(HourProfile(hour, own.rows, own.numeric, own.categorical))
    return Hours(profiles, end_hour)


def bind(stream: Stream, *, first_hour: int = 0, end_hour: int = 0) -> dict[str, Any]:
    """Return the parameters of ``STREAM`` and ``SPAN``."""
    names = dict(zip(("model", "version", "environment"), stream, strict=True))
    return {**names, "first": first_hour, "end": end_hour}


def _take(parts: _Parts, row: Sequence[Any], grids: Mapping[str, Grid]) -> None:
    """Take one row of an hour."""
    name, kind, count, nans, infinities, low, high, center, scale, resolution, *arrays = row
    buckets, values, counts, folded, hashed = arrays
    match kind:
        case "rows":
            parts.rows = count
        case "missing":
            parts.missing[name] = count
        case "categorical":
            named = dict(zip(values, counts, strict=True))
            parts.categorical[name] = CategoricalCounts(named, 0, folded, tuple(hashed))
        case "numeric":
            parts.is_stale |= grids.get(name, _NO_GRID) != Grid(center, scale, resolution)
            parts.numeric[name] = NumericCounts(
                buckets=np.asarray(buckets, dtype=np.int32),
                counts=np.asarray(counts, dtype=np.int64),
                minimum=low if count else float("nan"),
                maximum=high if count else float("nan"),
                nans=nans,
                infinities=infinities,
            )


_NO_GRID = Grid()
_NO_NUMBERS = NumericCounts(
    np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64), float("nan"), float("nan")
)
_NO_NAMES = CategoricalCounts({})


def _place_missing(hours: Iterable[_Parts], categorical: Collection[str]) -> None:
    """Count values that are missing with the feature's others: an event does not say of which kind it is."""
    for parts in hours:
        for name, count in parts.missing.items():
            if name in parts.numeric or name not in categorical:
                parts.numeric[name] = replace(parts.numeric.get(name, _NO_NUMBERS), nulls=count)
            else:
                parts.categorical[name] = replace(parts.categorical.get(name, _NO_NAMES), nulls=count)
