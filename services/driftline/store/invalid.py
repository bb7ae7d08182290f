"""Invalid values: how many broke a rule, by feature and reason, and which events to look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from driftline.domain.streams import Stream
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

EXAMPLES = 3
_PRODUCTION = "environment = 'production'"
UNKNOWN = "(unknown)"
"""Stands for all unknown features of a version together: their names are whatever a client sends."""

_ROWS = """
SELECT toString(model_name), toString(model_version), toString(environment), sum(rows)
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
    client: Client,
    *,
    model_name: str | None = None,
    model_version: str | None = None,
    since: datetime | None = None,
    examples: int = EXAMPLES,
) -> Sequence[InvalidCount]:
    """Return what is invalid, by model version and environment, the most frequent first.

    Args:
        client: of the store.
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
    totals = client.query(_ROWS.replace("{conditions}", where), parameters=bound).result_rows
    rows = {(model, version, place): count for model, version, place, count in totals}
    found = client.query(_COUNTS % (where, visible(where)), parameters=bound).result_rows
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


def invalid_totals(client: Client, served: Collection[Stream]) -> Mapping[tuple[str, ...], float]:
    """Return how many values in production were invalid since the beginning, for the metric of that name.

    The series are few: what a client calls features that its model does not have is left out.

    Args:
        client: of the store.
        served: streams in production to be told of; others are left out.

    Returns:
        Counts by model name, version, feature and reason, whoever asks: the store counts. They fall only when
        rules change, as all hours are then checked by the new ones.
    """
    rows = client.query(
        "SELECT toString(model_name) AS model, toString(model_version) AS version, "
        f"if(reason = 'unknown_feature', '{UNKNOWN}', toString(feature)) AS name, toString(reason) AS why, "
        f"sum(count) FROM invalid_values WHERE environment = 'production' AND {visible(_PRODUCTION)} "
        "GROUP BY model, version, name, why"
    ).result_rows
    return {
        (model, version, feature, reason): float(count)
        for model, version, feature, reason, count in rows
        if Stream(model, version, "production") in served
    }
