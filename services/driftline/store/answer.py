"""The parts of an answer as values that are counted like features, in SQL: names, and values beside them.

Most models have few of them. So what the hours at hand hold is asked first, and statements name only that:
what a model does not answer costs it nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.domain.names import (
    COMPUTE,
    CONFIDENCE,
    ENTROPY,
    LABEL,
    LATENCY,
    NUMBER,
    OUTPUT,
    PROBABILITY,
    class_of,
)
from driftline.store.hours import LARGE_QUERY
from driftline.store.names import keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.store.connection import Connection

MOST_CLASSES = 64
"""The probabilities of so many classes are watched one by one; of more, confidence and entropy are."""

CONFIDENCE_SQL = "arrayReduce('max', mapValues(class_probabilities))"
"""SQL: the top probability; of an event that has any."""

ENTROPY_SQL = "arraySum(p -> if(p > 0, -p * log(p), 0), mapValues(class_probabilities))"
"""SQL: the entropy of the class probabilities, in nats."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Which parts of answers there are, beside a number and a label.

    Args:
        numbers: outputs that are numbers.
        categories: outputs that are categories.
        missing: outputs without a value.
        classes: class probabilities.
        latency: how long requests took.
        compute: how long answers took.
    """

    numbers: bool = True
    categories: bool = True
    missing: bool = True
    classes: bool = True
    latency: bool = True
    compute: bool = True


_HELD = """
SELECT
    max(notEmpty(numeric_outputs)), max(notEmpty(categorical_outputs)), max(notEmpty(missing_outputs)),
    max(notEmpty(class_probabilities)), max(isNotNull(latency_us)), max(isNotNull(compute_us))
FROM predictions WHERE %s
"""


def read_parts(connection: Connection, condition: str, bound: Mapping[str, Any]) -> Parts:
    """Return which parts there are among raw rows.

    Args:
        connection: to the store.
        condition: SQL that chooses them.
        bound: its parameters.
    """
    (row,) = connection.rows(_HELD % condition, parameters=bound, settings=dict(LARGE_QUERY))
    return Parts(*map(bool, row))


def answers_of(parts: Parts) -> str:
    """Return SQL for whether a row has any answer."""
    asked = ["prediction_number IS NOT NULL", "prediction_label IS NOT NULL"]
    asked += ["notEmpty(numeric_outputs)"] if parts.numbers else []
    asked += ["notEmpty(categorical_outputs)"] if parts.categories else []
    return " OR ".join(asked)


def numbers_of(parts: Parts) -> tuple[str, str]:
    """Return SQL for the names of a row's numbers, features and answer, and for the numbers."""
    names = [keys_of("mapKeys(numeric_features)"), f"if(prediction_number IS NULL, [], ['{NUMBER}'])"]
    numbers = [
        "mapValues(numeric_features)",
        "if(prediction_number IS NULL, [], [assumeNotNull(prediction_number)])",
    ]
    if parts.numbers:
        names.append(_prefixed(OUTPUT, "mapKeys(numeric_outputs)"))
        numbers.append("mapValues(numeric_outputs)")
    if parts.classes:
        few = f"if(length(class_probabilities) <= {MOST_CLASSES}, %s, [])"
        names.append(few % _prefixed(PROBABILITY, "mapKeys(class_probabilities)"))
        numbers.append(few % "mapValues(class_probabilities)")
        some = "if(empty(class_probabilities), [], [%s])"
        names.append(some % f"'{CONFIDENCE}', '{ENTROPY}'")
        numbers.append(some % f"{CONFIDENCE_SQL}, {ENTROPY_SQL}")
    for column, key, is_there in (
        ("latency_us", LATENCY, parts.latency),
        ("compute_us", COMPUTE, parts.compute),
    ):
        if is_there:
            names.append(f"if({column} IS NULL, [], ['{key}'])")
            numbers.append(f"if({column} IS NULL, [], [toFloat64(assumeNotNull({column}))])")
    return f"arrayConcat({', '.join(names)})", f"arrayConcat({', '.join(numbers)})"


def numeric_part(key: str) -> str | None:
    """Return SQL for the number of a part of the answer, null where there is none; None: it is none of them.

    The name of a class is bound as ``feature``.
    """
    if class_of(key) is not None:
        held = "class_probabilities"
        return f"if(mapContains({held}, {{feature:String}}), {held}[{{feature:String}}], NULL)"
    some = "if(empty(class_probabilities), NULL, %s)"
    return {
        LATENCY: "toFloat64(latency_us)",
        COMPUTE: "toFloat64(compute_us)",
        CONFIDENCE: some % CONFIDENCE_SQL,
        ENTROPY: some % ENTROPY_SQL,
    }.get(key)


def categories_of(parts: Parts) -> tuple[str, str]:
    """Return SQL for the names of a row's categories, features and answer, and for the categories."""
    names = [keys_of("mapKeys(categorical_features)"), f"if(prediction_label IS NULL, [], ['{LABEL}'])"]
    categories = [
        "mapValues(categorical_features)",
        "if(prediction_label IS NULL, [], [assumeNotNull(prediction_label)])",
    ]
    if parts.categories:
        names.append(_prefixed(OUTPUT, "mapKeys(categorical_outputs)"))
        categories.append("mapValues(categorical_outputs)")
    return f"arrayConcat({', '.join(names)})", f"arrayConcat({', '.join(categories)})"


def missing_of(parts: Parts) -> str:
    """Return SQL for the names of what a row has without a value."""
    features = keys_of("missing_features")
    return f"arrayConcat({features}, {_prefixed(OUTPUT, 'missing_outputs')})" if parts.missing else features


def outputs_of(column: str) -> str:
    """Return SQL for the keys of outputs, from SQL for an array of their names."""
    return _prefixed(OUTPUT, column)


def _prefixed(prefix: str, names: str) -> str:
    return f"arrayMap(own -> concat('{prefix}', own), {names})"
