"""Which grid each feature is counted on: chosen from its first reference.

It changes only when that reference is registered again: then it is chosen anew.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.streams import HourKey, Stream
from driftline.profiles import Grid
from driftline.store.answer import Parts, numbers_of
from driftline.store.hours import COUNTS
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.store.connection import Connection


_logger = logging.getLogger(__name__)

PRODUCTION_ROWS = 5_000
"""Without a reference, a grid is chosen once so many production values are there."""

_SAMPLE_ROWS = 200_000
_COLUMNS = "model_name feature center scale resolution chosen_from chosen_rows registration".split()

_GRIDS = """
SELECT model_name, feature, center, scale, resolution FROM feature_grids FINAL
WHERE {model:String} = '' OR model_name = {model:String}
"""
# By feature whose grid is still to be chosen, or was chosen from a reference that was registered again: the
# versions with a reference that has it, and '' for production.
_TO_CHOOSE = f"""
SELECT
    toString(model_name) AS model, toString(feature) AS name,
    if(environment = 'reference', toString(model_version), '') AS version, sum(count) AS held,
    (model, name) IN (SELECT model_name, feature FROM feature_grids) AS has_grid
FROM profiles
WHERE kind = 'numeric' AND segment = '' AND environment IN ('reference', 'production')
    AND model_name IN {{models:Array(String)}}
    AND (model_name, feature) NOT IN
    (
        SELECT model_name, feature FROM feature_grids FINAL
        WHERE chosen_from != 'reference'
            OR (model_name, registration) IN (SELECT model_name, number FROM current_references)
    )
    AND {visible("model_name IN {models:Array(String)}")}
GROUP BY model, name, version HAVING held > 0 ORDER BY model, name
"""
_REFERENCES = """
SELECT model_name, model_version, session_id, number, landed >= expected
FROM current_references AS r
LEFT JOIN
(
    SELECT
        toString(model_name) AS model_name, toString(model_version) AS model_version, recipe AS number,
        sum(counted) AS landed
    FROM derived_hours FINAL WHERE model_name IN {models:Array(String)} AND environment = 'reference'
    GROUP BY model_name, model_version, recipe
) AS l USING (model_name, model_version, number)
WHERE model_name IN {models:Array(String)}
ORDER BY model_name, first_landed, model_version
"""

_NAMES, _NUMBERS = numbers_of(Parts())
# Of one environment's rows an even part, the same whenever it is asked for.
_SAMPLE = f"""
SELECT name, groupArray(value)
FROM
(
    SELECT
        {_NAMES} AS names,
        {_NUMBERS} AS numbers
    FROM predictions
    WHERE model_name = {{model:String}} AND environment = {{environment:String}} AND {COUNTS.sql}
        AND ({{version:String}} = '' OR model_version = {{version:String}})
        AND ({{session:String}} = '' OR session_id = {{session:String}})
        AND hasAny(names, {{features:Array(String)}})
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


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """Whose rows a grid is chosen from.

    Args:
        environment: ``reference`` or ``production``.
        version: the model version whose reference it is; empty: production.
        session_id: of whoever logged that reference; empty: not known.
        registration: number of its registration; 0: not known.
    """

    environment: str
    version: str = ""
    session_id: str = ""
    registration: int = 0


PRODUCTION = Source("production")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a model's features get a grid now.

    Args:
        model_name: the model.
        sources: by feature, whose rows it is chosen from.
    """

    model_name: str
    sources: Mapping[str, Source]


def read_grids(connection: Connection, model_name: str) -> Mapping[str, Grid]:
    """Return the grid that each of a model's features is counted on; one that is not named has ``Grid()``."""
    rows = connection.rows(_GRIDS, parameters={"model": model_name})
    return {feature: Grid(center, scale, resolution) for _, feature, center, scale, resolution in rows}


def read_all_grids(connection: Connection) -> Mapping[str, Mapping[str, Grid]]:
    """Return all grids by model and feature."""
    found: dict[str, dict[str, Grid]] = defaultdict(dict)
    for model, feature, *grid in connection.rows(_GRIDS, parameters={"model": ""}):
        found[model][feature] = Grid(*grid)
    return dict(found)


def pending_choices(connection: Connection, models: Collection[str]) -> Sequence[Choice]:
    """Return which grids can be chosen now: the reference is complete, or enough production rows are derived.

    A feature takes the reference of the version that was registered with it first, as it is registered now.

    Args:
        connection: to the store.
        models: those to look at.
    """
    features = _to_choose(connection, models)
    references = _references(connection, {model for model, _ in features}) if features else {}
    chosen: dict[str, dict[str, Source]] = defaultdict(dict)
    for (model, feature), (held, has_grid) in features.items():
        first = next((source for source in references.get(model, ()) if source[0].version in held), None)
        if first is not None and first[1]:
            chosen[model][feature] = first[0]
        elif held.get("", 0) >= PRODUCTION_ROWS and not has_grid:
            chosen[model][feature] = PRODUCTION
    return [Choice(model, sources) for model, sources in chosen.items()]


def _to_choose(
    connection: Connection, models: Collection[str]
) -> Mapping[tuple[str, str], tuple[Mapping[str, int], bool]]:
    """Return by model and feature how many values are there, by version, and whether it has a grid."""
    found: dict[tuple[str, str], tuple[dict[str, int], bool]] = {}
    rows = connection.rows(_TO_CHOOSE, parameters={"models": list(models)})
    for model, feature, version, held, has_grid in rows:
        found.setdefault((model, feature), ({}, bool(has_grid)))[0][version] = held
    return found


def _references(
    connection: Connection, models: Collection[str]
) -> Mapping[str, Sequence[tuple[Source, bool]]]:
    """Return each model's references, the version first that was registered first, and which are whole."""
    found: dict[str, list[tuple[Source, bool]]] = defaultdict(list)
    bound = {"models": list(models)}
    rows = connection.rows(_REFERENCES, parameters=bound, settings={"join_use_nulls": 0})
    for model, version, session_id, number, is_whole in rows:
        found[model].append((Source("reference", version, session_id, number), bool(is_whole)))
    return found


def is_reference_complete(connection: Connection, model_name: str) -> bool | None:
    """Return whether all rows of a model's references are derived; None: none was registered with any."""
    found = _references(connection, [model_name]).get(model_name)
    return None if found is None else all(is_whole for _, is_whole in found)


def is_grid_due(connection: Connection, model_name: str) -> bool:
    """Return whether a model's grids are about to be chosen, or its hours about to be derived on them."""
    features = _to_choose(connection, [model_name])
    return any(any(held) for held, _ in features.values()) or bool(read_stale_hours(connection, [model_name]))


def choose_grids(connection: Connection, choice: Choice) -> Mapping[str, Grid]:
    """Choose grids from the rows and write them down; return them by feature.

    From then on the hours that were derived on others are stale. Two that choose at once choose the same,
    unless more landed between them: then the later choice holds.
    """
    chosen: dict[str, Grid] = {}
    rows = []
    for source in sorted(set(choice.sources.values())):
        wanted = [name for name, place in choice.sources.items() if place == source]
        for name, values in _sample(connection, choice.model_name, source, wanted).items():
            grid = chosen[name] = Grid.from_values(values)
            origin = (source.environment, values.size, source.registration)
            rows.append([choice.model_name, name, grid.center, grid.scale, grid.resolution, *origin])
    connection.insert("feature_grids", rows, column_names=_COLUMNS)
    context = {"model_name": choice.model_name, "features": sorted(chosen)}
    _logger.info("%s: chose grids of %s", choice.model_name, ", ".join(sorted(chosen)), extra=context)
    return chosen


def read_stale_hours(connection: Connection, models: Collection[str]) -> Sequence[HourKey]:
    """Return the hours of these models that were derived on another grid than is in force."""
    rows = connection.rows(_STALE, parameters={"models": list(models)})
    return [HourKey(Stream(*row[:3]), int(row[3])) for row in rows]


def _sample(
    connection: Connection, model_name: str, source: Source, features: Sequence[str]
) -> Mapping[str, NDArray[np.float64]]:
    bound = {
        "model": model_name,
        "environment": source.environment,
        "version": source.version,
        "session": source.session_id,
        "features": list(features),
    }
    rows = connection.rows(_SAMPLE, parameters=bound)
    return {name: np.asarray(values, dtype=np.float64) for name, values in rows}
