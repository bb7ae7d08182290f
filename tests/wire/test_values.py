"""A user's value goes on the wire as it is, or not at all."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.wire import Reason, ValueRefusedError
from driftline.wire.values import (
    duration_us,
    event_id_text,
    event_time_us,
    feature_value,
    number_value,
    text_value,
    trace_id_text,
)
from tests.wire.users_values import exact_double, same_number, time_of, times_us


class Carrier(StrEnum):
    UNITED = "UA"


class Level(IntEnum):
    HIGH = 3


def refusal(convert, value) -> Reason:
    with pytest.raises(ValueRefusedError) as refused:
        convert(value)
    return refused.value.reason


@given(st.integers())
def test_an_integer_becomes_the_double_that_equals_it_or_is_refused(number):
    expected = exact_double(number)
    if expected is None:
        assert refusal(feature_value, number) is Reason.INTEGER_PRECISION
    else:
        assert feature_value(number) == expected
        assert type(feature_value(number)) is float


@given(st.floats())
def test_a_float_stays_what_it_is_in_whatever_scalar_it_comes(number):
    for given_as in (number, np.float64(number), np.array(number), pa.scalar(number, pa.float64())):
        assert same_number(feature_value(given_as), number)


@given(st.decimals())
def test_a_decimal_becomes_the_double_that_equals_it_or_is_refused(number):
    if number.is_nan():
        assert math.isnan(feature_value(number))
    elif Decimal(float(number)) == number:
        assert Decimal(feature_value(number)) == number
    else:
        assert refusal(feature_value, number) is Reason.NUMBER_PRECISION


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1.0),
        (False, 0.0),
        (np.bool_(True), 1.0),
        (np.float32(0.1), 0.10000000149011612),
        (np.int64(2**53), 2.0**53),
        (np.uint64(2**63), 2.0**63),
        (Level.HIGH, 3.0),
        (Carrier.UNITED, "UA"),
        (np.str_("UA"), "UA"),
        (np.array("UA"), "UA"),
        (pa.scalar("UA"), "UA"),
        ("", ""),
        ("\x00", "\x00"),
    ],
)
def test_scalars_of_every_library_become_plain_numbers_and_texts(value, expected):
    assert feature_value(value) == expected
    assert type(feature_value(value)) is type(expected)


@pytest.mark.parametrize("value", [None, pd.NA, pd.NaT, np.datetime64("NaT"), pa.scalar(None, pa.int64())])
def test_every_kind_of_missing_value_is_missing(value):
    assert feature_value(value) is None
    assert text_value(value) is None
    assert number_value(value) is None


@pytest.mark.parametrize(
    "value",
    [
        datetime(2024, 1, 1, tzinfo=UTC),
        date(2024, 1, 1),
        pd.Timestamp("2024-01-01"),
        np.datetime64("2024-01-01", "ns"),
        np.timedelta64(1, "ns"),
        timedelta(1),
        b"UA",
        np.bytes_(b"UA"),
        1j,
        np.complex128(1),
        Fraction(1, 2),
        [1.0],
        np.array([1.0]),
        {"a": 1},
        pytest.param(object(), id="an object"),
        float,
    ],
    ids=repr,
)
def test_what_is_no_number_and_no_text_is_refused(value):
    assert refusal(feature_value, value) is Reason.UNSUPPORTED_TYPE


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="a long double is a double here")
def test_a_long_double_is_exact_or_refused():
    assert feature_value(np.longdouble(0.5)) == 0.5
    assert math.isnan(feature_value(np.longdouble("nan")))
    assert refusal(feature_value, np.longdouble(1) / 3) is Reason.NUMBER_PRECISION


def test_a_large_integer_of_numpy_is_exact_or_refused():
    assert refusal(feature_value, np.int64(2**53 + 1)) is Reason.INTEGER_PRECISION


def test_the_refusal_of_an_integer_says_what_to_do():
    with pytest.raises(ValueRefusedError, match=r"as a string .* or as a float"):
        feature_value(2**53 + 1)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("late", "late"),
        (1, "1"),
        (True, "1"),
        (False, "0"),
        (np.int64(7), "7"),
        (1.0, "1"),
        (np.float32(2), "2"),
        (0.5, "0.5"),
        (2**60 + 1, "1152921504606846977"),
        (Decimal("1.50"), "1.50"),
        (Decimal(3), "3"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Carrier.UNITED, "UA"),
    ],
)
def test_a_label_becomes_text_the_same_for_equal_numbers(label, text):
    assert text_value(label) == text


@pytest.mark.parametrize(
    "label", [math.nan, math.inf, np.float64("nan"), Decimal("inf"), [1], b"1"], ids=repr
)
def test_what_names_no_class_is_no_label(label):
    assert refusal(text_value, label) is Reason.UNSUPPORTED_TYPE


def test_a_text_is_no_number():
    assert refusal(number_value, "1") is Reason.UNSUPPORTED_TYPE


@given(times_us)
def test_a_time_is_the_same_however_it_is_told(micros):
    aware = time_of(micros)
    elsewhere = aware.astimezone(timezone(timedelta(hours=-5)))
    naive = aware.replace(tzinfo=None)
    told = (aware, elsewhere, naive, pd.Timestamp(aware), np.datetime64(micros, "us"), pd.Timestamp(naive))
    assert {event_time_us(time) for time in told} == {micros}
    assert event_time_us(micros // 1_000_000) == micros // 1_000_000 * 1_000_000
    assert abs(event_time_us(micros / 1e6) - micros) <= 1


def test_a_time_is_cut_to_microseconds():
    assert event_time_us(np.datetime64(1999, "ns")) == 1
    assert event_time_us(pd.Timestamp(1999)) == 1
    assert event_time_us(pa.scalar(1, pa.timestamp("ms"))) == 1000


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -1e-6,
        4_102_444_800,
        1_700_000_000_000,
        10**30,
        math.nan,
        math.inf,
        datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        pd.NaT,
        np.datetime64("NaT"),
        np.datetime64("1969-12-31"),
    ],
    ids=repr,
)
def test_a_time_outside_the_range_is_refused(value):
    assert refusal(event_time_us, value) is Reason.EVENT_TIME_OUT_OF_RANGE


@pytest.mark.parametrize("value", ["2024-01-01", True, b"1", [1], date(2024, 1, 1), Decimal(1)], ids=repr)
def test_what_is_no_time_is_refused(value):
    assert refusal(event_time_us, value) is Reason.UNSUPPORTED_TYPE


def test_the_range_of_times_is_half_open():
    assert event_time_us(0) == 0
    assert event_time_us(datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == 4_102_444_799_999_999


@pytest.mark.parametrize(
    ("value", "micros"), [(None, None), (0, 0), (12.6, 13), (np.int64(5), 5), (pd.NA, None)]
)
def test_a_duration_is_rounded_to_microseconds(value, micros):
    assert duration_us(value) == micros


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 2**63, Decimal("nan")], ids=repr)
def test_an_impossible_duration_is_refused(value):
    assert refusal(duration_us, value) is Reason.INVALID_DURATION


def test_a_duration_in_words_is_refused():
    assert refusal(duration_us, "1 ms") is Reason.UNSUPPORTED_TYPE


@given(st.uuids())
def test_an_event_id_becomes_canonical(uuid):
    for told in (uuid, str(uuid), str(uuid).upper(), uuid.hex, f"{{{uuid}}}"):
        assert event_id_text(told) == str(uuid)


@pytest.mark.parametrize(
    "value", [None, "", "x", 5, b"\x00" * 16, "\ud800", pytest.param(object(), id="an object")], ids=repr
)
def test_what_is_no_uuid_is_no_event_id(value):
    assert refusal(event_id_text, value) is Reason.INVALID_EVENT_ID


def test_a_trace_id_comes_as_text_or_as_opentelemetrys_integer():
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert trace_id_text(trace) == trace
    assert trace_id_text(trace.upper()) == trace
    assert trace_id_text(int(trace, 16)) == trace
    assert trace_id_text(None) is None


@pytest.mark.parametrize("value", [0, "0" * 32])
def test_the_invalid_trace_id_of_w3c_means_not_traced(value):
    assert trace_id_text(value) is None


@pytest.mark.parametrize("value", ["4bf9", "g" * 32, 2**128, -1, b"4" * 32, True], ids=repr)
def test_a_malformed_trace_id_is_refused(value):
    assert refusal(trace_id_text, value) is Reason.INVALID_TRACE_ID
