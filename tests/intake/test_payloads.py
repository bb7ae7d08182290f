"""Bodies of each protocol are rows, or say why they are none."""

from __future__ import annotations

import pytest

from driftline.errors import WireError
from driftline.intake.payloads import MOST_CELLS, MOST_ROWS, request_rows, response_rows


def tensor(data, shape, name="t"):
    return {"name": name, "shape": shape, "datatype": "FP64", "data": data}


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ({"instances": [[1, 2], [3, 4]]}, [{"x0": 1, "x1": 2}, {"x0": 3, "x1": 4}]),
        ({"instances": [1.5, "a"]}, [{"x0": 1.5}, {"x0": "a"}]),
        ({"inputs": [tensor([1, 2, 3, 4], [2, 2])]}, [{"t_0": 1, "t_1": 2}, {"t_0": 3, "t_1": 4}]),
        ({"inputs": [tensor([[1, 2], [3, 4]], [2, 2])]}, [{"t_0": 1, "t_1": 2}, {"t_0": 3, "t_1": 4}]),
        ({"inputs": [tensor([1], [1], "a"), tensor(["b"], [1, 1], "c")]}, [{"a": 1, "c": "b"}]),
        ({"data": {"ndarray": [1, 2]}}, [{"x0": 1, "x1": 2}]),
        ({"instances": []}, []),
    ],
)
def test_a_request_is_rows_of_features(body, rows):
    assert request_rows(body) == rows


def test_names_that_are_given_stand_where_they_are_as_many():
    assert request_rows({"instances": [[1, 2], [3]]}, ["a", "b"]) == [{"a": 1, "b": 2}, {"x0": 3}]
    assert request_rows({"inputs": [tensor([1, 2], [1, 2])]}, ["a", "b"]) == [{"a": 1, "b": 2}]


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (
            {"predictions": [[0.25], 1, "late"]},
            [{"prediction": 0.25}, {"prediction": 1}, {"prediction": "late"}],
        ),
        (
            {"predictions": [[0.2, 0.3, 0.5]]},
            [{"probabilities": {"0": 0.2, "1": 0.3, "2": 0.5}, "label": "2"}],
        ),
        (
            {"predictions": [{"no": 0.2, "yes": 0.8}]},
            [{"probabilities": {"no": 0.2, "yes": 0.8}, "label": "yes", "prediction": 0.8}],
        ),
        ({"outputs": [tensor([1, 0], [2])]}, [{"prediction": 1}, {"prediction": 0}]),
        ({"outputs": []}, []),
    ],
)
def test_a_response_is_an_answer_a_row(body, rows):
    assert response_rows(body) == rows


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"data": {"strData": "a"}},
        {"data": {"names": 1}},
        {"instances": [0] * (MOST_ROWS + 1), "predictions": [0] * (MOST_ROWS + 1)},
        {"inputs": [1], "outputs": [1]},
        {"inputs": [tensor([1], [2])], "outputs": [tensor([1], [2])]},
        {"inputs": [tensor([1], [1, 1, 1])], "outputs": [tensor([1], [1, 1, 1])]},
        {"inputs": [tensor([1], [-1])], "outputs": [tensor([1], [True])]},
        {"inputs": [tensor([], [MOST_CELLS, 2])], "outputs": [tensor([], [MOST_CELLS, 2])]},
        {"inputs": [tensor(None, [1])], "outputs": [tensor("a", [1])]},
        {
            "inputs": [tensor([1], [1]), tensor([1, 2], [2])],
            "outputs": [tensor([1], [1]), tensor([1, 2], [2])],
        },
        {"predictions": [[[1]]]},
    ],
)
def test_what_is_none_says_so(body):
    for read in (request_rows, response_rows):
        with pytest.raises(WireError, match="payload"):
            read(body)
