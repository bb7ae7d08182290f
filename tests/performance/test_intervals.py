"""Intervals hold what they estimate in 95 % of samples: here in few draws, in `bench.intervals` in many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.intervals import CASES, coverage
from driftline.performance.intervals import auc, delong, mean, proportion, wilson


def structural(positive, negative):
    """Return AUC and its variance as the paper has it: by comparing each pair."""
    pairs = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    rows, columns = pairs.mean(axis=1), pairs.mean(axis=0)
    return pairs.mean(), rows.var(ddof=1) / len(positive) + columns.var(ddof=1) / len(negative)


@settings(max_examples=50)
@given(*[st.lists(st.integers(0, 9), min_size=2, max_size=40)] * 2)
def test_the_variance_of_auc_from_counts_is_that_of_comparing_each_pair(positive, negative):
    """DeLong, DeLong and Clarke-Pearson (1988), equal scores counting a half."""
    own, other = np.array(positive), np.array(negative)
    area, variance, bound = delong(*(np.bincount(each, minlength=10).astype(float) for each in (own, other)))
    expected = structural(own, other)
    assert (area, variance) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert bound == pytest.approx((own[:, None] == other).mean() / 2)


def test_wilson_is_that_of_the_textbook():
    """Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    published = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0, 0.1611)}
    published[1, 29] = (0.0061, 0.1718)
    for (part, whole), interval in published.items():
        assert wilson(part / whole, whole) == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_interval_covers_what_it_estimates(case):
    """Between 93 and 97 %, give or take three standard deviations of 300 draws at these."""
    assert 0.93 - 0.045 <= coverage(case, 300, seed=7) <= 0.97 + 0.03


def test_weights_are_worth_as_many_predictions_as_they_vary_like():
    plain, weighted = proportion(30, 100), proportion(60, 200, 2.0)
    assert (plain.low, plain.high) == (weighted.low, weighted.high)
    assert (plain.sample, weighted.sample) == (100, 100)


def test_where_all_are_separated_the_interval_still_has_a_width():
    found = auc(np.array([0.0, 12.0]), np.array([20.0, 0.0]))
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.7 < found.low < 0.9


def test_of_one_prediction_there_is_no_mean_and_of_none_no_share():
    assert mean(1.0, 1.0, 1.0).value is None
    assert proportion(0, 0).value is None
    assert auc(np.array([1.0, 0.0]), np.array([0.0, 9.0])).value is None
