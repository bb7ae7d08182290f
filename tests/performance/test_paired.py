"""Differences of two models on the same rows agree with what is known elsewhere, and with simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, rankdata

from driftline.performance.intervals import delong
from driftline.performance.paired import calibration_difference, difference_of, holm, quantile_bounds


@pytest.fixture
def random():
    return np.random.default_rng(7)


def answers(random, rows=400):
    truth = (random.random(rows) < 0.4).astype(float)
    common = random.standard_normal(rows)
    return truth, *(common + truth + 0.5 * random.standard_normal(rows) for _ in range(2))


def test_auc_and_its_variance_are_those_of_one_model_where_the_other_knows_nothing(random):
    truth, scores, _ = answers(random)
    found = difference_of("roc_auc", truth, scores, np.zeros(len(truth)))
    places = (rankdata(scores, "dense") - 1).astype(int)
    area, variance, _ = delong(np.bincount(places, truth), np.bincount(places, 1 - truth))
    assert (found.candidate, found.production) == (pytest.approx(area), 0.5)
    assert found.error == pytest.approx(np.sqrt(variance))


def test_the_error_of_an_auc_difference_is_what_repetitions_vary_by(random):
    found = [difference_of("roc_auc", *answers(random)) for _ in range(300)]
    values = [each.value for each in found]
    assert np.mean([each.error for each in found]) == pytest.approx(np.std(values), rel=0.15)


def test_accuracy_is_tested_by_mcnemar():
    candidate = np.array([1.0] * 60 + [0.0] * 30 + [1.0] * 10)
    production = np.array([1.0] * 60 + [1.0] * 30 + [0.0] * 10)
    found = difference_of("accuracy", candidate, candidate, production)
    assert found.p_worse == pytest.approx(binomtest(10, 40, alternative="less").pvalue)
    assert (found.candidate, found.production) == (0.7, 0.9)


@pytest.mark.parametrize("metric", ["rmse", "log_loss"])
def test_the_bootstrap_varies_as_repetitions_do(metric, random):
    def drawn():
        truth = (random.random(600) < 0.5).astype(float)
        sides = [np.clip(truth * 0.5 + 0.25 + 0.1 * random.standard_normal(600), 0.01, 0.99) for _ in "ab"]
        return difference_of(metric, truth, *sides)

    found = [drawn() for _ in range(80)]
    assert np.mean([each.error for each in found]) == pytest.approx(
        np.std([each.value for each in found]), rel=0.3
    )


def test_many_rows_are_put_together_and_vary_as_they_do(random):
    truth = random.standard_normal(50_000)
    sides = [truth + random.standard_normal(50_000) for _ in "ab"]
    found = difference_of("mae", truth, *sides)
    ratio_error = np.std(np.abs(sides[0] - truth) - np.abs(sides[1] - truth)) / np.sqrt(50_000)
    assert found.error == pytest.approx(ratio_error / found.production, rel=0.2)


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy", "mae", "brier_score"])
def test_the_same_answers_differ_by_nothing(metric, random):
    truth, scores, _ = answers(random)
    held = scores if metric != "accuracy" else (scores > 0).astype(float)
    found = difference_of(metric, truth, held, held)
    assert (found.value, found.error, found.p_worse) == (0.0, 0.0, 1.0)


def test_auc_of_one_class_only_is_not_measured(random):
    assert difference_of("roc_auc", np.ones(100), random.random(100), random.random(100)) is None


def test_calibration_tells_a_model_that_is_too_sure(random):
    scores = random.random(4000)
    truth = (random.random(4000) < scores).astype(float)
    sure = np.clip(scores * 1.4 - 0.2, 0, 1)
    found = calibration_difference(truth, sure, scores)
    assert found.candidate > 0.05 > found.production
    assert found.high(0.05) < 0


def test_bounds_of_a_quantile_hold_it_in_as_many_cases_as_they_say(random):
    true = 1.6448536
    held = [quantile_bounds(random.standard_normal(500), 0.95, 0.05) for _ in range(400)]
    assert np.mean([low <= true for _, low, _ in held]) >= 0.93
    assert np.mean([high >= true for _, _, high in held]) >= 0.93


def test_holm_rejects_step_by_step():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.02}, 0.05) == {"a", "b", "c"}
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}, 0.05) == {"a"}
    assert holm({"a": 0.02, "b": 0.9, "c": 0.9}, 0.05) == frozenset()
