"""Shifts of counts are those of the values behind them, and a replay tells what pages and what is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.drift import DriftSettings, Feature, Judge
from driftline.drift.calibrate import HORIZON_HOURS, Delays, HourSpan, calibrate, choose_dates
from driftline.drift.shifts import SHIFTS, moved, nulled, remixed, renamed, shifted, stuck, typical_of
from driftline.profiles import CategoricalCounts, Grid
from tests.drift.conftest import CITIES, GRIDS, START, WEEK, numeric_counts

AGE, AMOUNT, CITY = Feature("age", "numeric"), Feature("amount", "numeric"), Feature("city", "categorical")


def shares(counts, grid, cuts):
    below = np.array([counts.counts[counts.buckets <= bucket].sum() for bucket in grid.bucket(cuts)])
    return below / counts.counts.sum()


@pytest.mark.parametrize("distance", [-0.7, 0.1, 0.5])
@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.normal(size=20_000),
        lambda rng: rng.lognormal(size=20_000),
        lambda rng: rng.standard_t(1.5, 20_000),
        lambda rng: 1e6 + rng.normal(size=20_000),
    ],
    ids=["normal", "lognormal", "t(1.5)", "offset"],
)
def test_counts_move_as_values_move(draw, distance):
    values = draw(np.random.default_rng(3))
    grid = Grid.from_values(values)
    found = moved(numeric_counts(grid, values, values.size), grid, distance)
    expected = numeric_counts(grid, values + distance, values.size)
    cuts = np.quantile(values + distance, np.arange(1, 20) / 20)
    np.testing.assert_allclose(shares(found, grid, cuts), shares(expected, grid, cuts), atol=0.003)
    assert found.counts.sum() == values.size
    assert found.counts.min() > 0
    assert (found.minimum, found.maximum) == (expected.minimum, expected.maximum)


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.integers(1, 500))
def test_counts_that_are_moved_by_nothing_stay_as_they_are(values, times):
    grid = Grid(1.0, 3.0)
    before = numeric_counts(grid, np.repeat(values, times), len(values) * times)
    after = moved(before, grid, 0.0)
    np.testing.assert_array_equal(after.buckets, before.buckets)
    np.testing.assert_array_equal(after.counts, before.counts)


def test_a_constant_moves_to_one_other_value():
    grid = Grid(40.0, 1.0)
    found = moved(numeric_counts(grid, np.full(300, 42.3), 300), grid, 0.5)
    np.testing.assert_array_equal(found.buckets, grid.bucket([42.8]))
    np.testing.assert_array_equal(found.counts, [300])


def test_nulls_are_taken_from_the_values():
    grid = Grid()
    before = numeric_counts(grid, np.random.default_rng(1).normal(size=10_000), 10_000)
    after = nulled(before, 0.02, np.random.default_rng(2))
    assert after.nulls + after.counts.sum() == 10_000
    assert after.nulls == pytest.approx(200, abs=60)


def test_a_stuck_feature_has_one_value_in_all_rows_that_had_any():
    grid = Grid()
    after = stuck(numeric_counts(grid, np.random.default_rng(1).normal(size=500), 500), grid, 0.25)
    assert (after.counts.tolist(), after.minimum, after.maximum) == ([500], 0.25, 0.25)


def test_a_mix_changes_by_a_share_of_all_rows():
    before = CategoricalCounts({"a": 6000, "b": 3000}, nulls=500, folded=1000)
    after = remixed(before, "a", "b", 0.05, np.random.default_rng(2))
    assert after.counts["a"] + after.counts["b"] == 9000
    assert after.counts["b"] - 3000 == pytest.approx(500, abs=80)
    assert remixed(before, "missing", "b", 0.05, np.random.default_rng(2)) == before
    scarce = remixed(CategoricalCounts({"a": 1, "b": 99}), "a", "b", 0.05, np.random.default_rng(2))
    assert scarce.counts == {"b": 100}


def test_a_renamed_value_keeps_its_count():
    assert renamed(CategoricalCounts({"a": 6, "b": 3}), "b", "B").counts == {"a": 6, "B": 3}


def test_shifts_apply_to_features_that_can_show_them(traffic):
    hours = [traffic.hour(hour) for hour in range(START, START + 48)]
    typical = typical_of(hours, GRIDS)
    assert typical["age", "numeric"].deviation == pytest.approx(1.0, abs=0.05)
    assert typical["city", "categorical"].values == tuple(CITIES)
    for shift in SHIFTS:
        after = shifted(hours[0], {shift.kind: shift}, typical, np.random.default_rng(1))
        assert repr(after) != repr(hours[0]), shift.name
        other = "categorical" if shift.kind == "numeric" else "numeric"
        assert getattr(after, other) == getattr(hours[0], other)
        assert after.rows == hours[0].rows


def test_dates_lie_within_what_is_judged_with_a_week_behind_each():
    judged = range(1000, 1000 + 3 * WEEK)
    dates = choose_dates(judged, 3)
    assert len(dates) == 3
    assert all(1000 <= date <= 1000 + 2 * WEEK for date in dates)
    assert choose_dates(range(1000, 1000 + WEEK - 1), 3) == ()
    assert choose_dates(range(1000, 1000 + WEEK), 3) == (1000,)


def test_delays_are_read_off_in_order_and_what_is_not_found_comes_last():
    delays = Delays(AGE, "any", (5, None, 1, 3), dates=5)
    assert (delays.quantile(0.5), delays.quantile(0.75), delays.quantile(0.9)) == (3, 5, None)
    assert delays.missed == 1
    assert Delays(AGE, "any", (), dates=5).quantile(0.5) is None


HOURS = range(START, START + 5 * WEEK + 30)
SHORT = DriftSettings(reference_weeks=2)


def outage(columns):
    return columns | {
        "amount": np.where(np.arange(len(columns["amount"])) % 3 == 0, np.nan, columns["amount"])
    }


@pytest.fixture(scope="module")
def replayed():
    """Five weeks, of which the last hours of the fourth had an outage of their own."""
    from tests.drift.conftest import Traffic  # noqa: PLC0415  a fixture of a wider scope than traffic's

    traffic = Traffic(rows=600)
    ill = range(START + 3 * WEEK + 100, START + 3 * WEEK + 104)
    profiles = [traffic.hour(hour, outage if hour in ill else None) for hour in HOURS]

    def run(**options):
        return calibrate(
            Judge(grids=GRIDS, settings=SHORT, identity="c"),
            profiles,
            settings=SHORT,
            grids=GRIDS,
            first_judged=START + 3 * WEEK,
            **{"dates": 1, "seed": 1, **options},
        )

    return run, ill


@pytest.fixture(scope="module")
def found(replayed):
    run, _ = replayed
    shares_done = []
    return run(progress=shares_done.append), shares_done


def test_a_replay_counts_pages_of_the_model_and_of_each_feature(found):
    calibration, shares_done = found
    assert calibration.model.hours == 2 * WEEK + 30
    assert calibration.model.pages == 1
    assert {each.name: each.pages for each in calibration.features} == {"age": 0, "amount": 1, "city": 0}
    assert calibration.model.per_1000_hours == pytest.approx(1000 / calibration.model.hours)
    assert shares_done == sorted(shares_done)
    assert shares_done[-1] == pytest.approx(1.0)


def test_a_replay_finds_what_is_large_at_once_and_what_is_small_later(found):
    calibration, _ = found
    assert len(calibration.dates) == 1
    delay = {(each.feature, each.shift): each.hours for each in calibration.delays}
    assert delay[AGE, "mean + 0.5 sd"] == (1,)
    assert delay[AGE, "stuck"][0] <= 6
    assert delay[CITY, "a value renamed"] == (1,)
    assert 1 < delay[AGE, "mean + 0.1 sd"][0] < HORIZON_HOURS
    assert 1 <= delay[CITY, "5 % of the mix"][0] < HORIZON_HOURS
    assert {each.feature for each in calibration.delays if each.shift == "nulls + 2 points"} == {
        AGE,
        AMOUNT,
        CITY,
    }


def test_pages_over_hours_that_are_known_are_no_false_ones(replayed):
    run, ill = replayed
    calibration = run(known=[HourSpan(ill[0], ill[-1] + 1)], dates=0)
    assert (calibration.model.pages, calibration.model.known) == (0, 1)
    assert calibration.model.hours == 2 * WEEK + 30 - len(ill)
    assert calibration.delays == ()


def test_dates_at_which_a_feature_pages_by_itself_prove_nothing(replayed, monkeypatch):
    run, ill = replayed
    monkeypatch.setattr("driftline.drift.calibrate.choose_dates", lambda _judged, _dates: (ill[0] + 2,))
    delays = {(each.feature, each.shift): each for each in run().delays}
    assert delays[AMOUNT, "mean + 0.5 sd"].hours == ()
    assert delays[AMOUNT, "mean + 0.5 sd"].dates == 1
    assert delays[AGE, "mean + 0.5 sd"].hours == (1,)


def test_a_stream_that_is_too_short_is_refused(traffic):
    hours = [traffic.hour(hour) for hour in range(START, START + 3)]
    with pytest.raises(ValueError, match="no hour is left"):
        calibrate(
            Judge(grids=GRIDS, identity="c"),
            hours,
            settings=SHORT,
            grids=GRIDS,
            first_judged=START + 9,
            dates=1,
            seed=1,
        )
