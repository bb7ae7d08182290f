"""Hours to times and back."""

from datetime import UTC, datetime, timedelta, timezone

from driftline.domain.hours import hour_of, hour_time


def test_an_hour_becomes_its_beginning_in_utc_and_back():
    assert hour_time(381_600) == datetime(2013, 7, 14, 0, tzinfo=UTC)
    assert hour_of(hour_time(381_600) + timedelta(minutes=59)) == 381_600


def test_a_time_of_another_zone_lies_in_the_hour_of_utc():
    assert hour_of(datetime(2013, 7, 14, 2, 30, tzinfo=timezone(timedelta(hours=2)))) == 381_600


def test_a_time_without_a_zone_is_in_utc():
    assert hour_of(datetime(2013, 7, 14, 0, 30)) == 381_600  # noqa: DTZ001  as the client gives it
