"""Services that end by themselves: land everything and end, judge what has closed and end.

What landed in an embedded store is derived along with it: nobody else may be there to do it. Beside a server
the profiler is a service of its own, and the others' users are not allowed to write profiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from driftline.cli.output import echo
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store.connect import ServerStore

if TYPE_CHECKING:
    from driftline.drift.service.worker import DriftWorker
    from driftline.lander import Lander
    from driftline.store.connect import Store


def judge_once(store: Store, worker: DriftWorker) -> None:
    """Judge every window that has closed and is not judged yet; report what could not be.

    Raises:
        StoreError: the store is away.
        click.exceptions.Exit: some streams could not be judged.
    """
    _derive_if_embedded(store)
    echo(f"{worker.watch_once()} verdicts given")
    if worker.waiting:
        waiting = f"{worker.waiting} hours that have closed are not derived yet"
        echo(f"{waiting}; run 'driftline profile --until-idle' first", err=True)
    if worker.failing:
        for stream, failure in worker.failing.items():
            echo(f"{' '.join(stream)} could not be judged: {failure.detail}", err=True)
        raise click.exceptions.Exit(1)


def land_once(store: Store, lander: Lander) -> None:
    """Land everything that the log holds; report how many records that were.

    Raises:
        StoreError: the store is away.
        LogError: the log can't be used.
        DeadLetterLimitError: too many records are refused.
    """
    echo(f"{lander.run_until_idle()} records landed")
    _derive_if_embedded(store)


def _derive_if_embedded(store: Store) -> None:
    if isinstance(store, ServerStore):
        return
    profiler = Profiler(store, metrics=Metrics(PROFILER_METRICS))
    try:
        profiler.run_until_idle()
    finally:
        profiler.close()
