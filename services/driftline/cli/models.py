"""``driftline models``: which versions there are, which is in production, and who decided that."""

from __future__ import annotations

import dataclasses
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, log_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.domain.streams import PRODUCTION
from driftline.errors import NotFoundError
from driftline.log import open_log
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage, name_alias, parse_stage, roll_back, somebody
from driftline.registry.events import STAGES, Stage
from driftline.registry.fold import listed_projects
from driftline.registry.state import in_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import ParamSpec, TypeVar

    from driftline.registry.events import RegistryEvent
    from driftline.registry.state import ModelState

    P = ParamSpec("P")
    R = TypeVar("R")


@click.group("models")
def models_group() -> None:
    """Which versions there are, which is in production, and who decided that, when and why."""


@contextmanager
def opened_registry(log_url: str) -> Iterator[Registry]:
    """Yield the registry of a log."""
    with open_log(log_url) as log, closing(Registry(log)) as registry:
        yield registry


def environment_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--environment``."""
    return click.option(
        "--environment", default=PRODUCTION, show_default=True, help="Where the version serves."
    )(command)


def decision_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--why``, ``--by``, ``--log`` and ``--json``."""
    options = (
        click.option("--why", "reason", required=True, help="Why; it is kept, and shown to others."),
        click.option("--by", "author", help="Who decides; default: your user name and host."),
        log_option,
        json_option,
    )
    for option in options:
        command = option(command)
    return command


@models_group.command("list")
@click.option("--project", help="Of this project only.")
@log_option
@json_option
@clean_errors
def list_models(project: str | None, log_url: str, as_json: bool) -> None:
    """List all models: how many versions each has, and which is in production."""
    with opened_registry(log_url) as registry:
        states = registry.read().values()
    rows = [_summary(state) for state in states if project is None or state.project == project]
    if project is not None and not rows:
        there = listed_projects((state.project for state in states), project)
        raise NotFoundError(f"no model is in project {project!r}; {there}")
    if as_json:
        echo_json(rows)
    elif rows:
        shown = [{**row, "aliases": _pairs(row["aliases"])} for row in rows]
        echo_table(shown, "project model_name versions production since by aliases".split())
    else:
        echo("no model is registered; register_training_run() in the training code does it")


@models_group.command("versions")
@click.argument("model_name", metavar="MODEL")
@environment_option
@log_option
@json_option
@clean_errors
def list_versions(model_name: str, environment: str, log_url: str, as_json: bool) -> None:
    """List a model's versions, the newest first: the run that made each, and its stage."""
    with opened_registry(log_url) as registry:
        rows = version_rows(registry.model(model_name), environment)
    if as_json:
        echo_json(rows)
        return
    shown = [{**row, "aliases": ", ".join(row["aliases"])} for row in rows]
    echo_table(shown, "version stage aliases training_run_id registered_at registered_by".split())


@models_group.command("show")
@click.argument("model_name", metavar="MODEL")
@log_option
@json_option
@clean_errors
def show(model_name: str, log_url: str, as_json: bool) -> None:
    """Show what is decided about a model: per environment, its aliases, and the newest decisions."""
    with opened_registry(log_url) as registry:
        state = registry.model(model_name)
    if as_json:
        echo_json({**_summary(state), "environments": _environments(state), "decisions": decisions(state)})
        return
    echo(f"{model_name}: {len(state.versions)} versions", bold=True)
    for environment, stages in _environments(state).items():
        listed = "; ".join(f"{stage} {', '.join(names)}" for stage, names in stages.items())
        echo(f"  {environment:<14}{listed}")
    if state.aliases:
        echo(f"  {'aliases':<14}{_pairs(state.aliases)}")
    echo("decisions, the newest first", bold=True)
    for move in list(reversed(state.moves))[:10]:
        echo(f"  {move}")
    for refusal in list(state.refusals.values())[-3:]:
        echo(f"  refused, {refusal.event.written_by}: {refusal.message}")


@models_group.command("promote")
@click.argument("model_name", metavar="MODEL")
@click.argument("version", metavar="VERSION")
@click.option(
    "--to",
    "stage",
    type=click.Choice(STAGES),
    default=str(Stage.PRODUCTION),
    show_default=True,
    help="Stage.",
)
@environment_option
@decision_options
@clean_errors
def promote(
    model_name: str,
    version: str,
    stage: str,
    environment: str,
    reason: str,
    author: str | None,
    log_url: str,
    as_json: bool,
) -> None:
    """Give a version a stage; the one that was in production becomes a candidate again."""

    def decide(state: ModelState, by: Author) -> RegistryEvent:
        return give_stage(
            state, version, parse_stage(stage), author=by, reason=reason, environment=environment
        )

    _decide(log_url, model_name, author, decide, as_json=as_json)


@models_group.command("rollback")
@click.argument("model_name", metavar="MODEL")
@environment_option
@decision_options
@clean_errors
def rollback(
    model_name: str, environment: str, reason: str, author: str | None, log_url: str, as_json: bool
) -> None:
    """Put back the version that was in production before; again goes one further back."""

    def decide(state: ModelState, by: Author) -> RegistryEvent:
        return roll_back(state, author=by, reason=reason, environment=environment)

    _decide(log_url, model_name, author, decide, as_json=as_json)


@models_group.command("archive")
@click.argument("model_name", metavar="MODEL")
@click.argument("version", metavar="VERSION")
@click.option("--leave-empty", is_flag=True, help="Also if it is in production: then nothing is.")
@environment_option
@decision_options
@clean_errors
def archive(
    model_name: str,
    version: str,
    leave_empty: bool,
    environment: str,
    reason: str,
    author: str | None,
    log_url: str,
    as_json: bool,
) -> None:
    """Have a version serve no more: nobody promotes it or rolls back to it until it is a candidate again."""

    def decide(state: ModelState, by: Author) -> RegistryEvent:
        if state.in_production(environment) == version and not leave_empty:
            raise click.UsageError(
                f"version {version} of {model_name} is in production{in_environment(environment)}: promote "
                "another or roll back first, or say --leave-empty"
            )
        return give_stage(state, version, Stage.ARCHIVED, author=by, reason=reason, environment=environment)

    _decide(log_url, model_name, author, decide, as_json=as_json)


@models_group.command("alias")
@click.argument("model_name", metavar="MODEL")
@click.argument("alias", metavar="ALIAS")
@click.argument("version", metavar="[VERSION]", required=False)
@decision_options
@clean_errors
def alias_command(
    model_name: str,
    alias: str,
    version: str | None,
    reason: str,
    author: str | None,
    log_url: str,
    as_json: bool,
) -> None:
    """Have an alias name a version; without VERSION, none any more."""

    def decide(state: ModelState, by: Author) -> RegistryEvent:
        return name_alias(state, alias, version, author=by, reason=reason)

    _decide(log_url, model_name, author, decide, as_json=as_json)


def _decide(
    log_url: str,
    model_name: str,
    author: str | None,
    decide: Callable[[ModelState, Author], RegistryEvent],
    *,
    as_json: bool,
) -> None:
    with opened_registry(log_url) as registry:
        event = decide(registry.model(model_name), Author(somebody() if author is None else author))
        state = registry.submit(event)
    move = next(move for move in state.moves if move.event.event_id == event.event_id)
    if as_json:
        echo_json(_decision(move))
    else:
        echo(f"{model_name}: {move}")


def _summary(state: ModelState) -> dict[str, Any]:
    moves = state.production_moves()
    last = moves[-1].event if moves else None
    return {
        "model_name": state.model_name,
        "project": state.project or None,
        "versions": len(state.versions),
        "production": state.in_production(),
        "since": last.event_time if last else None,
        "by": last.written_by if last else None,
        "aliases": dict(state.aliases),
    }


def version_rows(state: ModelState, environment: str) -> Sequence[dict[str, Any]]:
    """Return a model's versions as they are listed, the newest first."""
    rows = []
    for version in reversed(list(state.versions.values())):
        fields = dataclasses.asdict(version)
        aliases = [alias for alias, name in state.aliases.items() if name == version.name]
        stage = str(state.stage(version.name, environment))
        rows.append({"version": fields.pop("name"), **fields, "stage": stage, "aliases": aliases})
    return rows


def decisions(state: ModelState) -> Sequence[dict[str, Any]]:
    """Return everything that was decided about a model, the newest first, with what was refused."""
    counted = [_decision(move) for move in reversed(state.moves)]
    refused = [
        {**_decided(refusal.event), "refused": str(refusal.reason), "message": refusal.message}
        for refusal in reversed(list(state.refusals.values()))
    ]
    return [*counted, *refused]


def _decision(move: Any) -> dict[str, Any]:
    return {**_decided(move.event), "from": move.before, "to": move.after, "what": move.what}


def _decided(event: RegistryEvent) -> dict[str, Any]:
    names = "event_id event_time model_name kind model_version environment alias written_by reason".split()
    return {name: getattr(event, name) for name in names}


def _environments(state: ModelState) -> dict[str, dict[str, list[str]]]:
    """Return the versions by stage, by environment; the last stage but one first, as it matters most."""
    order = (Stage.PRODUCTION, Stage.CANARY, Stage.SHADOW, Stage.CANDIDATE, Stage.ARCHIVED)
    return {
        environment: {
            str(stage): list(names) for stage in order if (names := state.at_stage(stage, environment))
        }
        for environment in state.environments
    }


def _pairs(values: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
