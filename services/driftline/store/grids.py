"""Which grid each feature is counted on: chosen once from its first reference, and never changed."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.streams import HourKey, Stream
from driftline.profiles import Grid
from driftline.store.names import keys_of
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from clickhouse_connect.driver.client import Client
    from numpy.typing import NDArray


_logger = logging.getLogger(__name__)

PRODUCTION_ROWS = 5_000
"""Without a reference, a grid is chosen once so many production values are there."""

_SAMPLE_ROWS = 200_000
_COLUMNS = "model_name feature center scale resolution chosen_from chosen_rows".split()

_GRIDS = """
SELECT model_name, feature, center, scale, resolution FROM feature_grids FINAL
WHERE {model:String} = '' OR model_name = {model:String}
"""
_WITHOUT_GRID = f"""
SELECT
    toString(model_name) AS model, toString(feature) AS name,
    sumIf(count, environment = 'reference') AS reference,
    sumIf(count, environment = 'production') AS production
FROM profiles
WHERE kind = 'numeric' AND segment = '' AND environment IN ('reference', 'production')
    AND model_name IN {{models:Array(String)}}
    AND (model_name, feature) NOT IN (SELECT model_name, feature FROM feature_grids)
    AND {visible("model_name IN {models:Array(String)}")}
GROUP BY model, name HAVING reference + production > 0 ORDER BY model, name
"""

_FIRST_REFERENCE = """
SELECT r.model_name, r.expected AS expected, l.landed AS landed
FROM
(
    SELECT
        toString(model_name) AS model_name,
        training_run_id,
        argMax(reference_rows, registered_time) AS expected,
        min(registered_time) AS registered
    FROM training_runs WHERE model_name IN {models:Array(String)}
    GROUP BY model_name, training_run_id HAVING expected > 0
) AS r
LEFT JOIN
(
    SELECT
        toString(model_name) AS model_name, toString(training_run_id) AS training_run_id, count() AS landed
    FROM predictions WHERE model_name IN {models:Array(String)} AND environment = 'reference'
    GROUP BY model_name, training_run_id
) AS l USING (model_name, training_run_id)
ORDER BY r.registered LIMIT 1 BY r.model_name
"""

# Of one environment's rows an even part, the same whenever it is asked for.
_SAMPLE = f"""
SELECT name, groupArray(value)
FROM
(
    SELECT
        arrayConcat(
            {keys_of("mapKeys(numeric_features)")},
            if(prediction_number IS NULL, [], ['prediction.number'])) AS names,
        arrayConcat(
            mapValues(numeric_features),
            if(prediction_number IS NULL, [], [assumeNotNull(prediction_number)])) AS numbers
    FROM predictions
    WHERE model_name = {{model:String}} AND environment = {{environment:String}}
        AND (NOT empty(arrayIntersect({keys_of("mapKeys(numeric_features)")}, {{features:Array(String)}}))
            OR has({{features:Array(String)}}, 'prediction.number'))
    ORDER BY cityHash64(event_id) LIMIT {_SAMPLE_ROWS}
)
ARRAY JOIN names AS name, numbers AS value
WHERE name IN {{features:Array(String)}}
GROUP BY name ORDER BY name
"""
_STALE = f"""
SELECT model_name, model_version, environment, intDiv(toUnixTimestamp(hour), 3600)
FROM profiles
WHERE kind = 'numeric' AND model_name IN {{models:Array(String)}}
    AND (model_name, feature, center, scale, resolution) NOT IN
        (SELECT model_name, feature, center, scale, resolution FROM feature_grids FINAL)
    AND (model_name, feature) IN (SELECT model_name, feature FROM feature_grids)
    AND {visible("model_name IN {models:Array(String)}")}
GROUP BY model_name, model_version, environment, hour
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a model's features get a grid now.

    Args:
        model_name: the model.
        environments: by feature, whose rows it is chosen from: ``reference`` or ``production``.
    """

    model_name: str
    environments: Mapping[str, str]


def read_grids(client: Client, model_name: str) -> Mapping[str, Grid]:
    """Return the grid that each of a model's features is counted on; one that is not named has ``Grid()``."""
    rows = client.query(_GRIDS, parameters={"model": model_name}).result_rows
    return {feature: Grid(center, scale, resolution) for _, feature, center, scale, resolution in rows}


def read_all_grids(client: Client) -> Mapping[str, Mapping[str, Grid]]:
    """Return all grids by model and feature."""
    found: dict[str, dict[str, Grid]] = defaultdict(dict)
    for model, feature, *grid in client.query(_GRIDS, parameters={"model": ""}).result_rows:
        found[model][feature] = Grid(*grid)
    return dict(found)


def pending_choices(client: Client, models: Collection[str]) -> Sequence[Choice]:
    """Return which grids can be chosen now: the reference is complete, or enough production rows are derived.

    Args:
        client: of the store.
        models: those to look at.
    """
    without: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for model, *counted in client.query(_WITHOUT_GRID, parameters={"models": list(models)}).result_rows:
        without[model].append((counted[0], counted[1], counted[2]))
    complete = references_complete(client, without.keys()) if without else {}
    choices = []
    for model, features in without.items():
        is_complete = complete.get(model) is True
        chosen = {
            feature: "reference" if is_complete and reference > 0 else "production"
            for feature, reference, production in features
            if (is_complete and reference > 0) or production >= PRODUCTION_ROWS
        }
        if chosen:
            choices.append(Choice(model, chosen))
    return choices


def references_complete(client: Client, models: Collection[str]) -> Mapping[str, bool]:
    """Return whether all rows of each model's first reference landed; models without one are left out."""
    rows = client.query(_FIRST_REFERENCE, parameters={"models": list(models)}).result_rows
    return {model: landed >= expected for model, expected, landed in rows}


def is_reference_complete(client: Client, model_name: str) -> bool | None:
    """Return whether all rows of a model's first reference landed; None: no run was registered with any."""
    return references_complete(client, [model_name]).get(model_name)


def is_grid_due(client: Client, model_name: str) -> bool:
    """Return whether a model's grids are about to be chosen, or its hours about to be derived on them."""
    bound = {"models": [model_name]}
    rows = client.query(_WITHOUT_GRID, parameters=bound).result_rows
    return any(reference > 0 for _, _, reference, _ in rows) or bool(read_stale_hours(client, [model_name]))


def choose_grids(client: Client, choice: Choice) -> Mapping[str, Grid]:
    """Choose grids from the rows and write them down; return them by feature.

    From then on the hours that were derived on others are stale. Two that choose at once choose the same,
    unless more landed between them: then the later choice holds.
    """
    chosen: dict[str, Grid] = {}
    rows = []
    for environment in sorted(set(choice.environments.values())):
        wanted = [name for name, place in choice.environments.items() if place == environment]
        for name, values in _sample(client, choice.model_name, environment, wanted).items():
            grid = chosen[name] = Grid.from_values(values)
            told = (environment, values.size)
            rows.append([choice.model_name, name, grid.center, grid.scale, grid.resolution, *told])
    client.insert("feature_grids", rows, column_names=_COLUMNS)
    context = {"model_name": choice.model_name, "features": sorted(chosen)}
    _logger.info("%s: chose grids of %s", choice.model_name, ", ".join(sorted(chosen)), extra=context)
    return chosen


def read_stale_hours(client: Client, models: Collection[str]) -> Sequence[HourKey]:
    """Return the hours of these models that were derived on another grid than is in force."""
    rows = client.query(_STALE, parameters={"models": list(models)}).result_rows
    return [HourKey(Stream(*row[:3]), int(row[3])) for row in rows]


def _sample(
    client: Client, model_name: str, environment: str, features: Sequence[str]
) -> Mapping[str, NDArray[np.float64]]:
    bound = {"model": model_name, "environment": environment, "features": list(features)}
    rows = client.query(_SAMPLE, parameters=bound).result_rows
    return {name: np.asarray(values, dtype=np.float64) for name, values in rows}
