"""Estimates are right about what will come true, say how unsure they are, and see what scores can show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftline.performance.estimate.reading import estimate, is_enough
from driftline.performance.task import Task
from tests.performance.estimate.streams import binary_day, binary_periods, counted, covered
from tests.performance.rows import groups_of_columns

BINARY, REGRESSION, LABELS = Task("binary"), Task("regression"), Task("multiclass")


@pytest.mark.parametrize(("wander", "days"), [(0.0, 28), (0.3, 28), (0.0, 1)])
def test_intervals_hold_what_comes_true_be_days_alike_or_not(wander, days):
    """Of 50 periods of 9 metrics: 95 %, less what so few periods may miss by chance."""
    past, periods = binary_periods(50, wander=wander, days=days, rows=150 if days > 1 else 2_000, seed=days)
    held, seen = covered(BINARY, past, periods)
    assert set(seen) == set(
        "accuracy precision recall specificity f1 roc_auc average_precision log_loss brier_score".split()
    )
    assert sum(held.values()) / sum(seen.values()) > 0.9
    assert min(held[name] / seen[name] for name in seen) > 0.82


def test_other_cases_are_seen_before_any_truth():
    """Scores that move up make the alarms truer: the estimate goes along, though no truth is there."""
    random = np.random.default_rng(2)
    days = [counted(*binary_day(random, 500)) for _ in range(20)]
    for shift in (-1.0, 1.5):
        score, truth = binary_day(random, 20_000, shift=shift)
        found = estimate(counted(score, truth, is_known=False), days, BINARY)
        came = BINARY.measure(counted(score, truth))
        before = BINARY.measure(counted(*binary_day(random, 20_000)))
        for name in ("accuracy", "precision", "recall", "brier_score"):
            off = abs(found[name].value - came[name].value)
            assert off < 0.25 * abs(before[name].value - came[name].value) + 0.01, name


def test_what_the_same_scores_come_to_mean_is_not_seen():
    random = np.random.default_rng(3)
    days = [counted(*binary_day(random, 500)) for _ in range(20)]
    score, truth = binary_day(random, 5_000, flip=0.3)
    found = estimate(counted(score, truth, is_known=False), days, BINARY)["accuracy"]
    came = BINARY.measure(counted(score, truth))["accuracy"].value
    assert found.off(came) < -10


def test_scores_that_get_no_truth_count_as_little_as_they_did():
    """Whoever scores high is turned down and never seen: what comes true is of the others."""
    random = np.random.default_rng(4)

    def day(rows):
        score, truth = binary_day(random, rows)
        return score, np.where((score > 0.5) & (random.random(rows) < 0.9), np.nan, truth)

    days = [groups_of_columns(*day(600)) for _ in range(15)]
    score, truth = day(20_000)
    found = estimate(groups_of_columns(score, np.full(len(score), np.nan)), days, BINARY)["accuracy"]
    came = BINARY.measure(groups_of_columns(score, truth))["accuracy"].value
    assert found.value == pytest.approx(came, abs=0.015)


def test_scores_that_are_no_probabilities_are_calibrated_too():
    random = np.random.default_rng(5)

    def day(rows):
        score, truth = binary_day(random, rows)
        return 10 * np.log(score / (1 - score)), truth

    days = [groups_of_columns(*day(500)) for _ in range(20)]
    margins, truth = day(20_000)
    labelled = [replace(each, decision="yes") for each in groups_of_columns(margins, truth)]
    task = Task("binary", frozenset({"yes"}))
    unknown = [
        replace(each, decision="yes") for each in groups_of_columns(margins, np.full(len(truth), np.nan))
    ]
    past = [[replace(each, decision="yes") for each in own] for own in days]
    found, came = estimate(unknown, past, task), task.measure(labelled)
    assert "log_loss" not in found
    for name in ("roc_auc", "precision", "average_precision"):
        assert found[name].value == pytest.approx(came[name].value, abs=0.02), name


def label_rows(random, rows):
    """Return groups of answers of three classes, with and without truths; probabilities are too sure."""
    odds = random.normal(0, 1.5, (rows, 3))
    shares = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    real = np.exp(0.6 * odds) / np.exp(0.6 * odds).sum(axis=1, keepdims=True)
    truth = (random.random((rows, 1)) > np.cumsum(real, axis=1)).sum(axis=1).clip(max=2)
    answer = shares.argmax(axis=1)
    groups = []
    for is_known in (False, True):
        own = []
        for place, name in enumerate("abc"):
            came, mine = (truth == place).astype(float), answer == place
            for kind, score, hit in (
                ("class", shares[:, place], came),
                ("chosen", shares[mine, place], came[mine]),
            ):
                known = hit if is_known else np.full(len(hit), np.nan)
                own += [replace(each, kind=kind, decision=name) for each in groups_of_columns(score, known)]
            for other, label in enumerate("abc"):
                both = mine & (truth == other) if is_known else mine & (other == 0)
                blank = groups_of_columns(np.full(both.sum(), 0.5), np.full(both.sum(), np.nan))
                status, came = ("known", label) if is_known else ("unknown", "")
                own += [replace(each, decision=name, status=status, truth=came) for each in blank]
        groups.append(own)
    likely = np.clip(shares[np.arange(rows), truth], 1e-15, 1)
    brier = (shares**2).sum(axis=1) - 2 * likely + 1
    return groups, {"log_loss": -np.log(likely).mean(), "brier_score": brier.mean()}


def test_answers_of_several_labels_are_estimated_by_the_probabilities_of_classes():
    random = np.random.default_rng(6)
    days = [label_rows(random, 300)[0][1] for _ in range(20)]
    (unknown, known), proper = label_rows(random, 10_000)
    found, came = estimate(unknown, days, LABELS), LABELS.measure(known)
    assert {"accuracy", "f1_macro", "roc_auc_macro", "precision:a", "recall:b", "f1:c", "roc_auc:a"} <= set(
        found
    )
    for name, drawn in found.items():
        if name in came and came[name].value is not None:
            assert drawn.value == pytest.approx(came[name].value, abs=0.03), name
    for name, value in proper.items():
        assert found[name].value == pytest.approx(value, rel=0.03), name


def test_labels_without_probabilities_are_as_right_as_such_answers_were():
    random = np.random.default_rng(7)
    days = [[each for each in label_rows(random, 300)[0][1] if each.kind == "answer"] for _ in range(20)]
    (unknown, known), _ = label_rows(random, 5_000)
    answers = [each for each in unknown if each.kind == "answer"]
    found = estimate(answers, days, LABELS)
    assert set(found) == {"accuracy"}
    assert found["accuracy"].value == pytest.approx(LABELS.measure(known)["accuracy"].value, abs=0.03)


def numbers_day(random, rows, *, middle=100.0, wander=0.0):
    """Return answers whose errors grow with them."""
    truth = random.lognormal(np.log(middle), 0.6, rows)
    return truth * (1 + 0.1 * random.standard_normal(rows) + wander * random.standard_normal()), truth


def test_errors_of_numbers_are_those_of_answers_of_that_size():
    random = np.random.default_rng(8)
    days = [groups_of_columns(*numbers_day(random, 400)) for _ in range(20)]
    answer, truth = numbers_day(random, 20_000, middle=200.0)
    found = estimate(groups_of_columns(answer, np.full(len(truth), np.nan)), days, REGRESSION)
    came = REGRESSION.measure(groups_of_columns(answer, truth))
    before = REGRESSION.measure(groups_of_columns(*numbers_day(random, 20_000)))
    for name in ("mae", "rmse"):
        assert came[name].value > 1.7 * before[name].value
        assert found[name].value == pytest.approx(came[name].value, rel=0.12), name
    assert found["mape"].value == pytest.approx(came["mape"].value, rel=0.05)


@pytest.mark.parametrize("wander", [0.0, 0.05])
def test_intervals_of_errors_hold_what_comes_true(wander):
    random = np.random.default_rng(9)
    past, periods = [], []
    for _ in range(60):
        past.append([groups_of_columns(*numbers_day(random, 150, wander=wander)) for _ in range(28)])
        answer, truth = numbers_day(random, 300, wander=wander)
        unknown = groups_of_columns(answer, np.full(len(truth), np.nan))
        periods.append((unknown, groups_of_columns(answer, truth)))
    held, seen = covered(REGRESSION, past, periods)
    assert set(seen) == {"bias", "mae", "mape", "rmse"}
    assert sum(held.values()) / sum(seen.values()) > 0.88


def test_too_few_truths_calibrate_nothing():
    random = np.random.default_rng(10)
    score, truth = binary_day(random, 1_000)
    assert is_enough([counted(score, truth)], BINARY)
    assert not is_enough([counted(score[:200], truth[:200])], BINARY)
    assert not is_enough([counted(score, np.zeros(1_000))], BINARY)
    assert is_enough([counted(score, np.zeros(1_000))], REGRESSION)
