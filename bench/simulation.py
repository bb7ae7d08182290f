"""False pages and delays on simulated traffic, stream by stream, into a file that a later run continues.

Run: python -m bench.simulation [--streams 40] [--cells iid/500,noise/5000] [--windows 1000] [--seed 1]
         [--workers 2] [--peer-windows 20] [--output .cache/bench/simulation.json] [--quick] [--table]

A stream is six weeks of history and then the judged hours; in the last week of these, copies of the judge
and of the traffic go on with a fault each. Evidently is asked about some hours of each kind without faults,
with the same seed. `--table` only prints what the file holds.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.peers import PEERS, ask_about, print_peers
from bench.tables import print_simulation
from bench.traffic import FAULTS, Kind, Traffic, make_columns
from driftline.domain.streams import Stream
from driftline.drift import DriftSettings, Judge
from driftline.drift.incidents.book import IncidentBook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from driftline.drift import Verdict

CALM: tuple[Kind, ...] = ("iid", "season", "noise")
HARD: tuple[Kind, ...] = ("shocks", "wander")
OTHER_NOISE: tuple[tuple[Kind, int], ...] = (("uneven", 5_000), ("brief", 500))
ROWS = (500, 5_000, 100_000)
HARD_ROWS = 5_000
CELLS = (
    *((kind, rows) for rows in ROWS for kind in CALM),
    *OTHER_NOISE,
    *((kind, HARD_ROWS) for kind in HARD),
)
HARD_LENGTH = 6
"""Hard regimes are judged for so many times as many hours, with and without the budget controller."""

HISTORY_HOURS = 6 * 168
FAULT_HOURS = 200
EPISODE_HOURS = 24
_KINDS: tuple[Kind, ...] = (*CALM, *HARD, *(kind for kind, _ in OTHER_NOISE))


@dataclass(frozen=True, slots=True)
class Job:
    """One stream of one cell."""

    kind: Kind
    rows: int
    stream: int
    windows: int
    seed: int
    hard_length: int = HARD_LENGTH

    @property
    def key(self) -> str:
        """Its name in the file."""
        return f"{self.kind}/{self.rows}/{self.stream}"

    @property
    def hours(self) -> int:
        """How many hours are judged."""
        return self.windows * (self.hard_length if self.kind in HARD else 1)


@dataclass(slots=True)
class Pages:
    """Pages of one model as a person would count them.

    Args:
        starts: in which judged hour each page began, 0 for the first.
        paging_hours: hours in which any verdict was a page.
    """

    starts: list[int] = field(default_factory=list)
    paging_hours: int = 0
    _episodes: set[str | None] = field(default_factory=set)

    def take(self, hour: int, verdicts: Iterable[Verdict]) -> None:
        """Note an hour: episodes of features that begin within 24 h of a page's first belong to it."""
        episodes = {verdict.episode_id for verdict in verdicts if verdict.verdict == "page"}
        self.paging_hours += bool(episodes)
        if episodes - self._episodes and (not self.starts or hour - self.starts[-1] >= EPISODE_HOURS):
            self.starts.append(hour)
        self._episodes |= episodes

    def as_dict(self) -> dict[str, Any]:
        """Return what the file keeps."""
        return {"starts": self.starts, "paging_hours": self.paging_hours}


def make_judge(traffic: Traffic) -> Judge:
    """Return a judge that knows the weeks before."""
    judge = Judge(grids=traffic.grids, settings=DriftSettings(), identity="simulation")
    for _ in range(HISTORY_HOURS):
        judge.remember(traffic.next_profile())
    return judge


def run_job(job: Job) -> dict[str, Any]:
    """Judge one stream."""
    rng = np.random.default_rng((job.seed, _KINDS.index(job.kind), job.rows, job.stream))
    traffic = Traffic(job.kind, job.rows, rng, make_columns())
    judge = make_judge(traffic)
    return judge_hard(job, traffic, judge) if job.kind in HARD else _calm(job, traffic, judge, rng)


def _calm(job: Job, traffic: Traffic, judge: Judge, rng: np.random.Generator) -> dict[str, Any]:
    fault_at = job.hours - 1 - int(rng.integers(min(168, job.hours)))
    pages, seconds = Pages(), 0.0
    delays: Mapping[str, int | None] = {}
    for hour in range(job.hours):
        profile = traffic.next_profile()
        began_s = time.process_time()
        verdicts = judge.judge(profile)
        seconds += time.process_time() - began_s
        pages.take(hour, verdicts)
        if hour == fault_at:
            delays = {name: find_fault(name, traffic, judge, rng.spawn(1)[0]) for name in FAULTS}
    return {**pages.as_dict(), "hours": job.hours, "delays": delays, "judge_ms": 1000 * seconds / job.hours}


def find_fault(name: str, traffic: Traffic, judge: Judge, rng: np.random.Generator) -> int | None:
    """Return after how many hours a fault pages, None where it does not; leave traffic and judge alone."""
    _, feature, fault = FAULTS[name]
    judge, traffic = copy.deepcopy(judge), copy.deepcopy(traffic)
    traffic.reseed(rng)
    for hour in range(1, FAULT_HOURS + 1):
        verdicts = judge.judge(traffic.next_profile(fault))
        if any(verdict.verdict == "page" and verdict.feature == feature for verdict in verdicts):
            return hour
    return None


def judge_hard(job: Job, traffic: Traffic, free: Judge) -> dict[str, Any]:
    """Judge the same hours twice: at the stated budget, and with the controller that keeps to it."""
    book = IncidentBook(Stream("simulation", "", ""), settings=DriftSettings())
    held: Judge | None = None
    free_pages, held_pages = Pages(), Pages()
    for hour in range(job.hours):
        profile = traffic.next_profile()
        verdicts = free.judge(profile)
        free_pages.take(hour, verdicts)
        if held is not None:
            verdicts = held.judge(profile, margin=book.margin(profile.hour))
        book.take(profile.hour, verdicts)
        held_pages.take(hour, verdicts)
        if held is None and held_pages.starts:
            held = copy.deepcopy(free)  # Until the first page both say the same.
    return {**free_pages.as_dict(), "hours": job.hours, "held": held_pages.as_dict()}


def load(path: Path, settings: Mapping[str, int]) -> dict[str, Any]:
    """Return what a file holds; an empty one where there is none.

    Raises:
        SystemExit: it was made with other settings.
    """
    if not path.exists():
        return {"settings": dict(settings), "streams": {}, "peers": {}}
    results: dict[str, Any] = {"peers": {}} | json.loads(path.read_text())
    if results["settings"] != dict(settings):
        raise SystemExit(
            f"{path} was made with {results['settings']}, not {dict(settings)}: choose another --output"
        )
    return results


def save(path: Path, results: Mapping[str, Any]) -> None:
    """Write all of it, or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(results, indent=1))
    draft.replace(path)


def run_all(jobs: list[Job], path: Path, settings: Mapping[str, int], workers: int) -> dict[str, Any]:
    """Run what the file lacks, and write every result as it comes."""
    results = load(path, settings)
    jobs = [job for job in jobs if job.key not in results["streams"]]
    began_s = time.monotonic()
    with ProcessPoolExecutor(workers) as pool:
        running = {pool.submit(run_job, job): job for job in jobs}
        for done, future in enumerate(as_completed(running), 1):
            results["streams"][running[future].key] = future.result()
            save(path, results)
            spent_s = time.monotonic() - began_s
            print(
                f"{running[future].key:20} {done}/{len(jobs)}, "
                f"about {(len(jobs) - done) * spent_s / done / 60:.0f} min to go",
                flush=True,
            )
    return results


def ask_peers(
    cells: list[tuple[Kind, int]], path: Path, settings: Mapping[str, int], windows: int
) -> dict[str, Any]:
    """Ask evidently, with its defaults, about hours of each calm cell; write every answer as it comes."""
    results = load(path, settings)
    calm = [(kind, rows) for kind, rows in cells if kind in CALM]
    for _ in ask_about(calm, PEERS[:2], windows, settings["seed"], results["peers"]):
        save(path, results)
    return results


def parse_cells(text: str) -> list[tuple[Kind, int]]:
    """Return the cells of a list such as ``iid/500,noise/5000``.

    Raises:
        SystemExit: one of them is unknown.
    """
    named = {f"{kind}/{rows}": (kind, rows) for kind, rows in CELLS}
    unknown = [name for name in text.split(",") if name not in named]
    if unknown:
        raise SystemExit(f"--cells: {', '.join(unknown)} is none of {', '.join(named)}")
    return [named[name] for name in text.split(",")]


def main() -> None:
    """Run, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", type=int, default=40, help="of each of the nine cells")
    parser.add_argument("--hard-streams", type=int, default=10, help="of each hard regime")
    parser.add_argument("--windows", type=int, default=1000, help="judged hours of a stream")
    parser.add_argument("--cells", default=",".join(f"{kind}/{rows}" for kind, rows in CELLS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--peer-windows", type=int, default=20, help="that evidently is asked about; 0: none")
    parser.add_argument("--output", type=Path, default=Path(".cache/bench/simulation.json"))
    parser.add_argument("--quick", action="store_true", help="one stream of 100 hours of the small cells")
    parser.add_argument("--table", action="store_true", help="run nothing, print what the file holds")
    options = parser.parse_args()
    cells = parse_cells(options.cells)
    if options.quick:
        options.streams, options.hard_streams, options.windows, options.peer_windows = 1, 1, 100, 0
        cells = [(kind, rows) for kind, rows in cells if rows < 100_000]
        options.output = options.output.with_stem(f"{options.output.stem}-quick")
    settings = {"windows": options.windows, "seed": options.seed}
    # Stream by stream, not cell by cell: a run that is cut short has something of every cell.
    jobs = [
        Job(kind, rows, stream, options.windows, options.seed, 2 if options.quick else HARD_LENGTH)
        for stream, (kind, rows) in itertools.product(
            range(max(options.streams, options.hard_streams)), cells
        )
        if stream < (options.hard_streams if kind in HARD else options.streams)
    ]
    if options.table:
        results = load(options.output, settings)
    else:
        results = run_all(jobs, options.output, settings, options.workers)
        if options.peer_windows:
            results = ask_peers(cells, options.output, settings, options.peer_windows)
    print_simulation(results["streams"])
    if results["peers"]:
        print_peers(results["peers"])


if __name__ == "__main__":
    main()
