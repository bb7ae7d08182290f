"""Whether values come in another unit."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.drift.statistics.units import Values, find_conversion


def values(drawn):
    distinct, counts = (part.astype(np.float64) for part in np.unique(drawn, return_counts=True))
    return Values(distinct, counts, distinct[0], distinct[-1])


@pytest.fixture(scope="module")
def trips():
    return np.random.default_rng(1).lognormal(1.0, 0.7, 20_000)


@pytest.mark.parametrize("factor", [1000, 1 / 1000, 100, 60, 1 / 3600, -1])
def test_a_unit_that_no_season_looks_like_is_named_and_pages(trips, factor):
    other = np.random.default_rng(2).lognormal(1.0, 0.7, 400) * factor
    found = find_conversion(values(trips), values(other))
    assert found.factor == pytest.approx(factor)
    assert found.pages


def test_celsius_for_fahrenheit_is_named_and_warns():
    rng = np.random.default_rng(3)
    fahrenheit, celsius = rng.normal(60, 12, 5_000), (rng.normal(58, 12, 800) - 32) / 1.8
    found = find_conversion(values(fahrenheit), values(celsius))
    assert found.text == "turned from Fahrenheit to Celsius"
    assert not found.pages


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_values_that_only_moved_are_no_other_unit(shift):
    rng = np.random.default_rng(4)
    assert find_conversion(values(rng.normal(0, 1, 5_000)), values(rng.normal(shift, 1, 500))) is None


def test_an_hour_of_which_all_values_are_one_is_no_other_unit():
    """As the hour of the day is, where the reference holds all hours."""
    hours = np.tile(np.arange(24), 400)
    for hour in range(24):
        assert find_conversion(values(hours), values(np.full(300, hour))) is None


def test_a_season_that_changes_the_shape_is_no_other_unit():
    rng = np.random.default_rng(5)
    assert find_conversion(values(rng.normal(100, 20, 5_000)), values(rng.normal(10, 20, 500))) is None


def test_values_that_all_lie_in_one_bucket_are_recognized_by_their_extremes(trips):
    other = np.random.default_rng(2).lognormal(1.0, 0.7, 400) / 1000
    crowded = Values(np.array([0.0]), np.array([400.0]), other.min(), other.max())
    assert find_conversion(values(trips), crowded).factor == pytest.approx(1 / 1000)
    narrow = Values(np.array([0.0]), np.array([400.0]), other.min(), other.min() * 1.1)
    assert find_conversion(values(trips), narrow) is None


def test_of_nothing_nothing_follows():
    nothing = Values(np.empty(0), np.empty(0), np.nan, np.nan)
    assert find_conversion(nothing, nothing) is None
