"""Drift of one small part of the traffic is found, named, and reported of no other part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftline.drift import DriftSettings, Judge
from driftline.drift.hours import Arrival, StreamHour
from driftline.drift.judges import SegmentJudges, WholeJudge
from driftline.drift.segments import name_drivers, whole_settings
from driftline.profiles import Grid, HourProfile
from tests.drift.conftest import START, WEEK, numeric_counts

FEATURES = ("age", "amount", "rate")
GRIDS = dict.fromkeys(FEATURES, Grid(0.0, 0.7))
TENANTS = [f"tenant=t{number:02}" for number in range(10)]
REGIONS = ["region=north", "region=south"]
SEGMENTS = [*TENANTS, *REGIONS]
SHARES = np.array([0.02, *[0.98 / 9] * 9])
HISTORY = 2 * WEEK


def hour_of(hour, *, drifting=False, rows=5000):
    """The whole and the segments; the first tenant has 2 % of the rows, nearly all of them in the north."""
    rng = np.random.default_rng((11, hour))
    tenant = rng.choice(10, p=SHARES, size=rows)
    north = rng.random(rows) < np.where(tenant == 0, 0.95, 0.1)
    columns = {name: rng.normal(size=rows) for name in FEATURES}
    if drifting:
        columns["age"] = np.where(tenant == 0, columns["age"] + 2.0, columns["age"])
    masks = {name: tenant == number for number, name in enumerate(TENANTS)}
    masks |= {"region=north": north, "region=south": ~north, "": np.ones(rows, dtype=bool)}
    profiles = {
        segment: HourProfile(
            hour,
            int(mask.sum()),
            {name: numeric_counts(GRIDS[name], columns[name][mask], int(mask.sum())) for name in FEATURES},
            {},
        )
        for segment, mask in masks.items()
    }
    return StreamHour(hour, Arrival(rows), profiles)


class Both:
    """The whole and its segments, as a stream's watch holds them."""

    def __init__(self, settings=None):
        settings = settings or DriftSettings()
        own = whole_settings(settings, len(SEGMENTS))
        self.whole = WholeJudge(Judge(grids=GRIDS, settings=own, identity="model/1/production"))
        self.parts = SegmentJudges(SEGMENTS, grids=GRIDS, settings=settings, identity="model/1/production")

    def remember(self, hours):
        for hour in hours:
            self.whole.remember(hour)
            self.parts.remember(hour)

    def judge(self, hour, **change):
        given = hour_of(hour, **change)
        return name_drivers(self.whole.judge(given, 1.0), self.parts.judge(given))


@pytest.fixture(scope="module")
def past():
    return [hour_of(hour) for hour in range(START, START + HISTORY)]


def paging(reported):
    return {
        (one.segment, one.feature) for one in (*reported.whole, *reported.segments) if one.verdict == "page"
    }


def test_drift_in_two_percent_of_the_traffic_is_named_and_reported_for_no_other_part(past):
    both = Both()
    both.remember(past)
    begin = START + HISTORY
    reported = [both.judge(hour, drifting=True) for hour in range(begin, begin + 48)]
    delay = next(hours for hours, one in enumerate(reported, 1) if ("tenant=t00", "age") in paging(one))
    assert delay <= 2
    pages = {page for one in reported for page in paging(one)}
    assert pages - {("", "age")} == {("tenant=t00", "age")}
    drivers = {driver for one in reported for verdict in one.whole for driver in verdict.drivers}
    assert drivers <= {"tenant=t00"}


def test_quiet_parts_do_not_page(past):
    both = Both()
    both.remember(past)
    begin = START + HISTORY
    assert not any(paging(both.judge(hour)) for hour in range(begin, begin + 24))


def test_after_a_restart_it_goes_on_as_if_there_had_been_none(past):
    begin = START + HISTORY
    running = Both()
    running.remember(past)
    reported = [running.judge(hour, drifting=True) for hour in range(begin, begin + 6)]
    again = Both()
    again.remember(past)
    again.remember([hour_of(hour, drifting=True) for hour in range(begin, begin + 6)])
    stored = [verdict for one in reported for verdict in (*one.whole, *one.segments)]
    again.whole.resume(stored, ())
    again.parts.resume(stored)
    assert any(one.verdict == "page" for one in stored)
    for hour in range(begin + 6, begin + 8):
        expected, found = running.judge(hour, drifting=True), again.judge(hour, drifting=True)
        assert found == expected


def test_a_segment_without_traffic_in_an_hour_is_left_out_and_unknown_ones_are_left_aside():
    parts = SegmentJudges(["tenant=t00"], grids=GRIDS, identity="model")
    hour = hour_of(START)
    assert parts.judge(replace(hour, profiles={"tenant=t01": hour.profiles["tenant=t01"]})) == []
    given = parts.judge(hour)
    assert {one.segment for one in given} == {"tenant=t00"}
    assert {one.verdict for one in given} == {"learning"}


def test_an_hour_that_is_not_later_is_refused():
    parts = SegmentJudges(["tenant=t00"], grids=GRIDS, identity="model")
    parts.judge(hour_of(START))
    with pytest.raises(ValueError, match="must come after"):
        parts.judge(hour_of(START))
