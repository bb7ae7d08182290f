"""``driftline audit lineage``: training runs as events of OpenLineage."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import click

from driftline.cli.options import clean_errors, store_option
from driftline.cli.output import echo
from driftline.cli.questions import ask_store
from driftline.errors import NotFoundError
from driftline.registry.openlineage import run_events
from driftline.store.runs import models_of_run, read_revisions, runs_of_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.registry.runs import Run
    from driftline.store.connection import Connection


@click.command()
@click.argument("training_run_id", metavar="[RUN]", required=False)
@click.option("--model", "model_name", help="All runs of this model; with RUN, of this model only.")
@store_option
@clean_errors
def lineage(training_run_id: str | None, model_name: str | None, store_url: str) -> None:
    """Print training runs as events of OpenLineage, one JSON object a line: for a catalog of data."""
    if training_run_id is None and model_name is None:
        raise click.UsageError("name a run, or the --model whose runs are wanted")
    for run in ask_store(store_url, partial(_runs, run=training_run_id, model_name=model_name)):
        for event in run_events(run):
            echo(json.dumps(event))


def _runs(connection: Connection, *, run: str | None, model_name: str | None) -> Sequence[Run]:
    """Return runs as they were registered last."""
    if run is None:
        named = [(model_name or "", each) for each in runs_of_model(connection, model_name or "")]
    else:
        models = [model_name] if model_name else models_of_run(connection, run)
        named = [(model, run) for model in models]
    found = [revisions[-1] for names in named if (revisions := read_revisions(connection, *names))]
    if not found:
        what = "no run" if run is None else f"no run {run}"
        raise NotFoundError(f"{what} is registered{f' for {model_name}' if model_name else ''}")
    return found
