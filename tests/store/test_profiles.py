"""Profiles: exactly the counts that numpy gives of the same rows, and grids that are chosen once."""

from __future__ import annotations

import numpy as np

from driftline import register_training_run
from driftline.drift.statistics.vocabulary import Vocabulary
from driftline.profiles import HASH_PLACES, Grid
from driftline.store.grids import PRODUCTION_ROWS, is_reference_complete, read_grids
from driftline.store.profiles import read_streams
from tests.store.counted import HOUR, HOUR_S, assert_equal_to_numpy, events, made, read
from tests.support.landing import put
from tests.support.training import WAIVED


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
    assert counts.hashed == ()


def test_values_that_repeat_are_counted_by_their_hash_where_some_are_not_named(landing, client):
    """By the same places as the drift worker has them, which subtracts what is named."""
    values = [f"v{number:03}" for number in range(300)] * 2
    put(
        landing,
        [{"features": {"id": value}, "event_time": float(HOUR * HOUR_S)} for value in values],
        model_name="hashed",
    )
    counts = read(client, "hashed").profiles[0].categorical["id"]
    keys = Vocabulary().keys(values)
    expected = np.bincount(np.array(keys) % HASH_PLACES, minlength=HASH_PLACES)
    assert counts.hashed == tuple(expected.tolist())
    assert counts.folded == 2 * (300 - 256)


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
