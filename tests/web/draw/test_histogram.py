"""Counts per grid bucket, binned anew."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.profiles import Grid
from driftline.store.distributions import Layer
from driftline.web.draw.histogram import few_values, nice_step, rebin


def layer_of(values, grid: Grid) -> Layer:
    values = np.asarray(values, dtype=float)
    buckets, counts = np.unique(grid.bucket(values), return_counts=True)
    return Layer(
        buckets.tolist(),
        counts.tolist(),
        present=values.size,
        minimum=float(values.min()),
        maximum=float(values.max()),
    )


@pytest.mark.parametrize(
    ("least", "step"), [(1.0, 1.0), (1.01, 2.0), (2.2, 2.5), (2.6, 5.0), (70.0, 100.0), (0.0003, 0.0005)]
)
def test_steps_are_round_numbers_not_below_what_is_needed(least, step):
    assert nice_step(least) == pytest.approx(step)


def test_no_values_give_no_histogram():
    assert rebin({}, Grid()) is None
    assert rebin({"now": Layer(nulls=5)}, Grid()) is None


@pytest.mark.parametrize("value", [0.0, 7.0, -3.5, 1e9, 1e-9])
def test_a_constant_falls_into_one_bin_that_holds_it(value):
    grid = Grid.from_values([value])
    found = rebin({"now": layer_of([value] * 5, grid)}, grid)
    (index,) = np.flatnonzero(found.shares["now"])
    assert found.shares["now"][index] == pytest.approx(1.0)
    assert found.edges[index] <= value <= found.edges[index + 1]


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(50, 10, 20_000),
        np.random.default_rng(2).integers(0, 200, 20_000),
        np.random.default_rng(3).exponential(1, 20_000),
        np.where(np.random.default_rng(4).random(20_000) < 0.7, 0.0, np.random.default_rng(5).random(20_000)),
    ],
    ids=["normal", "whole numbers", "skewed", "mostly zero"],
)
def test_shares_are_those_of_the_values(values):
    grid = Grid.from_values(values)
    found = rebin({"now": layer_of(values, grid)}, grid)
    true = np.histogram(values, found.edges)[0] / values.size
    assert np.abs(np.cumsum(found.shares["now"]) - np.cumsum(true)).max() < 0.01
    assert sum(found.shares["now"]) + found.outside["now"] == pytest.approx(1.0)
    assert 15 <= len(found.edges) - 1 <= 60


def test_far_values_are_reported_and_do_not_squeeze_the_rest():
    values = np.append(np.random.default_rng(1).normal(0, 1, 10_000), [1e6])
    grid = Grid.from_values(values)
    found = rebin({"now": layer_of(values, grid)}, grid)
    assert found.edges[-1] < 5
    assert 0 < found.outside["now"] < 0.011


def test_layers_far_apart_share_one_axis():
    grid = Grid(20.0, 5.0)
    found = rebin({"now": layer_of([90.0, 91.0], grid), "before": layer_of([20.0, 21.0], grid)}, grid)
    assert found.edges[0] < 20
    assert found.edges[-1] > 91
    assert sum(found.shares["now"]) == pytest.approx(1.0)
    assert sum(found.shares["before"]) == pytest.approx(1.0)


def test_few_values_are_reported_one_by_one():
    grid = Grid.from_values([1.0, 2.0, 3.0])
    found = few_values({"now": layer_of([1, 1, 2, 3], grid), "before": layer_of([2], grid)}, grid)
    assert [round(value) for value, _ in found] == [1, 2, 3]
    assert [shares["now"] for _, shares in found] == [0.5, 0.25, 0.25]
    assert [shares["before"] for _, shares in found] == [0, 1, 0]


def test_many_values_are_left_to_the_histogram():
    values = np.linspace(0, 100, 500)
    grid = Grid.from_values(values)
    assert few_values({"now": layer_of(values, grid)}, grid) == ()
