"""Calibrated shares are what comes true, rise with the score, and say how unsure they are."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.performance.estimate.calibration import Evidence, memory_of, over_days, shares_of, wander_of
from tests.performance.estimate.streams import expit

SCORES = np.linspace(0.02, 0.98, 60)


def evidence(real, rows, *, days=1, seed=1, scores=SCORES):
    random = np.random.default_rng(seed)
    counts = random.multinomial(rows, np.full(len(scores), 1 / len(scores)), days)
    return Evidence(scores, random.binomial(counts, real).astype(float), counts.astype(float))


def test_shares_come_near_what_comes_true_whatever_the_curve():
    steps = np.where(SCORES < 0.3, 0.05, np.where(SCORES < 0.8, 0.4, 0.7))
    for real in (SCORES, expit(0.4 * np.log(SCORES / (1 - SCORES)) - 1), steps):
        found = shares_of(evidence(real, 50_000), np.random.default_rng(0))[0]
        assert np.abs(found - real).mean() < 0.02


def test_draws_err_as_the_shares_do():
    real = expit(0.5 * np.log(SCORES / (1 - SCORES)))
    inside = []
    for seed in range(60):
        found = shares_of(evidence(real, 800, days=20, seed=seed), np.random.default_rng(0))
        low, high = np.quantile(found[1:].mean(axis=1), [0.025, 0.975])
        inside.append(low <= real.mean() <= high)
    assert 0.85 < np.mean(inside) <= 1


def test_scores_that_nobody_saw_follow_the_curve():
    counts = np.where(SCORES < 0.5, 400.0, 0.0)
    real = expit(0.5 * np.log(SCORES / (1 - SCORES)))
    found = shares_of(Evidence(SCORES, (counts * real)[None], counts[None]), np.random.default_rng(0))[0]
    assert found[-1] == pytest.approx(real[-1], abs=0.1)
    assert np.all(np.diff(found) > -0.02)


def test_how_much_days_differ_is_more_than_chance():
    random = np.random.default_rng(4)
    real = expit(np.log(SCORES / (1 - SCORES)))
    counts = np.full((40, len(SCORES)), 20.0)
    alike = wander_of(random.binomial(20, np.tile(real, (40, 1))), counts, real)
    assert alike.shift < 0.06
    moved = expit(np.log(SCORES / (1 - SCORES)) + 0.5 * random.standard_normal((40, 1)))
    assert wander_of(random.binomial(20, moved), counts, real).shift == pytest.approx(0.5, abs=0.15)
    assert wander_of(random.binomial(20, moved)[:5], counts[:5], real).shift == 0


def test_days_that_resemble_the_day_before_even_out_less():
    assert over_days(0.0, 7) == pytest.approx(7**-0.5)
    assert over_days(0.5, 1) == 1
    assert over_days(0.0, 7) < over_days(0.5, 7) < 1
    random = np.random.default_rng(5)
    steps = random.standard_normal(300)
    assert memory_of(steps) < 0.15
    assert memory_of(np.convolve(steps, [1, 1], "valid")) == pytest.approx(0.5, abs=0.12)
