"""Answers of every shape, and categories that are numbers: a table of them is the same as its rows."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import Ranking, register_training_run
from driftline.errors import SettingError
from driftline.wire import PREDICTIONS_TOPIC, TRAINING_RUNS_TOPIC
from tests.sdk.logs import MemoryLog, events_in, quick_logger
from tests.support.training import WAIVED
from tests.wire.users_answers import answers
from tests.wire.users_values import any_values

CLOCK = {"clock": lambda: 1_700_000_000.0, "random": lambda _: 0}
OUTPUTS = ("numeric_outputs", "categorical_outputs", "missing_outputs")


def logged(log_all, **options):
    """Return the events that a function logs, in a form that can be compared, and what was left out."""
    log = MemoryLog()
    with quick_logger(log, **CLOCK, **options) as logger:
        log_all(logger)
        stats = logger.stats()
    assert not stats.dropped
    return [comparable(event) for event in log.predictions], dict(stats.unencodable)


def comparable(event):
    """Return what an event has of values; repr makes NaN equal to itself."""
    return {
        name: repr(sorted(field.items()) if isinstance(field, dict) else field)
        for name, field in event.items()
        if name.endswith(("features", "outputs", "probabilities")) or name.startswith("prediction")
    }


def by_row(rows, **options):
    return logged(lambda logger: [logger.log(**row) for row in rows], **options)


def by_batch(*columns, **arguments):
    options = {"categorical": arguments.pop("categorical", None)}
    return logged(lambda logger: logger.log_batch(*columns, **arguments), **options)


@settings(max_examples=50)
@given(st.lists(answers, min_size=1, max_size=4))
def test_answers_in_a_list_are_what_each_is_alone(column):
    expected = by_row([{"prediction": answer} for answer in column])
    assert by_batch(predictions=column) == expected


MATRIX = np.array([[1.5, 2.0], [3.0, np.nan]])


@pytest.mark.parametrize(
    ("predictions", "rows"),
    [
        (MATRIX, [row.tolist() for row in MATRIX]),
        (MATRIX.astype("float32"), list(MATRIX.astype("float32"))),
        (MATRIX[:, :1], [1.5, 3.0]),
        (pd.DataFrame(MATRIX, columns=["a", "b"]), [{"a": 1.5, "b": 2.0}, {"a": 3.0, "b": None}]),
        (pl.DataFrame({"a": [1.5, 3.0], "b": ["x", None]}), [{"a": 1.5, "b": "x"}, {"a": 3.0, "b": None}]),
        (pa.table({"a": [True, None]}), [{"a": True}, {"a": None}]),
        ({"a": [1.5, 3.0], "b": np.array([1, 2])}, [{"a": 1.5, "b": 1}, {"a": 3.0, "b": 2}]),
        (np.array([["tent", "rope"], ["rope", "stove"]]), [["tent", "rope"], ["rope", "stove"]]),
        ([["tent"], []], [["tent"], []]),
        ([Ranking([4, 1], [0.5, 0.25]), None], [Ranking([4, 1], [0.5, 0.25]), None]),
        (pd.Series([{"a": 1}, [1, 2]]), [{"a": 1}, [1, 2]]),
        (list(MATRIX), list(MATRIX)),
    ],
    ids=lambda given: type(given).__name__,
)
def test_tables_and_matrices_are_what_their_rows_are(predictions, rows):
    assert by_batch(predictions=predictions) == by_row([{"prediction": row} for row in rows])


@pytest.mark.parametrize("beside", [{"p10": [1, 2], "p90": [3.0, None]}, {"a": [1, 2]}])
@pytest.mark.parametrize("predictions", [[0.5, 0.25], [{"a": 1, "b": 2}, {"a": 3}], None])
def test_outputs_beside_predictions_are_what_they_are_row_by_row(predictions, beside):
    own = [None, None] if predictions is None else predictions
    rows = [
        {"prediction": own[row], "outputs": {name: column[row] for name, column in beside.items()}}
        for row in range(2)
    ]
    assert by_batch(predictions=predictions, outputs=beside) == by_row(rows)


SHARES = np.array([[0.25, 0.75], [0.5, 0.5]])


@pytest.mark.parametrize("classes", [None, ["no", "yes"], np.array([0, 1])], ids=str)
@pytest.mark.parametrize(
    "probabilities", [SHARES, SHARES.tolist(), list(SHARES)], ids=["array", "lists", "rows"]
)
def test_matrices_of_probabilities_are_what_their_rows_are(probabilities, classes):
    rows = [{"prediction": 1, "probabilities": row, "classes": classes} for row in SHARES]
    found = by_batch(predictions=[1, 1], probabilities=probabilities, classes=classes)
    assert found == by_row(rows)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"predictions": np.zeros((2, 3, 4))}, "2 by 3 by 4"),
        ({"predictions": [1, 2], "probabilities": SHARES, "classes": ["no"]}, "2 columns, where there are 1"),
        ({"predictions": [1, 2], "probabilities": [0.5, 0.5]}, "pass a column, or a row, by class"),
        ({"predictions": [1], "outputs": {"a": [1, 2]}}, "outputs"),
        ({"predictions": {"a": [1], "b": [1, 2]}}, "outputs"),
    ],
)
def test_what_is_no_table_is_an_error_in_the_program(arguments, problem):
    log = MemoryLog()
    with quick_logger(log) as logger, pytest.raises(SettingError, match=problem):
        logger.log_batch(**arguments)
    assert not log.predictions


@pytest.mark.parametrize(
    ("actual", "reason"),
    [([[1, 2], [3]], "unencodable"), (np.zeros((2, 2)), "unencodable"), ({"price": None}, "missing_actual")],
)
def test_a_truth_of_a_shape_that_does_not_fit_is_dropped_and_counted(actual, reason):
    with quick_logger(MemoryLog()) as logger:
        assert not logger.log_outcome(UUID(int=1), actual)
        assert logger.log_outcomes([UUID(int=1), UUID(int=2)], [actual, {"price": 1}]) == [False, True]
        assert logger.stats().dropped == {reason: 2}


def test_a_declared_category_is_what_a_label_is():
    rows = [{"features": {"store_id": value, "x": 1}} for value in (7, 7.0, True, "A", None, float("nan"))]
    events, left_out = by_row(rows, categorical=["store_id"])
    texts = ["'7'", "'7'", "'1'", "'A'"]
    assert [event["categorical_features"] for event in events] == [
        *(f"[('store_id', {text})]" for text in texts),
        "[]",
        "[]",
    ]
    assert [event["missing_features"] for event in events[4:]] == ["['store_id']"] * 2
    assert {event["numeric_features"] for event in events} == {"[('x', 1.0)]"}
    assert not left_out


@settings(max_examples=50)
@given(st.lists(st.one_of(st.integers(), st.floats(), st.booleans(), any_values), min_size=1, max_size=5))
def test_a_column_of_a_declared_category_is_what_its_values_are(column):
    rows = [{"features": {"store_id": value}} for value in column]
    assert by_batch({"store_id": column}, categorical=["store_id"]) == by_row(rows, categorical=["store_id"])


@pytest.mark.parametrize(
    "column",
    [
        np.array([7, 12]),
        pd.Series([7, 12], dtype="Int64"),
        pl.Series([7, 12]),
        pa.array([7, 12]),
        pd.Series([7.0, 12.0]),
    ],
    ids=lambda column: type(column).__module__,
)
def test_a_declared_column_of_any_library_is_a_category(column):
    (first, second), left_out = by_batch({"store_id": column}, categorical=["store_id"])
    assert first["categorical_features"] == "[('store_id', '7')]"
    assert second["categorical_features"] == "[('store_id', '12')]"
    assert not left_out


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([7, 12, None]).astype("Int64").astype("category"),
        pd.Series([7, 12, None]).astype("category"),
        pa.array([7, 12, None]).dictionary_encode(),
        pa.chunked_array([pa.array([7]), pa.array([12, None])]).dictionary_encode(),
    ],
    ids=["Int64", "float", "Arrow", "chunks"],
)
def test_a_column_whose_type_is_a_category_is_one_whatever_its_values_are(column):
    events, left_out = by_batch({"store_id": column})
    found = [event["categorical_features"] for event in events]
    assert found == ["[('store_id', '7')]", "[('store_id', '12')]", "[]"]
    assert (events[2]["missing_features"], left_out) == ("['store_id']", {})


@pytest.mark.parametrize("names", ["store_id", [""], [object()]], ids=["one text", "an empty one", "no text"])
def test_categories_are_named_by_a_list_of_names(names):
    with pytest.raises(SettingError, match="categorical"):
        quick_logger(MemoryLog(), categorical=names)


@pytest.mark.parametrize(
    "arguments",
    [
        {"reference": {"store_id": [7, 12]}, "categorical": ["store_id"]},
        {"reference": {"store_id": [7, 12]}, "features": {"store_id": "categorical"}},
        {"reference": pd.DataFrame({"store_id": [7, 12]}).astype("category")},
        {"reference": pa.table({"store_id": pa.array([7, 12]).dictionary_encode()})},
    ],
    ids=["declared", "by type", "pandas", "Arrow"],
)
def test_a_run_says_what_is_a_category_and_its_reference_has_it_so(arguments, tmp_path):
    url = (tmp_path / "log").as_uri()
    register_training_run("r", model_name="m", model_version="1", log=url, waive=WAIVED, **arguments)
    events = events_in(url)
    (run,) = events[TRAINING_RUNS_TOPIC]
    assert run["features"] == {"store_id": "categorical"}
    assert [event["categorical_features"] for event in events[PREDICTIONS_TOPIC]] == [
        {"store_id": "7"},
        {"store_id": "12"},
    ]
