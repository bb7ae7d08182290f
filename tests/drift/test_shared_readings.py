"""Rows of an hour that share one reading, as those of an airport share its weather."""

from __future__ import annotations

import numpy as np

from tests.drift.conftest import Traffic, profile_of
from tests.drift.judging import LEARNED, judge_with_history, pages, run

ROWS, NULLS = 150, 0.02


class SharedReadings(Traffic):
    """Each hour's ages are one reading, and a little more; some of them are missing, one by one."""

    def hour(self, hour, change=None, rows=ROWS):
        rng = np.random.default_rng((self.seed, hour))
        columns = {
            "age": rng.normal() + rng.normal(0, 0.1, rows),
            "amount": rng.lognormal(2.0, 0.6, rows),
            "city": rng.choice(["Ankara", "Bergen"], rows),
        }
        columns["age"][rng.random(rows) < NULLS] = np.nan
        return profile_of(hour, columns if change is None else change(columns))


def more_nulls(columns):
    ages = columns["age"].copy()
    ages[: len(ages) * 8 // 100] = np.nan
    return columns | {"age": ages}


def test_nulls_that_come_one_by_one_are_judged_by_their_own_noise(grids):
    """They borrowed that of the values, of which an hour is one observation, and were never found."""
    traffic = SharedReadings()
    judge = judge_with_history(traffic, grids)
    assert not pages(run(judge, traffic, range(LEARNED, LEARNED + 24)))
    found = pages(run(judge, traffic, range(LEARNED + 24, LEARNED + 36), more_nulls), "age")
    assert found
    assert found[0].channel.text == "nulls"
