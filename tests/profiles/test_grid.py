"""The grid on which numeric values are counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.profiles import DEFAULT_RESOLUTION, Grid

finite = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e300, max_value=1e300)
grids = st.builds(
    Grid,
    st.floats(-1e9, 1e9),
    st.floats(1e-6, 1e9),
    st.sampled_from([DEFAULT_RESOLUTION, 64, 256]),
)


@given(grids, finite, finite)
def test_a_larger_value_never_lies_in_a_lower_bucket(grid, a, b):
    low, high = sorted((a, b))
    first, second = grid.bucket([low, high])
    assert first <= second


@given(grids, st.integers(-5000, 5000))
def test_a_buckets_midpoint_lies_in_it_and_below_its_upper_edge(grid, bucket):
    midpoint = grid.midpoint(bucket)
    if midpoint + grid.scale / 1e3 > midpoint and abs(midpoint - grid.center) > 1e-6 * abs(grid.center):
        assert abs(int(grid.bucket([midpoint])[0]) - bucket) <= 1
    assert midpoint <= grid.upper_edge(bucket)


@pytest.mark.parametrize(
    ("sample", "center", "scale"),
    [
        (np.arange(101.0), 50.0, 25.0),
        (np.full(50, 7.0), 7.0, 7.0),
        (np.zeros(50), 0.0, 1.0),
        (np.r_[np.zeros(80), np.ones(20)], 0.0, 0.25),
        (np.r_[np.zeros(99), 8.0], 0.0, 1.0),
        (np.array([]), 0.0, 1.0),
        (np.array([np.nan, np.inf]), 0.0, 1.0),
    ],
)
def test_center_and_scale_come_from_quantiles_with_something_left_for_constants(sample, center, scale):
    grid = Grid.from_values(sample)
    assert (grid.center, grid.scale) == (center, scale)


def test_two_far_modes_get_a_finer_grid():
    rng = np.random.default_rng(0)
    modes = np.concatenate([rng.normal(0, 1, 5000), rng.normal(1000, 1, 5000)])
    assert Grid.from_values(modes).resolution > DEFAULT_RESOLUTION
    assert Grid.from_values(rng.normal(size=10_000)).resolution == DEFAULT_RESOLUTION
