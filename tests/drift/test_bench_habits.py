"""The bench's traffic has the habits that it says, and a tiny stream of it runs through the product."""

from __future__ import annotations

import numpy as np
import pytest

from bench.habit_traffic import FAULTS, REGIMES, HabitTraffic
from bench.habits import Job, print_habits, run_job
from bench.traffic import CATEGORY
from driftline.domain.names import VOLUME

COLUMNS = 4


def new_traffic(regime: str, rows: int = 500, new_after: int = 24) -> HabitTraffic:
    return HabitTraffic(regime, rows, np.random.default_rng(5), new_after=new_after, columns=COLUMNS)


@pytest.mark.parametrize("regime", REGIMES)
def test_each_regime_makes_hours_one_after_the_other(regime: str) -> None:
    traffic = new_traffic(regime)
    profiles = [traffic.next_profile() for _ in range(200)]
    assert np.diff([profile.hour for profile in profiles]).tolist() == [1] * 199
    assert all(profile.rows > 0 for profile in profiles)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_changes_its_feature(fault: str) -> None:
    name, _ = FAULTS[fault]
    usual, faulty = new_traffic("season", 20_000), new_traffic("season", 20_000)
    before, after = usual.next_profile(), faulty.next_profile(fault)
    if name == VOLUME:
        assert after.rows == before.rows // 2
    elif name == CATEGORY:
        assert after.categorical[name] != before.categorical[name]
    else:
        one, other = before.numeric[name], after.numeric[name]
        moved = one.buckets.tolist() != other.buckets.tolist() or abs(one.nulls - other.nulls) > 1000
        shifted = np.average(one.buckets, weights=one.counts) != np.average(
            other.buckets, weights=other.counts
        )
        assert moved or shifted


def test_ids_never_repeat() -> None:
    traffic = new_traffic("ids")
    first, second = (set(traffic.next_profile().categorical["session"].counts) for _ in range(2))
    assert not first & second


def test_a_tiny_stream_runs_through_the_product(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job(regime="bot", rows=200, stream=0, windows=4, seed=1, columns=COLUMNS, alone=True, faults=False)
    result = run_job(job)
    assert result["hours"] == 4
    assert result["alone"] == result["product"] == []
    print_habits({job.key: result})
    assert "| bot/200 | 4 | 0.00 (< " in capsys.readouterr().out
