"""Deriving profiles: the numeric and categorical counts of hours, of the whole traffic and of segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.profiles import HASH_PLACES, Grid
from driftline.store.answer import categories_of, missing_of, numbers_of
from driftline.store.hours import DERIVING, KEYS
from driftline.store.kinds import rows_from
from driftline.store.places import Places

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.domain.streams import HourKey
    from driftline.store.answer import Parts
    from driftline.store.connection import Connection
    from driftline.store.recipes import Recipes

MOST_NAMED = 256
"""So many values of a category keep their names in an hour, the most frequent; the others are folded."""

_REPEATED = 1.25
"""Where each value comes less often on average, as ids do, nothing follows from which come more often."""

_NAN, _INFINITE = 1 << 40, 1 << 41
_LARGEST = 1.7976931348623157e308
_KEY = f"{KEYS}, hour, segment"

_ROWS = f"""
INSERT INTO profiles (derivation, {_KEY}, kind, count)
SELECT {{derivation:UInt64}}, {_KEY}, 'rows', count() FROM (%(rows)s) GROUP BY {_KEY}
"""
_MISSING = f"""
INSERT INTO profiles (derivation, {_KEY}, feature, kind, count)
SELECT {{derivation:UInt64}}, {_KEY}, feature, 'missing', count()
FROM (%(missing)s) ARRAY JOIN names AS feature GROUP BY {_KEY}, feature
"""
# What is not finite has buckets of its own, behind all others. Distances are bounded, since one that
# overflows has no bucket.
_NUMERIC = f"""
INSERT INTO profiles (
    derivation, {_KEY}, feature, kind, count, nans, infinities, minimum, maximum, center, scale, resolution,
    buckets, counts)
SELECT
    {{derivation:UInt64}}, {_KEY}, feature, 'numeric',
    sumIf(n, bucket < {_NAN}), sumIf(n, bucket = {_NAN}), sumIf(n, bucket = {_INFINITE}),
    minIf(low, bucket < {_NAN}), maxIf(high, bucket < {_NAN}),
    {{centers:Array(Float64)}}[any(place)], {{scales:Array(Float64)}}[any(place)],
    {{resolutions:Array(UInt16)}}[any(place)],
    (arraySort(groupArrayIf((toInt32(bucket), n), bucket < {_NAN})) AS held).1, held.2
FROM
(
    SELECT {_KEY}, feature, bucket, any(grid) AS place, count() AS n, min(value) AS low, max(value) AS high
    FROM
    (
        SELECT
            {_KEY}, feature, value, %(grid)s AS grid,
            multiIf(isNaN(value), {_NAN}, isInfinite(value), {_INFINITE},
                toInt64(round({{resolutions:Array(UInt16)}}[grid] * asinh(greatest(least(
                    (value - {{centers:Array(Float64)}}[grid]) / {{scales:Array(Float64)}}[grid],
                    {_LARGEST}), -{_LARGEST}))))) AS bucket
        FROM (%(numbers)s) ARRAY JOIN names AS feature, numbers AS value
    )
    GROUP BY {_KEY}, feature, bucket
)
GROUP BY {_KEY}, feature
"""
_CATEGORICAL = f"""
INSERT INTO profiles (derivation, {_KEY}, feature, kind, count, values, counts, folded, hashed)
SELECT
    {{derivation:UInt64}}, {_KEY}, feature, 'categorical', arraySum(named.2), named.1, named.2,
    total - arraySum(named.2) AS unnamed,
    if(unnamed = 0 OR total < {_REPEATED} * different, [],
        arrayMap(place -> toUInt64(by_place[toUInt16(place)]), range({HASH_PLACES})))
FROM
(
    SELECT
        {_KEY}, feature, sum(n) AS total, count() AS different,
        arraySort(arrayMap(
            pair -> (pair.2, toUInt64(-pair.1)), groupArraySorted({MOST_NAMED})((-n, value)))) AS named,
        sumMap(map(
            toUInt16(bitAnd(reinterpretAsUInt16(reverse(substring(SHA256(value), 5, 2))), {HASH_PLACES - 1})),
            n)) AS by_place
    FROM
    (
        SELECT {_KEY}, feature, value, toInt64(count()) AS n
        FROM (%(categories)s) ARRAY JOIN names AS feature, categories AS value
        GROUP BY {_KEY}, feature, value
    )
    GROUP BY {_KEY}, feature
)
"""

SEGMENTS = """
arrayPushFront(arrayDistinct(arrayFilter(
    segment -> segment IN {segments:Array(String)},
    arrayConcat(
        arrayMap(
            key -> concat(key, '=', tags[key]),
            arrayFilter(key -> mapContains(tags, key), {segment_keys:Array(String)})),
        arrayMap(
            key -> concat(key, '=', categorical_features[key]),
            arrayFilter(key -> mapContains(categorical_features, key), {segment_keys:Array(String)}))))), '')
"""
"""SQL: the wanted segments that a raw row belongs to; the whole traffic, which has no name, first."""


def derive_profiles(
    connection: Connection,
    hours: Collection[HourKey],
    recipes: Recipes,
    condition: str,
    bound: dict[str, Any],
    *,
    held: Parts,
) -> None:
    """Write the profiles of hours. Blocks.

    Args:
        connection: to the store.
        hours: which; of models that are counted in the same segments.
        recipes: by what.
        condition: SQL that chooses their raw rows.
        bound: its parameters, and the id of the derivation.
        held: which parts of answers there are in these rows.
    """
    models = {each.stream.model_name for each in hours}
    places = Places.of({model: recipes.grids_of(model) for model in models})
    grids = [Grid(), *(recipes.grids_of(model)[feature] for model, feature in places.named)]
    bound |= places.bound() | {
        "centers": [grid.center for grid in grids],
        "scales": [grid.scale for grid in grids],
        "resolutions": [grid.resolution for grid in grids],
    }
    model = next(iter(models))
    segments = recipes.segments_of(model)
    categories = recipes.categories_of(model)
    if categories:
        bound["categories"] = sorted(categories)
    rows = rows_from(condition, categories)
    names, numbers = numbers_of(held)
    owner = (
        "transform(toString(model_name), {owners:Array(String)}, "
        "range(1, length({owners:Array(String)}) + 1), 0)"
    )
    of_categories = dict(zip(("names", "categories"), categories_of(held), strict=True))
    parts = {
        "grid": places.sql("owner"),
        "rows": _base(rows, segments, {}),
        "missing": _base(rows, segments, {"names": missing_of(held)}),
        "numbers": _base(rows, segments, {"names": names, "numbers": numbers, "owner": owner}),
        "categories": _base(rows, segments, of_categories),
    }
    if segments:
        bound |= {
            "segments": list(segments),
            "segment_keys": sorted({segment.partition("=")[0] for segment in segments}),
        }
    for statement in (_ROWS, _MISSING, _NUMERIC, _CATEGORICAL):
        connection.insert_selected(statement % parts, bound, settings=DERIVING)


def _base(rows: str, segments: Sequence[str], columns: Mapping[str, str]) -> str:
    """Return a query of the raw rows, each once for the whole traffic and once for each of its segments."""
    own = "".join(f", {sql} AS {name}" for name, sql in columns.items())
    start = f"SELECT {KEYS}, hour"
    if not segments:
        return f"{start}, '' AS segment{own} FROM {rows}"
    listed = ", ".join(["", *columns])
    return (
        f"SELECT {KEYS}, hour, segment{listed} FROM ({start}, {SEGMENTS} AS segments{own} "
        f"FROM {rows}) ARRAY JOIN segments AS segment"
    )
