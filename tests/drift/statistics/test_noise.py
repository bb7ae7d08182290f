"""Noise: how well a variance is known."""

import numpy as np
import pytest

from driftline.drift.statistics.noise import learn_noise

WEEKS, SLOTS, ROWS = 4, 168, 400


def learned(counts):
    sizes = np.full(counts.shape, float(ROWS))
    return learn_noise(counts, sizes, (1, 24))


def test_independent_rows_have_no_more_than_their_own_noise():
    counts = np.random.default_rng(1).binomial(ROWS, 0.3, (WEEKS, SLOTS, 1)).astype(float)
    noise = learned(counts)
    assert noise.phi[0, 0] == pytest.approx(1.0, abs=0.15)
    assert noise.effective[0, 0] > 0.8 * noise.blocks[0, 0]


def test_a_variance_that_few_hours_make_up_is_known_from_those_few():
    """Two hours of rain in four dry weeks say little about how rain comes."""
    counts = np.full((WEEKS, SLOTS, 1), float(ROWS))
    counts[1, 30], counts[2, 90] = 0.0, 0.0
    noise = learned(counts)
    assert noise.effective[0, 0] < 10
    assert noise.blocks[0, 0] == WEEKS * SLOTS


def test_where_nothing_ever_strayed_every_block_counts():
    noise = learned(np.full((WEEKS, SLOTS, 1), float(ROWS)))
    assert noise.effective[0, 0] == noise.blocks[0, 0]


def test_hours_that_share_one_reading_are_one_observation():
    """All rows of an hour move together: phi is the number of rows."""
    counts = np.random.default_rng(2).choice([0.0, float(ROWS)], (WEEKS, SLOTS, 1))
    assert learned(counts).phi[0, 0] == pytest.approx(ROWS, rel=0.3)
