"""Of what kind features are where their values do not say: numbers that name something are categories.

A training run says it of its features (type ``categorical``), a file of monitors goes before that. Raw rows
stay as they were logged; they are read with such numbers among the categories.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from driftline.registry.runs import CATEGORICAL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from driftline.store.connection import Connection

# Of several runs of a model the newest that names a feature counts.
_OF_RUNS = f"""
SELECT toString(model_name), feature.1 AS name, argMax(feature.2, (landed_at, log_offset)) AS newest
FROM (
    SELECT model_name, landed_at, log_offset,
        arrayJoin(CAST(features, 'Array(Tuple(String, String))')) AS feature
    FROM training_run_events WHERE {{model:String}} = '' OR model_name = {{model:String}})
GROUP BY model_name, name HAVING newest = '{CATEGORICAL}'
"""
_OF_MONITORS = """
SELECT model_name, kinds FROM feature_kinds FINAL WHERE {model:String} = '' OR model_name = {model:String}
"""
# Cast, since mapValues would read a subcolumn, which a grant of columns does not hold.
_HAD = f"""
SELECT model_name IN (SELECT model_name FROM feature_kinds) OR model_name IN (
    SELECT toString(model_name) FROM training_run_events
    WHERE has(CAST(features, 'Array(Tuple(String, String))').2, '{CATEGORICAL}'))
FROM (SELECT {{model:String}} AS model_name)
"""


def text_of(number: str) -> str:
    """Return SQL for the text that the logger makes of a number: digits, or the shortest exact form."""
    is_whole = f"{number} = round({number}) AND abs({number}) < 9e18"
    return f"if({is_whole}, toString(toInt64({number})), toString({number}))"


_IS_ONE = "has({categories:Array(String)}, name)"
_NUMBERS, _TEXTS = "predictions.numeric_features", "predictions.categorical_features"
_ROWS = f"""
(SELECT * REPLACE (
    mapFilter((name, value) -> NOT {_IS_ONE}, {_NUMBERS}) AS numeric_features,
    mapUpdate({_TEXTS}, mapApply((name, value) -> (name, {text_of("value")}),
        mapFilter((name, value) -> {_IS_ONE} AND NOT isNaN(value), {_NUMBERS}))) AS categorical_features,
    arrayConcat(predictions.missing_features, mapKeys(
        mapFilter((name, value) -> {_IS_ONE} AND isNaN(value), {_NUMBERS}))) AS missing_features)
FROM predictions WHERE %s)
"""


def rows_from(condition: str, categories: Collection[str]) -> str:
    """Return SQL that stands behind FROM, of raw rows.

    Args:
        condition: SQL that chooses them.
        categories: features that are categories, whatever they were logged as; bound as ``categories``.
    """
    return _ROWS % condition if categories else f"predictions WHERE {condition}"


def read_categories(connection: Connection, model_name: str = "") -> Mapping[str, frozenset[str]]:
    """Return which features are categories, whatever they were logged as, by model; '': of all models."""
    bound = {"model": model_name}
    found: dict[str, set[str]] = defaultdict(set)
    for model, name, _ in connection.rows(_OF_RUNS, parameters=bound):
        found[model].add(name)
    for model, kinds in connection.rows(_OF_MONITORS, parameters=bound):
        found[model] -= kinds.keys()
        found[model] |= {name for name, kind in kinds.items() if kind == CATEGORICAL}
    return {model: frozenset(names) for model, names in found.items() if names}


def categories_of_model(connection: Connection, model_name: str) -> frozenset[str]:
    """Return which features of a model are categories, whatever they were logged as."""
    return read_categories(connection, model_name).get(model_name, frozenset())


def had_categories(connection: Connection, model_name: str) -> bool:
    """Return whether any feature of a model is, or was once, a category whatever it was logged as."""
    return bool(connection.rows(_HAD, parameters={"model": model_name})[0][0])


def read_set_kinds(connection: Connection) -> Mapping[str, Mapping[str, str]]:
    """Return by model what was set: ``numeric`` or ``categorical`` by a feature's own name."""
    return {str(row[0]): dict(row[1]) for row in connection.rows(_OF_MONITORS, parameters={"model": ""})}


def set_kinds(connection: Connection, model_name: str, kinds: Mapping[str, str]) -> None:
    """Have a model's features be of these kinds, and no others beside what its runs say.

    Args:
        connection: to the store.
        model_name: the model; it may be one of which nothing has landed yet.
        kinds: ``numeric`` or ``categorical`` by the feature's own name. It has all rows of the model counted
            anew.
    """
    connection.insert("feature_kinds", [[model_name, dict(kinds)]], column_names=["model_name", "kinds"])
