"""Logged beside stored: how values differ, and what one change explains it."""

from __future__ import annotations

import math

import pytest

from driftline.features.compare import Change, Pair, find_change, smape, summarize


def pair(logged, stored, **rest):
    return Pair("e", logged, stored, 0, **rest)


@pytest.mark.parametrize(
    ("one", "finding"),
    [
        (pair(1.0, 1.0), "equal"),
        (pair(0.10000000149011612, 0.1), "equal"),  # In single precision.
        (pair(math.nan, math.nan), "equal"),
        (pair(None, None), "equal"),
        (pair("a", "b"), "different"),
        (pair(math.nan, 1.0), "different"),
        (pair("1.0", 1.0), "different"),
        (pair(None, 1.0), "missing"),
        (pair(0.0, None), "extra"),
        (pair(5.0, 6.0, served=5.0, behind_us=60), "stale"),
        (pair(7.0, 6.0, served=5.0, behind_us=60), "different"),
        (pair(None, 6.0, served=None, behind_us=60), "stale"),
        (pair(6.0, 6.0, is_misread=True), "misread"),
        (pair(7.0, 6.0, is_misread=True), "different"),
    ],
)
def test_two_values_differ_in_one_way(one, finding):
    assert one.finding == finding


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda value: value * 1.609344, "1.60934 times the stored value (miles to kilometres)"),
        (
            lambda value: value / 60,
            "0.0166667 times the stored value (minutes to seconds, the other way round)",
        ),
        (lambda value: -value, "-1 times the stored value (the sign)"),
        (lambda value: value * 1.8 + 32, "1.8 times the stored value, and +32 (Celsius to Fahrenheit)"),
        (
            lambda value: (value - 32) / 1.8,
            "0.555556 times the stored value, and -17.7778 (Fahrenheit to Celsius)",
        ),
        (lambda value: value * 7.5, "7.5 times the stored value"),
    ],
)
def test_a_change_of_unit_is_found_and_named(make, text):
    change = find_change([pair(make(float(value)), float(value)) for value in range(10)])
    assert change is not None
    assert change.text == text


def test_one_value_in_ten_may_be_something_else_and_no_more():
    pairs = [pair(value * 2.0, float(value)) for value in range(1, 21)]
    assert find_change([*pairs, pair(1.0, 9.0), pair(2.0, 7.0)]) == Change(2.0)
    assert find_change([*pairs, *(pair(1.0, float(value)) for value in range(2, 9))]) is None


def test_too_few_different_values_and_a_default_prove_no_change():
    assert find_change([pair(2.0, 1.0)] * 9 + [pair(4.0, 2.0)] * 9) is None
    found = summarize("temp", "weather", ["v"], [pair(0.0, float(value)) for value in range(1, 9)])
    assert (found.change, found.constant) == (None, 0.0)


def test_what_differs_is_counted_by_how():
    pairs = [
        pair(1.0, 1.0),
        pair(2.0, 1.0),
        pair(None, 1.0),
        pair(1.0, None),
        pair(3.0, 4.0, served=3.0, behind_us=2_000_000),
    ]
    found = summarize("temp", "weather", ["v"], pairs)
    assert found.counts == {"equal": 1, "stale": 1, "different": 1, "missing": 1, "extra": 1, "misread": 0}
    assert (found.compared, found.mismatches, found.share, found.behind_s) == (5, 4, 0.8, 2.0)


def test_the_error_of_numbers_is_between_0_and_2():
    assert smape([pair(1.0, 1.0), pair(0.0, 0.0), pair("a", "b"), pair(None, 1.0)]) == 0.0
    assert smape([pair(1.0, -1.0), pair(3.0, 1.0)]) == pytest.approx((2 + 1) / 2)
    assert smape([pair("a", "a")]) is None
