"""Every shape of an answer becomes one value, or named outputs; what can't be one is left out alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given

from driftline.wire import MAX_NAME_LENGTH, EventEncoder, SessionFields, close_record, decode_record
from driftline.wire.bounds import MAX_OUTPUTS
from driftline.wire.shapes import MAX_RANKED, Ranking
from tests.wire.users_answers import Answer, answers

SESSION = SessionFields("s", "m", "3", "r", "production", {})
NOW_S = 1_700_000_000.0


def logged(prediction=None, **arguments):
    """Return an event as it is decoded, and what was left out of it, by name."""
    left_out = Counter()
    encoder = EventEncoder(
        SESSION, lambda _: 0, remarks=lambda _remark, name, _detail: left_out.update([name])
    )
    _, record = encoder.prediction(NOW_S, prediction=prediction, **arguments)
    return decode_record(close_record(record, 1))[1], dict(left_out)


def single(event):
    return event["prediction_number"], event["prediction_label"]


def several(event):
    missing = dict.fromkeys(event["missing_outputs"])
    return event["numeric_outputs"] | event["categorical_outputs"] | missing


TARGETS = {"price": 12.5, "days": 3.0}
RANKED = {"items": 2.0, "item_1": "tent", "item_2": "rope", "score_1": 0.9, "score_2": 0.5}


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (TARGETS, TARGETS),
        ({"price": np.float32(12.5), "days": np.array([3])}, TARGETS),
        (Answer(12.5, 3), TARGETS),
        (pd.Series(TARGETS), TARGETS),
        (pd.DataFrame([TARGETS]), TARGETS),
        (pd.Series({"price": float("nan"), "days": 3.0}), {"price": None, "days": 3.0}),
        ({"price": None, "gate": "C4"}, {"price": None, "gate": "C4"}),
        ({0.1: 5, 0.9: 9}, {"0.1": 5.0, "0.9": 9.0}),
        ({"spam": True, "urgent": False}, {"spam": 1.0, "urgent": 0.0}),
        ([12.5, 3], {"0": 12.5, "1": 3.0}),
        ((12.5, 3), {"0": 12.5, "1": 3.0}),
        (np.array([12.5, 3]), {"0": 12.5, "1": 3.0}),
        (np.array([[12.5, 3]]), {"0": 12.5, "1": 3.0}),
        (pl.Series([12.5, 3.0]), {"0": 12.5, "1": 3.0}),
        ([0.5, "C4"], {"0": 0.5, "1": "C4"}),
        ([("tent", 0.9), ("rope", 0.5)], RANKED),
        ([["tent", 0.9], ["rope", 0.5]], RANKED),
        (Ranking(np.array(["tent", "rope"]), np.array([0.9, 0.5])), RANKED),
        (["tent", "rope"], {"items": 2.0, "item_1": "tent", "item_2": "rope"}),
        (np.array(["tent", "rope"]), {"items": 2.0, "item_1": "tent", "item_2": "rope"}),
        (Ranking([412, 88]), {"items": 2.0, "item_1": "412", "item_2": "88"}),
        (["tent"], {"items": 1.0, "item_1": "tent"}),
        ([["tent", 0.9]], {"items": 1.0, "item_1": "tent", "score_1": 0.9}),
        ([], {"items": 0.0}),
    ],
)
def test_an_answer_of_several_values_has_named_outputs(prediction, expected):
    event, left_out = logged(prediction)
    assert (several(event), single(event), left_out) == (expected, (None, None), {})


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (np.array([0.5]), (0.5, None)),
        (np.array([[0.5]]), (0.5, None)),
        (np.array(0.5), (0.5, None)),
        (np.float32(0.5), (0.5, None)),
        ([0.5], (0.5, None)),
        (np.array(["late"]), (None, "late")),
        (pd.Series([0.5], index=[17]), (0.5, None)),
    ],
)
def test_what_holds_one_value_is_that_value(prediction, expected):
    event, left_out = logged(prediction)
    assert (single(event), several(event), left_out) == (expected, {}, {})


@pytest.mark.parametrize(
    ("prediction", "expected", "named"),
    [
        ({"a": 1, "b": object()}, {"a": 1.0}, {"outputs.b": 1}),
        ({"a": 1, "": 2, "x" * (MAX_NAME_LENGTH + 1): 3}, {"a": 1.0}, {"outputs": 2}),
        ({"a": 1, "b": [1, 2]}, {"a": 1.0}, {"outputs.b": 1}),
        ({"a": "\ud800", "b": 1}, {"b": 1.0}, {"outputs.a": 1}),
        ([("a", "high"), (object(), 0.5)], {"items": 2.0, "item_1": "a", "score_2": 0.5}, 2),
        ([[1, 2], [3]], {}, {"prediction": 1}),
        (np.zeros((3, 2)), {}, {"prediction": 1}),
        (pd.DataFrame({"a": [1, 2]}), {}, {"prediction": 1}),
        ({"a", "b"}, {}, {"prediction": 1}),
    ],
)
def test_what_can_not_be_encoded_is_left_out_and_counted_and_the_rest_is_logged(prediction, expected, named):
    event, left_out = logged(prediction, features={"x": 1.0})
    assert several(event) == expected
    assert event["numeric_features"] == {"x": 1.0}
    assert left_out == named or sum(left_out.values()) == named


class Odd:
    """Whatever is asked of it, it raises."""

    @property
    def shape(self):
        raise RuntimeError

    def __len__(self):
        raise RuntimeError


def test_what_raises_whatever_is_asked_of_it_costs_no_event():
    for prediction in (Odd(), {"a": Odd()}, [Odd(), 1.0], [("a", Odd())], Ranking(Odd())):
        event, left_out = logged(prediction, features={"x": 1.0})
        assert event["numeric_features"] == {"x": 1.0}
        assert sum(left_out.values()) == 1


def test_a_long_row_of_numbers_is_cut_and_counted_once():
    event, left_out = logged(np.arange(100_000.0))
    assert (len(several(event)), left_out) == (MAX_OUTPUTS, {"outputs": 1})


def test_too_many_outputs_are_cut_and_counted_once():
    event, left_out = logged({f"o{place}": place for place in range(MAX_OUTPUTS + 9)})
    assert (len(several(event)), left_out) == (MAX_OUTPUTS, {"outputs": 1})
    assert several(event)[f"o{MAX_OUTPUTS - 1}"] == MAX_OUTPUTS - 1


def test_of_a_long_ranking_the_first_are_logged_and_how_many_there_were():
    event, left_out = logged([f"item {rank}" for rank in range(50)])
    assert several(event)["items"] == 50.0
    assert (len(event["categorical_outputs"]), left_out) == (MAX_RANKED, {})


def test_outputs_stand_beside_a_prediction_which_wins_where_both_have_a_name():
    event, left_out = logged(0.5, outputs={"p10": 0.1, "p90": 0.9})
    assert (single(event), several(event), left_out) == ((0.5, None), {"p10": 0.1, "p90": 0.9}, {})
    event, left_out = logged({"a": 1}, outputs={"a": 2, "b": 3})
    assert (several(event), left_out) == ({"a": 1.0, "b": 3.0}, {"a": 1})


@pytest.mark.parametrize(
    ("probabilities", "classes", "expected", "named"),
    [
        (np.array([0.2, 0.8]), ["no", "yes"], {"no": 0.2, "yes": 0.8}, {}),
        (np.array([[0.2, 0.8]]), np.array([0, 1]), {"0": 0.2, "1": 0.8}, {}),
        ([0.2, 0.8], None, {"0": 0.2, "1": 0.8}, {}),
        ({"no": 0.2}, ["ignored"], {"no": 0.2}, {}),
        ([0.2, 0.8], ["no"], {}, {"probabilities": 1}),
        (0.5, ["no"], {}, {"probabilities": 1}),
    ],
)
def test_probabilities_come_with_their_classes_or_in_their_order(probabilities, classes, expected, named):
    event, left_out = logged(probabilities=probabilities, classes=classes)
    assert (event["class_probabilities"], left_out) == (expected, named)


def test_truths_of_several_outputs_are_encoded_by_name_and_what_nobody_knows_yet_is_left_away():
    encoder = EventEncoder(SESSION, lambda _: 0)
    actual = {"price": 11, "gate": "C4", "days": None, "delay": float("nan")}
    record = encoder.outcome(event_id="0" * 32, time_us=0, actual=actual, now_s=NOW_S)
    outcome = decode_record(close_record(record, 1))[1]
    assert (outcome["numeric_actuals"], outcome["categorical_actuals"]) == ({"price": 11.0}, {"gate": "C4"})
    assert (outcome["actual_number"], outcome["actual_label"]) == (None, None)


@given(answers)
def test_no_answer_loses_its_event(answer):
    event, _ = logged(answer, features={"x": 1.0})
    assert event["numeric_features"] == {"x": 1.0}
