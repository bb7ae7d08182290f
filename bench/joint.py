"""The joint check: false warnings, and how long it takes to find that features go together otherwise.

Simulated traffic of 20 numeric columns (the same at all hours; with a daily and weekly season), where the
relation of two columns changes and no column does by itself; and the real flights of New York, 2013, where
temperatures are exchanged among the flights of a day. At most 2,000 rows an hour, a projection fitted anew
each week.

Run: python -m bench.joint [--hours 1000] [--streams 2] [--only flights] [--rows 500] [--season yes]
"""

from __future__ import annotations

import argparse
import copy
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.drift import DriftSettings, Judge, Verdict
from driftline.drift.joint.report import report_joint
from driftline.drift.statistics.joint import Projection, count, fit, pair_phrases, profile
from driftline.store.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = tuple[dict[str, np.ndarray[Any, Any]], dict[str, np.ndarray[Any, Any]]]
    Traffic = Callable[[int, int | None], Rows | None]

WEEK = 168
HISTORY = 4 * WEEK + 48
FITTED_ROWS, SAMPLED_ROWS = 20_000, 2_000
COLUMNS = 20
RELATIONS = ((0.8, -0.8), (0.3, -0.3), (0.0, 0.5))
"""Correlations of columns 0 and 1, of 2 and 3, and of 4 and 5: before, and under a fault."""


class Stream:
    """One stream in memory: what `JointWatch` does with a store."""

    def __init__(self, traffic: Traffic, settings: DriftSettings) -> None:
        self._traffic = traffic
        self._settings = settings
        self._held: dict[int, Sample] = {}
        self._week = -1
        self._projection: Projection | None = None
        self._pages: list[Verdict] = []

    def hour(self, hour: int, fault: int | None = None) -> list[Verdict]:
        """Judge one hour; at the first hour of a week, fit and count the past anew."""
        if hour // WEEK != self._week:
            self._begin(hour)
        sample = self._take(hour, fault)
        if sample is None:
            return []
        self._held[hour] = sample
        (counts,) = count(self._projection, sample)
        given = self._judge.judge(profile(self._projection, counts))
        self._pages += [each for each in given if each.verdict == "page"]
        return report_joint(given, pair_phrases(self._projection))

    def _take(self, hour: int, fault: int | None = None) -> Sample | None:
        made = self._traffic(hour, fault)
        if made is None:
            return None
        numeric, categorical = made
        rows = len(next(iter(numeric.values())))
        return Sample(np.full(rows, hour), numeric, categorical)

    def _begin(self, hour: int) -> None:
        self._week = hour // WEEK
        for past in range(hour - HISTORY, hour):
            if past not in self._held and (sample := self._take(past)) is not None:
                self._held[past] = sample
        self._held = {past: sample for past, sample in self._held.items() if past >= hour - HISTORY}
        start = self._week * WEEK
        self._projection = fit(_some([s for past, s in self._held.items() if past < start], FITTED_ROWS))
        self._judge = Judge(grids=self._projection.grid_of, settings=self._settings, identity="joint")
        for sample in self._held.values():
            (counts,) = count(self._projection, sample)
            self._judge.remember(profile(self._projection, counts))
        self._judge.resume(self._pages)


def _some(samples: list[Sample], rows: int) -> Sample:
    """Return rows of all samples, each as likely as any other."""
    total = sum(sample.rows for sample in samples)
    kept = np.sort(np.random.default_rng(0).permutation(total)[:rows])

    def column(kind: str, name: str) -> np.ndarray[Any, Any]:
        return np.concatenate([getattr(sample, kind)[name] for sample in samples])[kept]

    hours = np.concatenate([sample.hours for sample in samples])[kept]
    kinds = {
        kind: {n: column(kind, n) for n in getattr(samples[0], kind)} for kind in ("numeric", "categorical")
    }
    return Sample(hours, **kinds)


def made_traffic(rows: int, *, season: bool, seed: int) -> Traffic:
    """Return traffic with three related pairs of columns, of which a fault changes one."""

    def traffic(hour: int, fault: int | None) -> Rows:
        rng = np.random.default_rng((seed, hour))
        values = rng.normal(size=(min(rows, SAMPLED_ROWS), COLUMNS))
        for place, relation in enumerate(RELATIONS):
            correlation = relation[place == fault]
            own = np.sqrt(1 - correlation**2) * values[:, 2 * place + 1]
            values[:, 2 * place + 1] = correlation * values[:, 2 * place] + own
        if season:
            daily = np.sin(2 * np.pi * hour / 24 + np.arange(COLUMNS))
            weekly = np.sin(2 * np.pi * hour / WEEK + np.arange(COLUMNS))
            values += 0.5 * daily + 0.3 * weekly
        return {f"x{column}": values[:, column] for column in range(COLUMNS)}, {}

    return traffic


def _quiet(stream: Stream, first: int, hours: int) -> None:
    """Judge hours in which nothing changes, and print how many warn."""
    warnings, episodes, judged, last = 0, 0, 0, first - 25
    began = time.perf_counter()
    for hour in range(first, first + hours):
        verdicts = stream.hour(hour)
        judged += bool(verdicts)
        warned = [each for each in verdicts if each.verdict == "warn"]
        if warned:
            if hour - last > 24:
                episodes += 1
                print(f"    warns: {warned[0].reason}")
            warnings, last = warnings + 1, hour
    per_hour_ms = 1000 * (time.perf_counter() - began) / hours
    print(f"    quiet: {warnings} of {judged} hours warn, {episodes} episodes; {per_hour_ms:.0f} ms an hour")


def _faulty(stream: Stream, first: int, fault: int, *, watch: int) -> None:
    """Print after how many hours a fault is found."""
    for hour in range(first, first + watch):
        found = [each for each in stream.hour(hour, fault) if each.verdict == "warn"]
        if found:
            print(f"    found after {hour + 1 - first} h: {found[0].reason}", flush=True)
            return
    print(f"    not found in {watch} h", flush=True)


def _simulated(hours: int, streams: int, cells: list[tuple[int, bool]]) -> None:
    first = 480_000
    for rows, season in cells:
        for seed in range(streams):
            print(f"{rows} rows an hour, {'seasons' if season else 'no seasons'}, stream {seed}")
            stream = Stream(made_traffic(rows, season=season, seed=seed), DriftSettings())
            _quiet(stream, first, hours)
            for fault, (before, after) in enumerate(RELATIONS):
                print(f"    correlation {before} becomes {after}")
                _faulty(copy.deepcopy(stream), first + hours, fault, watch=72)


def _flights(hours: int) -> None:
    from bench import flights_drift as real  # noqa: PLC0415  # Needs packages that the simulation does not.

    frame = real.load_flights()
    local = (frame["event_hour"] - 5) // 24
    rng = np.random.default_rng(1)
    exchanged = frame.copy()
    temperature = frame["temp"].to_numpy()
    mixed = temperature.copy()
    mixed[np.argsort(local, kind="stable")] = temperature[np.lexsort((rng.random(len(local)), local))]
    exchanged["temp"] = mixed
    tables = [dict(tuple(rows.groupby("event_hour"))) for rows in (frame, exchanged)]

    def traffic(hour: int, fault: int | None) -> Rows | None:
        held = tables[fault is not None].get(hour)
        if held is None:
            return None
        return (
            {name: held[name].to_numpy(dtype=float) for name in real.NUMERIC},
            {name: held[name].to_numpy(dtype=str) for name in real.CATEGORICAL},
        )

    for date in real.DATES:
        begin = real.hour_of(date)
        quiet = min(hours, begin - min(tables[0]) - HISTORY)
        if quiet > 0:
            print(f"flights, temperatures exchanged within the day from {date} on")
            stream = Stream(traffic, real.SETTINGS)
            _quiet(stream, begin - quiet, quiet)
            _faulty(stream, begin, 0, watch=WEEK)


def main() -> None:
    """Print false warnings and delays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--only", choices=("simulated", "flights"))
    parser.add_argument("--rows", type=int, choices=(500, 5000))
    parser.add_argument("--season", choices=("yes", "no"))
    given = parser.parse_args()
    cells = [
        (rows, season)
        for season in (False, True)
        for rows in (500, 5000)
        if given.rows in {None, rows} and given.season in {None, "yes" if season else "no"}
    ]
    if given.only != "simulated":
        _flights(given.hours)
    if given.only != "flights":
        _simulated(given.hours, given.streams, cells)


if __name__ == "__main__":
    main()
