"""The flights and what is wrong in the weather feed itself."""

import pandas as pd
import pytest

from driftline.demo.flights import FEATURES, WEATHER, feed_errors, load_flights, load_weather


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return load_flights()


def test_all_flights_are_there_in_the_order_of_their_departure(flights: pd.DataFrame) -> None:
    """Joining the weather neither drops nor doubles a flight."""
    assert len(flights) == 336_776
    assert flights["event_time"].is_monotonic_increasing
    assert list(flights[list(FEATURES)].columns) == list(FEATURES)


def test_an_outcome_is_known_after_the_departure_that_it_judges(flights: pd.DataFrame) -> None:
    """A flight may leave before its time, but nobody knows an arrival an hour before departure."""
    early = flights["event_time"] - flights["observed_time"]
    assert early.max() < pd.Timedelta(hours=1)


def test_a_flight_that_never_arrived_has_no_outcome(flights: pd.DataFrame) -> None:
    assert flights["late"].isna().sum() == 9_430
    assert set(flights["late"].dropna().unique()) == {0.0, 1.0}


def test_the_outage_of_the_last_day_and_the_impossible_reading_of_may_are_found(
    flights: pd.DataFrame,
) -> None:
    """They are found in the published table alone."""
    errors = feed_errors(load_weather(), flights)
    last_day = [error for error in errors if error.start == pd.Timestamp("2013-12-31", tz="UTC")]
    assert len(last_day) == 3
    assert all(error.features == WEATHER for error in last_day)
    assert any("13 °F" in error.what and error.start.month == 5 for error in errors)


def test_a_feed_without_gaps_has_no_errors(flights: pd.DataFrame) -> None:
    hours = pd.date_range("2013-01-01", "2014-01-02", freq="h", tz="UTC")
    clean = pd.concat(
        pd.DataFrame({"origin": origin, "hour_utc": hours, **dict.fromkeys(WEATHER, 50.0)})
        for origin in ("EWR", "JFK", "LGA")
    )
    assert feed_errors(clean, flights) == []
