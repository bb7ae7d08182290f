"""A table's rows become what each would become alone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from driftline.wire import (
    EventEncoder,
    NumberColumn,
    PredictionTable,
    Reason,
    SessionFields,
    TableEncoder,
    TextColumn,
    decode_record,
)
from driftline.wire.arrays import Coded, together
from tests.wire.users_answers import answers
from tests.wire.users_values import any_values, names, numbers, texts, times, values

SESSION = SessionFields("s", "m", "3", "r", "production", {"region": "eu", "tenant": "a"})
NOW_S = 1_700_000_000.0
ARGUMENTS = {
    "labels": "label",
    "entity_ids": "entity_id",
    "request_ids": "request_id",
    "trace_ids": "trace_id",
    "event_times": "event_time",
    "latencies_us": "latency_us",
    "compute_times_us": "compute_us",
    "event_ids": "event_id",
}
KINDS = (
    st.floats(),
    st.integers(-(2**53), 2**53),
    st.booleans(),
    st.text(max_size=6),
    st.none(),
    numbers,
    texts,
    times,
    values,
    any_values,
)


def columns_of(length: int):
    """Columns of one kind, or of any."""
    return st.sampled_from(KINDS).flatmap(lambda kind: st.lists(kind, min_size=length, max_size=length))


def shapes_of(length: int):
    """Answers of any shape."""
    return st.lists(answers, min_size=length, max_size=length)


@st.composite
def held_columns(draw, length: int):
    """A column as numpy holds it, and the same value by value."""
    gaps = draw(st.lists(st.booleans(), min_size=length, max_size=length))
    if draw(st.booleans()):
        different = draw(st.lists(texts.map(str), min_size=1, max_size=4, unique=True))
        codes = draw(st.lists(st.integers(-1, len(different) - 1), min_size=length, max_size=length))
        return TextColumn(np.array(codes, np.intp), different), [[*different, None][code] for code in codes]
    own = draw(st.lists(st.floats(), min_size=length, max_size=length))
    if draw(st.booleans()):
        return NumberColumn(np.array(own)), own
    gapped = [None if gap else value for gap, value in zip(gaps, own, strict=True)]
    return NumberColumn(np.array(own), np.array(gaps)), gapped


@st.composite
def tables(draw):
    """A table, and the arguments of each row."""
    length = draw(st.integers(1, 6))
    features = draw(st.dictionaries(names, columns_of(length), max_size=4))
    held = draw(st.dictionaries(names, held_columns(length), max_size=4))
    tags = draw(st.dictionaries(names, columns_of(length), max_size=3))
    classes = draw(st.dictionaries(names, columns_of(length), max_size=2))
    others = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(ARGUMENTS, columns_of(length))))
    predictions = draw(st.none() | columns_of(length) | shapes_of(length) | held_columns(length))
    outputs = draw(st.dictionaries(names, columns_of(length), max_size=2))
    scores, own_scores = predictions if isinstance(predictions, tuple) else (predictions, predictions)
    table = PredictionTable(
        length,
        {**features, **{name: column for name, (column, _) in held.items()}},
        scores,
        classes,
        tags,
        others,
        outputs,
    )
    by_value = {**features, **{name: own for name, (_, own) in held.items()}}
    rows = [
        {
            "features": {name: column[row] for name, column in by_value.items()},
            "prediction": None if own_scores is None else own_scores[row],
            "probabilities": {name: column[row] for name, column in classes.items()},
            "tags": {name: column[row] for name, column in tags.items()},
            "outputs": {name: column[row] for name, column in outputs.items()} or None,
            **{ARGUMENTS[name]: _alone(name, column[row]) for name, column in others.items()},
        }
        for row in range(length)
    ]
    return table, rows


def _alone(name: str, value: Any) -> Any:
    """Return what stands for a column's value in a call of its own, where None for a time means: now."""
    return float("nan") if name == "event_times" and value is None else value


class Noted(Counter):
    """Counts remarks."""

    def __call__(self, remark, name, _detail):
        self[remark, name] += 1


def comparable(record: bytes) -> dict[str, Any]:
    """Return an event whose values can be compared: NaN is equal to itself, and order does not matter."""
    event = decode_record(record)[1]
    for name, field in event.items():
        if isinstance(field, dict):
            event[name] = sorted((key, repr(value)) for key, value in field.items())
    for name in ("missing_features", "missing_outputs"):
        event[name] = sorted(event[name])
    event["prediction_number"] = repr(event["prediction_number"])
    return event


@given(tables(), st.data())
def test_rows_become_what_each_becomes_alone(given_table, data):
    table, rows = given_table
    noted, noted_alone = Noted(), Noted()
    cut = data.draw(st.integers(0, table.length))
    encoder = TableEncoder(EventEncoder(SESSION, lambda _: 0, remarks=noted), table)
    found = [
        comparable(record)
        for first, end in ((0, cut), (cut, table.length))
        for record in encoder.rows(first, end, NOW_S).close([b"\x02"] * (end - first), 0)
    ]
    alone = EventEncoder(SESSION, lambda _: 0, remarks=noted_alone)
    expected = [comparable(b"\x02".join(alone.prediction(NOW_S, **row)[1])) for row in rows]
    assert found == expected
    assert noted == noted_alone


def test_columns_of_few_texts_are_encoded_together_as_each_alone():
    """Each different pair is encoded once, but for columns in which a value is missing somewhere."""
    length = 400
    columns = {
        "carrier": TextColumn(np.arange(length) % 3, ["UA", "DL", "Øresund"]),
        "origin": TextColumn(np.arange(length) // 7 % 4, ["EWR", "JFK", "LGA", ""]),
        "wheel": TextColumn(np.arange(length) % 5 - 1, ["a", "b", "c", "d"]),
        "dest": TextColumn(np.arange(length) % 200, [f"dest {number}" for number in range(200)]),
    }
    texts = {name: [*column.texts, None] for name, column in columns.items()}
    encoder = EventEncoder(SESSION, lambda _: 0)
    rows = TableEncoder(encoder, PredictionTable(length, columns)).rows(100, length, NOW_S)
    found = [comparable(record) for record in rows.close([b"\x02"] * (length - 100), 0)]
    expected = [
        {name: texts[name][column.codes[row]] for name, column in columns.items()}
        for row in range(100, length)
    ]
    alone = [b"\x02".join(encoder.prediction(NOW_S, features=row)[1]) for row in expected]
    assert found == list(map(comparable, alone))
    whole = (column for name, column in columns.items() if name != "wheel")
    coded = [Coded(column.codes, list(map(str.encode, column.texts))) for column in whole]
    assert [len(column) for column in together(coded)] == [12, 200]


def test_without_numpy_ids_and_columns_are_the_same(monkeypatch):
    columns = {"x": [1.0, 2.0], "seats": [180, 50], "is_late": [True, False], "carrier": ["UA", None]}
    table = PredictionTable(2, columns, [0.5, 0.25], tags={"origin": ["EWR", "JFK"]})

    def rows():
        encoder = TableEncoder(EventEncoder(SESSION, lambda _: 5), table)
        return [comparable(record) for record in encoder.rows(0, 2, NOW_S).close([b"\x02"] * 2, 0)]

    expected = rows()
    monkeypatch.delitem(__import__("sys").modules, "numpy")
    assert rows() == expected
    assert expected[0]["event_time"] == datetime.fromtimestamp(NOW_S, UTC)


def test_only_the_rows_that_are_too_large_are_refused():
    essays = {f"essay {i}": ["x" * 60_000, "short", "x" * 60_000] for i in range(17)}
    essays["number"] = [1.0, 2.0, 3.0]
    rows = TableEncoder(EventEncoder(SESSION, lambda _: 0), PredictionTable(3, essays)).rows(0, 3, NOW_S)
    assert {row: error.reason for row, error in rows.refused.items()} == dict.fromkeys(
        (0, 2), Reason.TOO_LARGE
    )
    assert rows.count == 1
    (record,) = rows.close([b"\x02"], 0)
    assert comparable(record)["numeric_features"] == [("number", "2.0")]
    assert rows.sizes(0) == [len(record) - 1]
    assert len(rows.event_ids) == 3
