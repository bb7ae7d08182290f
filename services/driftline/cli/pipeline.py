"""``driftline pipeline``: from what was logged to a version in production, or to why not."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, log_option, model_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store, patience_with
from driftline.embedded import open_store
from driftline.lifecycle.pipeline import Runner, process_is_gone
from driftline.lifecycle.pipeline_file import read_pipeline
from driftline.lifecycle.steps import STEPS
from driftline.log import open_log
from driftline.registry.decisions import somebody
from driftline.store import ask
from driftline.store.pipelines import read_run_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import ParamSpec, TypeVar

    from driftline.lifecycle.pipeline import RunResult
    from driftline.store.connection import Connection

    P = ParamSpec("P")
    R = TypeVar("R")

EXIT_CODES = {"done": 0, "busy": 0, "failed": 1, "held": 2}


@click.group("pipeline")
def pipeline_group() -> None:
    """Run a pipeline as code: snapshot, train, register, gate, promote; go on where it was left."""


def _options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command the file of a pipeline, and what it works with."""
    options = (
        click.argument("path", metavar="[FILE]", default="driftline.yaml", type=click.Path(path_type=Path)),
        log_option,
        store_option,
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def _runner(path: Path, log_url: str, store_url: str, decision_id: str = "") -> Iterator[Runner]:
    pipeline = read_pipeline(path)
    patience_s = patience_with(store_url)
    with open_log(log_url) as log, open_store(store_url, use="write") as store:
        yield Runner(
            pipeline=pipeline,
            folder=path.resolve().parent,
            log=log,
            ask=lambda question: ask(store, question, use="write", patience_s=patience_s),
            author=somebody(),
            is_left=process_is_gone,
            decision_id=decision_id,
        )


@pipeline_group.command("run")
@_options
@click.option(
    "--decision",
    "decision_id",
    default="",
    envvar="DRIFTLINE_DECISION",
    help="Of the trigger that asked for it: it is carried out once. Set by 'retrain run'.",
)
@clean_errors
def run(path: Path, decision_id: str, log_url: str, store_url: str, as_json: bool) -> None:
    """Run the pipeline in FILE, or go on with the run that was left, by a crash or since it holds.

    Exit status 0: done, or another process runs it; 1: it ended, and says where; 2: it holds, run it again.
    """
    with _runner(path, log_url, store_url, decision_id) as runner:
        result = runner.run()
    _echo(result, as_json=as_json)
    raise click.exceptions.Exit(EXIT_CODES[result.state])


@pipeline_group.command("plan")
@_options
@clean_errors
def plan(path: Path, log_url: str, store_url: str, as_json: bool) -> None:
    """Show what 'pipeline run' would do, and why. Writes nothing."""
    with _runner(path, log_url, store_url) as runner:
        result, pipeline = runner.plan(), runner.pipeline
    if as_json:
        echo_json({**dataclasses.asdict(result), "pipeline": pipeline.model_dump(mode="json")})
        return
    echo(f"{pipeline.model}, run {result.number}: {result.why}", bold=True)
    train = pipeline.train
    what = {
        "define": f"predictions of the last {pipeline.data.window}, whose truths are mature",
        "snapshot": f"into {pipeline.snapshots}, split by {pipeline.data.split}",
        "train": train.command,
        "register": f"{train.artifact}, as the next version",
        "shadow": "no: a command scores it" if train.score else "beside production, until enough is known",
        "gate": "on the rows kept for the test" if train.score else "on the requests that both answered",
        "promote": f"to {pipeline.promote}, unless somebody decided something since the run began",
    }
    for name in STEPS:
        state = "done" if name in result.details else "to do"
        echo(f"  {name:<10}{state:<7}{what[name]}")


@pipeline_group.command("list")
@model_option
@store_option
@json_option
@clean_errors
def list_runs(model_name: str | None, store_url: str, as_json: bool) -> None:
    """List runs, the newest first: how far each has come."""
    rows = ask_store(store_url, lambda connection: _rows(connection, model_name or ""))
    if as_json:
        echo_json(rows)
    elif rows:
        echo_table(rows, "model_name number run_id attempt step state claimed_at why".split())
    else:
        echo("no pipeline was run; 'driftline pipeline run' does")


def _rows(connection: Connection, model_name: str) -> Sequence[dict[str, Any]]:
    """Return runs as they are listed, the newest first."""
    names = ("model_name", "number", "run_id", "attempt", "claimed_at", "decision_id")
    return [
        {
            **{name: getattr(line.claim, name) for name in names},
            "step": line.step,
            "state": line.state,
            "why": line.why,
        }
        for line in read_run_lines(connection, model_name)
    ]


def _echo(result: RunResult, *, as_json: bool) -> None:
    if as_json:
        echo_json(dataclasses.asdict(result))
        return
    where = f" at {result.step}" if result.state in {"failed", "held"} else ""
    echo(f"run {result.number} ({result.run_id}): {result.state}{where}: {result.why}")
