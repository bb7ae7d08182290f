"""The command that forwards what processes left on disk when they ended."""

from __future__ import annotations

import threading

import click

from driftline.cli.exposing import stop_on_signals
from driftline.cli.options import clean_errors, log_option
from driftline.cli.output import echo
from driftline.errors import SettingError
from driftline.log import open_log


@click.command()
@log_option
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    help="Give up after that many seconds; default: wait for the cluster for as long as it takes.",
)
@clean_errors
def forward(log_url: str, timeout_s: float | None) -> None:
    """Forward events that processes which are gone had left on this host's disk, and end.

    Events wait there while a kafka:// cluster takes none. Processes that live forward their own, and those
    of others as well: this is for a host on which none is left. Exit status 1: some still wait.
    """
    # librdkafka is loaded only by who needs it.
    from driftline.log.kafka.forward import forward_orphans  # noqa: PLC0415 - as above.
    from driftline.log.kafka.log import KafkaLog  # noqa: PLC0415 - as above.

    stop = stop_on_signals()
    with open_log(log_url) as log:
        if not isinstance(log, KafkaLog) or log.settings.spill is None:
            raise SettingError(f"log URL {log.url!r}: only a kafka:// log with a spill has events to forward")
        if timeout_s is not None:
            timer = threading.Timer(timeout_s, stop.set)
            timer.daemon = True
            timer.start()
        forwarded = forward_orphans(log.settings, stop)
    echo(f"{forwarded.records} records forwarded from {log.settings.spill}")
    for folder in forwarded.owned:
        echo(f"{folder}: a living process forwards it")
    for folder in forwarded.left:
        echo(f"{folder}: still waits{': ' if forwarded.error else ''}{forwarded.error}", err=True)
    if forwarded.left:
        raise click.exceptions.Exit(1)
