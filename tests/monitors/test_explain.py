"""What applies is shown as the file has it, with its line; and as plain values."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.drift import DriftSettings
from driftline.monitors import read_monitors
from driftline.monitors.explain import Row, as_plain, explain
from driftline.monitors.keys import Model, keys_of

FULL = Path(__file__).parent / "valid" / "full.yaml"


@pytest.fixture
def flights():
    return read_monitors(FULL, DriftSettings()).of("flight-delay")


def test_each_key_is_reported_as_the_file_would_with_its_line_or_none_for_a_default(flights):
    rows = {row.key: row for row in explain(flights)}
    assert rows["minimum_effect"] == Row("minimum_effect", "1%", 14)
    assert rows["windows_hours"] == Row("windows_hours", "[1h, 12h, 2d]", 16)
    assert rows["enabled"] == Row("enabled", "true", None)
    assert rows["segments"].shown == "[carrier, country=NO, origin=a=b]"
    assert rows["features.dep_delay"] == Row(
        "features.dep_delay", "{maximum: 2000, may_be_missing: true, minimum: -60}", 10
    )
    assert rows["features.arr_delay"].shown == "{minimum: off, allowed: off}"
    assert rows["features.hash"].shown == "{rules: off}"
    assert rows["features.tmp_*"].shown == "{warn_only: true}"
    assert rows["labels.tier"] == Row("labels.tier", "2", 7)
    others = {row.key: row.shown for row in explain(read_monitors(FULL, DriftSettings()).of("other-eu"))}
    assert others["segments"] == others["ignore_features"] == "none"


def test_every_key_is_reported_in_the_order_of_the_tables(flights):
    reported = list(dict.fromkeys(row.key.partition(".")[0] for row in explain(flights)))
    assert reported == [key.name for key in keys_of(Model)]


def test_plain_values_are_those_of_the_keys(flights):
    plain = as_plain(flights)
    assert list(plain) == [key.name for key in keys_of(Model)]
    assert plain["windows_hours"] == (1, 12, 48)
    assert plain["segments"] == ("carrier", "country=NO", "origin=a=b")
    assert plain["features"]["hash"] == {"rules": "off"}
    assert plain["features"]["dep_delay"] == {"maximum": 2000.0, "may_be_missing": True, "minimum": -60.0}
