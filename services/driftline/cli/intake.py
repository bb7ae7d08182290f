"""``driftline intake``: takes over HTTP what others logged, and appends it to the log."""

from __future__ import annotations

import os
import time
from contextlib import closing

import click
from starlette.applications import Starlette

from driftline.cli.exposing import allowed_host_option, exposed_metrics, metrics_port_option, stop_on_signals
from driftline.cli.logs import announce
from driftline.cli.options import clean_errors, log_option
from driftline.cli.settings import INTAKE_TOKEN, INTAKE_TOKEN_FILE
from driftline.errors import SettingError
from driftline.health import Health, Pulse
from driftline.intake import INTAKE_METRICS, Intake
from driftline.intake.pairs import EXPIRY_S
from driftline.log import open_log
from driftline.metrics import Metrics
from driftline.serving import WebServer
from driftline.store.url import read_secret
from driftline.wire import TOPICS

_PORT = 8330
_SHORTEST_TOKEN = 16
_TICK_S = 1.0


@click.command()
@log_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=_PORT, show_default=True, help="Port to listen on; 0: a free one.")
@click.option(
    "--pair-expiry",
    "expiry_s",
    type=click.FloatRange(min=0.1),
    default=EXPIRY_S,
    show_default=True,
    help="How long a request that KServe or Seldon logged waits for its response, seconds.",
)
@allowed_host_option
@metrics_port_option
@clean_errors
def intake(
    log_url: str,
    host: str,
    port: int,
    expiry_s: float,
    allowed_hosts: tuple[str, ...],
    metrics_port: int | None,
) -> None:
    """Take events over HTTP: JSON, CloudEvents of KServe and Seldon, OpenTelemetry's logs.

    Senders give a token, one of those in the file that DRIFTLINE_INTAKE_TOKEN_FILE names, one a line. There
    is no TLS here: let a proxy in front do it.
    """
    stop = stop_on_signals()
    tokens = _tokens()
    metrics, pulse = Metrics(INTAKE_METRICS), Pulse("intake", time.monotonic)
    with open_log(log_url) as opened, opened.without_spill() as log:
        log.ensure_topics(TOPICS)
        health = Health(alive={"intake": pulse.check}, ready={"log": log.topics})
        with closing(Intake(log, tokens, metrics=metrics, expiry_s=expiry_s)) as taking:
            app = Starlette(routes=[*health.routes(), *taking.routes()])
            server = WebServer(app, host, port, name="intake", allowed_hosts=allowed_hosts)
            server.start()
            try:
                with exposed_metrics(metrics, health, metrics_port, allowed_hosts):
                    announce(f"intake  {server.url}/v1/events")
                    while not stop.wait(_TICK_S):
                        taking.tick()
                        pulse.beat()
            finally:
                server.stop()


def _tokens() -> list[str]:
    """Return the tokens that senders may give.

    Raises:
        SettingError: there is none, or one is too short.
    """
    text = read_secret(os.environ, INTAKE_TOKEN, INTAKE_TOKEN_FILE) or ""
    tokens = text.split()
    if not tokens:
        raise SettingError(
            f"senders need a token: write one into a file ('openssl rand -hex 32'), and name it in "
            f"{INTAKE_TOKEN_FILE}"
        )
    if any(len(token) < _SHORTEST_TOKEN for token in tokens):
        raise SettingError(f"a token of less than {_SHORTEST_TOKEN} characters can be guessed")
    return tokens
