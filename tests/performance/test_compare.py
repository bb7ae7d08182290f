"""Which of two versions is called better, of many metrics at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.performance.compare import Compared, surely

METRIC = Compared(
    metric="accuracy", one=0.8, other=0.8, gain=None, low=None, high=None, rows=1000, method="paired"
)


def measured(name: str, z: float) -> Compared:
    """Return a metric whose gain is so many standard errors."""
    return replace(METRIC, metric=name, gain=0.01 * z, low=0.01 * (z - 1.96), high=0.01 * (z + 1.96))


def verdicts(*z: float) -> list[str]:
    return [each.verdict for each in surely([measured(str(place), one) for place, one in enumerate(z)])]


def test_of_equal_versions_any_metric_is_called_better_or_worse_in_five_of_a_hundred_comparisons():
    """Each by its own interval, that is two of three."""
    chance = np.random.default_rng(7)
    draws = chance.normal(size=(400, 20))
    called = [any(verdict != "not sure" for verdict in verdicts(*draw)) for draw in draws]
    assert 0.02 < np.mean(called) < 0.09
    assert np.mean(np.any(np.abs(draws) > 1.96, axis=1)) > 0.5


def test_what_is_surely_so_is_found_however_many_others_there_are():
    assert verdicts(5.0, *[0.3] * 19, -5.0) == ["better", *["not sure"] * 19, "worse"]


def test_a_single_metric_goes_by_its_interval():
    assert [verdicts(z) for z in (1.9, 2.0, -2.0)] == [["not sure"], ["better"], ["worse"]]


def test_where_there_is_no_interval_nothing_is_decided():
    assert [each.verdict for each in surely([METRIC, measured("brier_score", 3.0)])] == ["", "better"]


FIGURES = st.floats(-1, 1)


@given(st.lists(st.tuples(FIGURES, st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_nothing_is_sure_whose_interval_holds_none(figures):
    """Whatever the intervals, also those that end where the gain is."""
    metrics = [
        replace(METRIC, metric=str(place), gain=gain, low=gain - below, high=gain + above)
        for place, (gain, below, above) in enumerate(figures)
    ]
    for each in surely(metrics):
        if each.low < 0 < each.high:
            assert each.verdict == "not sure"


@pytest.mark.parametrize(("gain", "p_value"), [(0.0, 1.0), (0.01, 0.0)])
def test_an_interval_of_no_length_is_sure_unless_it_is_none(gain, p_value):
    assert replace(METRIC, gain=gain, low=gain, high=gain).p_value == p_value
