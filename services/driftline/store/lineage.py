"""From a prediction to its run and its version's stage, and backwards: from these to the predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.domain.hours import utc
from driftline.errors import SettingError
from driftline.store.registry import read_registry
from driftline.store.runs import read_revisions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.registry.events import Stage
    from driftline.registry.runs import Run
    from driftline.registry.state import Move, Version
    from driftline.store.connection import Connection

ENTITY: Final = "entity"
REQUEST: Final = "request"
TRACE: Final = "trace"
RUN: Final = "run"
COMMIT: Final = "commit"
DATA: Final = "data"

_OWN_KEYS = {ENTITY: "entity_id", REQUEST: "request_id", TRACE: "trace_id"}
_OF_RUNS = {
    RUN: "training_run_id = {value:String}",
    COMMIT: "startsWith(ifNull(git_commit, ''), {value:String})",
    DATA: "arrayExists(each -> {value:String} IN (each.uri, each.fingerprint), data_references)",
}
KEYS: Final = (*_OWN_KEYS, *_OF_RUNS)
"""What predictions are found by, besides their id."""

_COLUMNS = (
    "toString(event_id) AS event_id, event_time, model_name, model_version, environment, training_run_id, "
    "entity_id, prediction_number, prediction_label"
)
_FOUND = f"""
SELECT {_COLUMNS} FROM predictions WHERE %s AND environment != 'reference'
ORDER BY event_time DESC, event_id DESC LIMIT {{limit:UInt32}}
"""
_RUNS = "SELECT DISTINCT model_name, training_run_id, model_version FROM training_run_events WHERE %s"

# By what the table is sorted by, so that all other models and versions are passed over.
_OF_RUN = "(model_name, model_version, training_run_id) IN {runs:Array(Tuple(String, String, String))}"
_STREAMS = f"""
SELECT model_name, model_version, environment, training_run_id, count(), min(event_time), max(event_time)
FROM predictions WHERE {_OF_RUN} AND model_name IN {{models:Array(String)}}
    AND model_version IN {{versions:Array(String)}} AND environment != 'reference'
GROUP BY model_name, model_version, environment, training_run_id ORDER BY max(event_time) DESC
"""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a prediction comes from.

    Args:
        version: of the model, as it was registered; None: nobody registered it.
        stage_then: its stage when the prediction was made; None: it was not registered then.
        stage_now: its stage now; None: nobody registered it.
        decided: what decided the version in production at that time; None: nothing had been decided.
        revisions: of the run that it names, the newest last; none: nobody registered that.
    """

    version: Version | None
    stage_then: Stage | None
    stage_now: Stage | None
    decided: Move | None
    revisions: Sequence[Run]

    @property
    def run(self) -> Run | None:
        """The run as it was registered last."""
        return self.revisions[-1] if self.revisions else None


def read_lineage(connection: Connection, prediction: Mapping[str, Any]) -> Lineage:
    """Return where a prediction comes from.

    Args:
        connection: to the store.
        prediction: its columns, as `store.trace` returns them.
    """
    model, name = prediction["model_name"], prediction["model_version"]
    revisions = read_revisions(connection, model, prediction["training_run_id"])
    state = read_registry(connection, model).get(model)
    version = state.versions.get(name) if state else None
    if state is None or version is None:
        return Lineage(None, None, None, None, revisions)
    time = utc(prediction["event_time"])
    environment = prediction["environment"]
    where = environment if environment in state.environments else state.environments[0]
    return Lineage(
        version=version,
        stage_then=state.stage_at(name, time, where),
        stage_now=state.stage(name, where),
        decided=state.declared(time, where),
        revisions=revisions,
    )


@dataclass(frozen=True, slots=True)
class FoundStream:
    """Predictions of one run and environment. Times are in UTC."""

    model_name: str
    model_version: str
    environment: str
    training_run_id: str
    events: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Predictions that were found backwards.

    Args:
        streams: all of them, counted; of keys that predictions bear themselves none.
        predictions: the newest of them, by column.
    """

    streams: Sequence[FoundStream]
    predictions: Sequence[Mapping[str, Any]]


def find_predictions(
    connection: Connection, key: str, value: str, *, model_name: str | None = None, limit: int = 50
) -> Found:
    """Return the predictions of an entity, request, trace id, run, commit or data, the newest first.

    Args:
        connection: to the store.
        key: one of `KEYS`.
        value: of a commit, as much of its beginning as tells; of data, its place or its fingerprint.
        model_name: of this model only.
        limit: so many predictions at most.

    Raises:
        SettingError: the key is none of these.
    """
    bound: dict[str, Any] = {"value": value, "limit": limit, "model": model_name or ""}
    of_model = " AND model_name = {model:String}" if model_name else ""
    if key in _OWN_KEYS:
        query = _FOUND % f"{_OWN_KEYS[key]} = {{value:String}}{of_model}"
        return Found((), connection.named_rows(query, bound))
    if key not in _OF_RUNS:
        raise SettingError(f"{key!r} is nothing that predictions are found by; there are {', '.join(KEYS)}")
    runs = connection.rows(_RUNS % f"{_OF_RUNS[key]}{of_model}", bound)
    if not runs:
        return Found((), ())
    bound |= {
        "runs": [(model, version, run) for model, run, version in runs],
        "models": sorted({model for model, _, _ in runs}),
        "versions": sorted({version for _, _, version in runs}),
    }
    streams = [
        FoundStream(model, version, environment, run, events, utc(first), utc(last))
        for model, version, environment, run, events, first, last in connection.rows(_STREAMS, bound)
    ]
    return Found(streams, _newest(connection, streams, bound))


def _newest(
    connection: Connection, streams: Sequence[FoundStream], bound: dict[str, Any]
) -> Sequence[Mapping[str, Any]]:
    """Return the newest predictions of the stream that answered last."""
    if not streams:
        return ()
    newest = streams[0]
    conditions = (
        "model_name = {model:String} AND model_version = {version:String} "
        "AND environment = {environment:String} AND training_run_id = {run:String} "
        "AND hour >= toStartOfHour({last:DateTime64(6, 'UTC')}) - INTERVAL 1 HOUR"
    )
    chosen = {
        **bound,
        "model": newest.model_name,
        "version": newest.model_version,
        "environment": newest.environment,
        "run": newest.training_run_id,
        "last": newest.last.replace(tzinfo=None),
    }
    return connection.named_rows(_FOUND % conditions, chosen)
