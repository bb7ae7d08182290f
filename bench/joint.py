"""The joint check: false warnings, and how long it takes to find that features go together otherwise.

Simulated traffic of 20 numeric columns (independent; with a daily and weekly season), where the relation of
two columns changes and no column does by itself; and the real flights of New York, 2013, where temperatures
are exchanged among the flights of a day. At most 2,000 rows an hour, a projection fitted anew each week.

Run: python -m bench.joint [--hours 1000] [--streams 2] [--only flights]
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.drift import DriftSettings, Judge, Verdict
from driftline.drift.joint import Projection, count, fit, profile
from driftline.drift.joint_report import report_joint
from driftline.store.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = tuple[dict[str, np.ndarray[Any, Any]], dict[str, np.ndarray[Any, Any]]]
    Traffic = Callable[[int, bool], Rows | None]

WEEK = 168
HISTORY = 4 * WEEK + 48
FITTED_ROWS, SAMPLED_ROWS = 20_000, 2_000
COLUMNS = 20


class Stream:
    """One stream in memory: what `JointWatch` does with a store."""

    def __init__(self, traffic: Traffic, settings: DriftSettings) -> None:
        self._traffic = traffic
        self._settings = settings
        self._held: dict[int, Sample] = {}
        self._week = -1
        self._projection: Projection | None = None
        self._pages: list[Verdict] = []

    def hour(self, hour: int, *, faulty: bool = False) -> list[Verdict]:
        """Judge one hour; at the first hour of a week, fit and count the past anew."""
        if hour // WEEK != self._week:
            self._begin(hour)
        sample = self._take(hour, faulty=faulty)
        if sample is None:
            return []
        self._held[hour] = sample
        (counts,) = count(self._projection, sample)
        given = self._judge.judge(profile(self._projection, counts))
        self._pages += [each for each in given if each.verdict == "page"]
        return report_joint(given, self._projection)

    def _take(self, hour: int, *, faulty: bool) -> Sample | None:
        made = self._traffic(hour, faulty)
        if made is None:
            return None
        numeric, categorical = made
        rows = len(next(iter(numeric.values())))
        return Sample(np.full(rows, hour), numeric, categorical)

    def _begin(self, hour: int) -> None:
        self._week = hour // WEEK
        for past in range(hour - HISTORY, hour):
            if past not in self._held and (sample := self._take(past, faulty=False)) is not None:
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


def made_traffic(rows: int, before: float, after: float, *, season: bool, seed: int) -> Traffic:
    """Return traffic in which columns 0 and 1 have one correlation, and another under a fault."""

    def traffic(hour: int, faulty: bool) -> Rows:  # The benchmark's own callback.
        rng = np.random.default_rng((seed, hour))
        values = rng.normal(size=(min(rows, SAMPLED_ROWS), COLUMNS))
        correlation = after if faulty else before
        values[:, 1] = correlation * values[:, 0] + np.sqrt(1 - correlation**2) * values[:, 1]
        if season:
            daily = np.sin(2 * np.pi * hour / 24 + np.arange(COLUMNS))
            weekly = np.sin(2 * np.pi * hour / WEEK + np.arange(COLUMNS))
            values += 0.5 * daily + 0.3 * weekly
        return {f"x{column}": values[:, column] for column in range(COLUMNS)}, {}

    return traffic


def _play(traffic: Traffic, first: int, hours: int, settings: DriftSettings, *, watch: int) -> None:
    stream = Stream(traffic, settings)
    warnings, spans, began = 0, 0, time.perf_counter()
    quiet_since = -25
    judged = 0
    for hour in range(first, first + hours):
        told = stream.hour(hour)
        judged += bool(told)
        if any(each.verdict == "warn" for each in told):
            warnings += 1
            spans += hour - quiet_since > 24
            quiet_since = hour
            if spans and hour - quiet_since == 0 and warnings <= 2:
                print("    ", next(each.reason for each in told if each.verdict == "warn")[:160])
    seconds = time.perf_counter() - began
    print(
        f"    quiet: {warnings} of {judged} hours warn, {spans} episodes; {1000 * seconds / hours:.0f} ms/h"
    )
    for hour in range(first + hours, first + hours + watch):
        found = [each for each in stream.hour(hour, faulty=True) if each.verdict == "warn"]
        if found:
            print(f"    found after {hour + 1 - first - hours} h: {found[0].reason}", flush=True)
            return
    print(f"    not found in {watch} h", flush=True)


def _simulated(hours: int, streams: int) -> None:
    first = 480_000
    for rows in (500, 5000):
        for season in (False, True):
            for before, after in ((0.8, -0.8), (0.3, -0.3), (0.0, 0.5)):
                for seed in range(streams):
                    print(f"{rows} rows, season {season}, {before} to {after}, stream {seed}")
                    traffic = made_traffic(rows, before, after, season=season, seed=seed)
                    _play(traffic, first, hours, DriftSettings(), watch=72)


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
    tables = {
        False: dict(tuple(frame.groupby("event_hour"))),
        True: dict(tuple(exchanged.groupby("event_hour"))),
    }

    def traffic(hour: int, faulty: bool) -> Rows | None:  # The benchmark's own callback.
        held = tables[faulty].get(hour)
        if held is None:
            return None
        return (
            {name: held[name].to_numpy(dtype=float) for name in real.NUMERIC},
            {name: held[name].to_numpy(dtype=str) for name in real.CATEGORICAL},
        )

    for date in real.DATES:
        begin = real.hour_of(date)
        quiet = min(hours, begin - min(tables[False]) - HISTORY)
        if quiet > 0:
            print(f"flights, temperatures exchanged within the day from {date} on")
            _play(traffic, begin - quiet, quiet, real.SETTINGS, watch=WEEK)


def main() -> None:
    """Print false warnings and delays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--only", choices=("simulated", "flights"))
    given = parser.parse_args()
    if given.only != "simulated":
        _flights(given.hours)
    if given.only != "flights":
        _simulated(given.hours, given.streams)


if __name__ == "__main__":
    main()
