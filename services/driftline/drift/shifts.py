"""Shifts of known size, made to counted hours as they would be made to the values behind the counts.

For `driftline calibrate`, which asks after how many hours each is found.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from driftline.profiles import CategoricalCounts, Grid, HourProfile, NumericCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.domain.verdicts import Kind
    from driftline.drift.statistics.arrays import FloatArray, IntArray

_POINTS = 32
"""Values that stand for those of one bucket, spread over it."""

_WINSOR_SHARES = (0.005, 0.995)


@dataclass(frozen=True, slots=True)
class Typical:
    """What a feature's past is like, as far as a shift has to know it.

    Args:
        grid: of a numeric feature; the default one else.
        deviation: standard deviation within the 0.5 % and 99.5 % quantiles; 0 where there is none.
        median: of its values; NaN of a categorical feature.
        values: of a categorical feature, the most frequent first.
    """

    grid: Grid = field(default_factory=Grid)
    deviation: float = 0.0
    median: float = float("nan")
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of one feature.

    Args:
        name: for people.
        kind: of the features that it applies to.
        numeric: makes it to the counts of one hour.
        categorical: the same, of a category.
        applies: whether a feature like this can show it.
    """

    name: str
    kind: Kind
    applies: Callable[[Typical], bool]
    numeric: Callable[[NumericCounts, Typical, np.random.Generator], NumericCounts] | None = None
    categorical: Callable[[CategoricalCounts, Typical, np.random.Generator], CategoricalCounts] | None = None


def typical_of(profiles: Sequence[HourProfile], grids: Mapping[str, Grid]) -> dict[tuple[str, Kind], Typical]:
    """Return what each feature's past is like, by name and kind."""
    found: dict[tuple[str, Kind], Typical] = {}
    for name in sorted({name for profile in profiles for name in profile.numeric}):
        grid = grids.get(name, Grid())
        held: Counter[int] = Counter()
        for profile in profiles:
            if name in profile.numeric:
                counts = profile.numeric[name]
                held.update(dict(zip(counts.buckets.tolist(), counts.counts.tolist(), strict=True)))
        found[name, "numeric"] = _typical_number(held, grid)
    for name in sorted({name for profile in profiles for name in profile.categorical}):
        values: Counter[str] = Counter()
        for profile in profiles:
            if name in profile.categorical:
                values.update(profile.categorical[name].counts)
        ranked = sorted(values, key=lambda value: (-values[value], value))
        found[name, "categorical"] = Typical(values=tuple(ranked))
    return found


def _typical_number(held: Mapping[int, int], grid: Grid) -> Typical:
    if not held:
        return Typical(grid)
    buckets = np.array(sorted(held), dtype=np.int64)
    counts = np.array([held[int(bucket)] for bucket in buckets], dtype=np.float64)
    values, below = grid.midpoint(buckets), np.cumsum(counts) / counts.sum()
    low, median, high = values[np.searchsorted(below, (_WINSOR_SHARES[0], 0.5, _WINSOR_SHARES[1]))]
    clipped = np.clip(values, low, high)
    mean = counts @ clipped / counts.sum()
    deviation = float(np.sqrt(counts @ (clipped - mean) ** 2 / counts.sum()))
    return Typical(grid, deviation, float(median))


def moved(counts: NumericCounts, grid: Grid, distance: float) -> NumericCounts:
    """Add a distance, in the feature's unit, to all values; those of one bucket lie spread over it."""
    if counts.buckets.size == 0:
        return counts
    values, numbers = _values(counts, grid)
    buckets, place = np.unique(grid.bucket(values + distance), return_inverse=True)
    return replace(
        counts,
        buckets=buckets,
        counts=np.rint(np.bincount(place, numbers)).astype(np.int64),
        minimum=counts.minimum + distance,
        maximum=counts.maximum + distance,
    )


def _values(counts: NumericCounts, grid: Grid) -> tuple[FloatArray, IntArray]:
    """Return values that stand for those of an hour, and how many each stands for."""
    steps = np.linspace(0, 1, _POINTS + 1)
    held = np.floor(counts.counts[:, None] * steps + 0.5)
    # Just inside the bucket: what stands at its edge would be rounded either way.
    places = counts.buckets[:, None] + 0.999 * ((steps[1:] + steps[:-1]) / 2 - 0.5)
    values = np.clip(grid.midpoint(places), counts.minimum, counts.maximum).ravel()
    numbers = np.diff(held, axis=1).astype(np.int64).ravel()
    return values[numbers > 0], numbers[numbers > 0]


def nulled(counts: NumericCounts, share: float, rng: np.random.Generator) -> NumericCounts:
    """Make a share of the values null, each as likely as any other."""
    lost = rng.binomial(counts.counts, share)
    kept = counts.counts - lost
    return replace(
        counts,
        buckets=counts.buckets[kept > 0],
        counts=kept[kept > 0],
        nulls=counts.nulls + int(lost.sum()),
    )


def stuck(counts: NumericCounts, grid: Grid, value: float) -> NumericCounts:
    """Make all values the same."""
    present = int(counts.counts.sum())
    if present == 0:
        return counts
    return replace(
        counts,
        buckets=grid.bucket([value]),
        counts=np.array([present], dtype=np.int64),
        minimum=value,
        maximum=value,
    )


def remixed(
    counts: CategoricalCounts, giver: str, taker: str, share: float, rng: np.random.Generator
) -> CategoricalCounts:
    """Let one value take a share of all that another one, which gives no more than it has."""
    given = counts.counts.get(giver, 0)
    if given == 0:
        return counts
    total = sum(counts.counts.values()) + counts.folded
    taken = int(rng.binomial(given, min(share * total / given, 1.0)))
    mixed = Counter(counts.counts)
    mixed[giver] -= taken
    mixed[taker] += taken
    return replace(counts, counts={value: count for value, count in mixed.items() if count})


def renamed(counts: CategoricalCounts, value: str, name: str) -> CategoricalCounts:
    """Give a value another name."""
    return replace(
        counts, counts={name if known == value else known: count for known, count in counts.counts.items()}
    )


def _emptied(counts: CategoricalCounts, share: float, rng: np.random.Generator) -> CategoricalCounts:
    lost = {value: int(rng.binomial(count, share)) for value, count in sorted(counts.counts.items())}
    kept = {value: count - lost[value] for value, count in counts.counts.items() if count > lost[value]}
    return replace(counts, counts=kept, nulls=counts.nulls + sum(lost.values()))


def _varies(typical: Typical) -> bool:
    return typical.deviation > 0


SHIFTS: tuple[Shift, ...] = (
    Shift("mean + 0.1 sd", "numeric", _varies, numeric=lambda c, t, _: moved(c, t.grid, 0.1 * t.deviation)),
    Shift(
        "5 % of the mix",
        "categorical",
        lambda t: len(t.values) > 1,
        categorical=lambda c, t, rng: remixed(c, t.values[0], t.values[1], 0.05, rng),
    ),
    Shift("mean + 0.5 sd", "numeric", _varies, numeric=lambda c, t, _: moved(c, t.grid, 0.5 * t.deviation)),
    Shift(
        "a value renamed",
        "categorical",
        lambda t: len(t.values) > 0,
        categorical=lambda c, t, _: renamed(
            c, t.values[min(1, len(t.values) - 1)], f"{t.values[min(1, len(t.values) - 1)]} (renamed)"
        ),
    ),
    Shift("nulls + 2 points", "numeric", lambda _: True, numeric=lambda c, _, rng: nulled(c, 0.02, rng)),
    Shift(
        "nulls + 2 points",
        "categorical",
        lambda _: True,
        categorical=lambda c, _, rng: _emptied(c, 0.02, rng),
    ),
    Shift("stuck", "numeric", _varies, numeric=lambda c, t, _: stuck(c, t.grid, t.median)),
)
"""What is injected: of one kind and the next, so that both kinds can be shifted in the same replay."""


def shifted(
    profile: HourProfile,
    shifts: Mapping[Kind, Shift],
    typical: Mapping[tuple[str, Kind], Typical],
    rng: np.random.Generator,
) -> HourProfile:
    """Make a shift to all features of an hour, one for each kind; those that can't show it stay as before."""
    numeric, categorical = dict(profile.numeric), dict(profile.categorical)
    number, category = shifts.get("numeric"), shifts.get("categorical")
    if number is not None and number.numeric is not None:
        for name, counts in profile.numeric.items():
            known = typical.get((name, "numeric"))
            if known is not None and number.applies(known):
                numeric[name] = number.numeric(counts, known, rng)
    if category is not None and category.categorical is not None:
        for name, named in profile.categorical.items():
            known = typical.get((name, "categorical"))
            if known is not None and category.applies(known):
                categorical[name] = category.categorical(named, known, rng)
    return replace(profile, numeric=numeric, categorical=categorical)
