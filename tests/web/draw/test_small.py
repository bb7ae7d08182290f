"""Small multiples, and traffic by the minute."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.profiles import Grid
from driftline.store.distributions import Distribution, Layer, ValueShare
from driftline.web.draw.small import difference, small_bars, small_histogram, traffic_chart

GRID = Grid(0.0, 1.0)


def layer(values):
    buckets, counts = np.unique(GRID.bucket(values), return_counts=True)
    return Layer(buckets.tolist(), counts.tolist(), len(values), minimum=min(values), maximum=max(values))


def test_a_histogram_shows_now_as_bars_and_the_reference_as_a_line():
    drawn = small_histogram({"now": layer([0.1, 0.2]), "training": layer([0.1, 3.0])}, GRID, label="A & B")
    assert drawn.count("bars now") == drawn.count("line training") == 1
    assert "<title>A &amp; B</title>" in drawn
    assert small_histogram({"now": Layer()}, GRID, label="nothing") is None


def test_the_difference_of_numbers_is_that_of_their_shares_below_any_value():
    half = Distribution({"now": layer([1.0, 1.0, 1.0, 5.0]), "training": layer([1.0, 1.0, 5.0, 5.0])})
    assert difference(half, GRID) == pytest.approx(0.25)
    assert difference(Distribution({"now": layer([1.0])}), GRID) is None


def test_the_difference_of_categories_is_the_share_that_would_have_to_change():
    layers = {"now": Layer(present=10), "training": Layer(present=10)}
    values = [
        ValueShare("a", {"now": 0.5, "training": 0.7}),
        ValueShare("b", {"now": 0.5, "training": 0.2}),
    ]
    known = Distribution(layers, values, {"now": 0.0, "training": 0.1})
    assert difference(known, None) == pytest.approx(0.3)


def test_bars_name_values_and_shorten_long_ones():
    value = "a value that is far too long"
    drawn = small_bars(Distribution({}, [ValueShare(value, {"now": 1.0})], {}), label="values")
    assert "a value that …" in drawn
    assert small_bars(Distribution(), label="none") is None


def test_traffic_is_a_line_for_each_stream():
    drawn = traffic_chart([("3", [0, 60, 30]), ("4", [1, 2, 3])], title="Events", description="of two")
    assert drawn.count("<path") == 2
    assert "20 a minute" in drawn
