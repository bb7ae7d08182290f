"""``driftline trace``: from one prediction to all that made it, and from any of that to the predictions."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.access import log_access
from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json, echo_table, plain
from driftline.cli.questions import ask_store
from driftline.cli.runs import as_row, echo_rebuild
from driftline.store.lineage import KEYS, find_predictions, read_lineage
from driftline.store.trace import trace as trace_prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import ParamSpec, TypeVar

    from driftline.store.connection import Connection
    from driftline.store.lineage import Found, Lineage

    P = ParamSpec("P")
    R = TypeVar("R")

_HELP = {
    "entity": "All predictions of this entity.",
    "request": "Those of this request.",
    "trace": "Those of this W3C trace id.",
    "run": "Those of this training run.",
    "commit": "Those of runs of this commit; its beginning is enough.",
    "data": "Those of runs that learned from this data: its place, or its fingerprint.",
}


def _key_options(command: Callable[P, R]) -> Callable[P, R]:
    for key in reversed(KEYS):
        command = click.option(f"--{key}", help=_HELP[key])(command)
    return command


@click.command()
@click.argument("event_id", metavar="[EVENT_ID]", required=False)
@_key_options
@click.option("--model", "model_name", help="Backwards: of this model only.")
@click.option("--limit", default=50, show_default=True, help="Backwards: at most so many predictions.")
@store_option
@json_option
@clean_errors
def trace(
    event_id: str | None,
    model_name: str | None,
    limit: int,
    store_url: str,
    as_json: bool,
    **keys: str | None,
) -> None:
    """Show one prediction, back to what made its model; or, backwards, the predictions of something."""
    given = [(key, value) for key, value in keys.items() if value is not None]
    if len(given) + (event_id is not None) != 1:
        options = ", ".join(f"--{key}" for key in KEYS)
        raise click.UsageError(f"name one prediction, or one of {options}")
    if event_id is None:
        key, value = given[0]
        ask = partial(_find, key=key, value=value, model_name=model_name, limit=limit)
        found = ask_store(store_url, ask, use="write")
        _echo_found(found, f"{key} {value}", as_json=as_json)
        return
    traced, lineage = ask_store(store_url, partial(_read, event_id=event_id), use="write")
    if as_json:
        echo_json({**traced, **_lineage_row(lineage)})
    else:
        _echo_traced(traced, lineage)


def _read(connection: Connection, *, event_id: str) -> tuple[Mapping[str, Any], Lineage]:
    traced = trace_prediction(connection, event_id)
    lineage = read_lineage(connection, traced["prediction"])
    prediction = traced["prediction"]
    names = {"model_name": prediction["model_name"], "event_id": str(prediction["event_id"])}
    log_access(connection, "trace", f"event {prediction['event_id']}", **names)
    return traced, lineage


def _find(connection: Connection, *, key: str, value: str, model_name: str | None, limit: int) -> Found:
    found = find_predictions(connection, key, value, model_name=model_name, limit=limit)
    log_access(connection, "trace", f"{key} {value}", model_name=model_name or "")
    return found


def _lineage_row(lineage: Lineage) -> dict[str, Any]:
    move = lineage.decided
    return {
        "version": None if lineage.version is None else dataclasses.asdict(lineage.version),
        "stage_then": lineage.stage_then,
        "stage_now": lineage.stage_now,
        "in_production_then": None if move is None else move.production_after or None,
        "run": None if lineage.run is None else {**as_row(lineage.run), "revisions": len(lineage.revisions)},
    }


def _echo_traced(traced: Mapping[str, Any], lineage: Lineage) -> None:
    prediction = traced["prediction"]
    _echo_fields("prediction", prediction)
    echo("model version", bold=True)
    if lineage.version is None:
        echo(f"  version {prediction['model_version']!r} was never registered")
    else:
        then = lineage.stage_then or "not registered yet"
        echo(f"  {'stage then':<22}{then}")
        echo(f"  {'stage now':<22}{lineage.stage_now}")
        if lineage.decided is not None:
            echo(f"  {'decided then':<22}{lineage.decided}")
    _echo_fields(
        "training run", None if lineage.run is None else _run_fields(lineage), prediction["training_run_id"]
    )
    if lineage.run is not None:
        echo_rebuild(lineage.run)
    echo("outcomes", bold=True)
    for outcome in traced["outcomes"]:
        actual = outcome["actual_label"] if outcome["actual_number"] is None else outcome["actual_number"]
        actual = json.dumps(outcome["actuals"], ensure_ascii=False) if outcome["actuals"] else actual
        acted_on = "   acted on" if outcome["acted_on"] else ""
        echo(
            f"  {outcome['observed_time']:%Y-%m-%d %H:%M:%S}   {'-' if actual is None else actual}{acted_on}"
        )
    echo("findings in its windows", bold=True)
    for verdict in traced["verdicts"]:
        echo(f"  {verdict['verdict']:<5} {verdict['scale_hours']:>3} h  {verdict['reason']}")


def _run_fields(lineage: Lineage) -> dict[str, Any]:
    run = lineage.run
    if run is None:
        return {}
    hidden = ("git_changes", "environment_text", "reference_session_id", "revision", "data_uri")
    fields = {name: value for name, value in dataclasses.asdict(run).items() if name not in hidden}
    several = len(lineage.revisions) > 1
    return {**fields, "revision": f"{run.revision} of {len(lineage.revisions)}" if several else None}


def _echo_fields(title: str, fields: Mapping[str, Any] | None, run: str = "") -> None:
    echo(title, bold=True)
    if fields is None:
        echo(f"  run {run!r} was never registered")
    for name, value in (fields or {}).items():
        if value not in (None, {}, [], (), ""):
            echo(f"  {name:<22}{json.dumps(plain(value), ensure_ascii=False)}")


def _echo_found(found: Found, what: str, *, as_json: bool) -> None:
    if as_json:
        streams = [dataclasses.asdict(stream) for stream in found.streams]
        echo_json({"streams": streams, "predictions": found.predictions})
        return
    if not found.streams and not found.predictions:
        echo(f"no prediction of {what} has landed")
        return
    if found.streams:
        rows = [dataclasses.asdict(stream) for stream in found.streams]
        echo_table(rows, list(rows[0]))
        echo("the newest of them", bold=True)
    columns = "event_id event_time model_name model_version environment entity_id prediction_number"
    echo_table(found.predictions, [*columns.split(), "prediction_label"])
