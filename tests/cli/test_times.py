"""Times that commands take are texts in ISO 8601, or ages."""

from datetime import UTC, datetime

import click
import pytest

from driftline.cli.times import parse_time


@pytest.mark.parametrize(
    ("text", "hours"), [("90m", 1.5), ("36h", 36), ("7d", 168), ("2w", 336), ("0d", 0), (" 1 d ", 24)]
)
def test_a_time_can_be_an_age(text, hours):
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert (now - parse_time(text, now)).total_seconds() == hours * 3600


@pytest.mark.parametrize("text", ["7", "d", "-1d", "1y", "999999999w", "7days", ""])
def test_what_is_neither_a_time_nor_an_age_is_refused(text):
    with pytest.raises(click.BadParameter):
        parse_time(text)
