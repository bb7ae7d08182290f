"""Which grid each feature is counted on: chosen from its first reference, then counted anew from the rows.

Only the lander calls this, between two batches: nothing lands while profiles are counted anew.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from driftline.profiles import Grid
from driftline.store.rollups import ROLLUPS, contribution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client

_logger = logging.getLogger(__name__)

PRODUCTION_ROWS = 5_000
"""Without a reference, a grid is chosen once so many production values are there."""

_SAMPLE_ROWS = 200_000
_NUMERIC = next(rollup for rollup in ROLLUPS if rollup.table == "numeric_profiles")

_WITHOUT_GRID = """
SELECT
    model_name,
    feature,
    sumIf(finite, environment = 'reference') AS reference,
    sumIf(finite, environment = 'production') AS production
FROM feature_profiles
WHERE (model_name, feature) NOT IN (SELECT model_name, feature FROM feature_grids)
GROUP BY model_name, feature
HAVING reference + production > 0
ORDER BY model_name, feature
"""

_FIRST_REFERENCE = """
SELECT r.expected AS expected, l.landed AS landed
FROM
(
    SELECT
        training_run_id,
        argMax(reference_rows, registered_time) AS expected,
        min(registered_time) AS registered
    FROM training_runs WHERE model_name = {model:String} GROUP BY training_run_id HAVING expected > 0
) AS r
LEFT JOIN
(
    SELECT toString(training_run_id) AS training_run_id, count() AS landed
    FROM predictions WHERE model_name = {model:String} AND environment = 'reference' GROUP BY training_run_id
) AS l USING (training_run_id)
ORDER BY r.registered LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """Where the grid of some of a model's features is to be chosen from.

    Args:
        model_name: the model.
        features: numeric features without a grid.
        environment: whose rows: ``reference`` or ``production``.
    """

    model_name: str
    features: tuple[str, ...]
    environment: str


def reload_grids(client: Client) -> None:
    """Make the views use the grids as they stand in the table."""
    client.command(f"SYSTEM RELOAD DICTIONARY {client.database}.feature_grid")


def read_grids(client: Client, model_name: str) -> Mapping[str, Grid]:
    """Return the grid in force of each of a model's features; a feature that is not named has ``Grid()``."""
    rows = client.query(
        "SELECT feature, center, scale, resolution FROM feature_grids FINAL "
        "WHERE model_name = {model:String}",
        parameters={"model": model_name},
    ).result_rows
    return {feature: Grid(center, scale, resolution) for feature, center, scale, resolution in rows}


def pending_choices(client: Client) -> Sequence[Choice]:
    """Return which grids can be chosen now: the reference is complete, or enough production rows landed."""
    rows = client.query(_WITHOUT_GRID).result_rows
    choices = []
    for model_name, group in groupby(rows, key=lambda row: row[0]):
        features = list(group)
        complete = is_reference_complete(client, model_name) is True
        from_reference = tuple(row[1] for row in features if complete and row[2] > 0)
        from_production = tuple(
            row[1] for row in features if row[1] not in from_reference and row[3] >= PRODUCTION_ROWS
        )
        for chosen, environment in ((from_reference, "reference"), (from_production, "production")):
            if chosen:
                choices.append(Choice(model_name, chosen, environment))
    return choices


def is_reference_complete(client: Client, model_name: str) -> bool | None:
    """Say whether all rows of a model's first reference landed; None: no run was registered with any."""
    rows = client.query(_FIRST_REFERENCE, parameters={"model": model_name}).result_rows
    return rows[0][1] >= rows[0][0] if rows else None


def is_grid_due(client: Client, model_name: str) -> bool:
    """Say whether a model's grids are about to be chosen, or its profiles about to be counted on them."""
    rows = client.query(
        "SELECT "
        "(SELECT count() FROM feature_grids FINAL WHERE model_name = {model:String} AND NOT rebuilt) + "
        "(SELECT count() FROM feature_profiles WHERE model_name = {model:String} "
        "AND environment = 'reference' AND finite > 0 AND feature NOT IN "
        "(SELECT feature FROM feature_grids WHERE model_name = {model:String}))",
        parameters={"model": model_name},
    ).result_rows
    return bool(rows[0][0])


def choose_grids(client: Client, choice: Choice) -> None:
    """Choose grids from the rows and write them down. They are in force, and not counted with yet."""
    rows = []
    for feature in choice.features:
        values = _sample(client, choice, feature)
        grid = Grid.from_values(values)
        rows.append(
            [
                choice.model_name,
                feature,
                1,
                grid.center,
                grid.scale,
                grid.resolution,
                choice.environment,
                values.size,
                False,
            ]
        )
    _write(client, rows)


def rebuild_profiles(client: Client) -> int:
    """Count the profiles of features anew whose grid is newer than their profile; return how many features.

    Doing it again is harmless: an interrupted rebuild is simply repeated.
    """
    pending = client.query(
        "SELECT model_name, feature, generation, center, scale, resolution, chosen_from, chosen_rows "
        "FROM feature_grids FINAL WHERE NOT rebuilt ORDER BY model_name, feature"
    ).result_rows
    if not pending:
        return 0
    reload_grids(client)
    for model_name, group in groupby(pending, key=lambda row: row[0]):
        rows = [list(row) for row in group]
        features = [row[1] for row in rows]
        _rebuild(client, model_name, features)
        _write(client, [[*row, True] for row in rows])
        _logger.info("profiles of %s counted anew for %s", model_name, ", ".join(features))
    return len(pending)


def _rebuild(client: Client, model_name: str, features: Sequence[str]) -> None:
    bound = {"model": model_name, "features": list(features)}
    chosen = "model_name = {model:String} AND feature IN {features:Array(String)}"
    client.command(f"DELETE FROM numeric_profiles WHERE {chosen}", parameters=bound)
    months = client.query(
        "SELECT DISTINCT toYYYYMM(event_time) AS month FROM predictions "
        "WHERE model_name = {model:String} ORDER BY month",
        parameters={"model": model_name},
    ).result_rows
    for (month,) in months:
        rows = f"model_name = {{model:String}} AND toYYYYMM(event_time) = {int(month)}"
        client.command(
            f"INSERT INTO numeric_profiles "
            f"SELECT * FROM ({contribution(client, _NUMERIC, rows=rows)}) WHERE {chosen}",
            parameters=bound,
            settings={"insert_deduplication_token": f"rebuild:{uuid.uuid4()}"},
        )


def _sample(client: Client, choice: Choice, feature: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    value = "prediction_number" if feature == "prediction.number" else "numeric_features[{feature:String}]"
    present = (
        "prediction_number IS NOT NULL"
        if feature == "prediction.number"
        else "mapContains(numeric_features, {feature:String})"
    )
    result = client.query(
        f"SELECT assumeNotNull({value}) AS value FROM predictions WHERE model_name = {{model:String}} "
        f"AND environment = {{environment:String}} AND {present} "
        f"ORDER BY cityHash64(event_id) LIMIT {_SAMPLE_ROWS}",
        parameters={"model": choice.model_name, "environment": choice.environment, "feature": feature},
        column_oriented=True,
    )
    return np.asarray(result.result_set[0] if result.result_set else [], dtype=np.float64)


def _write(client: Client, rows: Sequence[Sequence[object]]) -> None:
    names = "model_name feature generation center scale resolution chosen_from chosen_rows rebuilt".split()
    client.insert("feature_grids", rows, column_names=names)
