"""``driftline retrain``: whether models are to be trained again, why not, and who allowed or stopped it."""

from __future__ import annotations

import dataclasses
import os
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.exposing import allowed_host_option, exposed_metrics, metrics_port_option, stop_on_signals
from driftline.cli.logs import FailureError
from driftline.cli.options import (
    clean_errors,
    interval_option,
    json_option,
    load_monitors,
    model_option,
    monitors_option,
    store_option,
)
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.cli.times import parse_time, since_option
from driftline.domain.retraining import Permission
from driftline.domain.streams import PRODUCTION
from driftline.drift import DriftSettings
from driftline.embedded import open_store
from driftline.health import Health, Pulse
from driftline.lifecycle.metrics import RETRAIN_METRICS
from driftline.lifecycle.retrain import plan_retraining, run_retraining
from driftline.lifecycle.trigger import TriggerSettings
from driftline.lifecycle.watch import INTERVAL_S, RetrainWatch
from driftline.metrics import Metrics
from driftline.registry.decisions import somebody
from driftline.store.ready import check_store
from driftline.store.retraining import read_decisions, write_permission

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import ParamSpec, TypeVar

    from driftline.domain.retraining import RetrainDecision

    P = ParamSpec("P")
    R = TypeVar("R")


@click.group("retrain")
def retrain_group() -> None:
    """Whether a model is to be trained again, why not, and who allowed or stopped it."""


def _asking(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command what asking takes."""
    options = (
        click.argument("model_name", metavar="MODEL"),
        click.option("--environment", default=PRODUCTION, show_default=True, help="Where the model serves."),
        click.option("--at", help="As if it were this time (ISO 8601); default: now."),
        monitors_option,
        store_option,
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def _arguments(model_name: str, environment: str, at: str | None, monitors: Path | None) -> dict[str, Any]:
    settings = load_monitors(monitors, DriftSettings()).of(model_name).retrain
    return {
        "model_name": model_name,
        "settings": TriggerSettings(**settings),
        "environment": environment,
        "now": parse_time(at) if at else datetime.now(UTC),
        "author": f"{somebody()} {os.getpid()}",
    }


@retrain_group.command("plan")
@_asking
@clean_errors
def plan(
    model_name: str, environment: str, at: str | None, monitors: Path | None, store_url: str, as_json: bool
) -> None:
    """Show what would be decided about MODEL now, and by what. Writes nothing."""
    arguments = _arguments(model_name, environment, at, monitors)
    _echo(ask_store(store_url, partial(plan_retraining, **arguments)), as_json=as_json)


@retrain_group.command("run")
@_asking
@clean_errors
def run(
    model_name: str, environment: str, at: str | None, monitors: Path | None, store_url: str, as_json: bool
) -> None:
    """Decide about MODEL, keep the decision with its reasons, and have it trained where that is decided.

    To be called by a timer, such as every hour: a cause has to have lasted.
    """
    arguments = _arguments(model_name, environment, at, monitors)
    asked = ask_store(store_url, partial(run_retraining, **arguments), use="write")
    _echo(asked.decision, as_json=as_json, more={"done": asked.done, "problem": asked.problem})
    if asked.problem:
        raise FailureError(asked.problem)


@retrain_group.command("watch")
@interval_option(INTERVAL_S, "How often to ask, seconds.", least_s=1)
@monitors_option
@store_option
@metrics_port_option
@allowed_host_option
@clean_errors
def watch(
    interval_s: float,
    monitors: Path | None,
    store_url: str,
    metrics_port: int | None,
    allowed_hosts: tuple[str, ...],
) -> None:
    """Do what 'retrain run' does for every model that the file of monitors enables, again and again."""
    stop = stop_on_signals()
    metrics, pulse = Metrics(RETRAIN_METRICS), Pulse("retrain watch", time.monotonic)
    with open_store(store_url, use="write") as store, ExitStack() as stack:
        health = Health(
            alive={"retrain watch": pulse.check},
            ready={"store": lambda: check_store(store), "asking": pulse.check_work},
            pulses={"retrain watch": pulse},
        )
        stack.enter_context(exposed_metrics(metrics, health, metrics_port, allowed_hosts))
        watched = load_monitors(monitors, DriftSettings())
        author = f"{somebody()} {os.getpid()}"
        RetrainWatch(store, watched, metrics=metrics, pulse=pulse, author=author, interval_s=interval_s).run(
            stop
        )


@retrain_group.command("decisions")
@model_option
@since_option("Decided after")
@click.option("--action", type=click.Choice(["retrain", "wait", "refuse"]), default=None, help="These only.")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@store_option
@json_option
@clean_errors
def decisions(
    model_name: str | None,
    since: datetime | None,
    action: str | None,
    limit: int,
    store_url: str,
    as_json: bool,
) -> None:
    """List decisions, the newest first: also each one not to train, with its reasons."""
    ask = partial(read_decisions, model_name=model_name or "", since=since, action=action or "", limit=limit)
    found = ask_store(store_url, ask)
    if as_json:
        echo_json([dataclasses.asdict(each) for each in found])
    elif found:
        columns = "decided_at model_name action cause reasons decided_by".split()
        echo_table([_row(each) for each in found], columns)
    else:
        echo("nothing was decided yet; 'driftline retrain run MODEL' decides")


def _row(decision: RetrainDecision) -> dict[str, Any]:
    reasons = "; ".join(f"{why.code}: {why.detail}" for why in decision.reasons)
    return {**dataclasses.asdict(decision), "reasons": reasons or "-", "cause": decision.cause or "-"}


def _permitting(name: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @click.argument("model_name", metavar="[MODEL]", default="", required=False)
    @click.option("--why", "reason", required=True, help="Why; it is kept, and shown to others.")
    @click.option("--by", "author", help="Who decides; default: your user name and host.")
    @store_option
    @clean_errors
    def permit(model_name: str, reason: str, author: str | None, store_url: str) -> None:
        if name == "approve" and not model_name:
            raise click.UsageError("name the model that may be trained")
        given = Permission(model_name, datetime.now(UTC), name, author or somebody(), reason)
        ask_store(store_url, partial(write_permission, permission=given), use="write")
        echo(f"{name}: {model_name or 'every model'}, by {given.given_by}: {reason}")

    return permit


for _name, _text in (
    ("stop", "Have MODEL, or every model, not be trained again by itself until it is allowed."),
    ("allow", "Take back a stop: of MODEL, or of every model where none is named."),
    ("approve", "Approve that MODEL is trained for the cause that there is now; holds for three days."),
):
    retrain_group.add_command(_permitting(_name, _text))


def _echo(decision: RetrainDecision, *, as_json: bool, more: dict[str, str] | None = None) -> None:
    if as_json:
        echo_json({**dataclasses.asdict(decision), **(more or {})})
        return
    cause = (
        f", for {decision.cause} since {decision.cause_since:%Y-%m-%d %H:%M}" if decision.cause_since else ""
    )
    echo(f"{decision.model_name}: {decision.action}{cause}", bold=True)
    for why in decision.reasons:
        echo(f"  {why.code}: {why.detail}")
    if more and more["done"]:
        echo(f"  {more['done']}")
