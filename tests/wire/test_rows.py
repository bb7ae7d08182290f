"""Many rows encoded column by column are the same bytes as row by row."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from driftline.wire import EventEncoder, Reason, SessionFields, ValueRefusedError, decode_record
from driftline.wire.rows import FeatureRows
from tests.wire.users_values import expected_features, names, numbers, same_numbers, values

ENCODER = EventEncoder(SessionFields("s", "m", "3", "r", "production", {}))


def decoded(features: bytes) -> dict[str, Any]:
    record = ENCODER.prediction(
        event_id="018f0000-0000-7000-8000-000000000000",
        time_us=0,
        features=features,
        prediction=ENCODER.answer(None, None, None),
    )
    return decode_record(record.close(1))[1]


@st.composite
def tables(draw):
    length = draw(st.integers(1, 6))
    kinds = (
        st.floats(),
        st.integers(-(2**53), 2**53),
        st.booleans(),
        st.text(max_size=6),
        numbers,
        values,
        st.none(),
    )
    column = st.sampled_from(kinds).flatmap(lambda kind: st.lists(kind, min_size=length, max_size=length))
    return draw(st.dictionaries(names, column, min_size=1, max_size=6)), length


@given(tables())
def test_columns_become_what_rows_become(table):
    columns, length = table
    for row, features in enumerate(FeatureRows(columns).encode(0, length)):
        expected = expected_features({name: values[row] for name, values in columns.items()})
        event = decoded(features)
        assert same_numbers(event["numeric_features"], expected.numeric)
        assert event["categorical_features"] == expected.categorical
        assert sorted(event["missing_features"]) == sorted(expected.missing)


@given(tables(), st.data())
def test_a_slice_is_that_part_of_the_whole(table, data):
    columns, length = table
    first = data.draw(st.integers(0, length))
    end = data.draw(st.integers(first, length))
    rows = FeatureRows(columns)
    assert rows.encode(first, end) == rows.encode(0, length)[first:end]


def test_only_the_rows_that_do_not_fit_are_refused():
    columns = {
        "id": [1, 2**53 + 1, 3],
        "name": ["a", "b", "\ud800"],
        "amount": [1.0, 2.0, 3.0],
    }
    fine, large, garbled = FeatureRows(columns).encode(0, 3)
    assert decoded(fine)["numeric_features"] == {"id": 1.0, "amount": 1.0}
    assert isinstance(large, ValueRefusedError)
    assert large.reason is Reason.INTEGER_PRECISION
    assert "'id'" in large.detail
    assert isinstance(garbled, ValueRefusedError)
    assert garbled.reason is Reason.INVALID_TEXT


def test_a_value_whose_own_methods_raise_is_refused():
    class Broken:
        shape = ()

        @property
        def dtype(self):
            raise RuntimeError

        def item(self):
            raise RuntimeError

    (refused,) = FeatureRows({"x": [Broken()]}).encode(0, 1)
    assert isinstance(refused, ValueRefusedError)
    assert refused.reason is Reason.INTERNAL_ERROR
