"""Commands that run services: everything in one process, or each in its own."""

from __future__ import annotations

import logging
import os
import secrets
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import click

from driftline.cli.acting import acting_of, allow_acting_option
from driftline.cli.exposing import allowed_host_option, exposed_metrics, metrics_port_option, stop_on_signals
from driftline.cli.logs import FailureError, announce
from driftline.cli.once import judge_once, land_once
from driftline.cli.options import (
    clean_errors,
    load_monitors,
    log_option,
    monitors_option,
    policy_option,
    store_option,
)
from driftline.cli.questions import patience_with
from driftline.drift import DriftSettings
from driftline.drift.service.metrics import WORKER_METRICS
from driftline.drift.service.worker import DriftWorker
from driftline.embedded import open_store
from driftline.errors import LogError, StoreAwayError
from driftline.health import Health, Pulse
from driftline.lander import LANDER_METRICS, Lander
from driftline.lander.dead_letters import LIMIT_SHARE
from driftline.log import open_log
from driftline.metrics import Metrics
from driftline.registry.policy import read_policy
from driftline.store import migrate, ready_connection
from driftline.store.ready import act, check_store
from driftline.store.users import SERVICES, migrate_with_users, read_accounts
from driftline.up import Up
from driftline.web import WEB_METRICS, WebServer, create_app
from driftline.wire import TOPICS

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import ParamSpec

    from driftline.health import Check
    from driftline.store.connection import Connection
    from driftline.store.migrate import Migration

    P = ParamSpec("P")
    R = TypeVar("R")

T = TypeVar("T")

_PORT = 8321
_PAUSE_S = 0.5
_logger = logging.getLogger(__name__)

_host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
_timezone_option = click.option(
    "--timezone",
    default="UTC",
    envvar="DRIFTLINE_TIMEZONE",
    show_default=True,
    help="The clock that your traffic follows, such as Europe/Berlin: what the same hour of the week is.",
)
_holidays_option = click.option(
    "--holidays",
    multiple=True,
    envvar="DRIFTLINE_HOLIDAYS",
    help="Country, or subdivision of one, whose public holidays are unlike ordinary days: US, DE-BY. May be "
    "given again; a file of monitors can say otherwise.",
)
_port_option = click.option(
    "--port", default=_PORT, show_default=True, help="Port to listen on; 0: a free one."
)
_user_header_option = click.option(
    "--user-header",
    default="",
    envvar="DRIFTLINE_USER_HEADER",
    help="Header of requests in which your proxy says who asks, for the access log and --allow-acting; only "
    "where nobody comes past the proxy. Default: the address that asks.",
)
_dead_letter_limit_option = click.option(
    "--dead-letter-limit",
    type=click.FloatRange(0, 1),
    default=LIMIT_SHARE,
    show_default=True,
    help="Stop when more than this share of the records can't be landed; 1: never.",
)


def drift_settings(timezone: str, holidays: tuple[str, ...] = ()) -> DriftSettings:
    """Return how to judge.

    Raises:
        click.BadParameter: the time zone is not known, or the holidays of a place are not.
    """
    try:
        return DriftSettings(timezone=timezone, holidays=tuple(dict.fromkeys(holidays)))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@log_option
@store_option
@_host_option
@_port_option
@allowed_host_option
@_user_header_option
@allow_acting_option
@_timezone_option
@_holidays_option
@monitors_option
@policy_option
@_dead_letter_limit_option
@clean_errors
def up(
    log_url: str,
    store_url: str,
    host: str,
    port: int,
    allowed_hosts: tuple[str, ...],
    user_header: str,
    allow_acting: bool,
    timezone: str,
    holidays: tuple[str, ...],
    monitors: Path | None,
    policy: str | None,
    dead_letter_limit: float,
) -> None:
    """Run everything in one process: lander, profiler, drift worker, sealer, pages and metrics."""
    stop = stop_on_signals()
    watched = load_monitors(monitors, drift_settings(timezone, holidays))
    with Up(
        log_url=log_url,
        store_url=store_url,
        host=host,
        port=port,
        allowed_hosts=allowed_hosts,
        user_header=user_header,
        acting=acting_of(allowed=allow_acting, store_url=store_url, user_header=user_header),
        monitors=watched,
        policy=read_policy(policy),
        dead_letter_limit=dead_letter_limit,
    ) as running:
        announce(f"events  {running.log.url}")
        announce(f"store   {store_url.partition('://')[0]}")
        announce(f"page    {running.url}/")
        announce(f"metrics {running.url}/metrics")
        while not stop.wait(0.5):
            if failed := running.failed():
                raise FailureError(f"{failed} ended by an error; see the log above")


def _patiently(action: Callable[[], T], wait_s: float, stop: threading.Event) -> T:
    """Do something once what it needs is there, or give up after some seconds and raise why it is not."""
    end_s = time.monotonic() + wait_s
    while True:
        try:
            return action()
        except (StoreAwayError, LogError) as error:
            if time.monotonic() >= end_s or stop.is_set():
                raise
            _logger.info("waiting: %s", error)
            stop.wait(_PAUSE_S)


@click.command("migrate")
@store_option
@click.option(
    "--log", "log_url", envvar="DRIFTLINE_LOG", help="Event log in which to create the topics, too."
)
@click.option(
    "--users",
    "with_users",
    is_flag=True,
    help="Create a role for each service, too, and a user where DRIFTLINE_LANDER_PASSWORD_FILE, "
    "..._PROFILER_..., ..._WATCHER_..., ..._READER_... or ..._ADMIN_... name a file with a password.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0.0,
    envvar="DRIFTLINE_MIGRATE_WAIT",
    help="Try again for so many seconds while store or log are not up yet.",
)
@clean_errors
def migrate_command(store_url: str, log_url: str | None, with_users: bool, wait_s: float) -> None:
    """Create or update the store's tables, and the log's topics where a log is given."""
    stop = stop_on_signals()
    accounts = read_accounts(os.environ) if with_users else []

    def update(connection: Connection) -> Sequence[Migration]:
        if with_users:
            return migrate_with_users(connection, accounts, random_hex=secrets.token_hex)
        return migrate(connection)

    patience_s = patience_with(store_url)
    with open_store(store_url) as store:
        applied = _patiently(lambda: act(store, update, patience_s=patience_s), wait_s, stop)
    for migration in applied:
        announce(f"applied {migration.number:04d}_{migration.name}")
    announce(f"{len(applied)} applied; the store is up to date")
    if with_users:
        names = ", ".join(account.user for account in accounts) or "none; no password is given"
        announce(f"roles   {', '.join(f'driftline_{service}' for service in SERVICES)}")
        announce(f"users   {names}")
    if log_url:
        with open_log(log_url) as log:
            _patiently(lambda: log.ensure_topics(TOPICS), wait_s, stop)
        announce(f"topics  {', '.join(TOPICS)}")


@click.command()
@log_option
@store_option
@click.option("--until-idle", is_flag=True, help="End when the log holds nothing new.")
@click.option(
    "--from-start", is_flag=True, help="Go through the whole log once more; what has landed does not again."
)
@_dead_letter_limit_option
@metrics_port_option
@allowed_host_option
@clean_errors
def land(
    log_url: str,
    store_url: str,
    until_idle: bool,
    from_start: bool,
    dead_letter_limit: float,
    metrics_port: int | None,
    allowed_hosts: tuple[str, ...],
) -> None:
    """Land events from the log in the store. Several may land one Kafka log, and share its partitions."""
    stop = stop_on_signals()
    metrics, pulse = Metrics(LANDER_METRICS), Pulse("lander", time.monotonic)
    with open_log(log_url) as log, open_store(store_url) as store, ExitStack() as stack:
        ready: dict[str, Check] = {
            "log": log.topics,
            "store": lambda: check_store(store),
            "landing": pulse.check_work,
        }
        health = Health(alive={"lander": pulse.check}, ready=ready)
        stack.enter_context(exposed_metrics(metrics, health, metrics_port, allowed_hosts))
        lander = Lander(log, store, metrics=metrics, dead_letter_limit=dead_letter_limit, pulse=pulse)
        try:
            if from_start:
                lander.rewind()
            if until_idle:
                land_once(store, lander)
            else:
                lander.run(stop)
        finally:
            lander.close()


@click.command()
@store_option
@click.option(
    "--once", is_flag=True, help="Judge every window that has closed and is not judged yet, then end."
)
@_timezone_option
@_holidays_option
@monitors_option
@policy_option
@metrics_port_option
@allowed_host_option
@clean_errors
def watch(
    store_url: str,
    once: bool,
    timezone: str,
    holidays: tuple[str, ...],
    monitors: Path | None,
    policy: str | None,
    metrics_port: int | None,
    allowed_hosts: tuple[str, ...],
) -> None:
    """Judge windows as they close."""
    stop = stop_on_signals()
    metrics, pulse = Metrics(WORKER_METRICS), Pulse("drift worker", time.monotonic)
    with open_store(store_url) as store, ExitStack() as stack:
        ready: dict[str, Check] = {"store": lambda: check_store(store), "judging": pulse.check_work}
        health = Health(alive={"drift worker": pulse.check}, ready=ready, pulses={"drift worker": pulse})
        stack.enter_context(exposed_metrics(metrics, health, metrics_port, allowed_hosts))
        watched = load_monitors(monitors, drift_settings(timezone, holidays))
        asked: dict[str, Any] = {"monitors": watched, "policy": read_policy(policy)}
        patience: dict[str, Any] = {"reference_patience_s": 0.0, "late_quiet_s": 0.0} if once else {}
        worker = DriftWorker(
            store, metrics=metrics, monotonic=time.monotonic, pulse=pulse, **asked, **patience
        )
        try:
            if once:
                judge_once(store, worker)
            else:
                worker.run(stop)
        finally:
            worker.close()


@click.command()
@store_option
@_host_option
@_port_option
@allowed_host_option
@_user_header_option
@allow_acting_option
@clean_errors
def serve(
    store_url: str,
    host: str,
    port: int,
    allowed_hosts: tuple[str, ...],
    user_header: str,
    allow_acting: bool,
) -> None:
    """Serve the pages over a store."""
    stop = stop_on_signals()
    acting = acting_of(allowed=allow_acting, store_url=store_url, user_header=user_header)
    with open_store(store_url) as store:
        ready_connection(store).close()
        metrics = Metrics(WEB_METRICS)
        app = create_app(store, metrics, clock=time.time, user_header=user_header, acting=acting)
        server = WebServer(app, host, port, allowed_hosts=allowed_hosts)
        server.start()
        announce(f"page    {server.url}/")
        stop.wait()
        server.stop()
