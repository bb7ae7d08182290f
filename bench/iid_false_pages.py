"""False pages on independent traffic: 20 numeric columns, nothing drifting, an hour at a time.

Run: python bench/iid_false_pages.py [--windows 300]
"""

from __future__ import annotations

import argparse

import numpy as np

from driftline.drift import Judge
from driftline.profiles import Grid, HourProfile, NumericCounts

COLUMNS = 20
HISTORY_HOURS = 4 * 168 + 48


def hour_of(rng: np.random.Generator, hour: int, rows: int, grid: Grid, *, shift: float = 0.0) -> HourProfile:
    """Draw one hour; only the first column is shifted."""
    numeric = {}
    for column in range(COLUMNS):
        values = rng.normal(shift if column == 0 else 0.0, 1.0, rows)
        buckets, counts = np.unique(grid.bucket(values), return_counts=True)
        numeric[f"x{column}"] = NumericCounts(buckets, counts, float(values.min()), float(values.max()))
    return HourProfile(hour, rows, numeric, {})


def main() -> None:
    """Print pages per 1000 hours, and the delay of a shift of 0.1 sd."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=300)
    windows = parser.parse_args().windows
    grid = Grid(0.0, 0.674)
    for rows in (500, 5000):
        rng = np.random.default_rng(rows)
        judge = Judge(grids={f"x{column}": grid for column in range(COLUMNS)}, identity="iid")
        for hour in range(HISTORY_HOURS):
            judge.remember(hour_of(rng, hour, rows, grid))
        paging = 0
        for hour in range(HISTORY_HOURS, HISTORY_HOURS + windows):
            paging += any(v.verdict == "page" for v in judge.judge(hour_of(rng, hour, rows, grid)))
        begin = HISTORY_HOURS + windows
        delay = None
        for hour in range(begin, begin + 72):
            verdicts = judge.judge(hour_of(rng, hour, rows, grid, shift=0.1))
            if any(v.verdict == "page" and v.feature == "x0" for v in verdicts):
                delay = hour + 1 - begin
                break
        print(f"{rows:5} rows: {paging} of {windows} hours page; a shift of 0.1 sd is found after {delay} h")


if __name__ == "__main__":
    main()
