"""Counting what became of predictions: from raw rows and outcomes to the performance counts of an hour.

The same statement derives an hour, and answers what was known of it at an earlier time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.domain.performance import DELAY_EDGES_S, HIGHEST, LOWEST, NO_SCORE, OUTSIDE, RESOLUTION
from driftline.store.derive_profiles import SEGMENTS
from driftline.store.hours import COUNTS, KEYS
from driftline.store.outcomes import FOREVER, TRUTH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

REPLAYED_S = 3600
"""What landed so long after its time was replayed: of its truth the landing says nothing."""

_SMALLEST = 2.220446049250313e-16
_GROUP = f"{KEYS}, hour, segment, kind, status, decision, truth"


def _bin(score: str) -> str:
    """Return SQL for the bin of a score."""
    odds = f"floor({RESOLUTION} * log({score} / (1 - {score})))"
    return f"""toInt32(multiIf(
        NOT isFinite({score}), {NO_SCORE},
        {score} < 0, -{OUTSIDE} + greatest(floor({RESOLUTION} * asinh({score})), -50000),
        {score} > 1, {OUTSIDE} + least(floor({RESOLUTION} * asinh({score})), 50000),
        {score} = 0, {LOWEST},
        {score} = 1, {HIGHEST},
        least(greatest({odds}, {LOWEST}), {HIGHEST})))"""


_SCORE_BIN, _SHARE_BIN = _bin("score"), _bin("share")

# What is known of the rows' outcomes. Rows without one have none of it, and counts as unknown.
_TRUTHS = f"""
SELECT event_id, {TRUTH} FROM outcomes
WHERE landed_at <= {{as_of:DateTime64(3, 'UTC')}}
    AND event_id IN (SELECT event_id FROM predictions WHERE %(rows)s)
GROUP BY event_id
"""
_JOINED = f"""
SELECT
    {KEYS}, hour, prediction_number, prediction_label, class_probabilities, counted_time, landed_at,
    {SEGMENTS} AS segments,
    outcomes, truth.1 AS actual_number, truth.2 AS actual_label,
    (toFloat64(if(landed_at > counted_time + INTERVAL {REPLAYED_S} SECOND, first_observed, first_landed))
        - toFloat64(counted_time)) AS known_after,
    is_known AND known_after <= {{age:Float64}} AS is_known_by_then,
    multiIf(is_acted_on, 'acted_on', is_known_by_then, 'known', 'unknown') AS status
FROM
(
    SELECT {KEYS}, hour, event_id, prediction_number, prediction_label, class_probabilities, counted_time,
        landed_at, tags, categorical_features
    FROM predictions WHERE %(rows)s
) AS made
LEFT JOIN ({_TRUTHS}) AS truths ON made.event_id = truths.event_id
"""
_EDGES = ", ".join(f"known_after <= {edge:g}, {place}" for place, edge in enumerate(DELAY_EDGES_S))
_COMMON = f"""
    {KEYS}, hour, segments, status, outcomes,
    landed_at > counted_time + INTERVAL {REPLAYED_S} SECOND AS is_replayed,
    status = 'known' AND actual_label IS NULL AS is_number,
    ifNull(actual_number, 0) AS actual,
    toUInt8(if(status = 'known', multiIf({_EDGES}, {len(DELAY_EDGES_S)}), 0)) AS place
"""
_ANSWERS = f"""
SELECT
    {_COMMON}, 'answer' AS kind, ifNull(prediction_label, '') AS decision,
    assumeNotNull(multiIf(
        status != 'known', '', actual_label IS NOT NULL, actual_label, actual = 0, '0', actual = 1, '1', ''
    )) AS truth,
    ifNull(prediction_number, nan) AS score, {_SCORE_BIN} AS bin,
    multiIf(
        status != 'known', nan,
        actual_label IS NOT NULL,
            if(empty(class_probabilities), nan, class_probabilities[assumeNotNull(actual_label)]),
        truth = '' OR NOT (score >= 0 AND score <= 1), nan,
        truth = '1', score, 1 - score) AS likelihood,
    multiIf(
        isNaN(likelihood), 0,
        actual_label IS NULL, pow(1 - likelihood, 2),
        arraySum(q -> q * q, mapValues(class_probabilities)) - 2 * likelihood + 1) AS brier,
    -log(least(greatest(likelihood, {_SMALLEST}), 1 - {_SMALLEST})) AS loss,
    is_number AND isFinite(score) AS has_error,
    if(has_error, score - actual, 0) AS error
FROM ({_JOINED})
"""
_CLASSES = f"""
SELECT
    {_COMMON}, 'class' AS kind, decision,
    if(status != 'known', '', if(actual_label = decision, '1', '0')) AS truth,
    share AS score, {_SHARE_BIN} AS bin,
    if(truth = '', nan, if(truth = '1', share, 1 - share)) AS likelihood,
    if(isNaN(likelihood), 0, pow(1 - likelihood, 2)) AS brier,
    -log(least(greatest(likelihood, {_SMALLEST}), 1 - {_SMALLEST})) AS loss,
    0 AS has_error, 0. AS error
FROM
(
    SELECT *, decision, share FROM ({_JOINED})
    ARRAY JOIN mapKeys(class_probabilities) AS decision, mapValues(class_probabilities) AS share
    WHERE status != 'known' OR actual_label IS NOT NULL
)
"""
_CHOSEN = f"""
SELECT
    {_COMMON}, 'chosen' AS kind, assumeNotNull(prediction_label) AS decision,
    if(status != 'known', '', if(actual_label = decision, '1', '0')) AS truth,
    class_probabilities[decision] AS share, share AS score, {_SHARE_BIN} AS bin,
    nan AS likelihood, 0. AS brier, 0. AS loss, 0 AS has_error, 0. AS error
FROM ({_JOINED})
WHERE mapContains(class_probabilities, ifNull(prediction_label, ''))
    AND (status != 'known' OR actual_label IS NOT NULL)
"""
# First by bin and place, so that what is put together afterwards are counts and no longer rows.
_CELLS = f"""
SELECT
    {_GROUP}, bin, place,
    count() AS n, sum(outcomes) AS reported, sum(is_replayed) AS late,
    sum(if(isFinite(score), score, 0)) AS total,
    countIf(NOT isNaN(likelihood)) AS proper,
    sumIf(loss, NOT isNaN(likelihood)) AS loss_1, sumIf(loss * loss, NOT isNaN(likelihood)) AS loss_2,
    sum(brier) AS brier_1, sum(brier * brier) AS brier_2,
    sum(has_error) AS numbers, sum(error) AS error_1, sum(abs(error)) AS error_0,
    sum(error * error) AS error_2, sumIf(error * error, error > 0) AS error_over,
    sum(pow(error, 4)) AS error_4, max(abs(error)) AS error_max,
    sum(abs(error) / greatest(abs(actual), {_SMALLEST})) AS relative_1,
    sum(pow(error / greatest(abs(actual), {_SMALLEST}), 2)) AS relative_2,
    (countIf(has_error), avgOrDefaultIf(actual, has_error), varPopStableIf(actual, has_error)) AS moment
FROM (SELECT *, segment FROM (%(rows)s) ARRAY JOIN segments AS segment)
GROUP BY {_GROUP}, bin, place
"""
COUNTED = f"""
SELECT
    {_GROUP}, sum(n) AS count, sum(reported) AS outcomes, sum(late) AS replayed,
    (sumMap([bin], [n], [total]) AS by_bin).1 AS bins, by_bin.2 AS counts, by_bin.3 AS scores,
    (sumMapIf([place], [n], status = 'known') AS by_place).1 AS delays, by_place.2 AS delay_counts,
    sum(proper) AS proper, sum(loss_1) AS log_loss, sum(loss_2) AS log_loss_squared,
    sum(brier_1) AS brier, sum(brier_2) AS brier_squared,
    sum(numbers) AS numbers, sum(error_1) AS error, sum(error_0) AS error_absolute,
    sum(error_2) AS error_squared, sum(error_over) AS error_over_squared,
    sum(error_4) AS error_fourth, max(error_max) AS error_largest,
    sum(relative_1) AS error_relative, sum(relative_2) AS error_relative_squared,
    if(truth = '',
        groupArrayIf((moment.1, moment.2, moment.1 * moment.3), moment.1 > 0),
        [(numbers, toFloat64OrZero(truth), 0.)]) AS moments,
    sumMapIf([bin], [moment.1], [error_1], [error_0], [error_2], [error_4], [relative_1], [relative_2],
        truth = '' AND moment.1 > 0) AS errors
FROM ({_CELLS})
GROUP BY {_GROUP}
"""
COLUMNS = (
    "model_name model_version environment hour segment kind status decision truth count outcomes replayed "
    "bins counts scores delays delay_counts proper log_loss log_loss_squared brier brier_squared numbers "
    "error error_absolute error_squared error_fourth error_largest error_relative error_relative_squared "
    "error_over_squared moments errors"
)


def counted(condition: str, *, has_classes: bool = True) -> str:
    """Return SQL for the performance counts of the raw rows that a condition chooses.

    Args:
        condition: SQL over `predictions`; what was set aside is left out beside it.
        has_classes: whether classes are counted that have a probability.
    """
    rows = f"{condition} AND {COUNTS.sql} AND landed_at <= {{as_of:DateTime64(3, 'UTC')}}"
    kinds = [_ANSWERS, _CLASSES, _CHOSEN] if has_classes else [_ANSWERS]
    parts = [COUNTED % {"rows": kind % {"rows": rows}} for kind in kinds]
    listed = COLUMNS.replace(" ", ", ")
    return " UNION ALL ".join(f"SELECT {listed} FROM ({part})" for part in parts)


def bound(
    segments: Sequence[str], *, as_of: datetime = FOREVER, age: timedelta | None = None
) -> dict[str, Any]:
    """Return the parameters of `counted`.

    Args:
        segments: that rows are counted in beside the whole traffic.
        as_of: what had landed by then, by the store's clock.
        age: the truths that were known so long after their predictions at most; None: all.
    """
    return {
        "segments": list(segments) or [""],
        "segment_keys": sorted({segment.partition("=")[0] for segment in segments}) or [""],
        "as_of": as_of,
        "age": float("inf") if age is None else age.total_seconds(),
    }
