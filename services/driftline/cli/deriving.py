"""``driftline profile``: derives what is counted of what has landed, and seals it."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from driftline.audit import SEALER_METRICS, Sealer
from driftline.cli.exposing import allowed_host_option, exposed_metrics, metrics_port_option, stop_on_signals
from driftline.cli.options import Shard, clean_errors, store_option
from driftline.cli.output import echo
from driftline.embedded import open_store
from driftline.health import Health, Pulse
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store.ready import check_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from driftline.health import Check


@contextmanager
def _beside(run: Callable[[threading.Event], None], stop: threading.Event) -> Iterator[None]:
    """Have a loop run in a thread while the block does; both end when ``stop`` is set."""
    thread = threading.Thread(target=run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@click.command()
@store_option
@click.option("--until-idle", is_flag=True, help="End when everything that landed is derived.")
@click.option(
    "--shard",
    type=Shard(),
    default="0/1",
    show_default=True,
    envvar="DRIFTLINE_PROFILE_SHARD",
    help="Derive part i of n of the models, where n of these services share them; i counts from 0.",
)
@metrics_port_option
@allowed_host_option
@clean_errors
def profile(
    store_url: str,
    until_idle: bool,
    shard: tuple[int, int],
    metrics_port: int | None,
    allowed_hosts: tuple[str, ...],
) -> None:
    """Derive profiles, sessions and invalid values from what has landed, hour by hour, and seal it."""
    stop = stop_on_signals()
    metrics, pulse = Metrics(PROFILER_METRICS, SEALER_METRICS), Pulse("profiler", time.monotonic)
    with open_store(store_url) as store, ExitStack() as stack:
        ready: dict[str, Check] = {"store": lambda: check_store(store), "deriving": pulse.check_work}
        alive = {"profiler": pulse.check}
        profiler = Profiler(store, metrics=metrics, shard=shard[0], shards=shard[1], pulse=pulse)
        stack.callback(profiler.close)
        sealer = None
        if shard[0] == 0:  # One seals for all.
            sealing = Pulse("sealer", time.monotonic)
            sealer = Sealer(store, metrics=metrics, pulse=sealing)
            stack.callback(sealer.close)
            alive["sealer"], ready["sealing"] = sealing.check, sealing.check_work
        health = Health(alive=alive, ready=ready, pulses={"profiler": pulse})
        stack.enter_context(exposed_metrics(metrics, health, metrics_port, allowed_hosts))
        if until_idle:
            echo(f"{profiler.run_until_idle()} hours derived")
            if sealer is not None:
                sealer.step()
            return
        if sealer is not None:
            stack.enter_context(_beside(sealer.run, stop))
        profiler.run(stop)
