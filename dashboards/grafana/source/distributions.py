"""How a feature is distributed: now, in the same hours of the four weeks before, and in the training data.

Now is the hours that the time range touches. Numbers are counted on a grid, which stands in each row: bucket
b holds the values around ``center + scale * sinh(b / resolution)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.grafana.source.panels import bars, curves, rows, titled
from dashboards.grafana.source.queries import FEATURE, FIRST_HOUR, MODEL, SEGMENT, table
from driftline.store.visible import visible

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.barchart import Panel as Bars
    from grafana_foundation_sdk.builders.table import Panel as Table
    from grafana_foundation_sdk.builders.trend import Panel as Curves

_BINS = 40
_VALUES = 25
_WEEK_S = 7 * 24 * 3600
_REFERENCE_DAYS = 28

_LAYER = f"multiIf(environment = 'reference', 'training', hour >= {FIRST_HOUR}, 'now', 'before')"
_HOURS = f"""
    {MODEL} AND model_version = ${{model_version:sqlstring}}
    AND
    (
        environment = 'reference'
        OR environment = ${{environment:sqlstring}} AND hour < $__toTime AND
        (
            hour >= {FIRST_HOUR}
            OR hour >= {FIRST_HOUR} - INTERVAL {_REFERENCE_DAYS} DAY
                AND positiveModulo(toInt64(toUnixTimestamp(hour)) - toUnixTimestamp({FIRST_HOUR}), {_WEEK_S})
                    < toUnixTimestamp($__toTime) - toUnixTimestamp({FIRST_HOUR})
        )
    )"""
_ROWS = f"{_HOURS} AND {FEATURE} AND {visible(_HOURS)}"
_VALUE = "center + scale * sinh(({bucket}) / resolution)"
_COUNTS = """
    sumIf(n, layer = 'now') AS now_rows,
    sumIf(n, layer = 'before') AS before_rows,
    sumIf(n, layer = 'training') AS training_rows"""

# Until an hour is derived again, or for good where its rows have expired, it stays on an earlier grid. The
# middle of such a bucket says where it lies on the newest one.
_ON_ONE_GRID = f"""
    SELECT
        layer, n, grid,
        if(own = grid, bucket, toInt32(round(grid.3 * asinh((middle - grid.1) / grid.2)))) AS place,
        {_VALUE.format(bucket="bucket")} AS middle
    FROM
    (
        SELECT
            {_LAYER} AS layer, center, scale, resolution, buckets, counts,
            (center, scale, resolution) AS own, argMax(own, derivation) OVER () AS grid
        FROM profiles WHERE {_ROWS} AND {SEGMENT} AND kind = 'numeric'
    )
    ARRAY JOIN buckets AS bucket, counts AS n"""


def numeric_bars() -> Bars:
    """Return a numeric feature's distribution as bars."""
    return bars(
        "Distribution of numbers",
        "Share of values in each of at most 40 bins, labelled by their middle. Bins are even near the "
        "feature's centre and widen in its tails. Shares of rows with a value: missing ones are on "
        "another chart.",
        table(
            f"""
            SELECT
                printf(
                    '%.4g', grid.1 + grid.2 * sinh(((bin + 0.5) * width - 0.5) / grid.3)
                ) AS value,
                now_rows / nullIf(sum(now_rows) OVER (), 0) AS now,
                before_rows / nullIf(sum(before_rows) OVER (), 0) AS `same hours before`,
                training_rows / nullIf(sum(training_rows) OVER (), 0) AS training
            FROM
            (
                SELECT grid, width, floor(place / width) AS bin, {_COUNTS}
                FROM
                (
                    SELECT *, intDiv(max(place) OVER () - min(place) OVER (), {_BINS}) + 1 AS width
                    FROM ({_ON_ONE_GRID})
                )
                GROUP BY grid, width, bin
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
            SELECT
                value,
                sum(now_rows) OVER (ORDER BY value) / nullIf(sum(now_rows) OVER (), 0) AS now,
                sum(before_rows) OVER (ORDER BY value) / nullIf(sum(before_rows) OVER (), 0)
                    AS `same hours before`,
                sum(training_rows) OVER (ORDER BY value) / nullIf(sum(training_rows) OVER (), 0) AS training
            FROM
            (
                SELECT value, {_COUNTS}
                FROM
                (
                    SELECT {_LAYER} AS layer, {_VALUE.format(bucket="bucket + 0.5")} AS value, n
                    FROM profiles ARRAY JOIN buckets AS bucket, counts AS n
                    WHERE {_ROWS} AND {SEGMENT} AND kind = 'numeric'
                )
                GROUP BY value
            )
            ORDER BY value
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
            SELECT
                if(place <= {_VALUES} AND NOT is_folded, value, '(others)') AS category,
                sum(now_share) AS now, sum(before_share) AS `same hours before`,
                sum(training_share) AS training
            FROM
            (
                SELECT
                    *, row_number() OVER (
                        ORDER BY is_folded, ifNull(now_share, 0) + ifNull(before_share, 0)
                            + ifNull(training_share, 0) DESC, value
                    ) AS place
                FROM
                (
                    SELECT
                        value, is_folded,
                        now_rows / nullIf(sum(now_rows) OVER (), 0) AS now_share,
                        before_rows / nullIf(sum(before_rows) OVER (), 0) AS before_share,
                        training_rows / nullIf(sum(training_rows) OVER (), 0) AS training_share
                    FROM
                    (
                        SELECT value, is_folded, {_COUNTS}
                        FROM
                        (
                            SELECT
                                {_LAYER} AS layer, part.1 AS value, part.2 AS n, part.3 AS is_folded
                            FROM profiles
                            ARRAY JOIN arrayPushBack(
                                arrayMap((name, n) -> (name, n, false), values, counts), ('', folded, true)
                            ) AS part
                            WHERE {_ROWS} AND {SEGMENT}
                                AND kind = 'categorical' AND n > 0
                        )
                        GROUP BY value, is_folded
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
    return (
        rows(
            "Numbers by slice",
            "The 5 %, 50 % and 95 % quantiles in each part of the traffic, now and in the same hours "
            "before, to the width of a bucket. The slice whose numbers differ is where to look.",
            table(
                f"""
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
                        {quantiles}(value, n, layer = 'now') AS at,
                        {quantiles}(value, n, layer = 'before') AS was
                    FROM
                    (
                        SELECT segment, {_LAYER} AS layer, {_VALUE.format(bucket="bucket")} AS value, n
                        FROM profiles ARRAY JOIN buckets AS bucket, counts AS n
                        WHERE {_ROWS} AND kind = 'numeric'
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
                        SELECT segment, {_LAYER} AS layer, value, n
                        FROM profiles ARRAY JOIN values AS value, counts AS n
                        WHERE {_ROWS} AND kind = 'categorical'
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
