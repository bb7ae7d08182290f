"""The feature store: how long a training set takes, and how quick values come online.

python -m bench.features                  # all of it: minutes
python -m bench.features --part training  # 300,000 rows with 15 features of three views
python -m bench.features --part online    # SQLite, and Redis where redis-server is installed
"""

from __future__ import annotations

import argparse
import random
import shutil
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from driftline.embedded import open_store
from driftline.features import Entity, FeatureService, FeatureView
from driftline.features.history import push
from driftline.features.materialize import materialize
from driftline.features.online import get_online, get_online_many, open_online
from driftline.features.training import get_training_set
from driftline.store import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.features.definitions import Kind
    from driftline.store import Connection

_PLANE = Entity("plane", key="tailnum")
_START_S = 1_767_225_600
_DAYS = 90
_VIEWS = 3
_FEATURES = 5


def _views() -> list[FeatureView]:
    kinds: list[Kind] = ["numeric", "numeric", "numeric", "numeric", "categorical"]
    return [
        FeatureView(
            f"view{view}",
            _PLANE,
            {f"f{view}_{place}": kind for place, kind in enumerate(kinds)},
            ttl=timedelta(days=30),
        )
        for view in range(_VIEWS)
    ]


def _times(generator: np.random.Generator, rows: int) -> pa.Array:
    seconds = generator.uniform(0, _DAYS * 86_400, rows)
    return pa.array(((_START_S + seconds) * 1e6).astype("int64"), pa.timestamp("us", tz="UTC"))


def _fill(connection: Connection, view: FeatureView, *, rows: int, entities: int, seed: int) -> float:
    generator = np.random.default_rng(seed)
    events = _times(generator, rows)
    late = generator.exponential(3600e6, rows).astype("int64")
    columns = {
        "tailnum": pa.array(generator.integers(0, entities, rows)),
        "event_time": events,
        "known": pa.array(events.cast(pa.int64()).to_numpy() + late, pa.timestamp("us", tz="UTC")),
        **{name: pa.array(generator.normal(size=rows)) for name in view.numbers},
        **{name: pa.array(generator.integers(0, 50, rows).astype(str)) for name in view.texts},
    }
    began = time.perf_counter()
    done = push(connection, view, columns, available_time="known")
    assert done.rows == rows
    return time.perf_counter() - began


def fill(connection: Connection, *, history: int, entities: int) -> None:
    """Push the history of each view, and print how long that takes."""
    views = _views()
    took = sum(
        _fill(connection, view, rows=history, entities=entities, seed=place)
        for place, view in enumerate(views)
    )
    print(f"history: {history * len(views):,} rows of {_FEATURES} features pushed, {took:.1f} s")


def training(connection: Connection, *, rows: int, entities: int) -> None:
    """Print how long a training set takes, and of what."""
    views = _views()
    generator = np.random.default_rng(99)
    asked = {
        "tailnum": pa.array(generator.integers(0, entities, rows)),
        "event_time": _times(generator, rows),
    }
    service = FeatureService("all", views)
    for attempt in range(3):
        began, cpu = time.perf_counter(), time.process_time()
        found = get_training_set(connection, service, pa.table(asked))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        known = found.num_rows - found.column("f0_0").null_count
        print(
            f"training set {attempt + 1}: {rows:,} rows x {_VIEWS * _FEATURES} features in {wall:.1f} s, "
            f"{cpu:.1f} s of processor time; {known / rows:.1%} have the first feature"
        )


def online(connection: Connection, url: str, *, entities: int, batch: int) -> None:
    """Print how quick values of three views come from a back end, and how quick they get there."""
    views = _views()
    service = FeatureService("all", views)
    now_us = int((_START_S + _DAYS * 86_400) * 1e6)
    with closing(open_online(url)) as store:
        began = time.perf_counter()
        moved = sum(materialize(connection, store, view, now_us=now_us).entities for view in views)
        took = time.perf_counter() - began
        print(f"{url.partition(':')[0]}: {moved:,} rows materialized in {took:.1f} s")
        chosen = [random.randrange(entities) for _ in range(20_000)]
        seconds = []
        began_cpu = time.process_time()
        for entity in chosen[:5_000]:
            began = time.perf_counter()
            found = get_online(store, service, entity, clock=lambda: now_us / 1e6)
            seconds.append(time.perf_counter() - began)
        cpu = time.process_time() - began_cpu
        assert len(found.features) in {0, 5, 10, 15}
        seconds.sort()
        print(
            f"  one by one: p50 {seconds[2500] * 1e3:.2f} ms, p99 {seconds[4950] * 1e3:.2f} ms, "
            f"{5_000 / sum(seconds):,.0f} a second, {cpu / 5_000 * 1e6:.0f} us of a core each"
        )
        began = time.perf_counter()
        for start in range(0, len(chosen), batch):
            get_online_many(store, service, chosen[start : start + batch], clock=lambda: now_us / 1e6)
        took = time.perf_counter() - began
        print(f"  in batches of {batch}: {len(chosen) / took:,.0f} a second, each of 15 features of 3 views")


@contextmanager
def _redis() -> Iterator[str | None]:
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([program, "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=["training", "online", "all"], default="all")
    parser.add_argument("--rows", type=int, default=300_000, help="of the training set")
    parser.add_argument("--history", type=int, default=200_000, help="rows of each of the three views")
    parser.add_argument("--entities", type=int, default=5_000)
    parser.add_argument("--batch", type=int, default=200, help="look-ups at once")
    options = parser.parse_args()
    random.seed(1)
    with (
        TemporaryDirectory() as folder,
        open_store(f"chdb://{Path(folder)}/store") as store,
        store.connect() as connection,
        _redis() as redis,
    ):
        migrate(connection)
        fill(connection, history=options.history, entities=options.entities)
        if options.part != "online":
            training(connection, rows=options.rows, entities=options.entities)
        if options.part != "training":
            for url in filter(None, (f"sqlite://{folder}/online.db", redis)):
                online(connection, url, entities=options.entities, batch=options.batch)


if __name__ == "__main__":
    main()
