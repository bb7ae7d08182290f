"""From one prediction back to the training run that made its model, and on to what was judged around it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from driftline.errors import NotFoundError, SettingError
from driftline.store.outcomes import read_outcomes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.store.connection import Connection

_VERDICTS = """
SELECT * FROM drift_verdicts
WHERE model_name = {model:String} AND model_version = {version:String} AND environment = {environment:String}
    AND window_start <= {time:DateTime64(6, 'UTC')} AND window_end > {time:DateTime64(6, 'UTC')}
    AND verdict IN ('page', 'warn')
ORDER BY verdict, rank, feature, scale_hours LIMIT 100
"""


def trace(connection: Connection, event_id: str) -> Mapping[str, Any]:
    """Return a prediction, its training run, its outcomes, and the findings of windows that it stood in.

    The keys are ``prediction``, ``training_run`` (None: the run was never registered), ``outcomes`` (the
    one that counts last) and ``verdicts`` (pages and warnings).

    Raises:
        SettingError: ``event_id`` is no UUID.
        NotFoundError: no such prediction has landed.
    """
    try:
        wanted = uuid.UUID(event_id)
    except ValueError as error:
        raise SettingError(f"event id {event_id!r} is no UUID") from error
    bound = {"event": str(wanted)}
    found = _dicts(connection, "SELECT * FROM predictions WHERE event_id = {event:UUID} LIMIT 1", bound)
    if not found:
        raise NotFoundError(
            f"no prediction {wanted} has landed; if it was logged a moment ago, wait for the lander, and see "
            "'driftline completeness' for what is missing"
        )
    prediction = found[0]
    run = _dicts(
        connection,
        "SELECT * FROM training_runs FINAL "
        "WHERE training_run_id = {run:String} AND model_name = {model:String}",
        {"run": prediction["training_run_id"], "model": prediction["model_name"]},
    )
    outcomes = read_outcomes(connection, bound["event"])
    verdicts = _dicts(
        connection,
        _VERDICTS,
        {
            "model": prediction["model_name"],
            "version": prediction["model_version"],
            "environment": prediction["environment"],
            "time": prediction["event_time"],
        },
    )
    return {
        "prediction": prediction,
        "training_run": run[0] if run else None,
        "outcomes": outcomes,
        "verdicts": verdicts,
    }


def _dicts(connection: Connection, query: str, bound: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    return connection.named_rows(query, bound)
