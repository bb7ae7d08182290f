"""The bench's made traffic is what it says, and a tiny cell of its simulation runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import chisquare

from bench.simulation import Job, Pages, judge_hard, load, run_job, save
from bench.tables import at_most, print_simulation, quantile
from bench.traffic import CATEGORY, CITIES, FAULTS, NULL_COLUMN, NULL_SHARE, Fault, Hour, Kind, Traffic
from driftline.drift import Verdict
from driftline.drift.margins import Margin, margin_of

if TYPE_CHECKING:
    from driftline.profiles import HourProfile

NO_FAULT = Fault()


def a_truth(rows: int, seed: int = 3) -> tuple[Traffic, Hour]:
    traffic = Traffic("noise", rows, np.random.default_rng(seed))
    return traffic, traffic.step()


@pytest.mark.parametrize("fault", [NO_FAULT, Fault(mean_sd=0.1, mix=0.05, nulls=0.02)])
def test_the_bucket_probabilities_are_those_of_the_rows(fault: Fault) -> None:
    traffic, truth = a_truth(200_000)
    drawn = traffic.draw_rows(truth, fault)
    for column, shares in zip(traffic.columns, traffic.shares(truth, fault), strict=True):
        values = drawn[column.name]
        present = values[~np.isnan(values)]
        expected = shares[-column.buckets.size :] * present.size
        seen = np.bincount(column.grid.bucket(present) - column.buckets[0], minlength=expected.size)
        # Buckets are merged until each merged one is expected to hold enough.
        cell = np.minimum(np.floor(np.cumsum(expected) / 50), present.size // 50 - 1).astype(int)
        merged_seen, merged_expected = np.bincount(cell, seen), np.bincount(cell, expected)
        held = merged_expected > 5
        assert merged_expected[held].sum() > 0.999 * present.size
        scale = merged_seen[held].sum() / merged_expected[held].sum()
        assert chisquare(merged_seen[held], merged_expected[held] * scale).pvalue > 1e-4, column.name


@pytest.mark.parametrize(("kind", "least", "most"), [("noise", 1.0, 1.5), ("uneven", 3.0, 10.0)])
def test_columns_differ_in_noise_where_it_is_uneven(kind: Kind, least: float, most: float) -> None:
    traffic = Traffic(kind, 500, np.random.default_rng(4))
    drift = np.array([traffic.step().drift for _ in range(2 * 2016)])
    wandered = (drift[2016:] - drift[:2016]).std(0)  # Twelve weeks apart: the season is the same.
    assert least < wandered.max() / wandered.min() < most


@pytest.mark.parametrize("fault", [NO_FAULT, Fault(mix=0.05, nulls=0.02)])
def test_counts_drawn_at_once_have_the_moments_of_rows_counted_one_by_one(fault: Fault) -> None:
    traffic, truth = a_truth(2_000)
    hours = [traffic.draw_counts(truth, fault) for _ in range(400)]
    by_rows = [traffic.draw_rows(truth, fault) for _ in range(400)]
    for name, column in zip(hours[0].numeric, traffic.columns, strict=True):
        middle = int(column.grid.bucket(column.transform(np.zeros(1)))[0])
        counted = [int(h.numeric[name].counts[h.numeric[name].buckets <= middle].sum()) for h in hours]
        rows = [int((column.grid.bucket(r[name][~np.isnan(r[name])]) <= middle).sum()) for r in by_rows]
        assert_alike(counted, rows)
    assert_alike(
        [h.numeric[NULL_COLUMN].nulls for h in hours], [int(np.isnan(r[NULL_COLUMN]).sum()) for r in by_rows]
    )
    for city in CITIES:
        assert_alike(
            [h.categorical[CATEGORY].counts[city] for h in hours],
            [int((r[CATEGORY] == city).sum()) for r in by_rows],
        )


def assert_alike(one: list[int], other: list[int]) -> None:
    """Two samples of 400 have the same mean, within five standard errors, and much the same spread."""
    error = np.sqrt((np.var(one) + np.var(other)) / len(one))
    assert abs(np.mean(one) - np.mean(other)) < 5 * error + 1e-9
    assert 0.7 < (np.std(one) + 0.1) / (np.std(other) + 0.1) < 1.4


def test_the_least_and_the_largest_value_lie_in_the_outermost_buckets() -> None:
    traffic, truth = a_truth(500)
    profile = traffic.draw_counts(truth, NO_FAULT)
    for column in traffic.columns:
        counts = profile.numeric[column.name]
        assert column.grid.bucket([counts.minimum, counts.maximum]).tolist() == [
            counts.buckets[0],
            counts.buckets[-1],
        ]
        assert counts.counts.sum() + counts.nulls == truth.rows == profile.rows


def test_faults_do_what_their_names_say() -> None:
    traffic = Traffic("iid", 100_000, np.random.default_rng(1))
    truth = traffic.step()
    before = traffic.draw_counts(truth, NO_FAULT)
    mix, nulls, mean = (traffic.draw_counts(truth, FAULTS[name][2]) for name in ("mix", "nulls", "mean"))
    moved = [p.categorical[CATEGORY].counts[CITIES[0]] / p.rows for p in (before, mix)]
    assert moved == pytest.approx([0.40, 0.35], abs=0.01)
    assert [p.numeric[NULL_COLUMN].nulls / p.rows for p in (before, nulls)] == pytest.approx(
        [NULL_SHARE, NULL_SHARE + 0.02], abs=0.003
    )
    below = [p.numeric["x00"].counts[p.numeric["x00"].buckets < 0].sum() / p.rows for p in (before, mean)]
    assert -ndtri(below[1]) + ndtri(below[0]) == pytest.approx(0.1, abs=0.02)


def test_a_tiny_cell_runs_and_continues_from_its_file(tmp_path, capsys) -> None:
    job = Job("iid", 500, 0, windows=60, seed=1)
    result = run_job(job)
    assert result["starts"] == []
    assert result["hours"] == 60
    assert all(delay is not None and delay <= 48 for delay in result["delays"].values()), result["delays"]
    path, settings = tmp_path / "simulation.json", {"windows": 60, "seed": 1}
    save(path, {"settings": settings, "streams": {job.key: json.loads(json.dumps(result))}})
    print_simulation(load(path, settings)["streams"])
    assert "| independent rows | 0.00 (< 49.93; 0.0; 60) |" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="choose another"):
        load(path, {"windows": 61, "seed": 1})


class Nervous:
    """Stands for a judge: pages every other day, unless it is given a margin."""

    def judge(self, profile: HourProfile, *, margin: Margin = 1.0) -> list[Verdict]:
        is_enough = margin_of(margin, "x") < 1.2
        return [a_page(str(profile.hour), "x")] if profile.hour % 48 == 0 and is_enough else []


def test_a_hard_regime_is_judged_with_and_without_the_controller() -> None:
    """A page that nobody confirms makes the next one harder to get, for 400 hours."""
    job = Job("wander", 30, 0, windows=300, seed=2, hard_length=1)
    result = judge_hard(job, Traffic("wander", 30, np.random.default_rng(2)), Nervous())
    assert len(result["starts"]) == 300 // 48
    assert result["held"]["starts"] == result["starts"][:1]


def test_features_that_page_within_a_day_of_the_first_are_one_page() -> None:
    pages = Pages()
    for hour, episodes in ((3, "a"), (4, "ab"), (20, "c"), (26, "a"), (27, "d"), (30, "")):
        pages.take(hour, [a_page(episode) for episode in episodes])
    assert pages.as_dict() == {"starts": [3, 27], "paging_hours": 5}


def a_page(episode: str, feature: str | None = None) -> Verdict:
    return Verdict(
        feature=feature or episode,
        kind="numeric",
        reference="production",
        scale_hours=1,
        window_start=0,
        window_end=1,
        verdict="page",
        episode_id=episode,
    )


def test_quantiles_count_what_was_never_found() -> None:
    assert quantile([3, 1, None, 2], 0.5) == "2"
    assert quantile([3, 1, None, 2], 0.9) == "never"


def test_no_page_in_a_thousand_hours_bounds_the_rate_at_three() -> None:
    assert at_most(0, 1000) == pytest.approx(2.9957, abs=1e-3)
