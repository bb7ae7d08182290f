"""``driftline mlflow``: copies what an MLflow's registry holds."""

from __future__ import annotations

import dataclasses
import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from driftline.cli.exposing import allowed_host_option, exposed_metrics, metrics_port_option, stop_on_signals
from driftline.cli.options import clean_errors, interval_option, json_option, log_option, policy_option
from driftline.cli.output import echo, echo_json
from driftline.cli.settings import WEBHOOK_SECRET, WEBHOOK_SECRET_FILE
from driftline.errors import SettingError
from driftline.health import Health, Pulse
from driftline.log import open_log
from driftline.metrics import Metrics
from driftline.mlflow.client import open_client
from driftline.mlflow.copying import origin_of
from driftline.mlflow.credentials import PASSWORD, Server
from driftline.mlflow.files import LIMIT_BYTES
from driftline.mlflow.following import DEEP_INTERVAL_S, INTERVAL_S, Follower
from driftline.mlflow.metrics import HINTS, MLFLOW_METRICS
from driftline.mlflow.rest import RestSource
from driftline.mlflow.sync import Sync, Wanted
from driftline.mlflow.webhook import Hints, webhook_route
from driftline.registry.decisions import parse_stage
from driftline.registry.policy import read_policy
from driftline.store.url import read_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.log import EventLog
    from driftline.mlflow.source import Source
    from driftline.mlflow.sync import Synchronised
    from driftline.registry.events import Stage


@click.group("mlflow")
def mlflow_group() -> None:
    """MLflow: its runs, versions and aliases, copied into the model registry."""


def _refuse_visible_secret(context: click.Context, parameter: click.Parameter, url: str | None) -> str | None:
    """Refuse a password in a flag: every user of the host can read it in the process list."""
    source = context.get_parameter_source(parameter.name or "")
    if url and source is ParameterSource.COMMANDLINE and "@" in url.partition("://")[2].partition("/")[0]:
        raise click.UsageError(
            "--uri holds a password, which every user of this host can read in the process list; give it in "
            f"{PASSWORD}. A password that stood in a flag is no longer secret"
        )
    return url


def _stages(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> Mapping[str, Stage]:
    """Return the stage that each alias stands for, given as ALIAS=STAGE."""
    del context, parameter
    stages = dict(Wanted().stages)
    for each in values:
        alias, equals, name = each.partition("=")
        if not alias or not equals:
            raise click.BadParameter(f"{each!r} is not ALIAS=STAGE, such as champion=production")
        try:
            stage = parse_stage(name)
        except SettingError as error:
            raise click.BadParameter(str(error)) from error
        stages = {known: other for known, other in stages.items() if other != stage} | {alias: stage}
    return stages


@mlflow_group.command("sync")
@click.option(
    "--uri",
    envvar=["DRIFTLINE_MLFLOW_URI", "MLFLOW_TRACKING_URI"],
    required=True,
    callback=_refuse_visible_secret,
    help="Tracking server, such as http://mlflow:5000; where MLflow is installed here, also what its client "
    "reads, such as sqlite:///mlflow.db or ./mlruns.",
)
@click.option(
    "--model", "models", multiple=True, help="Copy this registered model; may be repeated. Default: all."
)
@click.option(
    "--stage",
    "stages",
    multiple=True,
    callback=_stages,
    metavar="ALIAS=STAGE",
    help="What an alias stands for, such as champion=production; may be repeated. Default: aliases called "
    "production, canary and shadow stand for these.",
)
@click.option(
    "--artifact-limit",
    "limit_bytes",
    type=click.IntRange(min=0),
    default=LIMIT_BYTES,
    show_default=True,
    help="Of models with more bytes than these, no file is read for its digest.",
)
@click.option("--watch", is_flag=True, help="Go on, and copy what changes until SIGTERM.")
@interval_option(INTERVAL_S, "With --watch: how often to look for versions and aliases, seconds.")
@interval_option(
    DEEP_INTERVAL_S,
    "With --watch: how often to look at each run that was copied, too, seconds.",
    name="--deep-interval",
)
@policy_option
@metrics_port_option
@allowed_host_option
@log_option
@json_option
@clean_errors
def sync(
    uri: str,
    models: tuple[str, ...],
    stages: Mapping[str, Stage],
    limit_bytes: int,
    watch: bool,
    interval_s: float,
    deep_interval_s: float,
    policy: str | None,
    metrics_port: int | None,
    allowed_hosts: tuple[str, ...],
    log_url: str,
    as_json: bool,
) -> None:
    """Copy runs, registered versions and aliases from an MLflow tracking server; again, what has changed.

    Credentials come from MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
    What can't be copied is named and costs nothing else; then the exit status is 1. With --watch and
    --metrics-port, MLflow may call /mlflow/webhook there, which has it looked at at once; the secret of the
    webhook is read from DRIFTLINE_MLFLOW_WEBHOOK_SECRET_FILE.
    """
    source = _source(uri)
    wanted = Wanted(models=models, stages=stages, limit_bytes=limit_bytes, policy=read_policy(policy))
    with open_log(log_url) as log, closing(Sync(source, log, wanted=wanted)) as copying:
        if watch:
            intervals = {"interval_s": interval_s, "deep_interval_s": deep_interval_s}
            _follow(copying, log, metrics_port, allowed_hosts, **intervals)
            return
        done = copying.run()
    _echo(done, origin_of(source), as_json=as_json)
    if done.problems:
        raise click.exceptions.Exit(1)


def _source(uri: str) -> Source:
    """Return what an address names: a server, or a store that MLflow's own client reads."""
    if uri.startswith(("http://", "https://")):
        return RestSource(Server.from_environ(uri, os.environ))
    return open_client(uri)


def _follow(
    sync: Sync, log: EventLog, metrics_port: int | None, allowed_hosts: Sequence[str], **intervals: Any
) -> None:
    """Look again and again, until a signal says otherwise."""
    stop, hints = stop_on_signals(), Hints()
    metrics, pulse = Metrics(MLFLOW_METRICS), Pulse("MLflow bridge", time.monotonic)
    secret = read_secret(os.environ, WEBHOOK_SECRET, WEBHOOK_SECRET_FILE)
    routes = []
    if secret:
        routes.append(
            webhook_route(secret, hints, count=lambda outcome: metrics.count(HINTS, outcome=outcome))
        )
    health = Health(
        alive={"MLflow bridge": pulse.check},
        ready={"log": log.topics, "copying": pulse.check_work},
        pulses={"MLflow bridge": pulse},
    )
    with exposed_metrics(metrics, health, metrics_port, allowed_hosts, routes):
        Follower(sync, metrics=metrics, pulse=pulse, hints=hints, **intervals).run(stop)


def _echo(done: Synchronised, origin: str, *, as_json: bool) -> None:
    if as_json:
        shown: dict[str, Any] = dataclasses.asdict(done)
        for name in ("new", "changed", "gone"):
            shown[name] = [{"model_name": model, "version": version} for model, version in shown[name]]
        echo_json({"mlflow": origin, **shown})
        return
    for model_name, version in done.new:
        echo(f"{model_name} version {version}: registered")
    for model_name, version in done.changed:
        echo(f"{model_name} version {version}: a new revision of its run")
    for each in done.moved:
        echo(each)
    for model_name, version in done.gone:
        echo(f"{model_name} version {version}: gone from MLflow, kept here")
    for problem in done.problems:
        echo(str(problem), err=True)
    echo(
        f"{origin}: {done.models} models, {done.versions} versions; {len(done.new)} new, {len(done.changed)} "
        f"changed, {len(done.moved)} moved, {len(done.problems)} problems"
    )
