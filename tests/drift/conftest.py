"""Made traffic: hours of a model with two numeric features and a category."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from driftline.profiles import CategoricalCounts, Grid, HourProfile, NumericCounts

GRIDS = {"age": Grid(0.0, 0.7), "amount": Grid(10.0, 5.0)}
CITIES = np.array(["Ankara", "Bergen", "Cork"])

Columns = dict[str, np.ndarray]
Change = Callable[[Columns], Columns]


def numeric_counts(grid: Grid, values: np.ndarray, rows: int) -> NumericCounts:
    finite = values[np.isfinite(values)]
    buckets, counts = np.unique(grid.bucket(finite), return_counts=True)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
    infinities = int(np.isinf(values).sum())
    return NumericCounts(
        buckets,
        counts.astype(np.int64),
        low,
        high,
        nulls=rows - finite.size - infinities,
        infinities=infinities,
    )


def profile_of(hour: int, columns: Columns) -> HourProfile:
    rows = len(columns["city"])
    values, counts = np.unique(columns["city"][columns["city"] != ""], return_counts=True)
    return HourProfile(
        hour,
        rows,
        {name: numeric_counts(grid, columns[name], rows) for name, grid in GRIDS.items() if name in columns},
        {
            "city": CategoricalCounts(
                dict(zip(values.tolist(), counts.tolist(), strict=True)), nulls=rows - int(counts.sum())
            )
        },
    )


class Traffic:
    """Hours that depend on the seed and the hour alone, so that the same hour is always the same."""

    def __init__(self, *, rows: int = 400, seed: int = 7) -> None:
        self.rows = rows
        self.seed = seed

    def hour(self, hour: int, change: Change | None = None, rows: int | None = None) -> HourProfile:
        rng = np.random.default_rng((self.seed, hour))
        count = self.rows if rows is None else rows
        columns = {
            "age": rng.normal(size=count),
            "amount": rng.lognormal(2.0, 0.6, size=count),
            "city": rng.choice(CITIES, p=(0.6, 0.3, 0.1), size=count),
        }
        return profile_of(hour, columns if change is None else change(columns))


START = 400_008
"""A Monday at midnight, UTC."""

WEEK = 168


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def grids() -> dict[str, Grid]:
    return dict(GRIDS)
