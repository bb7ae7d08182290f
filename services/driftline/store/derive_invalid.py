"""Deriving invalid values: which values of hours broke a rule, by feature and reason, with examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.store.answer import answers_of, outputs_of
from driftline.store.hours import DERIVING, KEYS
from driftline.store.kinds import rows_from
from driftline.store.names import keys_of
from driftline.store.places import Places
from driftline.store.rules import NO_RULES, REASONS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from driftline.domain.streams import HourKey
    from driftline.store.answer import Parts
    from driftline.store.connection import Connection
    from driftline.store.recipes import Recipes
    from driftline.store.rules import RuleSet

_LARGEST = 1.7976931348623157e308
_EXAMPLES = 3

# A number that is null is a part of the answer that is not there.
_NUMBER_REASON = """
multiIf(
    place = 1, if(feature = 'prediction' OR startsWith(feature, 'prediction.'), 0, unknown),
    isNull(number), {missing:Array(UInt8)}[place],
    {kinds:Array(UInt8)}[place] = 2, 1,
    NOT isFinite(number), {not_finite:Array(UInt8)}[place],
    number < {minima:Array(Float64)}[place], {below:Array(UInt8)}[place],
    number > {maxima:Array(Float64)}[place], {above:Array(UInt8)}[place],
    0)
"""
_CATEGORY_REASON = """
multiIf(
    place = 1, if(feature = 'prediction' OR startsWith(feature, 'prediction.'), 0, unknown),
    {kinds:Array(UInt8)}[place] = 1, 1,
    {limited:Array(UInt8)}[place] = 1
        AND (place, value) NOT IN {allowed:Array(Tuple(UInt32, String))}, 5,
    0)
"""
_MISSING_REASON = """
multiIf(
    place = 1, if(feature = 'prediction' OR startsWith(feature, 'prediction.'), 0, unknown),
    {missing:Array(UInt8)}[place])
"""
_EVENT = f"{KEYS}, hour, event_time, event_id"
_KNOWS_ALL = "{knows_all:Array(UInt8)}[version]"

_SENT = "arrayConcat(mapKeys(numeric_features), mapKeys(categorical_features), missing_features)"

_INVALID = f"""
INSERT INTO invalid_values (derivation, {KEYS}, hour, feature, reason, count, oldest, newest, examples)
SELECT
    {{derivation:UInt64}}, {KEYS}, hour, toString(feature) AS name,
    transform(
        name,
        ['prediction', 'prediction.probabilities', 'prediction.probability_sum'],
        ['no_prediction', 'probability_range', 'probability_sum'],
        {{reasons:Array(String)}}[code]) AS why,
    count(), min(event_time), max(event_time),
    arrayMap(
        pair -> (fromUnixTimestamp64Micro(-pair.1, 'UTC'), pair.2),
        groupArraySorted({_EXAMPLES})((-toUnixTimestamp64Micro(event_time), event_id)))
FROM
(
    SELECT {_EVENT}, feature, {_NUMBER_REASON} AS code
    FROM (
        SELECT {_EVENT}, feature, number, %(place)s AS place, unknown
        FROM (
            SELECT
                {_EVENT}, %(version)s AS version, {_KNOWS_ALL} AS unknown,
                arrayConcat(
                    {keys_of("mapKeys(numeric_features)")},
                    %(number_names)s
                    ['prediction.number', 'prediction.latency_us', 'prediction.compute_us',
                        'prediction.probabilities', 'prediction.probability_sum', 'prediction']) AS names,
                arrayConcat(
                    mapValues(numeric_features),
                    %(number_values)s
                    [
                        prediction_number,
                        toFloat64(latency_us),
                        toFloat64(compute_us),
                        arrayFirstOrNull(p -> NOT (p >= 0 AND p <= 1), mapValues(class_probabilities)),
                        if(empty(class_probabilities), NULL, arraySum(mapValues(class_probabilities))),
                        if(%(answers)s, 0, NULL)]) AS numbers
            FROM %(rows)s
        ) ARRAY JOIN names AS feature, numbers AS number
    )
    WHERE code != 0
    UNION ALL
    SELECT {_EVENT}, feature, {_CATEGORY_REASON} AS code
    FROM (
        SELECT {_EVENT}, feature, value, %(place)s AS place, unknown
        FROM (
            SELECT
                {_EVENT}, %(version)s AS version, {_KNOWS_ALL} AS unknown,
                arrayConcat(
                    {keys_of("mapKeys(categorical_features)")},
                    %(category_names)s
                    if(prediction_label IS NULL, [], ['prediction.label'])) AS names,
                arrayConcat(
                    mapValues(categorical_features),
                    %(category_values)s
                    if(prediction_label IS NULL, [], [assumeNotNull(prediction_label)])) AS categories
            FROM %(rows)s
        ) ARRAY JOIN names AS feature, categories AS value
    )
    WHERE code != 0
    UNION ALL
    SELECT {_EVENT}, feature, {_MISSING_REASON} AS code
    FROM (
        SELECT {_EVENT}, feature, %(place)s AS place, unknown
        FROM (
            SELECT
                {_EVENT}, %(version)s AS version, {_KNOWS_ALL} AS unknown,
                arrayConcat(
                    {keys_of("missing_features")},
                    %(missing_names)s
                    if(prediction_label IS NULL, ['prediction.label'], [])) AS names
            FROM %(rows)s
            WHERE %(any_missing)s notEmpty(missing_features) OR prediction_label IS NULL
        ) ARRAY JOIN names AS feature
    )
    WHERE code != 0
    UNION ALL
    SELECT {_EVENT}, feature, 7 AS code
    FROM (
        SELECT
            {_EVENT}, {{required:Array(Array(String))}}[%(version)s] AS wanted,
            {keys_of(_SENT)} AS names
        FROM %(rows)s WHERE NOT hasAll(names, wanted)
    ) ARRAY JOIN arrayFilter(name -> NOT has(names, name), wanted) AS feature
)
GROUP BY {KEYS}, hour, feature, code
"""


def derive_invalid(
    connection: Connection,
    hours: Collection[HourKey],
    recipes: Recipes,
    condition: str,
    bound: dict[str, Any],
    *,
    held: Parts,
) -> None:
    """Write what is invalid in hours. Blocks.

    Args:
        connection: to the store.
        hours: which; each has rules.
        recipes: by what.
        condition: SQL that chooses their raw rows.
        bound: its parameters, and the id of the derivation.
        held: which parts of answers there are in these rows.
    """
    sets: dict[str, RuleSet] = {}
    for each in hours:
        sets[_version(each)] = recipes.rules_of(each.stream)
    places = Places.of({version: found.rules for version, found in sets.items()})
    rules = [NO_RULES.rule, *(sets[version].rules[feature] for version, feature in places.named)]
    ranges = [
        NO_RULES.range_reasons(""),
        *(sets[version].range_reasons(feature) for version, feature in places.named),
    ]
    allowed = [
        (place, value)
        for place, rule in enumerate(rules, 1)
        if rule.allowed is not None
        for value in rule.allowed
    ]
    bound |= places.bound() | {
        "reasons": list(REASONS),
        "knows_all": [8 if sets[version].knows_all else 0 for version in places.owners],
        "required": [list(sets[version].required) for version in places.owners],
        "kinds": [1 if rule.kind == "numeric" else 2 if rule.kind == "categorical" else 3 for rule in rules],
        "minima": [-_LARGEST if rule.minimum is None else rule.minimum for rule in rules],
        "maxima": [_LARGEST if rule.maximum is None else rule.maximum for rule in rules],
        "below": [REASONS.index(below) + 1 for below, _ in ranges],
        "above": [REASONS.index(above) + 1 for _, above in ranges],
        "limited": [int(rule.allowed is not None) for rule in rules],
        "missing": [0 if rule.may_be_missing else 6 for rule in rules],
        "not_finite": [0 if rule.may_be_not_finite else 2 for rule in rules],
        "allowed": allowed or [(0, "")],
    }
    version = (
        "transform(concat(toString(length(model_name)), ':', model_name, model_version), "
        "{owners:Array(String)}, range(1, length({owners:Array(String)}) + 1), 0)"
        if len(places.owners) > 1
        else "1"
    )
    categories = recipes.categories_of(next(iter(hours)).stream.model_name)
    if categories:
        bound["categories"] = sorted(categories)
    rows = (
        rows_from(condition, categories) if categories else f"(SELECT * FROM predictions WHERE {condition})"
    )
    parts = {**_of_outputs(held), "rows": rows, "version": version, "place": places.sql("version")}
    connection.insert_selected(_INVALID % parts, bound, settings=DERIVING)


def _of_outputs(held: Parts) -> Mapping[str, str]:
    """Return what the statement says of outputs: nothing where there are none."""
    names, values = outputs_of("mapKeys(%s)"), "mapValues(%s),"
    return {
        "answers": answers_of(held),
        "number_names": f"{names % 'numeric_outputs'}," if held.numbers else "",
        "number_values": values % "numeric_outputs" if held.numbers else "",
        "category_names": f"{names % 'categorical_outputs'}," if held.categories else "",
        "category_values": values % "categorical_outputs" if held.categories else "",
        "missing_names": f"{outputs_of('missing_outputs')}," if held.missing else "",
        "any_missing": "notEmpty(missing_outputs) OR" if held.missing else "",
    }


def _version(hour: HourKey) -> str:
    """Return what names a model's version in one text, as the statement has it."""
    name = hour.stream.model_name
    return f"{len(name.encode())}:{name}{hour.stream.model_version}"
