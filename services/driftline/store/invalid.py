"""Invalid values: how many broke a rule, by feature and reason, and which events to look at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from driftline.domain.streams import Stream
from driftline.store.hours import HOUR
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.store.connection import Connection

EXAMPLES = 3
RECENT_HOURS = 2
_RECENT = "toUnixTimestamp(hour) IN {hours:Array(UInt32)}"
UNKNOWN = "(unknown)"
"""Stands for all unknown features of a version together: their names are whatever a client sends."""

_OF_MODEL = (
    "model_name = {model:String} AND environment = {environment:String} "
    "AND toUnixTimestamp(hour) >= {first:Int64} AND toUnixTimestamp(hour) < {end:Int64}"
)

_ROWS = """
SELECT toString(model_name), toString(model_version), toString(environment), sum(counted)
FROM derived_hours FINAL WHERE {conditions} GROUP BY model_name, model_version, environment
"""

_COUNTS = """
SELECT
    toString(model_name) AS model, toString(model_version) AS version, toString(environment) AS place,
    toString(feature) AS name, toString(reason) AS why, sum(count) AS total, min(oldest), max(newest),
    arrayMap(pair -> pair.2, arraySlice(arrayReverseSort(groupUniqArrayArray(examples)), 1, {most:UInt32}))
FROM invalid_values WHERE %s AND %s
GROUP BY model, version, place, name, why
ORDER BY model, version, place, total DESC, name, why
"""


@dataclass(frozen=True, slots=True)
class InvalidCount:
    """How often one feature of a version broke one rule.

    Args:
        model_name: the model.
        model_version: its version.
        environment: where it served.
        feature: the feature, or a part of the answer such as ``prediction.number``.
        reason: which rule, such as ``below_range``.
        count: how many values.
        rows: how many predictions landed in the same hours.
        oldest: time of the oldest such event, UTC.
        newest: time of the newest.
        examples: ids of some such events, the newest first.
    """

    model_name: str
    model_version: str
    environment: str
    feature: str
    reason: str
    count: int
    rows: int
    oldest: datetime
    newest: datetime
    examples: tuple[str, ...]


def read_invalid(
    connection: Connection,
    *,
    model_name: str | None = None,
    model_version: str | None = None,
    since: datetime | None = None,
    examples: int = EXAMPLES,
) -> Sequence[InvalidCount]:
    """Return what is invalid, by model version and environment, the most frequent first.

    Args:
        connection: to the store.
        model_name: of this model only.
        model_version: of this version only.
        since: of events of this hour or later only.
        examples: how many events to name, at most.
    """
    conditions, bound = ["1"], {"most": examples}
    chosen: Mapping[str, tuple[str, Any]] = {
        "model": ("model_name = {model:String}", model_name),
        "version": ("model_version = {version:String}", model_version),
        "since": ("hour >= toStartOfHour({since:DateTime('UTC')})", since),
    }
    for name, (condition, value) in chosen.items():
        if value is not None:
            conditions.append(condition)
            bound[name] = value
    where = " AND ".join(conditions)
    totals = connection.rows(_ROWS.replace("{conditions}", where), parameters=bound)
    rows = {(model, version, place): count for model, version, place, count in totals}
    found = connection.rows(_COUNTS % (where, visible(where)), parameters=bound)
    return [
        InvalidCount(
            model_name=model,
            model_version=version,
            environment=place,
            feature=feature,
            reason=reason,
            count=count,
            rows=rows.get((model, version, place), 0),
            oldest=first.replace(tzinfo=UTC),
            newest=last.replace(tzinfo=UTC),
            examples=tuple(map(str, events)),
        )
        for model, version, place, feature, reason, count, first, last, events in found
    ]


def recent_invalid(
    connection: Connection, newest_hour: Mapping[Stream, int]
) -> Mapping[tuple[str, ...], float]:
    """Return how many values were invalid in a stream's newest two hours, for the metric of that name.

    The series are few: what a client calls features that its model does not have is counted together.

    Args:
        connection: to the store.
        newest_hour: of each stream that counts, hours since the Unix epoch.

    Returns:
        Counts by model name, version, feature and reason.
    """
    hours = {hour - back for hour in newest_hour.values() for back in range(RECENT_HOURS)}
    rows = connection.rows(
        "SELECT toString(model_name) AS model, toString(model_version) AS version, "
        "toString(environment) AS place, intDiv(toUnixTimestamp(hour), 3600) AS began, "
        f"if(reason = 'unknown_feature', '{UNKNOWN}', toString(feature)) AS name, toString(reason) AS why, "
        f"sum(count) FROM invalid_values WHERE {_RECENT} AND {visible(_RECENT)} "
        "GROUP BY model, version, place, began, name, why",
        parameters={"hours": [hour * 3600 for hour in sorted(hours)]},
    )
    found: Counter[tuple[str, ...]] = Counter()
    for model, version, place, hour, feature, reason, count in rows:
        newest = newest_hour.get(Stream(model, version, place))
        if newest is not None and newest - RECENT_HOURS < hour <= newest:
            found[model, version, feature, reason] += count
    return {names: float(count) for names, count in found.items()}


def read_invalid_hours(
    connection: Connection, model_name: str, environment: str, *, first_hour: int, end_hour: int
) -> Mapping[int, tuple[int, int]]:
    """Return how many values were invalid, and how many predictions there were, of hours that have any.

    Args:
        connection: to the store.
        model_name: of all versions of this model.
        environment: where they served.
        first_hour: the first hour, since the Unix epoch, UTC.
        end_hour: the one behind the last.
    """
    bound = {
        "model": model_name,
        "environment": environment,
        "first": first_hour * 3600,
        "end": end_hour * 3600,
    }
    counted = connection.rows(
        f"SELECT {HOUR} AS at, sum(counted) FROM derived_hours FINAL WHERE {_OF_MODEL} GROUP BY at", bound
    )
    invalid = connection.rows(
        f"SELECT {HOUR} AS at, sum(count) FROM invalid_values WHERE {_OF_MODEL} AND {visible(_OF_MODEL)} "
        "GROUP BY at",
        bound,
    )
    rows = {int(hour): int(count) for hour, count in counted}
    found = {int(hour): int(count) for hour, count in invalid}
    return {hour: (found[hour], rows.get(hour, 0)) for hour in sorted(found)}
