"""Pages and delays where traffic has habits: the judges alone, and the whole product with its controller.

Run: python -m bench.habits [--regimes campaign,bot] [--streams 2] [--windows 2000] [--seed 1] [--workers 1]
         [--rows 5000] [--columns 6] [--alone] [--no-faults] [--output .cache/bench/habits.json] [--table]

Nothing is wrong in any of these hours, so each page is a false one, also the first of something new. Nobody
acknowledges anything. What is new begins in the second judged week. After the last hour, copies of the
product go on with a fault each.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.habit_traffic import FAULTS, NAMED, REGIMES, HabitTraffic
from bench.simulation import HISTORY_HOURS, Pages, load, save
from bench.tables import at_most, print_table, quantile
from driftline.domain.calendars import Calendar, PlannedEvent
from driftline.domain.hours import hour_time
from driftline.domain.streams import Stream
from driftline.drift import DriftSettings, Judge
from driftline.drift.hours import WHOLE, Arrival, StreamHour
from driftline.drift.incidents.book import IncidentBook, IncidentTracker
from driftline.drift.judges import SegmentJudges, VolumeJudge, WholeJudge
from driftline.drift.service.pipeline import Pipeline
from driftline.monitors import ModelMonitor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.verdict_table import Verdicts
    from driftline.profiles import HourProfile

FAULT_HOURS = 100
NEW_AFTER = 168
"""What is new begins after so many judged hours."""
LEARNED_AFTER = 14 * 24
"""And may page for so long."""


@dataclass(frozen=True, slots=True)
class Job:
    """One stream of one regime."""

    regime: str
    rows: int
    stream: int
    windows: int
    seed: int
    columns: int
    alone: bool
    faults: bool

    @property
    def key(self) -> str:
        """Its name in the file."""
        return f"{self.regime}/{self.rows}/{self.stream}"


class LastVerdicts:
    """Keeps what the last hour came to."""

    def __init__(self) -> None:
        self.given: Verdicts | None = None

    def take(self, _hour: StreamHour, given: Verdicts) -> None:
        """Take the verdicts on all windows that end with an hour."""
        self.given = given


class Product:
    """A stream's pipeline as the worker has it, with hours from memory, and nobody who acknowledges."""

    def __init__(self, traffic: HabitTraffic) -> None:
        settings, stream = DriftSettings(), Stream("habits", "1", "production")
        calendar = calendar_of(traffic)
        self.monitor = ModelMonitor(settings=settings)
        self.tracker = IncidentTracker(IncidentBook(stream, settings=settings), [])
        judge = Judge(grids=traffic.grids, settings=settings, identity=stream.identity, calendar=calendar)
        self.pipeline = Pipeline(
            WholeJudge(judge),
            SegmentJudges([], grids=traffic.grids, settings=settings, identity=stream.identity),
            None,
            VolumeJudge(settings=settings, identity=stream.identity, calendar=calendar),
            self.tracker,
            segments=(),
            grids=traffic.grids,
            reference_state=(0, 0),
            monitor=self.monitor,
        )
        self.last = LastVerdicts()

    def remember(self, profiles: Sequence[HourProfile]) -> None:
        """Take hours as history."""
        self.pipeline.remember([as_hour(profile) for profile in profiles], ())

    def judge(self, profile: HourProfile) -> Verdicts:
        """Judge an hour."""
        self.pipeline.judge([as_hour(profile)], self.last)
        if self.last.given is None:
            raise RuntimeError("the pipeline handed no verdicts on")
        return self.last.given


def calendar_of(traffic: HabitTraffic) -> Calendar:
    """Return what the calendar knows of a stream's special hours."""
    return Calendar(
        events=tuple(
            PlannedEvent(NAMED[traffic.regime], hour_time(first), hour_time(end))
            for first, end in traffic.named
        )
    )


def as_hour(profile: HourProfile) -> StreamHour:
    """Return an hour that arrived in whole."""
    return StreamHour(profile.hour, Arrival(profile.rows), {WHOLE: profile})


def run_job(job: Job) -> dict[str, Any]:
    """Judge one stream: alone and by the product; then, by the product, with each fault."""
    rng = np.random.default_rng((job.seed, sum(map(ord, job.regime)), job.rows, job.stream))
    traffic = HabitTraffic(
        job.regime, job.rows, rng, new_after=HISTORY_HOURS + NEW_AFTER, columns=job.columns
    )
    alone, product = Judge(grids=traffic.grids, identity="habits"), Product(traffic)
    history = [traffic.next_profile() for _ in range(HISTORY_HOURS)]
    for profile in history:
        alone.remember(profile)
    product.remember(history)
    pages, seconds = Pages(), 0.0
    for hour in range(job.windows):
        profile = traffic.next_profile()
        if job.alone:
            pages.take(hour, alone.judge(profile))
        began_s = time.process_time()
        product.judge(profile)
        seconds += time.process_time() - began_s
    first = traffic.first_judged(job.windows)
    found = product.tracker.incidents
    return {
        "hours": job.windows,
        "alone": pages.starts if job.alone else None,
        "product": [incident.detected - 1 - first for incident in found],
        "headlines": [each.headline for each in found],
        "level": product.tracker.margin(first + job.windows).others,
        "delays": {name: find(name, traffic, product) for name in FAULTS} if job.faults else {},
        "judge_ms": 1000 * seconds / job.windows,
    }


def find(name: str, traffic: HabitTraffic, product: Product) -> int | None:
    """Return after how many hours a fault pages in the product, None where it does not."""
    traffic, product = copy.deepcopy((traffic, product), {id(product.monitor): product.monitor})
    feature, _ = FAULTS[name]
    for hour in range(1, FAULT_HOURS + 1):
        verdicts = product.judge(traffic.next_profile(name))
        if any(one.verdict == "page" and one.feature == feature for one in verdicts.changed):
            return hour
    return None


def run_all(jobs: Sequence[Job], path: Path, settings: Mapping[str, int], workers: int) -> dict[str, Any]:
    """Run what the file lacks, and write every result as it comes."""
    results = load(path, settings)
    jobs = [job for job in jobs if job.key not in results["streams"]]
    with ProcessPoolExecutor(workers) as pool:
        running = {pool.submit(run_job, job): job for job in jobs}
        for future in as_completed(running):
            result = results["streams"][running[future].key] = future.result()
            save(path, results)
            print(running[future].key, json.dumps(result), flush=True)
    return results


def print_habits(streams: Mapping[str, Mapping[str, Any]]) -> None:
    """Print pages by regime, and delays."""
    cells: dict[str, list[Mapping[str, Any]]] = {}
    for key, result in streams.items():
        cells.setdefault(key.rpartition("/")[0], []).append(result)
    learned = NEW_AFTER + LEARNED_AFTER
    rows = []
    for cell, results in cells.items():
        hours = sum(one["hours"] for one in results)
        later = [start for one in results for start in one["product"] if start >= learned]
        rest = sum(max(one["hours"] - learned, 0) for one in results)
        counted = [
            sum(map(len, held)) if None not in (held := [one[name] for one in results]) else None
            for name in ("alone", "product")
        ]
        rates = [_rate(count, hours) for count in counted] + [_rate(len(later), rest)]
        margin = np.median([one["level"] for one in results])
        rows.append([cell, f"{hours:,}", *rates, f"{margin:.2f}"])
    print("Pages per 1000 hours, and the upper end of the one-sided 95 % interval\n")
    print_table(["regime", "hours", "alone", "product", "after two weeks", "margin at the end"], rows)
    delays = [
        [cell, *(quantile([one["delays"][name] for one in results], 0.5) for name in FAULTS)]
        for cell, results in cells.items()
        if all(one["delays"] for one in results)
    ]
    if delays:
        print("Hours until a fault pages in the product, median\n")
        print_table(["regime", *FAULTS], delays)
    times = [one["judge_ms"] for results in cells.values() for one in results]
    print(f"Judging an hour takes {np.median(times):.1f} ms of one core (median of streams).")


def _rate(pages: int | None, hours: int) -> str:
    if pages is None or not hours:
        return "–"
    return f"{1000 * pages / hours:.2f} (< {at_most(pages, hours):.2f})"


def main() -> None:
    """Run, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--regimes", default=",".join(REGIMES))
    parser.add_argument("--streams", type=int, default=2)
    parser.add_argument("--windows", type=int, default=2000)
    parser.add_argument("--rows", type=int, help="in an hour; as the regime has it if left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--columns", type=int, default=6, help="numeric ones, at most 20")
    parser.add_argument("--alone", action="store_true", help="also the judges without the controller")
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--output", type=Path, default=Path(".cache/bench/habits.json"))
    parser.add_argument("--table", action="store_true", help="run nothing, print what the file holds")
    options = parser.parse_args()
    settings = {"windows": options.windows, "seed": options.seed, "columns": options.columns}
    jobs = [
        Job(
            regime=name,
            rows=options.rows or REGIMES[name],
            stream=stream,
            windows=options.windows,
            seed=options.seed,
            columns=options.columns,
            alone=options.alone,
            faults=not options.no_faults,
        )
        for stream in range(options.streams)
        for name in options.regimes.split(",")
    ]
    if options.table:
        results = load(options.output, settings)
    else:
        results = run_all(jobs, options.output, settings, options.workers)
    print_habits(results["streams"])


if __name__ == "__main__":
    main()
