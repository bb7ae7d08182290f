"""Segments: false pages, how long a drift of one small segment takes to be named, and what judging costs.

20 numeric columns, 5,000 rows an hour, 50 segments of two keys: 40 tenants, one of them with 2 % of the rows,
and 10 regions, each tenant at home in one. From some hour on one column of that tenant is shifted.

Run: python -m bench.segments [--quiet 168] [--drifting 168] [--shift 0.5]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np

from driftline.drift import DriftSettings, Judge
from driftline.drift.hours import WHOLE, Arrival, StreamHour
from driftline.drift.judges import SegmentJudges
from driftline.drift.segments import Attributed, name_drivers, whole_settings
from driftline.profiles import Grid, HourProfile, NumericCounts

COLUMNS, ROWS = 20, 5_000
TENANTS, REGIONS = 40, 10
HISTORY_HOURS = 4 * 168 + 48
START = 480_000
GRID = Grid(0.0, 0.674)
NAMES = [f"x{column}" for column in range(COLUMNS)]
SEGMENTS = [f"tenant=t{n:02}" for n in range(TENANTS)] + [f"region=r{n}" for n in range(REGIONS)]
SHARES = np.array([0.02, *np.linspace(1, 3, TENANTS - 1) / np.linspace(1, 3, TENANTS - 1).sum() * 0.98])
SHIFTED = "tenant=t00"


def hour_of(hour: int, shift: float) -> StreamHour:
    """Draw an hour and count it: the whole traffic, and each segment."""
    rng = np.random.default_rng((3, hour))
    tenant = rng.choice(TENANTS, p=SHARES, size=ROWS)
    away = rng.random(ROWS) < 0.2
    region = np.where(away, rng.integers(0, REGIONS, ROWS), tenant % REGIONS)
    values = rng.normal(size=(ROWS, COLUMNS))
    values[tenant == 0, 0] += shift
    profiles = {WHOLE: _profile(hour, values)}
    for number, name in enumerate(SEGMENTS):
        own = tenant == number if number < TENANTS else region == number - TENANTS
        profiles[name] = _profile(hour, values[own])
    held = {name: profile for name, profile in profiles.items() if profile.rows}
    return StreamHour(hour, Arrival(ROWS), held)


def _profile(hour: int, values: np.ndarray) -> HourProfile:
    held = GRID.bucket(values)
    numeric = {}
    for column, name in enumerate(NAMES):
        buckets, counts = np.unique(held[:, column], return_counts=True)
        low, high = (values[:, column].min(), values[:, column].max()) if len(values) else (np.nan, np.nan)
        numeric[name] = NumericCounts(buckets, counts, float(low), float(high))
    return HourProfile(hour, len(values), numeric, {})


@dataclass
class Play:
    """The judges of a stream, and what they cost."""

    whole: Judge
    parts: SegmentJudges
    slowest_s: float = 0.0
    total_s: float = 0.0
    hours: int = 0

    def judge(self, hour: int, shift: float) -> Attributed:
        """Judge an hour; count the time that this takes, without that of drawing it."""
        given = hour_of(hour, shift)
        began = time.process_time()
        attributed = name_drivers(self.whole.judge(given.profiles[WHOLE]), self.parts.judge(given))
        took_s = time.process_time() - began
        self.slowest_s, self.total_s, self.hours = (
            max(self.slowest_s, took_s),
            self.total_s + took_s,
            self.hours + 1,
        )
        return attributed


def _paging(attributed: Attributed) -> set[str]:
    return {
        f"{one.segment or 'whole'} {one.feature}"
        for one in (*attributed.whole, *attributed.segments)
        if one.verdict == "page"
    }


def main() -> None:
    """Print false pages, the delay, the drivers named, and the time that an hour takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quiet", type=int, default=168)
    parser.add_argument("--drifting", type=int, default=168)
    parser.add_argument("--shift", type=float, default=0.5)
    given = parser.parse_args()
    settings = DriftSettings()
    grids = dict.fromkeys(NAMES, GRID)
    play = Play(
        Judge(grids=grids, settings=whole_settings(settings, len(SEGMENTS)), identity="bench"),
        SegmentJudges(SEGMENTS, grids=grids, settings=settings, identity="bench"),
    )
    for hour in range(START, START + HISTORY_HOURS):
        past = hour_of(hour, 0.0)
        play.whole.remember(past.profiles[WHOLE])
        play.parts.remember(past)
    begin = START + HISTORY_HOURS
    false = [_paging(play.judge(hour, 0.0)) for hour in range(begin, begin + given.quiet)]
    named = sorted(set().union(*false))
    print(f"{given.quiet} quiet hours: {sum(map(bool, false))} page {named or ''}", flush=True)
    _report_drift(play, begin + given.quiet, given.drifting, given.shift)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    mean_s = play.total_s / play.hours
    print(
        f"an hour of {len(SEGMENTS)} segments x {COLUMNS} features: {mean_s:.2f} s on average, "
        f"{play.slowest_s:.1f} s where a day begins; {memory:.1f} GB in all"
    )


def _report_drift(play: Play, begin: int, hours: int, shift: float) -> None:
    delay, pages, drivers = None, Counter[str](), Counter[str]()
    for hour in range(begin, begin + hours):
        attributed = play.judge(hour, shift)
        paging = _paging(attributed)
        pages.update(paging)
        drivers.update({driver for one in attributed.whole for driver in one.drivers})
        if delay is None and f"{SHIFTED} x0" in paging:
            delay = hour + 1 - begin
    print(f"{SHIFTED} shifted by {shift} sd: found after {delay} h; hours that page: {dict(pages)}")
    print(f"named as drivers of the whole: {dict(drivers)}", flush=True)


if __name__ == "__main__":
    main()
