"""What users pass to the logger, as strategies, and what the wire must carry for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END_US = 4_102_444_800_000_000


class Choice(Enum):
    """Members of every kind."""

    TEXT = "t"
    NUMBER = 2
    TIME = datetime(2024, 1, 1, tzinfo=UTC)
    PAIR = (1, 2)


def in_calendar(time: np.datetime64) -> bool:
    """Return whether Python has this time, too."""
    return isinstance(time.item(), datetime)


def exact_double(number: int) -> float | None:
    """Return the double that equals an integer, if there is one."""
    try:
        return float(number) if Fraction(float(number)) == number else None
    except OverflowError:
        return None


names = st.text(min_size=1, max_size=12)
finite_and_not = st.floats()  # NaN, infinities, -0.0 and subnormals included.
dense_integers = st.integers(-(2**53), 2**53)
missing = st.sampled_from([None, pd.NA, pd.NaT, np.datetime64("NaT", "s")])
numbers = st.one_of(
    finite_and_not,
    dense_integers,
    st.booleans(),
    st.integers().filter(lambda number: exact_double(number) is not None),
    finite_and_not.map(np.float64),
    st.floats(width=32).map(np.float32),
    st.integers(-(2**31), 2**31 - 1).map(np.int32),
    st.booleans().map(np.bool_),
    finite_and_not.map(np.array),
    st.floats(allow_nan=False).map(Decimal),
)
texts = st.one_of(st.text(max_size=30), st.text(max_size=5).map(np.str_))
times = st.one_of(
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.integers(-(2**60), 2**60).map(lambda micros: np.datetime64(micros, "us")).filter(in_calendar),
    st.integers(-(2**60), 2**60).map(lambda micros: np.timedelta64(micros, "us")),
)
inexact = st.one_of(
    st.integers(2**53, 2**64), st.decimals(allow_nan=False, allow_infinity=False), st.fractions()
)
unencodable = st.one_of(
    st.binary(max_size=3), st.lists(st.integers(), max_size=2), st.complex_numbers(), st.builds(object)
)
values = st.one_of(numbers, texts, missing)
"""What the wire carries as it is."""
any_values = st.one_of(values, times, inexact, st.uuids(), st.sampled_from(Choice), unencodable)
"""And what it does not."""
features = st.dictionaries(names, values, max_size=12)
times_us = st.integers(0, END_US - 1)
uuids = st.uuids().map(str)


@dataclass
class Expected:
    """The three feature fields of a PredictionEvent."""

    numeric: dict[str, float]
    categorical: dict[str, str]
    missing: list[str]


def expected_features(given: dict[str, Any]) -> Expected:
    """Return what the wire must carry, worked out without the code under test."""
    expected = Expected({}, {}, [])
    for name, value in given.items():
        if value is None or value is pd.NA or value is pd.NaT or isinstance(value, np.datetime64):
            expected.missing.append(name)
        elif isinstance(value, str):
            expected.categorical[name] = "".join(value)
        else:
            expected.numeric[name] = float(value)
    return expected


def same_number(left: float, right: float) -> bool:
    """Return whether two doubles are the same, the sign of zero and NaN included."""
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return left == right and math.copysign(1, left) == math.copysign(1, right)


def same_numbers(left: dict[str, float], right: dict[str, float]) -> bool:
    """Return whether two maps hold the same doubles under the same names."""
    return left.keys() == right.keys() and all(same_number(left[name], right[name]) for name in left)


def time_of(micros: int) -> datetime:
    """Return the time that lies so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=micros)
