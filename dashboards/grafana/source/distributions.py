"""How a feature is distributed: now, in the same hours of the four weeks before, and in the training data.

Now is the time range. Numbers are counted on a grid whose buckets are ``center + scale * sinh(bucket /
resolution)`` wide apart; the grid and the counts that go together are those in force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.grafana.source.panels import bars, curves, rows, titled
from dashboards.grafana.source.queries import COUNTED, FEATURE, IN_FORCE, MODEL, SEGMENT, table

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.barchart import Panel as Bars
    from grafana_foundation_sdk.builders.table import Panel as Table
    from grafana_foundation_sdk.builders.trend import Panel as Curves

_BINS = 40
_VALUES = 25
_WEEK_S = 7 * 24 * 3600
_REFERENCE_DAYS = 28

_LAYER = "multiIf(environment = 'reference', 'training', minute >= $__fromTime, 'now', 'before')"
_ROWS = f"""
    {MODEL} AND model_version = ${{model_version:sqlstring}} AND {FEATURE}
    AND
    (
        environment = 'reference'
        OR environment = ${{environment:sqlstring}} AND minute < $__toTime AND
        (
            minute >= $__fromTime
            OR minute >= $__fromTime - INTERVAL {_REFERENCE_DAYS} DAY
                AND positiveModulo(toInt64(toUnixTimestamp(minute)) - toUnixTimestamp($__fromTime), {_WEEK_S})
                    < toUnixTimestamp($__toTime) - toUnixTimestamp($__fromTime)
        )
    )"""
_GRID = f"""
    (
        SELECT argMax((center, scale, resolution), recount) FROM feature_grids
        WHERE {MODEL} AND {FEATURE} AND generation = counted.1
    ) AS chosen,
    if(chosen.3 = 0, (0., 1., toUInt16(32)), chosen) AS grid"""
_VALUE = "grid.1 + grid.2 * sinh(({bucket}) / grid.3)"
_COUNTS = """
    sumIf(count, layer = 'now') AS now_rows,
    sumIf(count, layer = 'before') AS before_rows,
    sumIf(count, layer = 'training') AS training_rows"""


def numeric_bars() -> Bars:
    """Return a numeric feature's distribution as bars."""
    return bars(
        "Distribution of numbers",
        "Share of values in each of at most 40 bins, labelled by their middle. Bins are even near the "
        "feature's centre and widen in its tails. Shares of rows with a value: missing ones are on "
        "another chart.",
        table(
            f"""
            WITH {COUNTED}, {_GRID}
            SELECT
                printf('%.4g', toFloat64({_VALUE.format(bucket="(bin + 0.5) * width - 0.5")})) AS value,
                now_rows / nullIf(sum(now_rows) OVER (), 0) AS now,
                before_rows / nullIf(sum(before_rows) OVER (), 0) AS `same hours before`,
                training_rows / nullIf(sum(training_rows) OVER (), 0) AS training
            FROM
            (
                SELECT width, floor(bucket / width) AS bin, {_COUNTS}
                FROM
                (
                    SELECT
                        {_LAYER} AS layer, bucket, count,
                        intDiv(max(bucket) OVER () - min(bucket) OVER (), {_BINS}) + 1 AS width
                    FROM numeric_profiles WHERE {_ROWS} AND {SEGMENT} AND {IN_FORCE}
                )
                GROUP BY width, bin
            )
            ORDER BY bin
            """
        ),
        x="value",
    ).no_value("not counted as a number, or no value in this time range")


def numeric_curves() -> Curves:
    """Return a numeric feature's distribution as the share of values at or below each."""
    return curves(
        "Share of values at or below",
        "The same as curves, exact at each bucket: where they are apart, rows moved; the largest gap is KS.",
        table(
            f"""
            WITH {COUNTED}, {_GRID}
            SELECT
                {_VALUE.format(bucket="bucket + 0.5")} AS value,
                sum(now_rows) OVER (ORDER BY bucket) / nullIf(sum(now_rows) OVER (), 0) AS now,
                sum(before_rows) OVER (ORDER BY bucket) / nullIf(sum(before_rows) OVER (), 0)
                    AS `same hours before`,
                sum(training_rows) OVER (ORDER BY bucket) / nullIf(sum(training_rows) OVER (), 0) AS training
            FROM
            (
                SELECT bucket, {_COUNTS}
                FROM
                (
                    SELECT {_LAYER} AS layer, bucket, count
                    FROM numeric_profiles WHERE {_ROWS} AND {SEGMENT} AND {IN_FORCE}
                )
                GROUP BY bucket
            )
            ORDER BY bucket
            """
        ),
        x="value",
        unit="percentunit",
    ).no_value("not counted as a number, or no value in this time range")


def categories() -> Bars:
    """Return a categorical feature's distribution."""
    return bars(
        "Distribution of categories",
        "Share of each value; the 25 most frequent, the rest of them together as (others). A value that the "
        "training data does not have was never seen there.",
        table(
            f"""
            WITH {COUNTED}
            SELECT
                if(place <= {_VALUES} AND NOT folded, value, '(others)') AS category,
                sum(now_share) AS now, sum(before_share) AS `same hours before`,
                sum(training_share) AS training
            FROM
            (
                SELECT
                    *, row_number() OVER (
                        ORDER BY folded, ifNull(now_share, 0) + ifNull(before_share, 0)
                            + ifNull(training_share, 0) DESC, value
                    ) AS place
                FROM
                (
                    SELECT
                        value, folded,
                        now_rows / nullIf(sum(now_rows) OVER (), 0) AS now_share,
                        before_rows / nullIf(sum(before_rows) OVER (), 0) AS before_share,
                        training_rows / nullIf(sum(training_rows) OVER (), 0) AS training_share
                    FROM
                    (
                        SELECT value, folded, {_COUNTS}
                        FROM
                        (
                            SELECT {_LAYER} AS layer, value, folded, count
                            FROM categorical_profiles
                            WHERE {_ROWS} AND {SEGMENT} AND (segment = '' OR {IN_FORCE})
                        )
                        GROUP BY value, folded
                    )
                )
            )
            GROUP BY category ORDER BY min(place)
            """
        ),
        x="category",
        width=24,
    ).no_value("not counted as a category, or no value in this time range")


def numbers_by_segment() -> Table:
    """Return where a numeric feature lies in each part of the traffic."""
    quantiles = "quantilesExactWeightedIf(0.05, 0.5, 0.95)"
    value = _VALUE.format(bucket="bucket")
    return (
        rows(
            "Numbers by slice",
            "The 5 %, 50 % and 95 % quantiles in each part of the traffic, now and in the same hours "
            "before, to the width of a bucket. The slice whose numbers differ is where to look.",
            table(
                f"""
                WITH {COUNTED}, {_GRID}
                SELECT
                    slice, now_rows, before_rows,
                    if(now_rows = 0, NULL, at[1]) AS low,
                    if(now_rows = 0, NULL, at[2]) AS median,
                    if(now_rows = 0, NULL, at[3]) AS high,
                    if(before_rows = 0, NULL, was[1]) AS low_before,
                    if(before_rows = 0, NULL, was[2]) AS median_before,
                    if(before_rows = 0, NULL, was[3]) AS high_before
                FROM
                (
                    SELECT
                        if(segment = '', 'all traffic', segment) AS slice, {_COUNTS},
                        {quantiles}({value}, count, layer = 'now') AS at,
                        {quantiles}({value}, count, layer = 'before') AS was
                    FROM
                    (
                        SELECT segment, {_LAYER} AS layer, bucket, count
                        FROM numeric_profiles WHERE {_ROWS} AND {IN_FORCE}
                    )
                    GROUP BY segment
                )
                ORDER BY slice
                """
            ),
            width=24,
            numbers=[
                "now_rows",
                "before_rows",
                "low",
                "median",
                "high",
                "low_before",
                "median_before",
                "high_before",
            ],
        )
        .no_value("not counted as a number, or no value in this time range")
        .override_by_name("now_rows", [titled("values now")])
        .override_by_name("before_rows", [titled("values before")])
    )


def categories_by_segment() -> Table:
    """Return the shares of a categorical feature's values in each part of the traffic."""
    return (
        rows(
            "Categories by slice",
            "Values whose share changed most in a part of the traffic, now against the same hours before.",
            table(
                f"""
                WITH {COUNTED}
                SELECT
                    slice, value, now_rows, before_rows,
                    now_rows / nullIf(sum(now_rows) OVER (PARTITION BY slice), 0) AS now,
                    before_rows / nullIf(sum(before_rows) OVER (PARTITION BY slice), 0) AS before,
                    now - before AS change
                FROM
                (
                    SELECT if(segment = '', 'all traffic', segment) AS slice, value, {_COUNTS}
                    FROM
                    (
                        SELECT segment, {_LAYER} AS layer, value, count
                        FROM categorical_profiles
                        WHERE {_ROWS} AND (segment = '' OR {IN_FORCE}) AND NOT folded
                    )
                    GROUP BY segment, value
                )
                ORDER BY abs(change) DESC NULLS LAST, slice, value LIMIT 200
                """
            ),
            width=24,
            numbers=["now_rows", "before_rows"],
            shares=["now", "before", "change"],
        )
        .no_value("not counted as a category, or no value in this time range")
        .override_by_name("now_rows", [titled("values now")])
        .override_by_name("before_rows", [titled("values before")])
    )
