"""Training runs as they were registered, revision by revision."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC
from typing import TYPE_CHECKING, Any

from driftline.domain.hours import utc
from driftline.errors import NotFoundError
from driftline.registry.decisions import known_version
from driftline.registry.runs import ArtifactFile, Run, RunData

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from driftline.registry.state import ModelState
    from driftline.store.connection import Connection


_COLUMNS = tuple(field.name for field in fields(Run) if field.name != "revision")
_REVISIONS = f"""
SELECT {", ".join(_COLUMNS)} FROM training_run_events AS events FINAL
INNER JOIN
(
    SELECT model_name, training_run_id, log_id, log_partition, min(landed_at) AS begun
    FROM training_run_events WHERE training_run_id = {{run:String}}
    GROUP BY model_name, training_run_id, log_id, log_partition
) AS logs USING (model_name, training_run_id, log_id, log_partition)
WHERE model_name = {{model:String}} AND training_run_id = {{run:String}}
ORDER BY begun, log_id, log_partition, log_offset
"""

_RUNS = """
SELECT
    model_name, training_run_id, max(registered_time) AS registered,
    argMax(model_version, registered_time), argMax(tuple(git_commit), registered_time).1,
    argMax(registered_by, registered_time)
FROM training_run_events
WHERE {all:Bool} OR model_name IN {models:Array(String)}
GROUP BY model_name, training_run_id
ORDER BY registered DESC, model_name, training_run_id LIMIT {limit:UInt32}
"""


def read_revisions(connection: Connection, model_name: str, training_run_id: str) -> Sequence[Run]:
    """Return a run's revisions, in the order in which they were registered; none: it never was.

    Args:
        connection: to the store.
        model_name: that the run trained.
        training_run_id: which run.
    """
    bound = {"model": model_name, "run": training_run_id}
    found: list[Run] = []
    for row in connection.rows(_REVISIONS, bound):
        run = _run(dict(zip(_COLUMNS, row, strict=True)), len(found) + 1)
        if not found or not _is_same(found[-1], run):
            found.append(run)
    return found


def _run(columns: dict[str, Any], revision: int) -> Run:
    columns["registered_time"] = columns["registered_time"].replace(tzinfo=UTC)
    columns["artifacts"] = tuple(ArtifactFile(**_named(each, ArtifactFile)) for each in columns["artifacts"])
    columns["data_references"] = tuple(
        RunData(**_named(each, RunData)) for each in columns["data_references"]
    )
    if not columns["data_references"] and columns["data_uri"]:  # As writers of earlier releases say it.
        columns["data_references"] = (
            RunData("training", columns["data_uri"], columns["data_fingerprint"], None, {}),
        )
    return Run(**columns, revision=revision)


def _named(value: Any, kind: type[ArtifactFile | RunData]) -> dict[str, Any]:
    """Return a tuple's parts by name; the connection gives some as such, and some by name."""
    if isinstance(value, dict):
        return value
    return dict(zip((field.name for field in fields(kind)), value, strict=True))


def _is_same(one: Run, other: Run) -> bool:
    """Return whether two registrations say the same, but for when, and as which revision."""
    names = set(_COLUMNS) - {"registered_time"}
    return all(getattr(one, name) == getattr(other, name) for name in names)


def models_of_run(connection: Connection, training_run_id: str) -> Sequence[str]:
    """Return the models that a run was registered for, mostly one."""
    query = (
        "SELECT DISTINCT model_name FROM training_run_events WHERE training_run_id = {run:String} ORDER BY 1"
    )
    rows = connection.rows(query, {"run": training_run_id})
    return [str(row[0]) for row in rows]


def runs_of_model(connection: Connection, model_name: str) -> Sequence[str]:
    """Return the ids of the runs that were registered for a model, in the order in which they landed."""
    query = """SELECT training_run_id FROM training_run_events WHERE model_name = {model:String}
        GROUP BY training_run_id ORDER BY min(landed_at), training_run_id"""
    return [str(row[0]) for row in connection.rows(query, {"model": model_name})]


@dataclass(frozen=True, slots=True)
class RunLine:
    """One training run in a list.

    Args:
        registered_time: when it was registered last, UTC.
        model_name: the model that it trained.
        model_version: the version that it made.
        training_run_id: its id.
        git_commit: of its code; None: not given.
        registered_by: who did; empty: not known.
    """

    registered_time: datetime
    model_name: str
    model_version: str
    training_run_id: str
    git_commit: str | None
    registered_by: str


def read_runs(connection: Connection, models: Sequence[str] | None, *, limit: int) -> Sequence[RunLine]:
    """Return training runs as they were registered last, the newest first.

    Args:
        connection: to the store.
        models: of these only; None: of all.
        limit: at most so many.
    """
    bound = {"models": list(models or []), "all": models is None, "limit": limit}
    return [
        RunLine(utc(registered), model, version, run, commit, by)
        for model, run, registered, version, commit, by in connection.rows(_RUNS, bound)
    ]


def read_run_of(connection: Connection, state: ModelState, version: str) -> Run:
    """Return the run that made a version, as it was registered last.

    Raises:
        NotFoundError: the model has no such version, or its run has not landed.
    """
    run_id = state.versions[known_version(state, version)].training_run_id
    revisions = read_revisions(connection, state.model_name, run_id)
    if not revisions:
        raise NotFoundError(
            f"version {version} of {state.model_name} was made by run {run_id!r}, of which nothing has landed"
        )
    return revisions[-1]
