"""What judging costs on a landed store, and whether another checkout comes to the same verdicts.

Each run judges a copy of the store from its first hour on, as a worker does that catches up, and counts the
CPU time of the whole process, the engine's threads included.

    python -m bench.judging land   FOLDER [--events 100000]   # the demo's flights, derived and not judged
    python -m bench.judging judge  FOLDER [--hours N] [--verdicts FILE] [--profile FILE] [--keep FOLDER]
    python -m bench.judging versus FOLDER CHECKOUT [--hours N] [--runs 3]

`versus` judges by this checkout and by another one in turns, and compares every verdict that is written:
figures to 1e-9 relative, all else exactly.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import math
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import driftline
from driftline.domain.streams import Stream
from driftline.domain.verdict_table import FIGURES
from driftline.drift import DriftSettings
from driftline.drift.service import watch
from driftline.drift.service.metrics import WORKER_METRICS
from driftline.drift.service.worker import DriftWorker
from driftline.embedded import open_store
from driftline.lander import LANDER_METRICS, Lander
from driftline.log import open_log
from driftline.metrics import Metrics
from driftline.monitors import read_monitors
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store import ready_connection
from driftline.store.monitored import follow_monitors
from driftline.store.verdicts import SHARE_STEP, kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.store import Store

_MONITORS = Path(driftline.__file__).with_name("demo") / "monitors.yaml"
_KEY = ("segment", "reference", "feature", "scale_hours", "window_end", "revision")
_RELATIVE = 1e-9
_NEAR_ZERO = {"z": 1e-4}
"""The root of a difference of logarithms that nearly cancel: of a z near 0 no digit is sure."""
_JUDGED = ["verdicts", "incidents", "joint", "joint_revisions"]
"""Migrations that make the tables that a judge writes, and how the tables' names begin."""
_WRITTEN = ("drift_verdicts", "verdict_", "judged_hours", "incidents", "acknowledgements", "joint_")


def land(folder: Path, events: int) -> None:
    """Serve the demo's flights into a log, land and derive them; nothing is judged."""
    folder.mkdir(parents=True, exist_ok=True)
    log_url = (folder / "log").as_uri()
    client = ["driftline.demo.client", "--log", log_url, "--artifact", str(folder / "model.joblib")]
    command = [sys.executable, "-m", *client, "--events", str(events)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with open_log(log_url) as log, open_store(f"chdb://{folder / 'store'}") as store:
        follow_monitors(ready_connection(store), read_monitors(_MONITORS, DriftSettings()))
        lander = Lander(log, store, metrics=Metrics(LANDER_METRICS))
        print(f"{lander.run_until_idle()} records landed")
        lander.close()
        profiler = Profiler(store, metrics=Metrics(PROFILER_METRICS))
        print(f"{profiler.run_until_idle()} hours derived")
        profiler.close()


@contextmanager
def copied(folder: Path, keep: Path | None) -> Iterator[Store]:
    """Yield a copy of a landed store, without what judges write; keep it, if asked."""
    with ExitStack() as kept:
        place = keep or kept.enter_context(tempfile.TemporaryDirectory(dir=folder))
        shutil.copytree(folder / "store", Path(place) / "store", symlinks=True)
        with open_store(f"chdb://{Path(place) / 'store'}") as store:
            client = store.connect()
            made = client.rows("SELECT name, engine FROM system.tables WHERE database = currentDatabase()")
            for table, engine in made:
                if table.startswith(_WRITTEN):
                    client.command(f"DROP {'VIEW' if engine == 'View' else 'TABLE'} {table} SYNC")
            client.command(
                "ALTER TABLE schema_migrations DELETE WHERE name IN {names:Array(String)}",
                parameters={"names": _JUDGED},
                settings={"mutations_sync": 1},
            )
            client.close()
            yield store


def judge(asked: argparse.Namespace) -> None:
    """Judge hours of a landed store; print what it took as one JSON object."""
    rows: list[Any] = []
    write, judge_closed = watch.write_verdicts, watch.StreamWatch.judge_closed

    def collect(connection: Any, stream: Any, given: Sequence[Any]) -> None:
        write(connection, stream, given)
        rows.append(given)

    def limited(self: Any, source: Any, end_hour: int, **options: Any) -> Any:
        return judge_closed(self, source, min(end_hour, source.span.first_hour + asked.hours), **options)

    watch.write_verdicts, watch.StreamWatch.judge_closed = collect, limited
    profiler = cProfile.Profile() if asked.profile else nullcontext()
    with copied(asked.folder, asked.keep) as store:
        worker = DriftWorker(
            store,
            metrics=Metrics(WORKER_METRICS),
            monotonic=time.monotonic,
            monitors=read_monitors(_MONITORS, DriftSettings()),
        )
        began_s, began_wall_s = time.process_time(), time.monotonic()
        with profiler:
            while worker.watch_once():
                pass
        cpu_s, wall_s = time.process_time() - began_s, time.monotonic() - began_wall_s
        hours = ready_connection(store).rows("SELECT count() FROM judged_hours")[0][0]
        worker.close()
    if isinstance(profiler, cProfile.Profile):
        profiler.dump_stats(asked.profile)
    if asked.verdicts:
        asked.verdicts.write_bytes(pickle.dumps([asdict(one) for given in rows for one in given]))
    print(json.dumps({"verdicts": sum(map(len, rows)), "hours": hours, "cpu_s": cpu_s, "wall_s": wall_s}))


def versus(folder: Path, checkout: Path, *, runs: int, hours: int) -> None:
    """Judge by two checkouts in turns; print CPU time an hour, its ratio, and how verdicts differ."""
    places = {"here": Path.cwd(), "there": checkout}
    files = {name: folder / f"verdicts.{name}" for name in places}
    took: dict[str, list[float]] = {name: [] for name in places}
    for run in range(runs):
        for name, place in places.items():
            kept = ["--verdicts", str(files[name])] if run == 0 else []
            command = [sys.executable, "-m", "bench.judging", "judge", str(folder), *kept]
            command += ["--hours", str(hours)]
            path = {"PYTHONPATH": str(place / "services")}
            # Each by its own bench: what this one asks of the rooms, older ones may not have.
            done = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, env={**os.environ, **path}, cwd=place
            )
            figures = json.loads(done.stdout)
            took[name].append(1000 * figures["cpu_s"] / figures["hours"])
            print(f"{name}: {figures['hours']} hours, {took[name][-1]:.1f} ms of CPU each", flush=True)
    least = {name: min(times) for name, times in took.items()}
    ratio = least["here"] / least["there"]
    print(f"least, ms an hour: {least['here']:.1f} here, {least['there']:.1f} there; ratio {ratio:.2f}")
    compare(*(pickle.loads(file.read_bytes()) for file in files.values()))


def compare(here: Sequence[Mapping[str, Any]], there: Sequence[Mapping[str, Any]]) -> None:
    """Print how many verdicts two runs wrote, and what of them differs."""
    ours, theirs = (
        {tuple(row[name] for name in _KEY): row for row in map(_comparable, rows)} for rows in (here, there)
    )
    names = Counter[str]()
    examples: dict[str, str] = {}
    for key in ours.keys() & theirs.keys():
        for name, value in ours[key].items():
            if not _same(value, theirs[key].get(name), _NEAR_ZERO.get(name, 1e-12)):
                names[name] += 1
                examples.setdefault(name, f"{key}: {value!r}, not {theirs[key].get(name)!r}")
    print(f"{len(ours)} verdicts here, {len(theirs)} there, {len(ours.keys() & theirs.keys())} on the same")
    for name, count in names.most_common():
        print(f"  {name} differs in {count}, such as {examples[name]}")
    alike = not names and ours.keys() == theirs.keys()
    print(f"figures to {_RELATIVE:g}, all else exactly: {'the same' if alike else 'NOT the same'}")


def _comparable(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a verdict with its sentence in full; of an episode, with its figures as the store keeps them."""
    row = {
        name: int(value.timestamp()) // 3600 if isinstance(value, datetime) else value
        for name, value in row.items()
        if name not in Stream._fields
    }
    row["statistics"] = {name: value for name, value in row["statistics"].items() if value is not None}
    reason = row["reason"]
    for name, form in (("observed", ".2%"), ("expected", ".2%"), ("detectable", ".1%")):
        number = row["detectable_effect" if name == "detectable" else name]
        if f"{{{name}}}" in reason:
            reason = reason.replace(f"{{{name}}}", f"{number:{form}}", 1)
    comparable = {**row, "reason": reason.replace("{channel}", str(row["channel"] or ""), 1)}
    if row["episode_id"] and row["expected"] is not None:
        comparable |= {name: kept([row[name]])[0] for name in FIGURES if row[name] is not None}
        comparable["expected"] = kept([row["expected"]], step=SHARE_STEP)[0]
        comparable["effect"] = row["observed"] - comparable["expected"]
        comparable["reason"] = re.sub(r"expect [0-9.]+%", "expect", comparable["reason"])
    return comparable


def _same(one: Any, other: Any, near_zero: float) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=near_zero)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name], near_zero) for name in one)
    return bool(one == other)


def main() -> None:
    """Land, judge or compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["land", "judge", "versus"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("checkout", type=Path, nargs="?")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--verdicts", type=Path)
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the judged store in this new folder")
    parser.add_argument("--hours", type=int, default=10**6, help="judge at most so many hours")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    given.folder = given.folder.resolve()
    if given.what == "land":
        land(given.folder, given.events)
    elif given.what == "judge":
        judge(given)
    elif given.checkout is None:
        parser.error("versus needs another checkout")
    else:
        versus(given.folder, given.checkout, runs=given.runs, hours=given.hours)


if __name__ == "__main__":
    main()
