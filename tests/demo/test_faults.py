"""Faults that are injected into the upstream."""

import itertools

import pandas as pd
import pytest

from driftline.demo.faults import Fault, break_upstream, plan_faults
from driftline.demo.flights import CATEGORICAL, NUMERIC

START = pd.Timestamp("2013-04-01", tz="UTC")
END = pd.Timestamp("2013-12-31", tz="UTC")


@pytest.fixture
def flights() -> pd.DataFrame:
    times = pd.date_range(START, END, freq="20min")
    table = pd.DataFrame({name: [50.0, 51.0, 52.0, 53.0][:4] * (len(times) // 4 + 1) for name in NUMERIC})
    table = table.iloc[: len(times)].assign(event_time=times, carrier="DL", origin="JFK", dest="ORD")
    table.loc[::2, "carrier"] = "UA"
    return table


def test_faults_follow_one_another_with_time_to_recover() -> None:
    """Each pause is at least three times as long as the fault before it."""
    faults = plan_faults(START, END)
    assert len(faults) == 6
    for fault, following in itertools.pairwise(faults):
        assert following.start - fault.end >= 3 * (fault.end - fault.start)
    assert faults[0].start >= START + pd.Timedelta(days=100)
    assert faults[-1].end < END


def test_a_short_replay_has_its_faults_inside_it() -> None:
    end = START + pd.Timedelta(days=20)
    assert all(START < fault.start < fault.end < end for fault in plan_faults(START, end))


@pytest.mark.parametrize("place", range(6))
def test_a_fault_changes_its_features_while_it_lasts_and_nothing_else(
    flights: pd.DataFrame, place: int
) -> None:
    fault = plan_faults(START, END)[place]
    broken = break_upstream(flights, [fault])
    columns = [*NUMERIC, *CATEGORICAL]
    same = (broken[columns] == flights[columns]) | (broken[columns].isna() & flights[columns].isna())
    during = (flights["event_time"] >= fault.start) & (flights["event_time"] < fault.end)
    assert same[~during].all(axis=None)
    assert not same.loc[during, fault.features[0]].all()
    assert same[[name for name in columns if name not in fault.features]].all(axis=None)


def test_without_faults_the_upstream_is_whole(flights: pd.DataFrame) -> None:
    nothing: list[Fault] = []
    pd.testing.assert_frame_equal(break_upstream(flights, nothing), flights, check_dtype=False)
