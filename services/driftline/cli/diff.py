"""``driftline models diff``: what differs between the runs that made two versions of a model."""

from __future__ import annotations

import dataclasses
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import click

from driftline.cli.models import environment_option
from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json
from driftline.cli.questions import ask_store
from driftline.errors import NotFoundError
from driftline.registry.client import known_model
from driftline.registry.diff import code_command, differences
from driftline.registry.state import in_environment
from driftline.store.registry import read_registry
from driftline.store.runs import read_run_of

if TYPE_CHECKING:
    from driftline.registry.runs import Run
    from driftline.registry.state import ModelState
    from driftline.store.connection import Connection

_NOTHING = "nothing"


@click.command()
@click.argument("model_name", metavar="MODEL")
@click.argument("before", metavar="[BEFORE]", required=False)
@click.argument("after", metavar="[AFTER]", required=False)
@environment_option
@store_option
@json_option
@clean_errors
def diff(
    model_name: str, before: str | None, after: str | None, environment: str, store_url: str, as_json: bool
) -> None:
    """Show in what the runs of two versions differ: commits, packages, data, features, metrics.

    AFTER is the version in production unless it is given, BEFORE the one that was in production before it.
    """
    ask = partial(_read, model_name=model_name, before=before, after=after, environment=environment)
    one, other = ask_store(store_url, ask)
    found = differences(one, other)
    command = code_command(one, other)
    if as_json:
        names = {"model_name": model_name, "before": one.model_version, "after": other.model_version}
        runs = {"run_before": one.training_run_id, "run_after": other.training_run_id}
        rows = [dataclasses.asdict(each) for each in found]
        echo_json({**names, **runs, "commits": command, "differences": rows})
        return
    echo(
        f"{model_name}: version {one.model_version} (run {one.training_run_id}) to "
        f"version {other.model_version} (run {other.training_run_id})",
        bold=True,
    )
    if not found:
        echo("  what was registered of both is the same")
    for part, group in groupby(found, key=lambda each: each.part):
        echo(f"  {part}")
        for each in group:
            echo(f"    {each.name}: {each.before or _NOTHING} -> {each.after or _NOTHING}")
    if command:
        echo(f"  {command}")


def _read(
    connection: Connection, *, model_name: str, before: str | None, after: str | None, environment: str
) -> tuple[Run, Run]:
    """Return the runs that made two versions, as they were registered last."""
    state = known_model(read_registry(connection), model_name)
    newer = after or state.in_production(environment)
    older = before or _before(state, newer, environment)
    where = in_environment(environment)
    if newer is None:
        raise NotFoundError(f"no version of {model_name} is in production{where}: name two versions")
    if older is None:
        raise NotFoundError(
            f"no version of {model_name} was in production{where} before {newer}: name two versions"
        )
    return read_run_of(connection, state, older), read_run_of(connection, state, newer)


def _before(state: ModelState, version: str | None, environment: str) -> str | None:
    """Return the version that was in production before one was put there last; archived ones count, too."""
    for move in reversed(state.production_moves(environment)):
        if move.production_after == version:
            return move.production_before or None
    return None
