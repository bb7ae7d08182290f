"""A version's first week beside registered reference rows of another mix of hours: pages, and how soon.

Run: python -m bench.first_week [--streams 20] [--rows 500,5000] [--seed 1]

The stream is that of `bench.simulation` with its season, and with window noise besides; the nulls of one
column have three times the season of the others (0.1 to 20 % of rows), an identifier is new in most rows.
The reference is drawn from office hours of five days, without times. Without a fault the week must page
nobody; each fault is there from the first hour on, as of a service that was deployed with it.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.tables import at_most, print_table, quantile
from bench.traffic import (
    CATEGORY,
    MEAN_COLUMN,
    NULL_COLUMN,
    START_HOUR,
    Fault,
    Hour,
    Kind,
    Traffic,
    make_columns,
    null_share,
)
from driftline.domain.verdicts import VerdictName
from driftline.drift import Judge
from driftline.profiles import CategoricalCounts, HourProfile, NumericCounts
from driftline.store.derive_profiles import MOST_NAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from driftline.drift import Verdict

WEEK = 168
FAULT_STREAMS = 5
REFERENCE_ROWS = 20_000
CUSTOMER_NUMBER = 50 * REFERENCE_ROWS
OFFICE_HOURS = range(8, 18)
NULLS_SEASON = 3.0
PRICES, CUSTOMERS = "x06", "customer"


class Found(NamedTuple):
    """What a week came to.

    Args:
        pages: the hours in which something paged, counted from 1.
        features: what did.
        warned: features that warned in an hour, on average.
    """

    pages: list[int]
    features: Counter[str]
    warned: float


def scaled(name: str, factor: float) -> Callable[[HourProfile, Traffic], HourProfile]:
    """Return a fault that multiplies a column's values."""

    def change(profile: HourProfile, traffic: Traffic) -> HourProfile:
        held, grid = profile.numeric[name], traffic.grids[name]
        values = grid.midpoint(held.buckets) * factor
        buckets, place = np.unique(grid.bucket(values), return_inverse=True)
        counts = np.bincount(place, held.counts, buckets.size).astype(np.int64)
        low, high = sorted((held.minimum * factor, held.maximum * factor))
        moved = NumericCounts(buckets, counts, low, high, nulls=held.nulls)
        return replace(profile, numeric={**profile.numeric, name: moved})

    return change


def without(name: str) -> Callable[[HourProfile, Traffic], HourProfile]:
    """Return a fault that never sends a column."""

    def change(profile: HourProfile, _traffic: Traffic) -> HourProfile:
        kept = {other: counts for other, counts in profile.numeric.items() if other != name}
        return replace(profile, numeric=kept)

    return change


def renamed(profile: HourProfile, _traffic: Traffic) -> HourProfile:
    """Write the commonest category otherwise."""
    counts = dict(profile.categorical[CATEGORY].counts)
    counts["ANKARA"] = counts.pop("Ankara")
    return replace(profile, categorical={**profile.categorical, CATEGORY: CategoricalCounts(counts)})


FAULTS: dict[str, Callable[[HourProfile, Traffic], HourProfile]] = {
    "values a thousand times as large": scaled(PRICES, 1000.0),
    "percent for fractions": scaled(PRICES, 1 / 100),
    "seconds for minutes": scaled(MEAN_COLUMN.replace("00", "01"), 60.0),
    "a column that is never sent": without("x03"),
    "a category written otherwise": renamed,
}


class FirstWeek:
    """One stream.

    Args:
        kind: of traffic.
        rows: an hour.
        seed: makes everything.
    """

    def __init__(self, kind: Kind, rows: int, seed: tuple[int, ...]) -> None:
        self._rng = np.random.default_rng(seed)
        self._traffic = Traffic(kind, rows, self._rng, make_columns())

    def profile(self, truth: Hour, rows: int | None = None) -> HourProfile:
        """Draw an hour's counts."""
        rng, traffic = self._rng, self._traffic
        truth = truth if rows is None else replace(truth, rows=rows)
        seasonal = replace(truth, drift=truth.drift.copy())
        seasonal.drift[-1] *= NULLS_SEASON
        nulls = int(rng.binomial(truth.rows, null_share(seasonal, Fault())))
        drawn = traffic.draw_counts(truth, Fault())
        held = drawn.numeric[NULL_COLUMN]
        kept = rng.multinomial(truth.rows - nulls, held.counts / held.counts.sum())
        there = np.flatnonzero(kept)
        numeric = replace(held, buckets=held.buckets[there], counts=kept[there], nulls=nulls)
        names, counts = np.unique(rng.integers(0, CUSTOMER_NUMBER, truth.rows), return_counts=True)
        named = np.argsort(-counts, kind="stable")[:MOST_NAMED]
        customers: dict[str, int] = dict(
            zip(names[named].astype(str).tolist(), counts[named].tolist(), strict=True)
        )
        folded = truth.rows - sum(customers.values())
        return replace(
            drawn,
            numeric={**drawn.numeric, NULL_COLUMN: numeric},
            categorical={**drawn.categorical, CUSTOMERS: CategoricalCounts(customers, 0, folded)},
        )

    def judge(self) -> Judge:
        """Return a judge that knows reference rows of office hours, all logged in one."""
        week = [self._traffic.step() for _ in range(WEEK)]
        office = [one for one in week if one.hour % 24 in OFFICE_HOURS and one.hour < START_HOUR + 120]
        parts = [self.profile(one, REFERENCE_ROWS // len(office)) for one in office]
        return Judge(grids=self._traffic.grids, training=[merged(parts)], identity="first week")

    def run(self, hours: int, fault: Callable[[HourProfile, Traffic], HourProfile] | None = None) -> Found:
        """Judge the first hours of a version."""
        judge, pages, features, warned = self.judge(), [], Counter[str](), 0
        for hour in range(1, hours + 1):
            profile = self.profile(self._traffic.step())
            verdicts = judge.judge(profile if fault is None else fault(profile, self._traffic))
            paging = _named(verdicts, VerdictName.PAGE)
            warned += len(_named(verdicts, VerdictName.WARN))
            features.update(paging)
            if paging:
                pages.append(hour)
                if fault is not None:
                    break
        return Found(pages, features, warned / hours)


def _named(verdicts: Iterable[Verdict], name: VerdictName) -> set[str]:
    return {each.feature for each in verdicts if each.verdict == name}


def merged(parts: list[HourProfile]) -> HourProfile:
    """Return all of some hours as one."""
    numeric = {}
    for name in parts[0].numeric:
        held = [part.numeric[name] for part in parts]
        buckets, place = np.unique(np.concatenate([one.buckets for one in held]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([one.counts for one in held]), buckets.size)
        numeric[name] = NumericCounts(
            buckets,
            counts.astype(np.int64),
            min(one.minimum for one in held),
            max(one.maximum for one in held),
            nulls=sum(one.nulls for one in held),
        )
    categorical = {}
    for name in parts[0].categorical:
        total: Counter[str] = Counter()
        for part in parts:
            total.update(part.categorical[name].counts)
        named = dict(total.most_common(MOST_NAMED))
        folded = sum(part.categorical[name].folded for part in parts) + sum(total.values())
        categorical[name] = CategoricalCounts(named, 0, folded - sum(named.values()))
    return HourProfile(parts[0].hour, sum(part.rows for part in parts), numeric, categorical)


def main() -> None:
    """Run, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", type=int, default=20, help="of each kind of traffic")
    parser.add_argument("--rows", default="500,5000", help="an hour, on average")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sizes = [int(rows) for rows in options.rows.split(",")]
    kinds: tuple[Kind, ...] = ("season", "noise")
    table, late = [], []
    for (place, kind), rows in itertools.product(enumerate(kinds), sizes):
        seeds = [(options.seed, place, rows, stream) for stream in range(options.streams)]
        weeks = []
        for seed in seeds:
            weeks.append(FirstWeek(kind, rows, seed).run(WEEK))
            print(f"{kind}, {rows} rows, stream {seed[-1]}: {weeks[-1]}", file=sys.stderr, flush=True)
        pages, hours = sum(bool(week.pages) for week in weeks), options.streams * WEEK
        warned = f"{np.mean([week.warned for week in weeks]):.1f}"
        table.append([kind, f"{rows:,}", f"{hours:,}", str(pages), f"{at_most(pages, hours):.2f}", warned])
        for name, fault in FAULTS.items():
            found = [FirstWeek(kind, rows, seed).run(48, fault).pages for seed in seeds[:FAULT_STREAMS]]
            delays = [pages[0] if pages else None for pages in found]
            late.append([name, kind, f"{rows:,}", quantile(delays, 0.5), quantile(delays, 0.9)])
    print_table(
        ["traffic", "rows an hour", "hours", "weeks that paged", "in 1000 h, at most", "features that warn"],
        table,
    )
    print_table(["fault from the first hour on", "traffic", "rows", "median h", "90th percentile"], late)


if __name__ == "__main__":
    main()
