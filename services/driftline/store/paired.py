"""Rows that two versions answered, with their truths: what a gate compares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from driftline.store.snapshots import taken_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.snapshots import Definition
    from driftline.store.connection import Connection

COMPARED: Final = ("shadow", "canary")
"""Environments in which a candidate answers requests beside production."""

_SHADOW_WITHIN = timedelta(hours=1)
_ANSWERED = """
SELECT
    toString(event_id) AS event_id, request_id, prediction_number, prediction_label, actual_number,
    actual_label, latency_us,
    arrayMap(key -> if(mapContains(tags, key), tags[key], categorical_features[key]), {keys:Array(String)})
        AS segments
"""
_AVAILABLE = """
SELECT count(), sumForEach(arrayMap(name -> toUInt64(
    mapContains(numeric_features, name) OR mapContains(categorical_features, name)
    OR has(missing_features, name)), {names:Array(String)}))
"""
# A request that was answered twice counts once, by its first answer.
_CANDIDATE = """
SELECT request_id, argMin((prediction_number, prediction_label, latency_us), (counted_time, event_id))
FROM predictions
WHERE model_name = {model:String} AND model_version = {candidate:String}
    AND environment IN {environments:Array(String)} AND set_aside = '' AND request_id IS NOT NULL
    AND hour >= toStartOfHour({first:DateTime64(6, 'UTC')}) AND hour <= {last:DateTime64(6, 'UTC')}
    AND landed_at <= {as_of:DateTime64(3, 'UTC')}
GROUP BY request_id
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered.

    Args:
        number: None: none.
        label: None: none.
        latency_us: None: not logged.
    """

    number: float | None
    label: str | None
    latency_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredRow:
    """A prediction of production whose truth is known.

    Args:
        event_id: its id.
        request_id: of the request that it answered; None: not logged.
        answer: production's.
        actual_number: the truth; None: it is no number.
        actual_label: likewise.
        segments: values of the tags or categories that were asked for, in their order; empty: none.
    """

    event_id: str
    request_id: str | None
    answer: Answer
    actual_number: float | None
    actual_label: str | None
    segments: Sequence[str]


def read_answered_rows(
    connection: Connection, definition: Definition, keys: Sequence[str], *, part: str = "", limit: int
) -> Sequence[AnsweredRow]:
    """Return rows of a definition, by time; of more than the limit a sample, always the same.

    Args:
        connection: to the store.
        definition: which rows.
        keys: tags or categorical features whose values are wanted.
        part: of the definition's split; empty: all of it.
        limit: at most so many.
    """
    source, bound = taken_rows(definition, part)
    query = (
        f"SELECT * FROM ({_ANSWERED} FROM ({source}) ORDER BY cityHash64(event_id), event_id "
        "LIMIT {limit:UInt64}) ORDER BY event_id"
    )
    return [
        AnsweredRow(
            event_id=str(row["event_id"]),
            request_id=row["request_id"],
            answer=Answer(row["prediction_number"], row["prediction_label"], row["latency_us"]),
            actual_number=row["actual_number"],
            actual_label=row["actual_label"],
            segments=[str(each) for each in row["segments"]],
        )
        for row in connection.named_rows(query, {**bound, "keys": list(keys), "limit": limit})
    ]


def read_candidate_answers(
    connection: Connection, definition: Definition, candidate: str, environments: Sequence[str] = COMPARED
) -> Mapping[str, Answer]:
    """Return what a candidate answered beside production, by request.

    Args:
        connection: to the store.
        definition: of production's rows: the candidate answered within an hour of them.
        candidate: its version.
        environments: in which it answered.
    """
    bound: dict[str, Any] = {
        "model": definition.model_name,
        "candidate": candidate,
        "environments": list(environments),
        "first": definition.since - _SHADOW_WITHIN,
        "last": definition.until + _SHADOW_WITHIN,
        "as_of": definition.as_of,
    }
    rows = connection.rows(_CANDIDATE, bound)
    return {str(request): Answer(*answer) for request, answer in rows}


def read_availability(
    connection: Connection, definition: Definition, names: Sequence[str]
) -> Mapping[str, float]:
    """Return in which share of a definition's rows each feature is; of no rows, none."""
    if not names:
        return {}
    source, bound = taken_rows(definition)
    (row,) = connection.rows(f"{_AVAILABLE} FROM ({source})", {**bound, "names": list(names)})
    rows, counts = int(row[0]), row[1]
    return {name: int(count) / rows for name, count in zip(names, counts, strict=True)} if rows else {}
