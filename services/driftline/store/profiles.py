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
_SEGMENT = f"segment = {{segment:String}} AND (segment = '' OR {IN_FORCE})"

_TOTALS = f"""
SELECT {_HOUR}, sum(rows), sum(numeric_values), sum(feature_entries), sum(categorical_values)
FROM session_profiles WHERE {_STREAM} AND {_SPAN} GROUP BY hour ORDER BY hour
"""

# Of a segment; and of the whole traffic, how much of it is counted in segments.
_SEGMENT_TOTALS = f"""
SELECT {_HOUR}, sumIf(rows, segment = ''), sumIf(rows, is_own), sumIf(numeric_values, is_own),
    sumIf(feature_entries, is_own), sumIf(categorical_values, is_own)
FROM (SELECT *, segment = {{segment:String}} AS is_own FROM segment_profiles)
WHERE {_STREAM} AND segment IN ('', {{segment:String}}) AND {_SPAN} AND {IN_FORCE}
GROUP BY hour
"""

_FEATURES = f"""
SELECT {_HOUR}, toString(feature) AS name,
    sum(finite), sum(nulls), sum(nans), sum(infinities), min(minimum), max(maximum)
FROM feature_profiles WHERE {_STREAM} AND {_SEGMENT} AND {_SPAN} GROUP BY hour, name ORDER BY hour, name
"""

_BUCKETS = f"""
SELECT hour, name, groupArray(bucket), groupArray(counted)
FROM
(
    SELECT {_HOUR}, toString(feature) AS name, bucket, sum(count) AS counted
    FROM numeric_profiles
    WHERE {_STREAM} AND segment = {{segment:String}} AND {_SPAN} AND {IN_FORCE}
    GROUP BY hour, name, bucket ORDER BY hour, name, bucket
)
GROUP BY hour, name
"""

_VALUES = f"""
SELECT {_HOUR}, toString(feature) AS name, folded, value, sum(count)
FROM categorical_profiles WHERE {_STREAM} AND {_SEGMENT} AND {_SPAN}
GROUP BY hour, name, folded, value ORDER BY hour, name, folded, value
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
    bound = {
        "model": stream.model_name,
        "version": stream.model_version,
        "environment": stream.environment,
        "first": first_hour,
        "end": end_hour,
        "segment": segment,
    }
    totals = client.query(_TOTALS, parameters=bound).result_rows
    if segment:
        totals, end_hour = _segment_totals(client, bound, totals)
    numeric, nulls = _numeric(client, bound)
    categorical = _categorical(client, bound, nulls)
    profiles: list[HourProfile] = []
    for hour, rows, *expected in totals:
        profile = HourProfile(hour, rows, numeric.get(hour, {}), categorical.get(hour, {}))
        if list(_counted(profile)) != expected:
            return Hours(profiles, hour)
        profiles.append(profile)
    return Hours(profiles, end_hour)


def _segment_totals(
    client: Client, bound: dict[str, Any], totals: Sequence[Sequence[Any]]
) -> tuple[Sequence[Sequence[Any]], int]:
    """Return a segment's control totals, and the hour up to which all that landed is counted in segments."""
    found = {hour: counts for hour, *counts in client.query(_SEGMENT_TOTALS, parameters=bound).result_rows}
    own: list[Sequence[Any]] = []
    for hour, rows, *_ in totals:
        whole, *expected = found.get(hour, (0, 0))
        if whole != rows:
            return own, int(hour)
        if expected[0]:
            own.append((hour, *expected))
    return own, int(bound["end"])


def _counted(profile: HourProfile) -> tuple[int, int, int]:
    """Return what numeric, feature and categorical profiles count in an hour."""
    finite = sum(int(counts.counts.sum()) for counts in profile.numeric.values())
    others = sum(counts.nulls + counts.nans + counts.infinities for counts in profile.numeric.values())
    nulls = sum(counts.nulls for counts in profile.categorical.values())
    named = sum(sum(counts.counts.values()) + counts.folded for counts in profile.categorical.values())
    return finite, finite + others + nulls, named


def _numeric(
    client: Client, bound: dict[str, Any]
) -> tuple[Mapping[int, Mapping[str, NumericCounts]], Mapping[tuple[int, str], int]]:
    """Return numeric counts by hour and feature, and the nulls of features that are categorical."""
    known = client.query(
        f"SELECT DISTINCT toString(feature) FROM categorical_profiles WHERE {_STREAM}", parameters=bound
    )
    categorical = {row[0] for row in known.result_rows}
    buckets = {
        (hour, name): (np.asarray(held, dtype=np.int32), np.asarray(counts, dtype=np.int64))
        for hour, name, held, counts in client.query(_BUCKETS, parameters=bound).result_rows
    }
    found: dict[int, dict[str, NumericCounts]] = {}
    others: dict[tuple[int, str], int] = {}
    for hour, name, finite, nulls, nans, infinities, low, high in client.query(
        _FEATURES, parameters=bound
    ).result_rows:
        if finite + nans + infinities == 0 and name in categorical:
            others[hour, name] = nulls
            continue
        held, counts = buckets.get((hour, name), _NO_BUCKETS)
        found.setdefault(hour, {})[name] = NumericCounts(
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
    client: Client, bound: dict[str, Any], nulls: Mapping[tuple[int, str], int]
) -> Mapping[int, Mapping[str, CategoricalCounts]]:
    counts: dict[tuple[int, str], dict[str, int]] = {key: {} for key in nulls}
    folded: dict[tuple[int, str], int] = {}
    for hour, name, is_folded, value, count in client.query(_VALUES, parameters=bound).result_rows:
        named = counts.setdefault((hour, name), {})
        if is_folded:
            folded[hour, name] = count
        else:
            named[value] = count
    found: dict[int, dict[str, CategoricalCounts]] = {}
    for (hour, name), named in counts.items():
        key = (hour, name)
        found.setdefault(hour, {})[name] = CategoricalCounts(named, nulls.get(key, 0), folded.get(key, 0))
    return found
