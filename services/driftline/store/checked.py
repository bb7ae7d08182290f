"""Which values of one landed prediction are invalid, and which its model's reference never held.

What is invalid is counted when an hour is derived, with no list by event: so it is found again here, by the
rules in force.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from driftline.domain.names import OUTPUT, feature_key, is_answer
from driftline.domain.streams import REFERENCE, Stream
from driftline.store.hours import STREAM
from driftline.store.kinds import categories_of_model
from driftline.store.recipes import read_recipes
from driftline.store.visible import visible
from driftline.wire.values import text_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from driftline.store.connection import Connection
    from driftline.store.rules import Rule, RuleSet

_RANGES = f"""
SELECT toString(feature) AS name, min(minimum), max(maximum) FROM profiles
WHERE {STREAM} AND segment = '' AND kind = 'numeric' AND count > 0
    AND feature IN {{features:Array(String)}} AND {visible(STREAM)} GROUP BY name
"""
# Of a feature with too many values for a list, what was not listed may have been there.
_CATEGORIES = f"""
SELECT toString(feature) AS name, max(folded), groupUniqArrayArray(arrayIntersect(values, [wanted]))
FROM
(
    SELECT
        feature, folded, values,
        transform(toString(feature), {{features:Array(String)}}, {{texts:Array(String)}}, '') AS wanted
    FROM profiles
    WHERE {STREAM} AND segment = '' AND kind = 'categorical' AND feature IN {{features:Array(String)}}
        AND {visible(STREAM)}
)
GROUP BY name
"""
_OF_ANSWER = {
    "prediction": "no_prediction",
    "prediction.probabilities": "probability_range",
    "prediction.probability_sum": "probability_sum",
}


def find_broken(connection: Connection, prediction: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the features of a landed prediction that broke a rule, and the reason of each.

    Args:
        connection: to the store.
        prediction: a row of ``predictions``.
    """
    stream = Stream(*(prediction[name] for name in Stream._fields))
    recipes = read_recipes(connection)
    rules = recipes.rules_of(stream)
    known = with_categories(prediction, recipes.categories_of(stream.model_name))
    return dict(_broken(known, rules)) if rules.number else {}


def find_unseen(connection: Connection, prediction: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the features of a landed prediction whose value its version's reference never held, in words.

    Args:
        connection: to the store.
        prediction: a row of ``predictions``.
    """
    known = categories_of_model(connection, prediction["model_name"])
    prediction = with_categories(prediction, known)
    values = {**values_by_key(prediction), **outputs_by_key(prediction)}
    numbers = {name: one for name, one in values.items() if isinstance(one, float) and math.isfinite(one)}
    categories = {name: one for name, one in values.items() if isinstance(one, str)}
    bound = {
        "model": prediction["model_name"],
        "version": prediction["model_version"],
        "environment": REFERENCE,
    }
    unseen = {}
    ranges = connection.rows(_RANGES, parameters={**bound, "features": list(numbers)})
    for name, low, high in ranges:
        if not low <= numbers[name] <= high:
            unseen[name] = f"the reference held {low:.6g} to {high:.6g}"
    names, texts = list(categories) or [""], list(categories.values()) or [""]
    seen = connection.rows(_CATEGORIES, parameters={**bound, "features": names, "texts": texts})
    for name, folded, values in seen:
        if not folded and categories[name] not in values:
            unseen[name] = "the reference never held this value"
    return unseen


def _broken(prediction: Mapping[str, Any], rules: RuleSet) -> Iterator[tuple[str, str]]:
    values = values_by_key(prediction)
    for name, value in {**values, **outputs_by_key(prediction), **_answer(prediction)}.items():
        rule = rules.rules.get(name)
        if rule is None:
            if rules.knows_all and not is_answer(name):
                yield name, "unknown_feature"
        elif reason := _reason(rule, value, rules.range_reasons(name)):
            yield name, _OF_ANSWER.get(name, reason)
    for name, rule in rules.rules.items():
        if name not in values and not is_answer(name) and not rule.may_be_absent:
            yield name, "absent"


def values_by_key(prediction: Mapping[str, Any]) -> Mapping[str, float | str | None]:
    """Return the values of a prediction's features by their keys; None where one is missing."""
    values = {
        **prediction["numeric_features"],
        **prediction["categorical_features"],
        **dict.fromkeys(prediction["missing_features"]),
    }
    return {feature_key(name): value for name, value in values.items()}


def outputs_by_key(prediction: Mapping[str, Any]) -> Mapping[str, float | str | None]:
    """Return the outputs of a prediction by their keys; None where one is missing."""
    values = {
        **prediction["numeric_outputs"],
        **prediction["categorical_outputs"],
        **dict.fromkeys(prediction["missing_outputs"]),
    }
    return {f"{OUTPUT}{name}": value for name, value in values.items()}


def with_categories(prediction: Mapping[str, Any], categories: Collection[str]) -> Mapping[str, Any]:
    """Return a landed prediction with features that are categories as texts, whatever they were logged as."""
    numbers, texts = dict(prediction["numeric_features"]), dict(prediction["categorical_features"])
    moved = {name: text_value(numbers.pop(name)) for name in [*numbers] if name in categories}
    texts |= {name: text for name, text in moved.items() if text is not None}
    missing = [*prediction["missing_features"], *(name for name, text in moved.items() if text is None)]
    changed = {"numeric_features": numbers, "categorical_features": texts, "missing_features": missing}
    return {**prediction, **changed}


def _answer(prediction: Mapping[str, Any]) -> Mapping[str, float | str | None]:
    """Return the parts of an answer as they are checked: a probability that is none stands for all."""
    number, label = prediction["prediction_number"], prediction["prediction_label"]
    probabilities = list(prediction["class_probabilities"].values())
    outputs = outputs_by_key(prediction)
    return {
        "prediction.number": number,
        "prediction.label": label,
        "prediction.latency_us": prediction["latency_us"],
        "prediction.compute_us": prediction["compute_us"],
        "prediction.probabilities": next((p for p in probabilities if not 0 <= p <= 1), None),
        "prediction.probability_sum": sum(probabilities) if probabilities else None,
        "prediction": 0.0 if any(one is not None for one in (number, label, *outputs.values())) else None,
    }


def _reason(rule: Rule, value: float | str | None, of_range: tuple[str, str]) -> str:
    """Return why a value is invalid; empty: it is not."""
    if value is None:
        return "" if rule.may_be_missing else "missing"
    if rule.kind == ("numeric" if isinstance(value, str) else "categorical"):
        return "type"
    if isinstance(value, str):
        return "not_allowed" if rule.allowed is not None and value not in rule.allowed else ""
    return _reason_of_number(rule, value, of_range)


def _reason_of_number(rule: Rule, value: float, of_range: tuple[str, str]) -> str:
    if not math.isfinite(value):
        return "" if rule.may_be_not_finite else "not_finite"
    if rule.minimum is not None and value < rule.minimum:
        return of_range[0]
    return of_range[1] if rule.maximum is not None and value > rule.maximum else ""
