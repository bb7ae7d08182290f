"""Samples: which rows are taken depends on their ids alone, and every column is as it was logged."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from driftline.domain.streams import Stream
from driftline.store.samples import count_rows, read_even_sample, read_sample
from tests.support.landing import put

HOUR = 490_000
HOUR_S = 3600
STREAM = Stream("sampled", "3", "production")


def event(hour, number, **features):
    return {"features": features, "event_time": float((HOUR + hour) * HOUR_S + number % HOUR_S)}


@pytest.fixture(scope="module", autouse=True)
def landed(landing):
    """Three hours of 1000, 40 and 400 rows; row `n` of an hour has the value n."""
    put(
        landing,
        (
            event(hour, number, amount=float(number), city="Bergen" if number % 2 else "Cork")
            for hour, rows in enumerate((1000, 40, 400))
            for number in range(rows)
        ),
        model_name="sampled",
    )


def read(client, *, rows=100, first=0, end=3, stream=STREAM, **options):
    return read_sample(
        client, stream, first_hour=HOUR + first, end_hour=HOUR + end, rows_per_hour=rows, **options
    )


def held(sample, hour):
    return set(sample.numeric["amount"][sample.hours == HOUR + hour].tolist())


def test_rows_are_counted_by_hour(client):
    counted = count_rows(client, STREAM, first_hour=HOUR, end_hour=HOUR + 9)
    assert counted == {HOUR: 1000, HOUR + 1: 40, HOUR + 2: 400}
    assert count_rows(client, STREAM, first_hour=HOUR + 1, end_hour=HOUR + 2) == {HOUR + 1: 40}


def test_of_each_hour_about_as_many_rows_are_taken_or_all_that_there_are(client):
    sample = read(client)
    sizes = {hour: len(held(sample, hour)) for hour in range(3)}
    assert sizes[1] == 40
    assert 60 <= sizes[0] <= 140
    assert 60 <= sizes[2] <= 140
    assert np.all(np.diff(sample.hours) >= 0)
    assert sample.rows == sum(sizes.values())


def test_the_same_rows_come_back_and_a_larger_sample_holds_them(client):
    small, again, large = read(client), read(client), read(client, rows=200)
    for hour in range(3):
        assert held(small, hour) == held(again, hour) <= held(large, hour)
    assert held(small, 0) < held(large, 0)
    alone = read(client, first=2)
    assert held(alone, 2) == held(small, 2)


def test_values_stand_in_the_row_that_they_were_logged_in(client):
    sample = read(client, rows=10_000)
    assert held(sample, 0) == set(range(1000))
    expected = np.where(sample.numeric["amount"] % 2 == 1, "Bergen", "Cork")
    np.testing.assert_array_equal(sample.categorical["city"].astype(str), expected)


def test_an_even_sample_takes_each_row_with_the_same_chance(client):
    sample = read_even_sample(client, STREAM, first_hour=HOUR, end_hour=HOUR + 3, rows=720)
    assert 600 <= sample.rows <= 840
    assert 12 <= len(held(sample, 1)) <= 28  # Half of forty.


def test_rows_with_other_features_have_gaps(landing, client):
    put(
        landing,
        [
            event(0, 1, amount=1.0, city="Cork"),
            event(0, 2, city="Bergen", age=7.0, amount=2.0),
            event(0, 3, age=8.0),
            event(0, 4, amount=None, age=9.0),
            event(0, 5),
        ],
        model_name="gaps",
    )
    sample = read(client, stream=Stream("gaps", "3", "production"))
    assert sample.rows == 5
    rows = sorted(
        (str(age), str(amount), city)
        for age, amount, city in zip(
            sample.numeric["age"], sample.numeric["amount"], sample.categorical["city"], strict=True
        )
    )
    assert rows == [
        ("7.0", "2.0", "Bergen"),
        ("8.0", "nan", ""),
        ("9.0", "nan", ""),
        ("nan", "1.0", "Cork"),
        ("nan", "nan", ""),
    ]


def test_hours_without_rows_give_an_empty_sample(client):
    sample = read(client, first=50, end=60)
    assert (sample.rows, dict(sample.numeric), dict(sample.categorical)) == (0, {}, {})


def test_other_versions_count_before_the_first_hour_of_a_stream(landing, client):
    for version, hours in (("3", (0, 1)), ("4", (1, 2))):
        put(
            landing,
            [event(hour, number, amount=float(number)) for hour in hours for number in range(10)],
            model_name="versions",
            model_version=version,
        )
    newer = Stream("versions", "4", "production")
    counted = count_rows(client, newer, first_hour=HOUR, end_hour=HOUR + 3, since_hour=HOUR + 1)
    assert counted == {HOUR: 10, HOUR + 1: 10, HOUR + 2: 10}
    assert read(client, stream=newer, since_hour=HOUR + 1).rows == 30
    assert read(client, stream=newer).rows == 20


def test_names_with_quotes_are_only_names(landing, client):
    name = f"it's \\ {uuid.UUID(int=1)}"
    put(landing, [event(0, 1, **{"a 'b\" \\": 1.0, "c": "d'"})], model_name=name)
    sample = read(client, stream=Stream(name, "3", "production"))
    assert sample.numeric["a 'b\" \\"].tolist() == [1.0]
    assert sample.categorical["c"].tolist() == ["d'"]
