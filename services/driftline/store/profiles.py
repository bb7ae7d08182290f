"""Reading profiles: what was counted of a stream of predictions, hour by hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.profiles import CategoricalCounts, HourProfile, NumericCounts
from driftline.store.grids import IN_FORCE
from driftline.store.rollups import IS_MARK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client

_HOUR = "intDiv(toUnixTimestamp(minute), 3600) AS hour"
_STREAM = (
    "model_name = {model:String} AND model_version = {version:String} AND environment = {environment:String}"
)
_SPAN = (
    "minute >= toDateTime({first:UInt32} * 3600, 'UTC') AND minute < toDateTime({end:UInt32} * 3600, 'UTC')"
)
# What does not depend on the grids is not counted by generation, of the whole traffic.
_SEGMENT = f"segment IN {{segments:Array(String)}} AND (segment = '' OR {IN_FORCE})"

_TOTALS = f"""
SELECT {_HOUR}, sum(rows), sum(numeric_values), sum(feature_entries), sum(categorical_values)
FROM session_profiles WHERE {_STREAM} AND {_SPAN} GROUP BY hour ORDER BY hour
"""

# Of segments; of the whole traffic it tells how much is counted in segments.
_SEGMENT_TOTALS = f"""
SELECT toString(segment) AS part, {_HOUR}, sum(rows), sum(numeric_values), sum(feature_entries),
    sum(categorical_values)
FROM segment_profiles
WHERE {_STREAM} AND (segment = '' OR segment IN {{segments:Array(String)}}) AND {_SPAN} AND {IN_FORCE}
GROUP BY part, hour
"""

_FEATURES = f"""
SELECT toString(segment) AS part, {_HOUR}, toString(feature) AS name,
    sum(finite), sum(nulls), sum(nans), sum(infinities), min(minimum), max(maximum)
FROM feature_profiles WHERE {_STREAM} AND {_SEGMENT} AND {_SPAN}
GROUP BY part, hour, name ORDER BY part, hour, name
"""

_BUCKETS = f"""
SELECT part, hour, name, groupArray(bucket), groupArray(counted)
FROM
(
    SELECT toString(segment) AS part, {_HOUR}, toString(feature) AS name, bucket, sum(count) AS counted
    FROM numeric_profiles
    WHERE {_STREAM} AND segment IN {{segments:Array(String)}} AND {_SPAN} AND {IN_FORCE}
    GROUP BY part, hour, name, bucket ORDER BY part, hour, name, bucket
)
GROUP BY part, hour, name
"""

_VALUES = f"""
SELECT toString(segment) AS part, {_HOUR}, toString(feature) AS name, folded, value, sum(count)
FROM categorical_profiles WHERE {_STREAM} AND {_SEGMENT} AND {_SPAN}
GROUP BY part, hour, name, folded, value ORDER BY part, hour, name, folded, value
"""

_NO_BUCKETS = (np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of predictions: what is profiled and judged by itself."""

    model_name: str
    model_version: str
    environment: str


@dataclass(frozen=True, slots=True)
class StreamSpan:
    """A stream and the hours it has rows in.

    Args:
        stream: which.
        first_hour: of its oldest row, hours since the Unix epoch, UTC.
        last_hour: of its newest row.
        rows: how many.
    """

    stream: Stream
    first_hour: int
    last_hour: int
    rows: int


def read_streams(client: Client) -> Sequence[StreamSpan]:
    """Return every stream in the store, the oldest first."""
    keys = "model_name, model_version, environment"
    rows = client.query(
        f"SELECT {keys}, intDiv(toUnixTimestamp(min(minute)), 3600) AS first_hour, "
        f"intDiv(toUnixTimestamp(max(minute)), 3600), sum(rows) FROM session_profiles "
        f"WHERE NOT {IS_MARK} GROUP BY {keys} ORDER BY first_hour, {keys}"
    ).result_rows
    return [StreamSpan(Stream(*row[:3]), *row[3:]) for row in rows]


@dataclass(frozen=True, slots=True)
class Hours:
    """Profiles of a stream's hours, as far as they could be read in one piece.

    Args:
        profiles: ascending; hours without rows are left out.
        end_hour: hours before it were read. Less than what was asked for where the tables behind the inbox
            disagree on an hour, since a block is landing, or profiles are counted anew, at this moment.
    """

    profiles: Sequence[HourProfile]
    end_hour: int


def read_hours(client: Client, stream: Stream, *, first_hour: int, end_hour: int, segment: str = "") -> Hours:
    """Return the profiles of hours in [first_hour, end_hour), up to the first that is being written.

    Args:
        client: of the store.
        stream: whose.
        first_hour: hours since the Unix epoch, UTC.
        end_hour: the hour behind the last.
        segment: ``key=value``; empty: the whole traffic. Hours without rows of it are left out, and one that
            is not counted in segments yet is not read.
    """
    return read_segment_hours(client, stream, first_hour=first_hour, end_hour=end_hour, segments=[segment])[
        segment
    ]


def read_segment_hours(
    client: Client, stream: Stream, *, first_hour: int, end_hour: int, segments: Sequence[str]
) -> Mapping[str, Hours]:
    """Return what `read_hours` does of several segments, asked at once, by segment.

    Args:
        client: of the store.
        stream: whose.
        first_hour: hours since the Unix epoch, UTC.
        end_hour: the hour behind the last.
        segments: each ``key=value``, or empty for the whole traffic.
    """
    bound = {
        "model": stream.model_name,
        "version": stream.model_version,
        "environment": stream.environment,
        "first": first_hour,
        "end": end_hour,
        "segments": list(segments),
    }
    totals = client.query(_TOTALS, parameters=bound).result_rows
    counted = _segment_totals(client, bound) if any(segments) else {}
    numeric, nulls = _numeric(client, bound)
    categorical = _categorical(client, bound, nulls)
    found: dict[str, Hours] = {}
    for segment in segments:
        own, until = _own_totals(totals, counted, segment) if segment else (totals, None)
        profiles: list[HourProfile] = []
        for hour, rows, *expected in own:
            place = segment, hour
            profile = HourProfile(hour, rows, numeric.get(place, {}), categorical.get(place, {}))
            if list(_counted(profile)) != expected:
                until = hour
                break
            profiles.append(profile)
        found[segment] = Hours(profiles, end_hour if until is None else until)
    return found


_Totals = dict[tuple[str, int], "Sequence[int]"]
"""Control totals by segment and hour: rows, numeric values, feature entries, categorical values."""


def _segment_totals(client: Client, bound: dict[str, Any]) -> _Totals:
    rows = client.query(_SEGMENT_TOTALS, parameters=bound).result_rows
    return {(segment, hour): counts for segment, hour, *counts in rows}


def _own_totals(
    totals: Sequence[Sequence[Any]], counted: _Totals, segment: str
) -> tuple[Sequence[Sequence[Any]], int | None]:
    """Return a segment's control totals, and the first hour that is not counted in segments as it landed."""
    own: list[Sequence[Any]] = []
    for hour, rows, *_ in totals:
        whole, found = counted.get(("", hour), (0,)), counted.get((segment, hour), (0,))
        if whole[0] != rows:
            return own, int(hour)
        if found[0]:
            own.append((hour, *found))
    return own, None


def _counted(profile: HourProfile) -> tuple[int, int, int]:
    """Return what numeric, feature and categorical profiles count in an hour."""
    finite = sum(int(counts.counts.sum()) for counts in profile.numeric.values())
    others = sum(counts.nulls + counts.nans + counts.infinities for counts in profile.numeric.values())
    nulls = sum(counts.nulls for counts in profile.categorical.values())
    named = sum(sum(counts.counts.values()) + counts.folded for counts in profile.categorical.values())
    return finite, finite + others + nulls, named


_Place = tuple[str, int]
"""A segment and an hour."""


def _numeric(
    client: Client, bound: dict[str, Any]
) -> tuple[Mapping[_Place, Mapping[str, NumericCounts]], Mapping[tuple[_Place, str], int]]:
    """Return numeric counts by place and feature, and the nulls of features that are categorical."""
    known = client.query(
        f"SELECT DISTINCT toString(feature) FROM categorical_profiles WHERE {_STREAM}", parameters=bound
    )
    categorical = {row[0] for row in known.result_rows}
    buckets = {
        (segment, hour, name): (np.asarray(held, dtype=np.int32), np.asarray(counts, dtype=np.int64))
        for segment, hour, name, held, counts in client.query(_BUCKETS, parameters=bound).result_rows
    }
    found: dict[_Place, dict[str, NumericCounts]] = {}
    others: dict[tuple[_Place, str], int] = {}
    for segment, hour, name, finite, nulls, nans, infinities, low, high in client.query(
        _FEATURES, parameters=bound
    ).result_rows:
        place = segment, hour
        if finite + nans + infinities == 0 and name in categorical:
            others[place, name] = nulls
            continue
        held, counts = buckets.get((segment, hour, name), _NO_BUCKETS)
        found.setdefault(place, {})[name] = NumericCounts(
            buckets=held,
            counts=counts,
            minimum=float("nan") if low is None else low,
            maximum=float("nan") if high is None else high,
            nulls=nulls,
            nans=nans,
            infinities=infinities,
        )
    return found, others


def _categorical(
    client: Client, bound: dict[str, Any], nulls: Mapping[tuple[_Place, str], int]
) -> Mapping[_Place, Mapping[str, CategoricalCounts]]:
    counts: dict[tuple[_Place, str], dict[str, int]] = {key: {} for key in nulls}
    folded: dict[tuple[_Place, str], int] = {}
    for segment, hour, name, is_folded, value, count in client.query(_VALUES, parameters=bound).result_rows:
        key = (segment, hour), name
        named = counts.setdefault(key, {})
        if is_folded:
            folded[key] = count
        else:
            named[value] = count
    found: dict[_Place, dict[str, CategoricalCounts]] = {}
    for (place, name), named in counts.items():
        key = place, name
        found.setdefault(place, {})[name] = CategoricalCounts(named, nulls.get(key, 0), folded.get(key, 0))
    return found
