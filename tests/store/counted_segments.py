"""What is counted of segments."""

from __future__ import annotations

import numpy as np

from driftline.domain.streams import Stream
from driftline.profiles import Grid
from driftline.store.grids import read_grids
from driftline.store.profiles import read_hours
from driftline.store.segments import (
    read_segments,
)
from tests.store.counted import HOUR, assert_equal_to_numpy

CITIES = ["city=", "city=Ankara", "city=Bergen"]


def stream(model):
    return Stream(model, "3", "production")


def read(client, model, segment, end=10):
    return read_hours(client, stream(model), first_hour=HOUR, end_hour=HOUR + end, segment=segment)


def assert_counted(client, model, columns, segment, own):
    """A segment's profiles are those that numpy makes of its rows."""
    grid_of = read_grids(client, model)
    hours = read(client, model, segment)
    assert hours.end_hour == HOUR + 10
    assert [profile.hour - HOUR for profile in hours.profiles] == sorted(set(columns["hour"][own].tolist()))
    for profile in hours.profiles:
        rows = own & (columns["hour"] == profile.hour - HOUR)
        assert profile.rows == rows.sum()
        amount, age = columns["amount"][rows], columns["age"][rows & ~columns["is_null"]]
        for name, values in (("amount", amount), ("age", age)):
            finite = values[np.isfinite(values)]
            buckets, counts = np.unique(grid_of.get(name, Grid()).bucket(finite), return_counts=True)
            np.testing.assert_array_equal(profile.numeric[name].buckets, buckets)
            np.testing.assert_array_equal(profile.numeric[name].counts, counts)
            assert (profile.numeric[name].minimum, profile.numeric[name].maximum) == (
                finite.min(),
                finite.max(),
            )
        assert profile.numeric["amount"].nans == np.isnan(amount).sum()
        assert profile.numeric["age"].nulls == (rows & columns["is_null"]).sum()
        assert profile.categorical["prediction.label"].counts == {"yes": rows.sum()}


def assert_all_counted(client, model, columns):
    """By city; and the whole traffic as without segments."""
    assert_equal_to_numpy(client, model, columns)
    assert sorted(read_segments(client, stream(model))) == CITIES
    for segment in CITIES:
        assert_counted(client, model, columns, segment, columns["city"] == segment.removeprefix("city="))
