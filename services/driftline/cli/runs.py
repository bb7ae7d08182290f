"""``driftline runs``: registers a training run from the command line, and shows one in all its revisions."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, log_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.errors import NotFoundError
from driftline.registry.fold import listed_projects
from driftline.registry.runs import rebuild_steps
from driftline.sdk.data import DataReference
from driftline.sdk.training import register_training_run
from driftline.store.registry import read_registry
from driftline.store.runs import models_of_run, read_revisions, read_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import ParamSpec, TypeVar

    from driftline.registry.runs import Run
    from driftline.store.connection import Connection

    P = ParamSpec("P")
    R = TypeVar("R")

_HIDDEN = frozenset({"git_changes", "environment_text", "reference_session_id"})


@click.group("runs")
def runs_group() -> None:
    """Training runs: what made each version of a model."""


def _pairs(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return options that were given as NAME=VALUE by name."""
    del context, parameter
    pairs = {}
    for each in values:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE")
        pairs[name] = value
    return pairs


def _numbers(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    """Return options that were given as NAME=NUMBER by name."""
    try:
        return {name: float(value) for name, value in _pairs(context, parameter, values).items()}
    except ValueError as error:
        raise click.BadParameter(f"{error}; write NAME=NUMBER") from error


def _several(name: str, what: str, *, as_numbers: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return click.option(
        f"--{name}",
        multiple=True,
        callback=_numbers if as_numbers else _pairs,
        metavar="NAME=NUMBER" if as_numbers else "NAME=VALUE",
        help=f"{what}; may be repeated.",
    )


@runs_group.command("register")
@click.option("--run", "training_run_id", help="Its id; default: a new one.")
@click.option("--model", "model_name", required=True, help="The model that was trained.")
@click.option(
    "--version", "model_version", help="The version that it made; default: the model's next number."
)
@click.option("--project", help="That the model belongs to since; default: the one that it is in.")
@click.option(
    "--artifact", type=click.Path(), help="The trained model, a file or a folder: digests are kept."
)
@click.option("--artifact-uri", help="Where those who serve it find it; default: at --artifact.")
@click.option("--artifact-sha256", help="What the file has to be, or, of what lies elsewhere, is.")
@click.option("--commit", "git_commit", help="Of the training code; default: that of the work tree here.")
@click.option("--keep-changes", is_flag=True, help="Keep what the commit does not hold, as a patch.")
@click.option(
    "--environment-file",
    "environment",
    type=click.Path(),
    help="A lock file, requirements, a conda file or a Dockerfile; default: the packages installed here.",
)
@click.option("--data", "data_uri", help="Where the training data lies, with its version.")
@click.option("--data-fingerprint", help="Its checksum with the algorithm's name, or a snapshot's id.")
@click.option("--data-rows", type=int, help="How many rows it has.")
@_several("param", "A hyperparameter")
@_several("metric", "What was measured, test/auc for a data set's", as_numbers=True)
@_several("cost", "What it cost in seconds: wall_s, cpu_s, gpu_s", as_numbers=True)
@_several("feature", "A feature and its type")
@_several("tag", "What the run is to be found by")
@_several("waive", "Why it says nothing of artifact, code, environment or data")
@click.option("--by", "registered_by", help="Who registers it; default: your user name and host.")
@log_option
@json_option
@clean_errors
def register(
    data_uri: str | None,
    data_fingerprint: str | None,
    data_rows: int | None,
    param: Mapping[str, str],
    metric: Mapping[str, float],
    feature: Mapping[str, str],
    tag: Mapping[str, str],
    log_url: str,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Register a training run, and the model version that it made: for training code in any language."""
    if data_uri is None and (data_fingerprint is not None or data_rows is not None):
        raise click.UsageError("--data-fingerprint and --data-rows need --data beside them")
    data = None if data_uri is None else DataReference(data_uri, fingerprint=data_fingerprint, rows=data_rows)
    run = register_training_run(
        log=log_url, data=data, parameters=param, metrics=metric, features=feature, tags=tag, **arguments
    )
    if as_json:
        names = {"training_run_id": str(run), "model_version": run.model_version}
        echo_json({"model_name": arguments["model_name"], **names})
    else:
        echo(f"{arguments['model_name']} version {run.model_version}: run {run}, a candidate")


@runs_group.command("list")
@click.option("--project", help="Of models of this project only.")
@click.option("--model", "model_name", help="Of this model only.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many, the newest."
)
@store_option
@json_option
@clean_errors
def list_runs(project: str | None, model_name: str | None, limit: int, store_url: str, as_json: bool) -> None:
    """List training runs, the newest first: the version that each made, its commit, its project."""

    def question(connection: Connection) -> Sequence[dict[str, Any]]:
        projects = {name: state.project for name, state in read_registry(connection).items()}
        if project is not None and project not in projects.values():
            raise NotFoundError(f"no model is in project {project!r}; {listed_projects(projects.values())}")
        models = None if project is None else [name for name, own in projects.items() if own == project]
        if model_name is not None:
            models = [model_name] if models is None or model_name in models else []
        found = read_runs(connection, models, limit=limit)
        return [{**dataclasses.asdict(each), "project": projects.get(each.model_name, "")} for each in found]

    rows = ask_store(store_url, question)
    if as_json:
        echo_json(rows)
    elif rows:
        columns = "registered_time project model_name model_version training_run_id git_commit registered_by"
        echo_table(rows, columns.split())
    else:
        echo("no run has landed; register_training_run() in the training code registers them")


@runs_group.command("show")
@click.argument("training_run_id", metavar="RUN")
@click.option("--model", "model_name", help="Of this model; where the run was registered for several.")
@click.option("--revision", type=click.IntRange(min=1), help="This one; default: the newest.")
@click.option(
    "--print",
    "part",
    type=click.Choice(["environment", "changes"]),
    help="Print this and nothing else: what rebuilds its environment, or a patch of what its commit lacks.",
)
@store_option
@json_option
@clean_errors
def show(
    training_run_id: str,
    model_name: str | None,
    revision: int | None,
    part: str | None,
    store_url: str,
    as_json: bool,
) -> None:
    """Show a training run, and the commands that rebuild it."""
    ask = partial(_read, training_run_id=training_run_id, model_name=model_name)
    revisions = ask_store(store_url, ask)
    if revision is not None and revision > len(revisions):
        raise NotFoundError(f"run {training_run_id} has {len(revisions)} revisions, and no {revision}")
    run = revisions[-1 if revision is None else revision - 1]
    if part is not None:
        text = run.environment_text if part == "environment" else run.git_changes
        if text is None:
            what = "packages of its environment" if part == "environment" else "changes of its work tree"
            raise NotFoundError(f"of run {training_run_id}, revision {run.revision}, no {what} are kept")
        click.echo(text, nl=False)
    elif as_json:
        echo_json({**as_row(run), "revisions": len(revisions)})
    else:
        echo_run(run, len(revisions))


def _read(connection: Connection, *, training_run_id: str, model_name: str | None) -> Sequence[Run]:
    models = [model_name] if model_name else models_of_run(connection, training_run_id)
    if len(models) > 1:
        raise NotFoundError(
            f"run {training_run_id} was registered for several models, {', '.join(models)}: name one of them "
            "with --model"
        )
    found = read_revisions(connection, models[0], training_run_id) if models else []
    if not found:
        of_model = f" for {model_name}" if model_name else ""
        raise NotFoundError(f"no run {training_run_id} is registered{of_model}, or it has not landed yet")
    return found


def as_row(run: Run) -> dict[str, Any]:
    """Return a run as JSON has it, with the commands that rebuild it."""
    return {**dataclasses.asdict(run), "rebuild": {step.name: step.commands for step in rebuild_steps(run)}}


def echo_run(run: Run, revisions: int) -> None:
    """Print a run for a person, and the commands that rebuild it."""
    echo(f"run {run.training_run_id}: {run.model_name} version {run.model_version}", bold=True)
    if revisions > 1:
        echo(f"  revision              {run.revision} of {revisions}")
    skipped = {"training_run_id", "model_name", "model_version", "revision", "data_uri", "data_fingerprint"}
    for name, value in dataclasses.asdict(run).items():
        if name not in skipped | _HIDDEN and value not in (None, {}, (), [], ""):
            echo(f"  {name:<22}{_shown(value)}")
    for name, reason in run.waived.items():
        echo(f"  says nothing of its {name}: {reason}")
    echo_rebuild(run)


def echo_rebuild(run: Run) -> None:
    """Print the commands that rebuild a run."""
    echo("to rebuild it", bold=True)
    for step in rebuild_steps(run):
        for command in step.commands:
            echo(f"  {command}")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, tuple | list):
        return "; ".join(_shown({name: part for name, part in each.items() if part}) for each in value)
    return str(value)
