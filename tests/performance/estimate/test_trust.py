"""An estimate is worth what it was off by before, is widened where it missed, and goes when it errs."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.performance.estimate.drawn import Drawn
from driftline.performance.estimate.trust import Compared, trust_of


def compared(offs):
    return [Compared(0.8, 0.8 + 0.01 * off, off) for off in offs]


def test_before_any_truth_nothing_is_known_of_its_error():
    trust = trust_of([])
    assert (trust.windows, trust.error, trust.inside, trust.widening) == (0, None, None, 1.0)
    assert not trust.is_withdrawn


def test_its_error_is_what_it_was_off_by():
    trust = trust_of(compared([0.5, -1.0, 2.5, 0.0]))
    assert trust.error == pytest.approx(0.01 * np.sqrt((0.25 + 1 + 6.25) / 4))
    assert (trust.windows, trust.inside) == (4, 0.75)


def test_one_that_errs_as_it_says_is_hardly_ever_withdrawn():
    random = np.random.default_rng(1)
    withdrawn = [trust_of(compared(random.standard_normal(28))).is_withdrawn for _ in range(2_000)]
    assert sum(withdrawn) < 10


@pytest.mark.parametrize("off", [[5.0], [3.0, 3.2], [-2.2] * 6])
def test_one_that_errs_by_more_is_withdrawn_at_once_or_after_a_while(off):
    random = np.random.default_rng(2)
    calm = list(random.standard_normal(20))
    assert not trust_of(compared(calm)).is_withdrawn
    assert trust_of(compared(calm + off)).is_withdrawn
    assert not trust_of(compared([*calm, *off, *random.standard_normal(9)])).is_withdrawn


def test_intervals_are_as_wide_as_earlier_ones_had_to_be():
    random = np.random.default_rng(3)
    trust = trust_of(compared(2 * random.standard_normal(28)))
    assert not trust.is_withdrawn
    assert 1.4 < trust.widening < 2.8
    drawn = Drawn("accuracy", 0.8, 0.02, 500.0)
    narrow, wide = drawn.measured(), drawn.measured(trust.widening)
    assert wide.low < narrow.low < 0.8 < narrow.high < wide.high < 1


def test_one_that_always_errs_by_far_is_worth_nothing():
    assert trust_of(compared([6.0, -6.0] * 14)).is_withdrawn


@pytest.mark.parametrize(
    ("metric", "value"), [("recall", 0.0), ("recall", 1.0), ("mae", 0.0), ("bias", -2.0)]
)
def test_an_interval_stays_where_the_metric_can_be(metric, value):
    measured = Drawn(metric, value, 0.3, 10.0).measured()
    assert measured.low <= value <= measured.high
    if metric != "bias":
        assert measured.low >= 0
    if metric == "recall":
        assert measured.high <= 1
