"""What two versions of a model answered in the same time: how much, where, and on which rows both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.domain.hours import hour_of, utc
from driftline.domain.streams import REFERENCE
from driftline.store.hours import DERIVING
from driftline.store.outcomes import TRUTH
from driftline.store.paired import Answer, AnsweredRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.store.connection import Connection

_WHOLE: Final = 1_000_000
"""A sample is so many millionths of all."""

_ROWS = f"""
model_name = {{model:String}} AND model_version IN ({{one:String}}, {{other:String}})
AND environment != '{REFERENCE}' AND set_aside = ''
AND hour >= fromUnixTimestamp({{since:Int64}} * 3600) AND hour < fromUnixTimestamp({{until:Int64}} * 3600)
"""
_TRAFFIC = f"""
SELECT model_version, environment, count(), min(counted_time), max(counted_time)
FROM predictions WHERE {_ROWS} GROUP BY model_version, environment ORDER BY model_version, environment
"""
_SAMPLE = f"""
SELECT prediction_number, prediction_label, latency_us FROM predictions
WHERE {_ROWS} AND model_version = {{version:String}}
    AND cityHash64(event_id) % {_WHOLE} < {{share:UInt32}}
ORDER BY cityHash64(event_id), event_id LIMIT {{most:UInt64}}
"""
# The same row of both: the same request, or where none was logged the same entity at the same time.
_KEY = """multiIf(
    isNotNull(request_id), concat('request ', assumeNotNull(request_id)),
    isNotNull(entity_id), concat(
        'entity ', toString(toUnixTimestamp64Micro(event_time)), ' ', assumeNotNull(entity_id)),
    '')"""
_MADE = f"""
SELECT event_id, model_version, counted_time, prediction_number, prediction_label, latency_us, {_KEY} AS key
FROM predictions WHERE {_ROWS} AND key != '' AND cityHash64(key) % {_WHOLE} < {{share:UInt32}}
"""
_ANSWER = "(prediction_number, prediction_label, latency_us)"
# Of what was answered twice the first answer counts; of truths that of the first version's prediction, if it
# is known, else the other's. What somebody acted on has no truth.
_PAIRS = f"""
SELECT
    key,
    argMinIf({_ANSWER}, (counted_time, event_id), model_version = {{one:String}}) AS first_answer,
    argMinIf({_ANSWER}, (counted_time, event_id), model_version = {{other:String}}) AS second_answer,
    max(is_known) AND NOT max(is_acted_on) AS has_truth,
    argMinIf(truth, (model_version != {{one:String}}, counted_time, event_id), is_known) AS known_truth
FROM ({_MADE}) AS made
LEFT JOIN
(
    SELECT event_id, {TRUTH} FROM outcomes
    WHERE event_id IN (SELECT event_id FROM ({_MADE})) GROUP BY event_id
) AS truths ON made.event_id = truths.event_id
GROUP BY key
HAVING countIf(model_version = {{one:String}}) > 0 AND countIf(model_version = {{other:String}}) > 0
ORDER BY cityHash64(key), key LIMIT {{most:UInt64}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """Two versions of a model, and when.

    Args:
        model_name: the model.
        one: the first version.
        other: the second.
        since: the first hour of their predictions, counted from the Unix epoch.
        until: the hour behind the last.
    """

    model_name: str
    one: str
    other: str
    since: int = 0
    until: int = (1 << 32) // 3600 - 1

    def bound(self) -> dict[str, Any]:
        """Return the parameters of the queries."""
        return {
            "model": self.model_name,
            "one": self.one,
            "other": self.other,
            "since": self.since,
            "until": self.until,
        }


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a version answered in an environment. Times are in UTC.

    Args:
        environment: where.
        predictions: how many.
        first: the time of the first of them.
        last: of the last.
    """

    environment: str
    predictions: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class BothAnswered:
    """A row that both versions answered.

    Args:
        row: the first version's answer, with the truth; both parts None: it is not known.
        other: the second version's answer.
    """

    row: AnsweredRow
    other: Answer

    @property
    def has_truth(self) -> bool:
        """Whether the truth is known."""
        return self.row.actual_number is not None or self.row.actual_label is not None


def read_newest_hour(connection: Connection, two: Two) -> int | None:
    """Return the newest hour in which either version answered, since the epoch, UTC; None: neither did."""
    query = f"SELECT max(hour), count() FROM predictions WHERE {_ROWS}"
    ((newest, rows),) = connection.rows(query, two.bound())
    return hour_of(utc(newest)) if rows else None


def read_traffic(connection: Connection, two: Two) -> Mapping[str, Sequence[Traffic]]:
    """Return what each version answered, by environment; without reference rows."""
    found: dict[str, list[Traffic]] = {two.one: [], two.other: []}
    for version, environment, predictions, first, last in connection.rows(_TRAFFIC, two.bound()):
        found[version].append(Traffic(environment, int(predictions), utc(first), utc(last)))
    return found


def read_answers(
    connection: Connection, two: Two, version: str, *, share: float, most: int
) -> Sequence[Answer]:
    """Return a sample of a version's answers, always the same, in no order.

    Args:
        connection: to the store.
        two: the model, and when.
        version: one of the two.
        share: so many of all its rows; 1: all.
        most: at most so many.
    """
    bound = {**two.bound(), "version": version, "share": _millionths(share), "most": most}
    return [Answer(*row) for row in connection.rows(_SAMPLE, bound, settings=dict(DERIVING))]


def read_both_answered(
    connection: Connection, two: Two, *, share: float, most: int
) -> Sequence[BothAnswered]:
    """Return rows that both versions answered, in no order; a sample is always the same.

    Args:
        connection: to the store.
        two: which versions, and when.
        share: so many of all such rows; 1: all.
        most: at most so many.
    """
    bound = {**two.bound(), "share": _millionths(share), "most": most}
    found = []
    for key, first, second, has_truth, truth in connection.rows(_PAIRS, bound, settings=dict(DERIVING)):
        number, label = truth if has_truth else (None, None)
        row = AnsweredRow(
            event_id="",
            request_id=key,
            answer=Answer(*first),
            actual_number=number,
            actual_label=label,
            segments=(),
        )
        found.append(BothAnswered(row, Answer(*second)))
    return found


def _millionths(share: float) -> int:
    return max(1, min(round(share * _WHOLE), _WHOLE))
