"""Profiles: exactly the counts that numpy gives of the same rows, and grids that are chosen once."""

from __future__ import annotations

import numpy as np

from driftline import register_training_run
from driftline.domain.streams import Stream
from driftline.profiles import Grid
from driftline.store.grids import PRODUCTION_ROWS, is_reference_complete, read_grids
from driftline.store.profiles import read_hours, read_streams
from tests.support.landing import put
from tests.support.training import WAIVED

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


def test_counts_are_those_of_numpy_on_the_default_grid(landing, client):
    columns = made(700, seed=1)
    put(landing, events(columns), model_name="counted")
    assert_equal_to_numpy(client, "counted", columns)
    (span,) = (span for span in read_streams(client) if span.stream.model_name == "counted")
    assert (span.first_hour, span.last_hour, span.rows) == (HOUR, HOUR + 2, 700)


def test_an_hour_that_was_derived_on_another_grid_is_not_read(landing, client):
    """Counts on two grids would be added up: readers wait until the hour is derived on the one in force."""
    put(landing, events(made(300, seed=2)), model_name="regridded")
    second = f"toDateTime({(HOUR + 1) * HOUR_S}, 'UTC')"
    client.command(
        "ALTER TABLE profiles UPDATE center = 17 WHERE model_name = 'regridded' AND kind = 'numeric' "
        f"AND hour >= {second}",
        settings={"mutations_sync": 1},
    )
    hours = read(client, "regridded")
    assert hours.end_hour == HOUR + 1
    assert [profile.hour for profile in hours.profiles] == [HOUR]


def test_rows_of_a_derivation_that_no_pointer_names_count_for_nobody(landing, client):
    columns = made(300, seed=5)
    put(landing, events(columns), model_name="pointed")
    client.command(
        "INSERT INTO profiles SELECT * REPLACE (derivation + 1 AS derivation) FROM profiles "
        "WHERE model_name = 'pointed'"
    )
    assert_equal_to_numpy(client, "pointed", columns)


def test_more_than_256_values_of_an_hour_are_counted_without_their_names(landing, client):
    many = [
        {"features": {"id": f"v{number:03}"}, "event_time": float(HOUR * HOUR_S)} for number in range(300)
    ]
    often = [{"features": {"id": "often"}, "event_time": float(HOUR * HOUR_S)}] * 5
    put(landing, [*many, *often], model_name="folded")
    counts = read(client, "folded").profiles[0].categorical["id"]
    assert (len(counts.counts), counts.folded, counts.counts["often"]) == (256, 305 - 5 - 255, 5)


def register(landing, model, columns):
    arguments = list(events(columns))
    names = arguments[0]["features"]
    register_training_run(
        "run-7f3a",
        model_name=model,
        model_version="3",
        waive=WAIVED,
        log=landing.log,
        reference={name: [each["features"][name] for each in arguments] for name in names},
        reference_event_times=[each["event_time"] for each in arguments],
    )


def test_a_grid_is_chosen_from_the_reference_and_everything_counted_on_it(landing, client):
    served, reference = made(400, seed=3), made(900, seed=4)
    put(landing, events(served), model_name="referred")
    assert read_grids(client, "referred") == {}
    assert is_reference_complete(client, "referred") is None
    register(landing, "referred", reference)
    landing.land()
    assert is_reference_complete(client, "referred") is True
    chosen = read_grids(client, "referred")
    finite = reference["amount"][np.isfinite(reference["amount"])]
    assert chosen == {
        "amount": Grid.from_values(finite),
        "age": Grid.from_values(reference["age"][~reference["is_null"]]),
    }
    assert_equal_to_numpy(client, "referred", served)


def test_without_a_reference_a_grid_is_chosen_once_enough_rows_landed(landing, client):
    rows = [
        {"features": {"x": 5.0 + number % 40}, "event_time": float(HOUR * HOUR_S)}
        for number in range(PRODUCTION_ROWS)
    ]
    put(landing, rows[:-1], model_name="unreferred")
    assert read_grids(client, "unreferred") == {}
    put(landing, rows[-1:], model_name="unreferred")
    assert read_grids(client, "unreferred") == {"x": Grid.from_values([row["features"]["x"] for row in rows])}
