"""The flights and what is wrong in the weather feed itself."""

import pandas as pd
import pytest

from driftline.demo.flights import FEATURES, READ_AFTER, WEATHER, feed_errors, load_flights, load_weather


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


def test_no_flight_is_predicted_by_weather_that_was_read_after_its_departure(flights: pd.DataFrame) -> None:
    """Readings are made at minute 51: a flight at 15:50 has that of 14:51, one at 15:51 its own hour's."""
    weather = load_weather().set_index(["origin", "hour_utc"])["temp"]
    sample = flights[flights["temp"].notna()].sample(2_000, random_state=0)
    for row in sample.itertuples():
        read_at = max(
            hour + READ_AFTER
            for hour in pd.date_range(row.event_time.floor("h") - pd.Timedelta(hours=1), periods=2, freq="h")
            if hour + READ_AFTER <= row.event_time
        )
        assert weather[row.origin, read_at - READ_AFTER] == row.temp


def test_a_feed_without_gaps_has_no_errors(flights: pd.DataFrame) -> None:
    hours = pd.date_range("2013-01-01", "2014-01-02", freq="h", tz="UTC")
    clean = pd.concat(
        pd.DataFrame({"origin": origin, "hour_utc": hours, **dict.fromkeys(WEATHER, 50.0)})
        for origin in ("EWR", "JFK", "LGA")
    )
    assert feed_errors(clean, flights) == []
