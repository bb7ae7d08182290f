"""Events, and what is counted of them: by driftline, and by numpy."""

from __future__ import annotations

import numpy as np

from driftline.domain.streams import Stream
from driftline.profiles import Grid
from driftline.store.grids import read_grids
from driftline.store.profiles import read_hours

HOUR = 490_000


HOUR_S = 3600


def made(rows, seed, hours=3):
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3, 1, rows)
    amount[rng.random(rows) < 0.05] = np.nan
    amount[rng.random(rows) < 0.02] = np.inf
    return {
        "hour": np.sort(rng.integers(0, hours, rows)),
        "amount": amount,
        "age": rng.normal(40, 10, rows),
        "is_null": rng.random(rows) < 0.1,
        "city": rng.choice(["Ankara", "Bergen", ""], rows),
    }


def events(columns):
    for place, hour in enumerate(columns["hour"]):
        yield {
            "features": {
                "amount": float(columns["amount"][place]),
                "age": None if columns["is_null"][place] else float(columns["age"][place]),
                "city": str(columns["city"][place]),
            },
            "label": "yes",
            "event_time": float((HOUR + hour) * HOUR_S + 7),
        }


def read(client, model, environment="production", end=10):
    return read_hours(client, Stream(model, "3", environment), first_hour=HOUR, end_hour=HOUR + end)


def assert_equal_to_numpy(client, model, columns):
    grid_of = read_grids(client, model)
    hours = read(client, model)
    assert hours.end_hour == HOUR + 10
    assert [profile.hour - HOUR for profile in hours.profiles] == sorted(set(columns["hour"].tolist()))
    for profile in hours.profiles:
        own = columns["hour"] == profile.hour - HOUR
        assert profile.rows == own.sum()
        amount, age = columns["amount"][own], columns["age"][own & ~columns["is_null"]]
        for name, values in (("amount", amount), ("age", age)):
            counts = profile.numeric[name]
            finite = values[np.isfinite(values)]
            buckets, expected = np.unique(grid_of.get(name, Grid()).bucket(finite), return_counts=True)
            np.testing.assert_array_equal(counts.buckets, buckets)
            np.testing.assert_array_equal(counts.counts, expected)
            assert (counts.minimum, counts.maximum) == (finite.min(), finite.max())
        assert profile.numeric["amount"].nans == np.isnan(amount).sum()
        assert profile.numeric["amount"].infinities == np.isinf(amount).sum()
        assert profile.numeric["age"].nulls == (own & columns["is_null"]).sum()
        cities, expected = np.unique(columns["city"][own], return_counts=True)
        assert profile.categorical["city"].counts == dict(
            zip(cities.tolist(), expected.tolist(), strict=True)
        )
        assert profile.categorical["prediction.label"].counts == {"yes": own.sum()}
