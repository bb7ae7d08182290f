"""Metrics are scikit-learn's on the same rows, exactly where sums allow, and within the stated bound else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from driftline.performance.binary import measure_binary
from driftline.performance.multiclass import confusion, measure_multiclass
from driftline.performance.regression import measure_regression
from tests.performance.rows import Made, groups_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:sklearn")  # Of one class alone it warns.
few = settings(max_examples=50)

EXACT = {"rel": 1e-9, "abs": 1e-9}
weights = st.sampled_from([1.0, 1.0, 0.5, 2.0, 3.25])
scores = st.one_of(
    st.floats(0, 1),
    st.sampled_from([0.0, 0.25, 0.5, 0.5, 0.75, 1.0]),  # Ties.
    st.floats(0.48, 0.52),  # Neighbours in one bin.
)


def by_score(label):
    return {"yes": True, "no": False}.get(label)


@st.composite
def answers(draw, labels=(None,)):
    rows = draw(
        st.lists(
            st.builds(
                Made,
                score=scores,
                label=st.sampled_from(labels),
                truth=st.sampled_from([0.0, 1.0, 1.0, None]),  # Not known: of no consequence.
                acted_on=st.sampled_from([False, False, False, True]),
                weight=weights,
            ),
            min_size=1,
            max_size=60,
        )
    )
    known = [row for row in rows if row.truth is not None and not row.acted_on]
    assume(known)
    return rows, known


def columns(known):
    return (
        np.array(column)
        for column in zip(*((row.truth, row.score, row.weight) for row in known), strict=True)
    )


@few
@given(answers())
def test_answers_of_yes_and_no_are_measured_as_scikit_learn_does(made):
    rows, known = made
    truth, score, weight = columns(known)
    found = measure_binary(groups_of(rows), by_score)
    chosen = (score >= 0.5).astype(float)
    own = {"sample_weight": weight, "zero_division": np.nan}
    expected = {
        "accuracy": metrics.accuracy_score(truth, chosen, sample_weight=weight),
        "precision": metrics.precision_score(truth, chosen, **own),
        "recall": metrics.recall_score(truth, chosen, **own),
        "specificity": metrics.recall_score(truth, chosen, pos_label=0, **own),
        "f1": metrics.f1_score(truth, chosen, **own),
        "log_loss": metrics.log_loss(truth, score, sample_weight=weight, labels=[0, 1]),
        "brier_score": metrics.brier_score_loss(truth, score, sample_weight=weight, pos_label=1),
    }
    for name, value in expected.items():
        if found[name].value is None:  # Nothing to measure of, or one row, of which there is no interval.
            assert np.isnan(value) or found[name].sample < 2, name
        else:
            assert found[name].value == pytest.approx(value, **EXACT), name


@few
@given(answers())
def test_ranks_are_measured_within_the_stated_bound(made):
    rows, known = made
    truth, score, weight = columns(known)
    found = measure_binary(groups_of(rows), by_score)
    if found["roc_auc"].value is None:
        ratio = (weight**2).sum() / weight.sum()
        assert min(weight[truth == own].sum() for own in (0, 1)) / ratio < 2
        assert found["average_precision"].value is None
        return
    area = metrics.roc_auc_score(truth, score, sample_weight=weight)
    precision = metrics.average_precision_score(truth, score, sample_weight=weight)
    assert abs(found["roc_auc"].value - area) <= found["roc_auc"].bound + 1e-9
    if len(set(weight)) == 1:  # The bound counts whole predictions.
        assert abs(found["average_precision"].value - precision) <= found["average_precision"].bound + 1e-9


@few
@given(st.lists(st.tuples(st.integers(1, 19), st.booleans()), min_size=4, max_size=60))
def test_ranks_of_scores_that_no_bin_mixes_are_exact(made):
    rows = [Made(score=number / 20, truth=float(truth)) for number, truth in made]
    truth, score, _ = columns(rows)
    found = measure_binary(groups_of(rows), by_score)
    assume(found["roc_auc"].value is not None)
    assert found["roc_auc"].value == pytest.approx(metrics.roc_auc_score(truth, score), **EXACT)
    assert found["average_precision"].value == pytest.approx(
        metrics.average_precision_score(truth, score), **EXACT
    )


@few
@given(answers(labels=("yes", "no")))
def test_a_label_decides_where_there_is_one(made):
    rows, known = made
    truth, _, weight = columns(known)
    chosen = np.array([float(row.label == "yes") for row in known])
    found = measure_binary(groups_of(rows), by_score)["accuracy"].value
    assert found == pytest.approx(metrics.accuracy_score(truth, chosen, sample_weight=weight), **EXACT)


@st.composite
def classified(draw):
    rows = []
    for _ in range(draw(st.integers(2, 40))):
        shares = np.array([draw(st.floats(0.001, 1)) for _ in range(3)])
        shares /= shares.sum()
        truth = draw(st.sampled_from(["a", "b", "c", None]))
        label = draw(st.sampled_from("abc"))
        probabilities = dict(zip("abc", map(float, shares), strict=True))
        rows.append(Made(label=label, truth=truth, probabilities=probabilities, weight=draw(weights)))
    known = [row for row in rows if row.truth is not None]
    assume(known)
    return rows, known


@few
@given(classified())
def test_answers_of_several_labels_are_measured_as_scikit_learn_does(made):
    rows, known = made
    found = measure_multiclass(groups_of(rows))
    truth, chosen = [row.truth for row in known], [row.label for row in known]
    weight = np.array([row.weight for row in known])
    shares = np.array([[row.probabilities[name] for name in "abc"] for row in known])
    labels = sorted({*truth, *chosen})
    own = {"labels": labels, "average": None, "sample_weight": weight, "zero_division": np.nan}
    expected = {"accuracy": metrics.accuracy_score(truth, chosen, sample_weight=weight)}
    expected["f1_macro"] = metrics.f1_score(
        truth, chosen, labels=labels, average="macro", sample_weight=weight, zero_division=0
    )
    for name, score in (("precision", metrics.precision_score), ("recall", metrics.recall_score)):
        values = score(truth, chosen, **own)
        expected |= {f"{name}:{label}": value for label, value in zip(labels, values, strict=True)}
    one_hot = np.array([[float(row.truth == name) for name in "abc"] for row in known])
    expected["log_loss"] = metrics.log_loss(truth, shares, labels=list("abc"), sample_weight=weight)
    expected["brier_score"] = np.average(((shares - one_hot) ** 2).sum(axis=1), weights=weight)
    for name, value in expected.items():
        if found[name].value is None:
            assert np.isnan(value) or found[name].sample < 2, name
        else:
            assert found[name].value == pytest.approx(value, **EXACT), name
    matrix = confusion(groups_of(rows))
    assert (
        pytest.approx(metrics.confusion_matrix(truth, chosen, labels=labels, sample_weight=weight), **EXACT)
        == matrix.weights.T
    )
    for place, name in enumerate("abc"):
        area = found.get(f"roc_auc:{name}")
        if area is not None and area.value is not None:
            exact = metrics.roc_auc_score(one_hot[:, place], shares[:, place], sample_weight=weight)
            assert abs(area.value - exact) <= area.bound + 1e-9


measured = st.floats(-1e4, 1e4).map(lambda value: round(value, 3))


@few
@given(
    st.lists(st.tuples(measured, measured, weights), min_size=2, max_size=60),
    st.sampled_from([0.0, 1e6]),
    st.integers(0, 5),
)
def test_answers_that_are_numbers_are_measured_as_scikit_learn_does(pairs, offset, unknown):
    rows = [Made(score=answer + offset, truth=truth + offset, weight=own) for answer, truth, own in pairs]
    found = measure_regression(groups_of([*rows, *[Made(score=1.0)] * unknown]))
    truth, answer, weight = columns(rows)
    expected = {
        "mae": metrics.mean_absolute_error(truth, answer, sample_weight=weight),
        "rmse": metrics.root_mean_squared_error(truth, answer, sample_weight=weight),
        "mape": metrics.mean_absolute_percentage_error(truth, answer, sample_weight=weight),
        "bias": np.average(answer - truth, weights=weight),
        "largest_error": metrics.max_error(truth, answer),
    }
    if len(set(truth)) > 1:
        expected["r2"] = metrics.r2_score(truth, answer, sample_weight=weight)
    for name, value in expected.items():
        if found[name].value is None:
            assert found[name].sample < 2
        else:
            assert found[name].value == pytest.approx(value, **EXACT), name


def test_of_one_class_there_is_no_rank_and_of_nothing_known_no_metric():
    found = measure_binary(groups_of([Made(score=0.5, truth=1.0)] * 20), by_score)
    assert found["roc_auc"].value is None
    assert found["specificity"].value is None
    assert found["recall"].value == 1.0
    assert measure_binary(groups_of([Made(score=0.5)] * 20), by_score) == {}
    assert measure_regression(groups_of([Made(score=0.5)] * 20)) == {}


def test_what_always_answering_the_same_would_come_to_stands_beside():
    rows = [Made(score=0.9, truth=1.0)] * 30 + [Made(score=0.2, truth=0.0)] * 10
    found = measure_binary(groups_of(rows), by_score)
    assert found["accuracy"].baseline == 0.75
    assert found["brier_score"].baseline == pytest.approx(0.75 * 0.25)
    assert found["log_loss"].baseline == pytest.approx(metrics.log_loss([1, 1, 1, 0], [0.75] * 4))
    assert (found["roc_auc"].baseline, found["average_precision"].baseline) == (0.5, 0.75)
    numbers = measure_regression(groups_of([Made(score=2.0, truth=truth) for truth in (2.0, 4.0, 6.0)]))
    assert numbers["rmse"].baseline == pytest.approx(np.std([2.0, 4.0, 6.0]))
