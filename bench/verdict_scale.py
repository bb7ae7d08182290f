"""How long a verdict over 24 hours takes: 20 features, a day of 10 million rows, a day of 100 million.

Rows are made by the store itself, land through its inbox and are derived hour by hour; then they are
dropped, as if they had expired: a day's would take 20 GB, and no verdict reads them. What is derived stays
in ``.cache/verdict_scale``, a store for each ``--rows``, so that a run that was cut off goes on where it
stopped.

Run: python -m bench.verdict_scale [--rows 10000000 100000000] [--hours 24] [--runs 7] [--evidently]
         [--json FILE]

Several ``--rows`` are measured one after the other, each in a process of its own, and then compared.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.domain.streams import Stream
from driftline.drift import DriftSettings, Judge
from driftline.embedded import open_store
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store import Store, migrate
from driftline.store.derive import DERIVED_TABLES
from driftline.store.grids import read_grids
from driftline.store.profiles import read_hours
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.profiles import HourProfile

CACHE = Path(__file__).resolve().parent.parent / ".cache"
STREAM = Stream("scale", "1", "production")
DAY_HOUR = 489_984
"""The first hour of the day: 2025-11-24T00:00:00Z, a Monday."""

HISTORY_DAYS = 36
HISTORY_ROWS_AN_HOUR = 1_000
CHUNK_ROWS = 1_000_000
NUMERIC = (
    *(f"randNormal({10 * place}, {1 + place}, {place})" for place in range(5)),
    *(f"randLogNormal({place}, 0.{5 + place}, {place})" for place in range(5)),
    *(f"toFloat64(randPoisson({3 + place}, {place}))" for place in range(2)),
    "if(rand(20) % 10 < 7, 0., randExponential(1, 20))",
    "1e6 + randNormal(0, 1, 21)",
    "randStudentT(3, 22)",
)
CATEGORICAL = tuple(
    f"concat('v', toString(least(rand({30 + place}) % 40, {8 + 8 * place})))" for place in range(5)
)


def insert(client: Client, *, begin_s: int, seconds: int, rows: int) -> None:
    """Let the store make and land rows of some seconds; repeated, it is a no-op."""
    numeric = ", ".join(f"'number_{place:02}', {made}" for place, made in enumerate(NUMERIC))
    categorical = ", ".join(f"'category_{place}', {made}" for place, made in enumerate(CATEGORICAL))
    client.command(
        "INSERT INTO prediction_inbox (event_id, event_time, model_name, model_version, training_run_id, "
        "session_id, sequence, environment, numeric_features, categorical_features) "
        f"SELECT generateUUIDv4(), fromUnixTimestamp64Micro(toInt64({begin_s}000000 + "
        f"intDiv(number * {seconds}000000, {rows}))), "
        f"'{STREAM.model_name}', '{STREAM.model_version}', 'run', "
        f"'at {begin_s}', number + 1, '{STREAM.environment}', map({numeric}), map({categorical}) "
        f"FROM numbers({rows})",
        # One thread and whole blocks, so that a repeated insert is cut as it was.
        settings={
            "insert_deduplication_token": f"scale|{begin_s}",
            "max_threads": 1,
            "max_insert_threads": 1,
            "max_block_size": 1 << 16,
        },
    )


def derive(store: Store) -> None:
    """Derive everything that has landed."""
    with closing(Profiler(store, metrics=Metrics(PROFILER_METRICS))) as profiler:
        profiler.run_until_idle()


def rows_of_hour(rows: int, hour: int) -> int:
    """Return how many of a day's rows fall into one of its hours: most in the afternoon."""
    return round(rows * (1 + 0.6 * math.sin(2 * math.pi * (hour - 9) / 24)) / 24)


class Progress:
    """Which inserts of a store are done, in a file beside it: what is not noted is repeated."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._done = set(file.read_text().split()) if file.exists() else set()

    def __contains__(self, name: object) -> bool:
        return str(name) in self._done

    def note(self, name: object) -> None:
        """Note that something is done."""
        self._done.add(str(name))
        with self._file.open("a") as file:
            file.write(f"{name}\n")


def build(store: Store, client: Client, progress: Progress, rows: int, hours: int) -> None:
    """Land and derive five weeks and the day, or its first hours, as far as they are not there yet.

    Once derived, raw rows are dropped, as if they had expired: a verdict never reads them.
    """
    day_s = 3600 * DAY_HOUR
    if "history" not in progress:
        for day in range(HISTORY_DAYS, 0, -1):
            insert(client, begin_s=day_s - 86_400 * day, seconds=86_400, rows=24 * HISTORY_ROWS_AN_HOUR)
            if day == HISTORY_DAYS:  # As soon as there are rows enough, grids are chosen.
                derive(store)
        derive(store)
        client.command("TRUNCATE TABLE predictions")
        progress.note("history")
    for hour in range(hours):
        of_hour = rows_of_hour(rows, hour)
        pieces = max(round(of_hour / CHUNK_ROWS), 1)
        for piece in range(pieces):
            first, last = 3600 * piece // pieces, 3600 * (piece + 1) // pieces
            begin_s = day_s + 3600 * hour + first
            if begin_s not in progress:
                insert(client, begin_s=begin_s, seconds=last - first, rows=of_hour // pieces)
                progress.note(begin_s)
        derive(store)
        client.command("TRUNCATE TABLE predictions")
        print(f"\rlanded {hour + 1} of {hours} hours", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def warmed_judge(client: Client) -> tuple[Judge, float, float]:
    """Return a judge that knows what came before the day; seconds of reading that, and of taking it in."""
    judge = Judge(
        grids=read_grids(client, STREAM.model_name), settings=DriftSettings(), identity="scale/1/production"
    )
    began = time.perf_counter()
    history = read_hours(
        client, STREAM, first_hour=DAY_HOUR - judge.history_hours, end_hour=DAY_HOUR
    ).profiles
    read = time.perf_counter()
    for profile in history[:-1]:
        judge.remember(profile)
    judge.judge(history[-1])
    return judge, read - began, time.perf_counter() - read


def measure(client: Client, runs: int, hours: int) -> dict[str, float]:
    """Return what a verdict over the day, or its first hours, takes: medians of some runs, in seconds.

    The verdict: reading the 24 hours and judging the newest, by a judge that judged the hours before it.
    Seconds are those of the clock; ``cpu`` those of all threads, the engine's too, which other work on the
    machine does not lengthen.
    """
    timings: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        timings.setdefault(name, []).append(seconds)

    client.command("SYSTEM STOP MERGES")  # They would count as the verdict's own work.
    day: Sequence[HourProfile] = ()
    for _ in range(runs):
        restarted_cpu = time.process_time()
        judge, read_history, warm = warmed_judge(client)
        began, began_cpu = time.perf_counter(), time.process_time()
        day = read_hours(client, STREAM, first_hour=DAY_HOUR, end_hour=DAY_HOUR + hours).profiles
        read, read_cpu = time.perf_counter(), time.process_time()
        calls = []
        for profile in day:
            begin = time.perf_counter()
            begin_cpu = time.process_time()
            verdicts = judge.judge(profile)
            calls.append((time.perf_counter() - begin, time.process_time() - begin_cpu))
        judged = time.perf_counter()
        note("verdict_s", read - began + calls[-1][0])
        note("verdict_cpu_s", read_cpu - began_cpu + calls[-1][1])
        note("read_day_s", read - began)
        note("judge_newest_hour_s", calls[-1][0])
        note("judge_first_hour_of_day_s", calls[0][0])  # It chooses the reference anew.
        note("read_and_judge_all_hours_s", judged - began)
        note("restart_s", read_history + warm + judged - began)
        note("restart_cpu_s", time.process_time() - restarted_cpu)
        begin = time.perf_counter()
        read_hours(client, STREAM, first_hour=DAY_HOUR + hours - 1, end_hour=DAY_HOUR + hours)
        note("read_one_hour_s", time.perf_counter() - begin)
    figures = {name: round(statistics.median(seconds), 4) for name, seconds in timings.items()}
    in_day = "hour >= toDateTime({begin:UInt32}, 'UTC') AND hour < toDateTime({end:UInt32}, 'UTC')"
    counted = client.rows(
        "SELECT count() FROM profiles WHERE model_name = {model:String} "
        f"AND {in_day} AND {visible(in_day)}",
        parameters={
            "model": STREAM.model_name,
            "begin": 3600 * DAY_HOUR,
            "end": 3600 * (DAY_HOUR + hours),
        },
    )
    features = {verdict.feature for verdict in verdicts}
    return {
        "hours": hours,
        "rows": sum(profile.rows for profile in day),
        "features": len(features),
        "verdicts": len(verdicts),
        "profile_rows": counted[0][0],
        **figures,
    }


EVIDENTLY = """
import json, sys, time
import numpy as np, pandas as pd
from evidently import Report, __version__
from evidently.presets import DataDriftPreset

rows = int(sys.argv[1])
def made(seed):
    rng = np.random.default_rng(seed)
    columns = {f"number_{i:02}": rng.normal(10 * i, 1 + i, rows) for i in range(5)}
    columns |= {f"number_{5 + i:02}": rng.lognormal(i, 0.5 + i / 10, rows) for i in range(5)}
    columns |= {f"number_{10 + i:02}": rng.poisson(3 + i, rows).astype(float) for i in range(2)}
    columns["number_12"] = np.where(rng.random(rows) < 0.7, 0.0, rng.exponential(1, rows))
    columns["number_13"] = 1e6 + rng.normal(0, 1, rows)
    columns["number_14"] = rng.standard_t(3, rows)
    for i in range(5):
        categories = np.array([f"v{j}" for j in range(9 + 8 * i)])
        columns[f"category_{i}"] = categories[np.minimum(rng.integers(0, 40, rows), 8 + 8 * i)]
    return pd.DataFrame(columns)

reference, current = made(1), made(2)
began, cpu = time.perf_counter(), time.process_time()
found = Report([DataDriftPreset()]).run(current, reference).dict()
took = {"verdict_s": time.perf_counter() - began, "verdict_cpu_s": time.process_time() - cpu}
print(json.dumps({**took, "version": __version__, "answers": len(found["metrics"])}))
"""


def evidently(rows: int) -> dict[str, float | str]:
    """Return what evidently takes for as many rows of the same columns against as many of reference."""
    folder = CACHE / "peers" / "evidently"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    installed = subprocess.run([python, "-c", "import evidently"], check=False, capture_output=True)
    if installed.returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "evidently", "pandas<3"], check=True)
    done = subprocess.run(
        [python, "-W", "ignore", "-c", EVIDENTLY, str(rows)], check=True, capture_output=True, text=True
    )
    answer: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    return {"rows": rows, **answer}


def merge(client: Client) -> None:
    """Bring both days into the state that the engine works towards.

    Else the figures are those of what happens to be merged, and of merges that go on meanwhile.
    """
    for table in DERIVED_TABLES:
        client.command(f"OPTIMIZE TABLE {table} FINAL SETTINGS optimize_skip_merged_partitions = 1")


def measured(rows: int, options: argparse.Namespace) -> dict[str, float] | None:
    """Build what a day of so many rows lacks, and measure it."""
    folder = CACHE / "verdict_scale" / str(rows)
    folder.mkdir(parents=True, exist_ok=True)
    with open_store(f"chdb://{folder / 'store'}") as store, closing(store.connect()) as client:
        progress = Progress(folder / "landed.txt")
        if "history" not in progress:
            migrate(client)
        began = time.perf_counter()
        build(store, client, progress, rows, options.hours)
        print(f"landing took {time.perf_counter() - began:.0f} s", file=sys.stderr)
        if options.build_only:
            return None
        merge(client)
        return measure(client, options.runs, options.hours)


def measured_apart(rows: int, options: argparse.Namespace) -> dict[str, float]:
    """Measure a day in a process of its own: an engine opens one store, and keeps what it read in memory."""
    command = [sys.executable, "-m", "bench.verdict_scale", "--rows", str(rows)]
    command += ["--hours", str(options.hours), "--runs", str(options.runs)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout)["driftline"][str(rows)]
    return figures


def compared(days: dict[str, dict[str, float]], other: dict[str, float | str] | None) -> dict[str, float]:
    """Return how many times longer the slowest day takes than the quickest, and evidently than that."""
    ratios = {}
    for name in ("verdict_s", "verdict_cpu_s"):
        taken = [figures[name] for figures in days.values()]
        ratios[f"slowest day / quickest, {name}"] = round(max(taken) / min(taken), 3)
        if other is not None:
            ratios[f"evidently / slowest day, {name}"] = round(float(other[name]) / max(taken), 1)
    return ratios


def main() -> None:
    """Build what is missing, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000_000], help="of the day")
    parser.add_argument("--hours", type=int, default=24, help="of the day; fewer where it was cut off")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--evidently", action="store_true", help="and evidently on a million rows")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    measure_one = measured if options.build_only or len(options.rows) == 1 else measured_apart
    days = {str(rows): figures for rows in options.rows if (figures := measure_one(rows, options))}
    if options.build_only:
        return
    other = evidently(1_000_000) if options.evidently else None
    figures = {"driftline": days, "evidently": other, "ratios": compared(days, other)}
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
