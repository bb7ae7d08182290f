"""What the store counts while rows land is what numpy counts on the same rows: to the last one."""

from __future__ import annotations

import math
from itertools import count

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.domain.streams import Stream
from driftline.profiles import Grid
from driftline.store import grids
from driftline.store.grids import read_grids
from driftline.store.profiles import read_hours
from tests.properties.draws import EXTREMES, SHAPES
from tests.support.landing import put

HOUR = 490_000
ROWS = 1500
_MODELS = count()


def land_values(landing, model, columns):
    """Land columns of values, None where one is null, over three minutes of one hour; return the profile."""
    size = max(map(len, columns.values()))
    rows = [
        {
            "features": {name: values[place] for name, values in columns.items() if place < len(values)},
            "event_time": HOUR * 3600.0 + 60 * (place % 3),
        }
        for place in range(size)
    ]
    put(landing, rows, model_name=model)
    stream = Stream(model, "3", "production")
    (profile,) = read_hours(landing.client, stream, first_hour=HOUR, end_hour=HOUR + 1).profiles
    assert profile.rows == size
    return profile


def assert_counted(profile, columns, grid_of):
    for name, column in columns.items():
        counts, grid = profile.numeric[name], grid_of.get(name, Grid())
        values = np.array([value for value in column if value is not None], dtype=np.float64)
        finite = values[np.isfinite(values)]
        buckets, held = np.unique(grid.bucket(finite), return_counts=True)
        np.testing.assert_array_equal(counts.buckets, buckets, err_msg=f"{name} on {grid}")
        np.testing.assert_array_equal(counts.counts, held, err_msg=f"{name} on {grid}")
        assert counts.nulls == len(column) - values.size
        assert counts.nans == np.isnan(values).sum()
        assert counts.infinities == np.isinf(values).sum()
        if finite.size:
            assert (counts.minimum, counts.maximum) == (finite.min(), finite.max())
        else:
            assert math.isnan(counts.minimum)
            assert math.isnan(counts.maximum)


def spoilt(values, rng):
    """Make some values null, NaN and infinite."""
    kind = rng.random(len(values))
    values = np.where(kind < 0.03, np.nan, np.where(kind < 0.05, np.inf, values))
    values = np.where((kind >= 0.05) & (kind < 0.06), -np.inf, values)
    return [None if kind[place] > 0.97 else float(value) for place, value in enumerate(values)]


@pytest.mark.parametrize("has_grids", [False, True], ids=["default grids", "grids of their own"])
def test_counts_are_those_of_numpy_for_every_shape(landing, monkeypatch, has_grids):
    if has_grids:
        monkeypatch.setattr(grids, "PRODUCTION_ROWS", 100)
    rng = np.random.default_rng(5)
    columns = {name: spoilt(draw(rng, ROWS, 0.0), rng) for name, draw in SHAPES.items()}
    columns["extreme"] = spoilt(rng.choice(EXTREMES, ROWS), rng)
    columns["tiny"] = spoilt(rng.normal(size=ROWS) * 1e-310, rng)
    columns["huge"] = spoilt(rng.choice([-1.0, 1.0], ROWS) * 10 ** rng.uniform(290, 308.2, ROWS), rng)
    columns["outliers"] = [*columns["normal"], *EXTREMES.tolist()]
    model = f"shapes {has_grids}"
    profile = land_values(landing, model, columns)
    chosen = read_grids(landing.client, model)
    assert set(chosen) == (set(columns) if has_grids else set())
    assert_counted(profile, columns, chosen)


@settings(max_examples=15)
@given(
    st.lists(st.none() | st.floats(), min_size=1, max_size=60),
    st.lists(st.text(max_size=4) | st.none(), min_size=1, max_size=60),
)
@example([5e-324, 1e308, -0.0, 0.0], ["", "\x00", None])
@example([1.7976931348623157e308, -1.7976931348623157e308], ["é", "é"])
def test_any_values_are_counted_once_and_where_they_belong(landing, monkeypatch, numbers, texts):
    monkeypatch.setattr(grids, "PRODUCTION_ROWS", 1)
    model = f"any {next(_MODELS)}"
    size = max(len(numbers), len(texts))
    columns = {"x": [*numbers, *[0.25] * (size - len(numbers))]}
    texts = [*texts, *["rest"] * (size - len(texts))]
    profile = land_values(landing, model, columns | {"text": texts})
    if "x" in profile.numeric:  # Of a feature that never showed a value nobody knows its kind.
        assert_counted(profile, columns, read_grids(landing.client, model))
    if any(each is not None for each in texts):
        found = profile.categorical["text"]
        assert dict(found.counts) == {each: texts.count(each) for each in set(texts) - {None}}
        assert (found.nulls, found.folded) == (texts.count(None), 0)
