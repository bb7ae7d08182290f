"""``driftline watch --once``: judge what has closed, and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from driftline.cli.output import echo
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store.connect import ServerStore

if TYPE_CHECKING:
    from driftline.drift.service.worker import DriftWorker
    from driftline.store.connect import Store


def judge_once(store: Store, worker: DriftWorker) -> None:
    """Judge every window that has closed and is not judged yet; report what could not be.

    What landed in an embedded store is derived first: nobody else may be there to do it. Beside a server the
    profiler is a service of its own, and a watcher's user is not allowed to write profiles.

    Raises:
        StoreError: the store is away.
        click.exceptions.Exit: some streams could not be judged.
    """
    if not isinstance(store, ServerStore):
        _derive(store)
    echo(f"{worker.watch_once()} verdicts given")
    if worker.waiting:
        waiting = f"{worker.waiting} hours that have closed are not derived yet"
        echo(f"{waiting}; run 'driftline profile --until-idle' first", err=True)
    if worker.failing:
        for stream, failure in worker.failing.items():
            echo(f"{' '.join(stream)} could not be judged: {failure.detail}", err=True)
        raise click.exceptions.Exit(1)


def _derive(store: Store) -> None:
    profiler = Profiler(store, metrics=Metrics(PROFILER_METRICS))
    try:
        profiler.run_until_idle()
    finally:
        profiler.close()
