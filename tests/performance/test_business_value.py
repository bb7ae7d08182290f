"""What answers are worth is what adding it up row by row comes to, with Student's t; and it can be added."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from driftline.domain.business_value import BusinessValue, Worth
from driftline.performance.business_value import BUSINESS_VALUE
from driftline.performance.tally import add_up
from driftline.performance.task import Task
from tests.performance.rows import Made, groups_of

YES = Worth(true_positive=12, false_positive=-3, true_negative=0.5, false_negative=-40)
VALUE = BusinessValue(currency="EUR", of_yes=YES, over=-2, under=-5)
few = settings(max_examples=25)


def mean_of(worths):
    """Return the mean of what rows are worth, with Student's t, as a value has to be."""
    mean, error = np.mean(worths), np.std(worths, ddof=1) / np.sqrt(len(worths))
    step = stats.t.ppf(0.975, len(worths) - 1) * error
    return pytest.approx((mean, mean - step, mean + step), rel=1e-6, abs=1e-6)


def measured(task, groups):
    found = task.measure(groups)[BUSINESS_VALUE]
    return found.value, found.low, found.high


@few
@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.sampled_from([0.0, 1.0])), min_size=2, max_size=40))
def test_of_yes_and_no_each_row_is_worth_what_it_came_to(rows):
    groups = groups_of([Made(score=score, truth=truth) for score, truth in rows])
    worths = [
        (YES.true_positive if truth else YES.false_positive)
        if score >= 0.5
        else (YES.false_negative if truth else YES.true_negative)
        for score, truth in rows
    ]
    assert measured(Task("binary", business_value=VALUE), groups) == mean_of(worths)


def test_the_baseline_is_the_better_of_always_yes_and_always_no():
    groups = groups_of([Made(score=0.9, truth=truth) for truth in (1.0, 0.0, 0.0, 0.0)])
    found = Task("binary", business_value=VALUE).measure(groups)[BUSINESS_VALUE]
    assert found.baseline == max((12 - 3 * 3) / 4, (-40 + 0.5 * 3) / 4)


@few
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=40))
def test_of_labels_a_row_is_worth_what_it_comes_to_for_each_class(rows):
    classes = {"a": YES, "b": Worth(true_positive=1, false_negative=-7)}
    worths = []
    for answered, true in rows:
        worth = 0.0
        for name, own in classes.items():
            kind = {(True, True): "true_positive", (True, False): "false_positive"}.get(
                (answered == name, true == name),
                "false_negative" if true == name else "true_negative",
            )
            worth += getattr(own, kind)
        worths.append(worth)
    value = BusinessValue(currency="EUR", classes=classes)
    groups = groups_of([Made(label=answered, truth=true) for answered, true in rows])
    assert measured(Task("multiclass", business_value=value), groups) == mean_of(worths)


@few
@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=2, max_size=40))
def test_of_numbers_each_unit_over_and_under_the_truth_counts(rows):
    groups = groups_of([Made(score=score, truth=truth) for score, truth in rows])
    worths = [-2 * max(score - truth, 0) - 5 * max(truth - score, 0) for score, truth in rows]
    assert measured(Task("regression", business_value=VALUE), groups) == mean_of(worths)


def test_hours_add_up_to_what_their_rows_come_to():
    rows = [Made(score=(n % 10 + 0.5) / 10, truth=float(n % 3 == 0)) for n in range(60)]
    task = Task("binary", business_value=VALUE)
    whole = task.measure(groups_of(rows))[BUSINESS_VALUE]
    added = task.measure(add_up([*groups_of(rows[:20]), *groups_of(rows[20:])]))[BUSINESS_VALUE]
    assert (added.value, added.low) == pytest.approx((whole.value, whole.low))


def test_where_it_is_not_set_what_answers_are_worth_there_is_no_value():
    assert BUSINESS_VALUE not in Task("binary").measure(groups_of([Made(score=0.9, truth=1.0)] * 3))
    assert BUSINESS_VALUE not in Task("binary").main
    assert BUSINESS_VALUE in Task("binary", business_value=VALUE).main
