"""The descriptive statistics, computed from counts per bucket, against scipy on the raw rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from driftline.domain.statistics import STATISTIC_NAMES
from driftline.domain.verdicts import Feature
from driftline.drift.statistics.descriptive import DescriptivePlan, descriptive_statistics
from driftline.drift.statistics.hours import Clock, HourCounts, stack
from driftline.drift.statistics.layout import Layout
from driftline.drift.statistics.vocabulary import Vocabulary
from driftline.profiles import CategoricalCounts, Grid, HourProfile
from tests.drift.conftest import numeric_counts

CLOCK = Clock("UTC")


def counted(profile, vocabulary):
    return HourCounts.from_profile(profile, vocabulary, clock=CLOCK)


def statistics_of(reference: HourProfile, window: HourProfile, grids) -> dict[str, float]:
    vocabulary = Vocabulary()
    hours = [counted(reference, vocabulary), counted(window, vocabulary)]
    features = hours[0].features
    first = stack(hours[:1], features)
    layout = Layout.of(first, first.distinct(), features, grids, vocabulary)
    both = layout.count(stack(hours, features), np.arange(2), 2)
    rows = both.sum(1, keepdims=True)
    shares = both / rows
    found = descriptive_statistics(DescriptivePlan.of(layout), shares[1:], shares[:1], rows[1:], rows[:1])
    return {name: float(values[0, 0]) for name, values in found.items()}


def numeric_statistics(reference, window) -> dict[str, float]:
    grid = Grid.from_values(reference)
    return statistics_of(
        HourProfile(0, len(reference), {"x": numeric_counts(grid, reference, len(reference))}, {}),
        HourProfile(1, len(window), {"x": numeric_counts(grid, window, len(window))}, {}),
        {"x": grid},
    )


def draw(name, rng, size, shift=0.0):
    return {
        "normal": lambda: rng.normal(shift, 1, size),
        "lognormal": lambda: np.exp(rng.normal(shift, 1, size)),
        "t(1.5)": lambda: rng.standard_t(1.5, size) + shift,
        "Poisson": lambda: rng.poisson(4 * (1 + shift / 2), size).astype(float),
        "70 % zeros": lambda: np.where(
            rng.random(size) < 0.7 - shift / 3, 0.0, np.exp(rng.normal(0, 1, size))
        ),
        "offset": lambda: 1e6 + rng.normal(shift, 1, size),
        "constant": lambda: np.full(size, 42.0),
        "uniform": lambda: rng.random(size) + shift * 0.3,
        "cents": lambda: np.round(np.exp(rng.normal(2 + shift, 1, size)), 2),
    }[name]()


def test_every_statistic_that_is_named_is_computed_and_no_other():
    computed = numeric_statistics(np.arange(100.0), np.arange(100.0)).keys()
    assert set(STATISTIC_NAMES) == computed


DISTRIBUTIONS = [
    "normal",
    "lognormal",
    "t(1.5)",
    "Poisson",
    "70 % zeros",
    "offset",
    "constant",
    "uniform",
    "cents",
]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_numbers_from_the_grid_are_those_of_the_raw_rows(name, shift):
    rng = np.random.default_rng(3)
    reference, window = draw(name, rng, 100_000), draw(name, rng, 20_000, shift)
    found = numeric_statistics(reference, window)
    assert found["ks"] == pytest.approx(stats.ks_2samp(reference, window).statistic, abs=0.002)
    low, high = np.quantile(reference, (0.005, 0.995))
    raw = stats.wasserstein_distance(np.clip(reference, low, high), np.clip(window, low, high))
    deviation = np.clip(reference, low, high).std()
    assert found["wasserstein"] == pytest.approx(raw, abs=0.002 * max(deviation, 1.0) if deviation else 1e-9)
    if deviation:
        assert found["wasserstein_normed"] == pytest.approx(raw / deviation, abs=0.002)
    edges = np.unique(np.quantile(reference, np.arange(1, 10) / 10, method="inverted_cdf"))
    p, e = (
        np.bincount(np.searchsorted(edges, rows), minlength=edges.size + 1) / rows.size
        for rows in (window, reference)
    )
    p_floor, e_floor = np.maximum(p, 1e-4), np.maximum(e, 1e-4)
    assert found["psi"] == pytest.approx(
        float(((p_floor - e_floor) * np.log(p_floor / e_floor)).sum()), abs=0.002
    )
    assert found["js"] == pytest.approx(jensenshannon(p, e, 2), abs=0.002)


@pytest.mark.parametrize("size", [60, 500, 5000])
@pytest.mark.parametrize("shift", [0.0, 1.2, 2.5])
def test_the_ks_p_value_is_the_exact_one_of_that_distance(size, shift):
    rng = np.random.default_rng(size)
    reference, window = rng.normal(size=100_000), rng.normal(shift / np.sqrt(size), size=size)
    found = numeric_statistics(reference, window)
    effective = round(size * 100_000 / (size + 100_000))
    assert found["ks_p_value"] == pytest.approx(stats.kstwo.sf(found["ks"], effective), abs=0.005)


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 500), min_size=2, max_size=30),
    st.lists(st.integers(0, 500), min_size=2, max_size=30),
)
def test_chi_square_is_scipys_for_any_table(first, second):
    size = max(len(first), len(second))
    table = np.zeros((2, size), dtype=int)
    table[0, : len(first)], table[1, : len(second)] = first, second
    if min(table.sum(1)) == 0 or (table.sum(0) > 0).sum() < 2:
        return
    profiles = [
        HourProfile(
            hour,
            int(row.sum()),
            {},
            {"c": CategoricalCounts({f"v{i}": int(n) for i, n in enumerate(row) if n})},
        )
        for hour, row in enumerate(table)
    ]
    found = statistics_of(*profiles, {})
    # Values that only the window holds are distinguished from the reference's, but not from each other.
    known = table[0] > 0
    merged = np.column_stack([table[:, known], table[:, ~known].sum(1)])
    merged = merged[:, merged.sum(0) > 0]
    if merged.shape[1] < 2:
        return
    raw = stats.chi2_contingency(merged, correction=False)
    assert found["chi2"] == pytest.approx(raw.statistic, rel=1e-9, abs=1e-9)
    assert found["chi2_p_value"] == pytest.approx(raw.pvalue, abs=1e-9)


def test_statistics_that_do_not_apply_are_left_out():
    rng = np.random.default_rng(1)
    found = numeric_statistics(rng.normal(size=1000), rng.normal(size=100))
    assert np.isnan(found["chi2"])
    assert Feature("x", "numeric") < Feature("y", "numeric")
