"""Which grid each feature is counted on: chosen from its first reference, then counted anew from the rows.

Others land meanwhile, and nobody waits. A model's grids, and the segments that it is counted in, have a
*generation*. A block that lands is counted on the generation in force at that moment, and its mark in each
rollup says which. After a new one was written, what had landed before is counted on it too: in a *recount*,
whose rows count for nobody until its number is written beside the generation. So a recount may be cut short,
or made by two landers at once: the later number counts, and it holds all that the earlier one held. A
block that was under way while the generation changed has a mark of the old one; as long as there is such a
mark, the recount is made again.

Readers use the newest generation that has a recount (``IN_FORCE``): grids and counts always fit together.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from driftline.profiles import Grid
from driftline.store.rollups import ALWAYS, IS_MARK, NEVER, ROLLUPS, columns, contribution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.store.rollups import Rollup

_logger = logging.getLogger(__name__)

PRODUCTION_ROWS = 5_000
"""Without a reference, a grid is chosen once so many production values are there."""

_SAMPLE_ROWS = 200_000
_RECOUNTS = 3
"""Times in a row that a recount is made again at once; then again after the next batches."""

_GRID = ("feature", "center", "scale", "resolution", "chosen_from", "chosen_rows")
_NO_GRID = ("", 0.0, 1.0, 0, "", 0)
_WRITTEN = ("model_name", "generation", *_GRID, "segments", "recount")

_GIVEN_UP_US = 24 * 3600 * 1_000_000
"""A recount that was begun longer ago, and does not count yet, never will: its rows are deleted."""

# What depends on grids comes last: as long as anything is left there, cleaning up is not done.
_RECOUNTED = sorted(
    (rollup for rollup in ROLLUPS if rollup.by_generation != NEVER),
    key=lambda rollup: rollup.table == "numeric_profiles",
)

_COUNTED = (
    "(SELECT max((generation, recount)) FROM feature_grids "
    "WHERE model_name = {model:String} AND feature = '' AND recount > 0)"
)
IN_FORCE = f"(generation = {_COUNTED}.1 AND (recount = 0 OR recount = {_COUNTED}.2))"
"""SQL: which rows that are counted by generation go together, of the model that is bound as ``model``."""

GENERATIONS = """
SELECT
    model_name,
    max(generation) AS newest,
    argMax(recount, (generation, recount)) AS recounted,
    argMax(segments, (generation, recount)) AS segments
FROM feature_grids WHERE feature = '' GROUP BY model_name
"""
"""SQL: by model its newest generation, the recount of that one that is in force, and its segments."""

_WITHOUT_GRID = f"""
SELECT
    model_name,
    feature,
    sumIf(finite, environment = 'reference') AS reference,
    sumIf(finite, environment = 'production') AS production
FROM feature_profiles
WHERE NOT {IS_MARK} AND segment = '' AND (model_name, feature) NOT IN
(
    SELECT model_name, feature FROM feature_grids
    WHERE (model_name, generation) IN (SELECT model_name, newest FROM ({GENERATIONS}))
)
GROUP BY model_name, feature
HAVING reference + production > 0
ORDER BY model_name, feature
"""

# What of a model without segments does not depend on its grids is not counted anew.
_MARKS = " UNION ALL ".join(
    f"SELECT '{rollup.table}' AS table, model_version AS model, minute, block, generation, recount "
    f"FROM {rollup.table} WHERE {IS_MARK}"
    + (
        ""
        if rollup.by_generation == ALWAYS
        else f" AND model_version IN (SELECT model_name FROM ({GENERATIONS}) WHERE notEmpty(segments))"
    )
    for rollup in _RECOUNTED
)

# By model: in how many places a block is not counted on its newest generation; and in how many it is, and on
# others still.
_UNSETTLED = f"""
SELECT model, max(newest), max(recounted), countIf(NOT is_held), countIf(is_held AND is_over)
FROM
(
    SELECT
        model,
        any(g.newest) AS newest,
        any(g.recounted) AS recounted,
        max(generation = g.newest AND recount IN (0, g.recounted)) AS is_held,
        max(generation < g.newest OR recount BETWEEN 1 AND g.recounted - 1
            OR (recount > g.recounted AND recount + {_GIVEN_UP_US} < toUnixTimestamp64Micro(now64(6))))
            AS is_over
    FROM ({_MARKS}) AS p
    JOIN (SELECT model_name AS model, newest, recounted FROM ({GENERATIONS})) AS g USING (model)
    GROUP BY table, model, minute, block
)
GROUP BY model ORDER BY model
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
    """Which of a model's features get a grid now.

    Args:
        model_name: the model.
        features: numeric features without a grid.
        environments: whose rows each is chosen from: ``reference`` or ``production``. As many.
    """

    model_name: str
    features: tuple[str, ...]
    environments: tuple[str, ...]


def reload_grids(client: Client) -> None:
    """Make the views use the grids as they stand in the table."""
    client.command(f"SYSTEM RELOAD DICTIONARY {client.database}.feature_grid")


def read_grids(client: Client, model_name: str) -> Mapping[str, Grid]:
    """Return the grid that each of a model's features is counted on; one that is not named has ``Grid()``."""
    rows = client.query(
        "SELECT feature, center, scale, resolution FROM feature_grids FINAL "
        f"WHERE model_name = {{model:String}} AND feature != '' AND generation = {_COUNTED}.1",
        parameters={"model": model_name},
    ).result_rows
    return {feature: Grid(center, scale, resolution) for feature, center, scale, resolution in rows}


def pending_choices(client: Client) -> Sequence[Choice]:
    """Return which grids can be chosen now: the reference is complete, or enough production rows landed."""
    choices = []
    for model_name, group in groupby(client.query(_WITHOUT_GRID).result_rows, key=lambda row: row[0]):
        complete = is_reference_complete(client, model_name) is True
        chosen = {
            feature: "reference" if complete and reference > 0 else "production"
            for _, feature, reference, production in group
            if (complete and reference > 0) or production >= PRODUCTION_ROWS
        }
        if chosen:
            choices.append(Choice(model_name, tuple(chosen), tuple(chosen.values())))
    return choices


def is_reference_complete(client: Client, model_name: str) -> bool | None:
    """Say whether all rows of a model's first reference landed; None: no run was registered with any."""
    rows = client.query(_FIRST_REFERENCE, parameters={"model": model_name}).result_rows
    return rows[0][1] >= rows[0][0] if rows else None


def is_grid_due(client: Client, model_name: str) -> bool:
    """Say whether a model's grids are about to be chosen, or its profiles about to be counted on them."""
    newest = f"SELECT newest FROM ({GENERATIONS}) WHERE model_name = {{model:String}}"
    rows = client.query(
        f"SELECT (SELECT count() FROM ({GENERATIONS}) "
        "WHERE model_name = {model:String} AND recounted = 0) + "
        "(SELECT count() FROM feature_profiles WHERE model_name = {model:String} "
        "AND environment = 'reference' AND segment = '' AND finite > 0 "
        "AND feature NOT IN "
        "(SELECT feature FROM feature_grids WHERE model_name = {model:String} "
        f"AND generation IN ({newest})))",
        parameters={"model": model_name},
    ).result_rows
    return bool(rows[0][0])


def choose_grids(client: Client, choice: Choice) -> None:
    """Choose grids from the rows and put them in force for what lands from now on.

    Grids of the model's other features stay as they are, and so do its segments. Two landers that choose at
    once put two generations in force, one after the other; what only the first has chosen is chosen again.
    """
    kept, segments = _newest(client, choice.model_name)
    grids = [row for row in kept if row[0] not in choice.features]
    for feature, environment in zip(choice.features, choice.environments, strict=True):
        values = _sample(client, choice.model_name, feature, environment)
        grid = Grid.from_values(values)
        grids.append([feature, grid.center, grid.scale, grid.resolution, environment, values.size])
    _put_in_force(client, choice.model_name, grids, segments)
    context = {"model_name": choice.model_name, "features": list(choice.features)}
    _logger.info("%s: chose grids of %s", choice.model_name, ", ".join(choice.features), extra=context)


def choose_segments(client: Client, model_name: str, segments: Sequence[str]) -> None:
    """Put in force in which segments a model is counted from now on. Its grids stay as they are."""
    grids, _ = _newest(client, model_name)
    _put_in_force(client, model_name, grids, segments)
    context = {"model_name": model_name, "segments": list(segments)}
    _logger.info("%s: %d segments are counted", model_name, len(segments), extra=context)


def _newest(client: Client, model_name: str) -> tuple[Sequence[Sequence[object]], Sequence[str]]:
    """Return the grids, as rows, and the segments of a model's newest generation."""
    bound = {"model": model_name}
    newest = f"SELECT newest, segments FROM ({GENERATIONS}) WHERE model_name = {{model:String}}"
    found = client.query(newest, parameters=bound).result_rows
    generation, segments = found[0] if found else (0, [])
    grids = client.query(
        f"SELECT {', '.join(_GRID)} FROM feature_grids FINAL WHERE model_name = {{model:String}} "
        f"AND feature != '' AND generation = {generation}",
        parameters=bound,
    ).result_rows
    return [list(row) for row in grids], segments


def _put_in_force(
    client: Client, model_name: str, grids: Sequence[Sequence[object]], segments: Sequence[str]
) -> None:
    generation = _next_number(client)
    rows: list[list[object]] = [[model_name, generation, *grid, [], 0] for grid in grids]
    rows.append([model_name, generation, *_NO_GRID, segments, 0])
    client.insert("feature_grids", rows, column_names=_WRITTEN)
    reload_grids(client)


def rebuild_profiles(client: Client) -> int:
    """Count what is not counted on its model's newest grids and segments; return how many models that were.

    Blocks while the rows are read. Others may land, and count anew, meanwhile. Interrupted, it is made again.

    Raises:
        StoreError: the view that counts is not there.
    """
    models = set()
    for _ in range(_RECOUNTS):
        due = _due(client)
        for model_name, generation in due:
            _recount(client, model_name, generation)
            models.add(model_name)
        if not due:
            break
    for model_name, generation, recount, _, left_over in client.query(_UNSETTLED).result_rows:
        if recount and left_over:
            _clean(client, model_name, generation, recount)
    return len(models)


def _due(client: Client) -> Sequence[tuple[str, int]]:
    """Return models of which landed blocks are not counted on the newest generation, and that generation."""
    unsettled = {row[0] for row in client.query(_UNSETTLED).result_rows if row[3]}
    generations = client.query(GENERATIONS).result_rows
    return [
        (model, newest) for model, newest, recounted, _ in generations if not recounted or model in unsettled
    ]


def _recount(client: Client, model_name: str, generation: int) -> None:
    """Count on a generation all that landed on others, and let it count.

    The number is taken first: whoever counts later sees at least as many blocks, and has the higher number.
    """
    recount = _next_number(client)
    reload_grids(client)
    segments = client.query(
        "SELECT segments FROM feature_grids FINAL "
        "WHERE model_name = {model:String} AND generation = {generation:UInt64} AND feature = ''",
        parameters={"model": model_name, "generation": generation},
    ).result_rows[0][0]
    for rollup in _RECOUNTED:
        if segments or rollup.by_generation == ALWAYS:
            _recount_table(client, rollup, model_name, generation, recount)
    client.insert(
        "feature_grids",
        [[model_name, generation, *_NO_GRID, segments, recount]],
        column_names=_WRITTEN,
    )
    context = {"model_name": model_name, "generation": generation}
    _logger.info("%s: counted anew on the grids of generation %d", model_name, generation, extra=context)


def _recount_table(client: Client, rollup: Rollup, model_name: str, generation: int, recount: int) -> None:
    """Count in one rollup what it holds on other generations.

    A block has its mark there when it is counted there at all: one that is only on its way is left alone, or
    it would count twice in the end.
    """
    table, marks = rollup.table, f"{IS_MARK} AND model_version = {{model:String}}"
    bound = {"model": model_name}
    months = client.query(
        f"SELECT DISTINCT toYYYYMM(minute) AS month FROM {table} WHERE {marks} ORDER BY month",
        parameters=bound,
    ).result_rows
    names = ", ".join(columns(client, table))
    for (month,) in months:
        earlier = (
            f"SELECT block FROM {table} WHERE {marks} AND toYYYYMM(minute) = {int(month)} "
            f"GROUP BY block HAVING NOT max(generation = {int(generation)} AND recount = 0)"
        )
        rows = (
            f"model_name = {{model:String}} AND toYYYYMM(event_time) = {int(month)} AND block IN ({earlier})"
        )
        counted = contribution(client, rollup, rows=rows, generation=generation)
        client.command(
            f"INSERT INTO {table} ({names}) "
            f"SELECT {names} FROM (SELECT * REPLACE (toUInt64({recount}) AS recount) FROM ({counted}) "
            f"WHERE {rollup.by_generation} OR {IS_MARK})",
            parameters=bound,
            settings={"insert_deduplication_token": f"recount:{recount}:{month}"},
        )


def _clean(client: Client, model_name: str, generation: int, recount: int) -> None:
    """Delete counts that no longer count: of earlier generations and recounts, and of one that was cut short.

    Marks go last, and only of blocks that the recount holds: others are still to be counted.
    """
    given_up = _next_number(client) - _GIVEN_UP_US
    others = f"recount NOT IN (0, {recount}) AND recount < {max(recount, given_up)}"
    over = f"(generation < {generation} OR (generation = {generation} AND {others}))"
    marks = f"{IS_MARK} AND model_version = {{model:String}}"
    for rollup in _RECOUNTED:
        held = (
            f"SELECT minute, block FROM {rollup.table} "
            f"WHERE {marks} AND generation = {generation} AND recount IN (0, {recount})"
        )
        counted = f"model_name = {{model:String}} AND {rollup.by_generation}"
        for chosen in (counted, f"{marks} AND (minute, block) IN ({held})"):
            client.command(
                f"DELETE FROM {rollup.table} WHERE {over} AND {chosen}", parameters={"model": model_name}
            )


def _next_number(client: Client) -> int:
    """Return a number that is higher than all that were given before: the store's time in microseconds."""
    rows = client.query(
        "SELECT greatest(toUInt64(toUnixTimestamp64Micro(now64(6))), "
        "max(greatest(generation, recount)) + 1) FROM feature_grids"
    ).result_rows
    return int(rows[0][0])


def _sample(
    client: Client, model_name: str, feature: str, environment: str
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
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
        parameters={"model": model_name, "environment": environment, "feature": feature},
        column_oriented=True,
    )
    return np.asarray(result.result_set[0] if result.result_set else [], dtype=np.float64)
