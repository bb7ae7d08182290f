"""A user's value goes on the wire as it is, as the nearest thing that the wire has, or not at all."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as day_time
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
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
    Rounded,
    duration_us,
    event_id_text,
    event_time_us,
    feature_value,
    number_value,
    text_value,
    trace_id_text,
)
from tests.wire.users_values import same_number, time_of, times_us


class Carrier(StrEnum):
    UNITED = "UA"


class Level(IntEnum):
    HIGH = 3


def refusal(convert, value) -> Reason:
    with pytest.raises(ValueRefusedError) as refused:
        convert(value)
    return refused.value.reason


@given(st.integers() | st.fractions())
def test_a_number_becomes_the_double_that_equals_it_or_the_nearest_one(number):
    value = feature_value(number)
    assert value == float(number)
    assert (type(value) is float) == (Fraction(value) == number)


@pytest.mark.parametrize(
    ("number", "double"), [(10**400, math.inf), (-(10**400), -math.inf), (Decimal("1e400"), math.inf)]
)
def test_a_number_beyond_all_doubles_becomes_infinite(number, double):
    assert feature_value(number) == double
    assert type(feature_value(number)) is Rounded


@given(st.floats())
def test_a_float_stays_what_it_is_in_whatever_scalar_it_comes(number):
    for given_as in (number, np.float64(number), np.array(number), pa.scalar(number, pa.float64())):
        assert same_number(feature_value(given_as), number)


@given(st.decimals())
def test_a_decimal_becomes_the_double_that_equals_it_or_the_nearest_one(number):
    value = feature_value(number)
    if number.is_nan():
        assert math.isnan(value)
    else:
        assert value == float(number)
        assert (type(value) is float) == (Decimal(value) == number)


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


@pytest.mark.parametrize(
    "value", [None, pd.NA, pd.NaT, np.datetime64("NaT", "s"), pa.scalar(None, pa.int64())]
)
def test_every_kind_of_missing_value_is_missing(value):
    assert feature_value(value) is None
    assert text_value(value) is None
    assert number_value(value) is None


BERLIN = timezone(timedelta(hours=1))
NEW_YEAR_S = 1_704_067_200.0
NAIVE = datetime(2024, 1, 1, microsecond=500_000)  # noqa: DTZ001 - which is UTC.


@pytest.mark.parametrize(
    ("time", "seconds", "text"),
    [
        (datetime(2024, 1, 1, 1, tzinfo=BERLIN), NEW_YEAR_S, "2024-01-01T00:00:00+00:00"),
        (NAIVE, NEW_YEAR_S + 0.5, "2024-01-01T00:00:00.500000+00:00"),
        (pd.Timestamp("2024-01-01"), NEW_YEAR_S, "2024-01-01T00:00:00+00:00"),
        (np.datetime64("2024-01-01", "ns"), NEW_YEAR_S, "2024-01-01T00:00:00+00:00"),
        (np.datetime64("1969-12-31T23:59:59.5", "ms"), -0.5, "1969-12-31T23:59:59.500000+00:00"),
        (pa.scalar(NAIVE), NEW_YEAR_S + 0.5, "2024-01-01T00:00:00.500000+00:00"),
        (date(2024, 1, 1), NEW_YEAR_S, "2024-01-01"),
        (day_time(1, 0, 5, 250_000), 3605.25, "01:00:05.250000"),
        (timedelta(days=-1, seconds=0.5), -86_399.5, "-86399.5"),
        (pd.Timedelta("2h"), 7200.0, "7200"),
        (np.timedelta64(1500, "ms"), 1.5, "1.5"),
    ],
    ids=repr,
)
def test_a_time_becomes_seconds_as_a_feature_and_iso_8601_as_a_label(time, seconds, text):
    assert feature_value(time) == seconds
    assert text_value(time) == text


class Size(Enum):
    LARGE = "l"
    WIDE = Decimal("1.5")
    WHOLE = (1, 2)


@pytest.mark.parametrize(
    ("value", "feature", "text"),
    [
        (UUID(int=1), "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
        (Size.LARGE, "l", "l"),
        (Size.WIDE, 1.5, "1.5"),
        (Fraction(1, 2), 0.5, "1/2"),
    ],
    ids=repr,
)
def test_an_enum_becomes_what_its_value_does_and_a_uuid_its_text(value, feature, text):
    assert feature_value(value) == feature
    assert text_value(value) == text


@pytest.mark.parametrize(
    "value",
    [
        b"UA",
        np.bytes_(b"UA"),
        1j,
        np.complex128(1),
        np.array([5]).view("m8")[0],  # Of no unit; newer numpy makes none itself without a warning.
        Size.WHOLE,
        [1.0],
        np.array([1.0]),
        np.array(["2024-01-01"], "M8[s]"),
        {"a": 1},
        pd.Period("2024-01", "M"),
        pd.Interval(0, 1),
        pytest.param(object(), id="an object"),
        float,
    ],
    ids=repr,
)
def test_what_is_no_number_no_text_and_no_time_is_refused(value):
    assert refusal(feature_value, value) is Reason.UNENCODABLE
    assert refusal(text_value, value) is Reason.UNENCODABLE


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="a long double is a double here")
def test_a_long_double_is_exact_or_rounded():
    assert type(feature_value(np.longdouble(0.5))) is float
    assert math.isnan(feature_value(np.longdouble("nan")))
    assert type(feature_value(np.longdouble(1) / 3)) is Rounded


def test_a_large_integer_of_numpy_is_exact_or_rounded():
    assert type(feature_value(np.int64(2**53 + 2))) is float
    assert type(feature_value(np.int64(2**53 + 1))) is Rounded


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
        (-math.inf, "-inf"),
    ],
)
def test_a_label_becomes_text_the_same_for_equal_numbers(label, text):
    assert text_value(label) == text


@pytest.mark.parametrize("label", [math.nan, np.float64("nan"), Decimal("nan")], ids=repr)
def test_nan_names_no_class(label):
    assert text_value(label) is None


def test_a_text_is_no_number():
    assert refusal(number_value, "1") is Reason.UNENCODABLE


@given(times_us)
def test_a_time_is_the_same_however_it_is_given(micros):
    aware = time_of(micros)
    elsewhere = aware.astimezone(timezone(timedelta(hours=-5)))
    naive = aware.replace(tzinfo=None)
    reported = (
        aware,
        elsewhere,
        naive,
        pd.Timestamp(aware),
        np.datetime64(micros, "us"),
        pd.Timestamp(naive),
    )
    reported += (aware.isoformat(), naive.isoformat(), Decimal(micros) / 1_000_000)
    assert {event_time_us(time) for time in reported} == {micros}
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
        math.inf,
        datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        np.datetime64("1969-12-31"),
        date(1969, 12, 31),
    ],
    ids=repr,
)
def test_a_time_outside_the_range_is_refused(value):
    assert refusal(event_time_us, value) is Reason.UNENCODABLE


@pytest.mark.parametrize("value", ["yesterday", True, b"1", [1], timedelta(1), UUID(int=1)], ids=repr)
def test_what_is_no_time_is_refused(value):
    assert refusal(event_time_us, value) is Reason.UNENCODABLE


@pytest.mark.parametrize("value", [math.nan, pd.NaT, np.datetime64("NaT", "s"), pd.NA], ids=repr)
def test_a_time_that_is_missing_is_refused_so_that_it_is_noticed(value):
    assert refusal(event_time_us, value) is Reason.UNENCODABLE
    assert event_time_us(None) is None


def test_the_range_of_times_is_half_open():
    assert event_time_us(0) == 0
    assert event_time_us(datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == 4_102_444_799_999_999


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        (None, None),
        (0, 0),
        (12.6, 13),
        (np.int64(5), 5),
        (pd.NA, None),
        (math.nan, None),
        (Decimal("nan"), None),
        (timedelta(seconds=1), 1_000_000),
    ],
)
def test_a_duration_is_rounded_to_microseconds(value, micros):
    assert duration_us(value) == micros


@pytest.mark.parametrize("value", [-1, math.inf, 2**63, timedelta(-1)], ids=repr)
def test_an_impossible_duration_is_refused(value):
    assert refusal(duration_us, value) is Reason.UNENCODABLE


def test_a_duration_as_text_is_refused():
    assert refusal(duration_us, "1 ms") is Reason.UNENCODABLE


@given(st.uuids())
def test_an_event_id_becomes_canonical(uuid):
    for reported in (uuid, str(uuid), str(uuid).upper(), uuid.hex, f"{{{uuid}}}"):
        assert event_id_text(reported) == str(uuid)


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
    assert refusal(trace_id_text, value) is Reason.UNENCODABLE
