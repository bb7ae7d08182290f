"""What services of their own share: health and metrics on a port, and ending when a signal asks for it."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from starlette.applications import Starlette
from starlette.routing import Mount

from driftline.cli.logs import announce
from driftline.cli.settings import LinkedOption
from driftline.serving.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.routing import BaseRoute

    from driftline.health import Health
    from driftline.metrics import Metrics


def _split_hosts(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Return all names, also of several that stand in one variable, with commas or spaces between them."""
    del context, parameter
    return tuple(name for value in values for name in value.replace(",", " ").split())


allowed_host_option = click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    envvar="DRIFTLINE_ALLOWED_HOSTS",
    callback=_split_hosts,
    help="Name that requests may give for this host, such as driftline.example or *.example.com; may be "
    "repeated. Addresses and localhost are always allowed.",
)
metrics_port_option = click.option(
    "--metrics-port",
    cls=LinkedOption,
    type=int,
    envvar="DRIFTLINE_METRICS_PORT",
    help="Serve this service's /metrics, /healthz and /readyz on this port of every address; 0: a free one. "
    "Default: not at all.",
)


@contextmanager
def exposed_metrics(
    metrics: Metrics,
    health: Health,
    port: int | None,
    allowed_hosts: Sequence[str],
    routes: Sequence[BaseRoute] = (),
) -> Iterator[None]:
    """Serve metrics, health and further routes while the block runs, unless no port is given."""
    if port is None:
        yield
        return
    app = Starlette(routes=[*health.routes(), *routes, Mount("/", metrics.app())])
    # Prometheus asks from afar.
    everywhere = "0.0.0.0"  # noqa: S104  see above
    server = WebServer(app, everywhere, port, name="metrics", allowed_hosts=allowed_hosts)
    server.start()
    announce(f"metrics http://127.0.0.1:{server.port}/metrics")
    try:
        yield
    finally:
        server.stop()


def stop_on_signals() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
