"""Made traffic: twenty numeric columns and a category, an hour at a time, whose true shares are known.

Every column is a rising function of a normal latent variable, T(z + drift). So the probability of every
bucket of the grid is a difference of normal probabilities, and an hour of 100,000 rows is drawn as bucket
counts, by one multinomial per column, without a row being made. Season, noise and faults move the drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import ndtr, ndtri

from driftline.profiles import CategoricalCounts, Grid, HourProfile, NumericCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Transform = Callable[[NDArray[np.float64]], NDArray[np.float64]]

Kind = Literal["iid", "season", "noise", "shocks", "wander", "uneven", "brief"]
FaultName = Literal["mean", "mix", "nulls"]

START_HOUR = 400_008
"""A Monday at midnight, UTC."""

COLUMNS = 20
NULL_SHARE = 0.02
MEAN_COLUMN, NULL_COLUMN = "x00", "x01"
CATEGORY = "category"
CITIES = ("Ankara", "Bergen", "Cork", "Dakar", "Essen")
CITY_SHARES = (0.4, 0.3, 0.15, 0.1, 0.05)

DAILY_SD, WEEKLY_SD = 0.3, 0.1
"""Amplitudes of the season, in standard deviations of the latent variable."""

NOISE_SD = 0.03
NOISE_MEMORY: Mapping[Kind, float] = {"noise": 0.8, "uneven": 0.8, "brief": 0.6}
UNEVEN_SD = (0.01, 0.1)
"""Between these lies the noise of each column where columns differ, evenly in its logarithm."""

WANDER_SD_A_WEEK = 0.02
SHOCK_SD, SHOCK_DF = 0.03, 3

_LATENT_END = 7.0
_FAMILIES: tuple[Transform, ...] = (
    lambda z: z,
    lambda z: 50 + 12 * z,
    lambda z: np.exp(0.8 * z),
    np.sinh,
    lambda z: np.floor(np.exp(z + 1.5)),
    lambda z: np.floor(4 * np.maximum(z - 0.275, 0.0)),
    lambda z: np.round(np.exp(0.5 * z + 3), 2),
)
"""Normal, offset, lognormal, heavy tails on both sides, counts, 70 % zeros, prices in cents."""


@dataclass(frozen=True, slots=True)
class Column:
    """A numeric column.

    Args:
        name: of the feature.
        transform: from the latent variable to values; never falls.
        grid: chosen from its values without drift.
        buckets: all buckets that the latent variable reaches within 7 standard deviations, (k,).
        ends: the latent value at which each but the last of these ends, (k - 1,).
    """

    name: str
    transform: Transform
    grid: Grid
    buckets: NDArray[np.int32]
    ends: NDArray[np.float64]


def make_column(name: str, transform: Transform) -> Column:
    """Choose a column's grid, and find where its buckets end."""
    grid = Grid.from_values(transform(ndtri((np.arange(20_000) + 0.5) / 20_000)))
    first, last = grid.bucket(transform(np.array([-_LATENT_END, _LATENT_END])))
    buckets = np.arange(first, last + 1, dtype=np.int32)
    low = np.full(buckets.size - 1, -_LATENT_END)
    high = np.full(buckets.size - 1, _LATENT_END)
    for _ in range(60):  # Halving is exact for every transform, also for one with steps.
        middle = (low + high) / 2
        beyond = grid.bucket(transform(middle)) > buckets[:-1]
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return Column(name, transform, grid, buckets, high)


def make_columns() -> tuple[Column, ...]:
    """Return the twenty columns, of seven kinds in turn."""
    return tuple(make_column(f"x{i:02}", _FAMILIES[i % len(_FAMILIES)]) for i in range(COLUMNS))


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: shares of rows, or of the latent standard deviation.

    Args:
        mean_sd: added to the latent mean of `MEAN_COLUMN`.
        mix: moves from the commonest category to the second.
        nulls: of `NULL_COLUMN`, besides the usual ones.
    """

    mean_sd: float = 0.0
    mix: float = 0.0
    nulls: float = 0.0


FAULTS: dict[FaultName, tuple[str, str, Fault]] = {
    "mean": ("mean + 0.1 sd", MEAN_COLUMN, Fault(mean_sd=0.1)),
    "mix": ("5 % change of mix", CATEGORY, Fault(mix=0.05)),
    "nulls": ("nulls + 2 points", NULL_COLUMN, Fault(nulls=0.02)),
}
"""What it is called, the feature that it hits, and what it does."""


@dataclass(frozen=True, slots=True)
class Hour:
    """The truth behind one hour.

    Args:
        hour: since the Unix epoch.
        rows: how many.
        drift: of each column's latent mean, then of the category's and of the nulls', (22,).
    """

    hour: int
    rows: int
    drift: NDArray[np.float64]


class Traffic:
    """Endless hours of one kind, one after the other.

    Args:
        kind: iid; with daily and weekly season, in the means and in the number of rows; that with window
            noise (AR(1), independent between columns); with shocks instead, Student's t with 3 degrees
            of freedom and common to all columns; with means that wander instead, as random walks; with
            window noise that is up to ten times as large in one column as in another; with window noise
            that passes sooner.
        rows: in an hour, on average.
        rng: makes everything.
        columns: of `make_columns`.
    """

    def __init__(
        self, kind: Kind, rows: int, rng: np.random.Generator, columns: tuple[Column, ...] | None = None
    ) -> None:
        self.columns = make_columns() if columns is None else columns
        self.kind = kind
        self._rows = rows
        self._rng = rng
        self._hour = START_HOUR
        width = max(column.buckets.size for column in self.columns)
        # Shorter columns are filled up in front, so that the last bucket takes what rounding leaves.
        self._ends = np.full((len(self.columns), width - 1), -np.inf)
        for row, column in zip(self._ends, self.columns, strict=True):
            row[width - column.buckets.size :] = column.ends
        self._phases = rng.uniform(0, 2 * np.pi, (2, len(self.columns) + 2))
        width = len(self.columns) + 2
        self._noise_sd = np.full(width, NOISE_SD)
        if kind == "uneven":
            self._noise_sd = np.exp(rng.uniform(*np.log(UNEVEN_SD), width))
        self._noise = rng.normal(0, self._noise_sd)
        self._walk = np.zeros(len(self.columns) + 2)

    @property
    def grids(self) -> dict[str, Grid]:
        """The grids of its numeric columns."""
        return {column.name: column.grid for column in self.columns}

    def reseed(self, rng: np.random.Generator) -> None:
        """Go on by another stream of chance."""
        self._rng = rng

    def step(self) -> Hour:
        """Return the truth of the next hour."""
        hour = self._hour
        self._hour += 1
        drift, rows = np.zeros(len(self.columns) + 2), self._rows
        if self.kind != "iid":
            day, week = 2 * np.pi * hour / 24, 2 * np.pi * hour / 168
            drift = DAILY_SD * np.sin(day + self._phases[0]) + WEEKLY_SD * np.sin(week + self._phases[1])
            rows = round(rows * (1 + 0.5 * np.sin(day)) * (1 + 0.2 * np.sin(week)))
        if (memory := NOISE_MEMORY.get(self.kind)) is not None:
            fresh = self._rng.normal(0, self._noise_sd * np.sqrt(1 - memory**2))
            self._noise = memory * self._noise + fresh
            drift = drift + self._noise
        elif self.kind == "shocks":
            drift = drift + SHOCK_SD * self._rng.standard_t(SHOCK_DF)
        elif self.kind == "wander":
            self._walk = self._walk + self._rng.normal(0, WANDER_SD_A_WEEK / np.sqrt(168), drift.size)
            drift = drift + self._walk
        return Hour(hour, rows, drift)

    def next_profile(self, fault: Fault | None = None) -> HourProfile:
        """Draw the next hour as counts."""
        return self.draw_counts(self.step(), fault or Fault())

    def shares(self, truth: Hour, fault: Fault) -> NDArray[np.float64]:
        """Return the probability of every bucket, (columns, k); shorter columns stand at the right."""
        means = truth.drift[: len(self.columns), None].copy()
        means[self._place(MEAN_COLUMN)] += fault.mean_sd
        below = ndtr(self._ends - means)
        edge = np.zeros((len(self.columns), 1))
        return np.diff(below, axis=1, prepend=edge, append=edge + 1)

    def draw_counts(self, truth: Hour, fault: Fault) -> HourProfile:
        """Draw an hour's counts from the bucket probabilities."""
        rng, rows = self._rng, truth.rows
        nulls = np.zeros(len(self.columns), dtype=np.int64)
        nulls[self._place(NULL_COLUMN)] = rng.binomial(rows, null_share(truth, fault))
        drawn = rng.multinomial(rows - nulls, self.shares(truth, fault))
        numeric = {
            column.name: self._numeric(column, counts[-column.buckets.size :], int(null))
            for column, counts, null in zip(self.columns, drawn, nulls, strict=True)
        }
        cities = rng.multinomial(rows, city_shares(truth, fault)).tolist()
        return HourProfile(
            truth.hour, rows, numeric, {CATEGORY: CategoricalCounts(dict(zip(CITIES, cities, strict=True)))}
        )

    def draw_rows(self, truth: Hour, fault: Fault) -> dict[str, NDArray[np.float64] | NDArray[np.str_]]:
        """Draw an hour's rows, as a service would log them; nulls are NaN. Shape (rows,) each."""
        rng = self._rng
        values: dict[str, NDArray[np.float64] | NDArray[np.str_]] = {}
        for index, column in enumerate(self.columns):
            shift = fault.mean_sd if column.name == MEAN_COLUMN else 0.0
            drawn = column.transform(rng.normal(truth.drift[index] + shift, 1.0, truth.rows))
            if column.name == NULL_COLUMN:
                drawn = np.where(rng.random(truth.rows) < null_share(truth, fault), np.nan, drawn)
            values[column.name] = drawn
        values[CATEGORY] = rng.choice(CITIES, truth.rows, p=city_shares(truth, fault))
        return values

    def _place(self, name: str) -> int:
        return next(i for i, column in enumerate(self.columns) if column.name == name)

    def _numeric(self, column: Column, counts: NDArray[np.int64], nulls: int) -> NumericCounts:
        held = np.flatnonzero(counts)
        if not held.size:
            return NumericCounts(column.buckets[held], counts[held], np.nan, np.nan, nulls=nulls)
        # The least of n values evenly spread in the lowest bucket, and the largest in the highest.
        first, last = held[0], held[-1]
        spread = self._rng.random(2) ** (1 / counts[[first, last]])
        ends = np.concatenate([[-_LATENT_END], column.ends, [_LATENT_END]])
        latent = np.array(
            [
                ends[first + 1] - spread[0] * (ends[first + 1] - ends[first]),
                ends[last] + spread[1] * (ends[last + 1] - ends[last]),
            ]
        )
        low, high = np.sort(column.transform(latent)).tolist()
        return NumericCounts(column.buckets[held], counts[held], low, high, nulls=nulls)


def null_share(truth: Hour, fault: Fault) -> float:
    """Return the probability that a row has no value in `NULL_COLUMN`."""
    return float(ndtr(ndtri(NULL_SHARE) + truth.drift[-1])) + fault.nulls


def city_shares(truth: Hour, fault: Fault) -> NDArray[np.float64]:
    """Return the probabilities of the categories, (5,)."""
    ends = ndtri(np.cumsum(CITY_SHARES)[:-1])
    shares = np.diff(ndtr(ends - truth.drift[-2]), prepend=0.0, append=1.0)
    moved = min(fault.mix, shares[0])
    return np.asarray(shares + np.array([-moved, moved, 0.0, 0.0, 0.0]), dtype=np.float64)
