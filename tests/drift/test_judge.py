"""What a judge says of made traffic with known changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftline.drift import DriftSettings, Judge
from driftline.profiles import CategoricalCounts, HourProfile
from tests.drift.conftest import CITIES, START, WEEK, profile_of
from tests.drift.judging import (
    LEARNED,
    absent,
    half_null,
    in_pence,
    infinite,
    judge_with_history,
    kept_constant,
    pages,
    renamed,
    run,
    shifted,
)


@pytest.mark.parametrize(
    ("change", "feature", "channel"),
    [
        (shifted, "age", "share at or below"),
        (renamed, "city", "values never seen"),
        (half_null, "age", "nulls"),
        (absent, "age", "nulls"),
        (infinite, "amount", "infinities"),
        (in_pence, "amount", "out of range"),
    ],
)
def test_a_large_change_pages_within_the_first_hour_and_names_its_channel(
    traffic, grids, change, feature, channel
):
    judge = judge_with_history(traffic, grids)
    found = pages(judge.judge(traffic.hour(LEARNED, change)))
    assert {v.feature for v in found} == {feature}
    (hourly,) = [v for v in found if v.scale_hours == 1]
    assert channel in {v.channel.text for v in found} or hourly.channel.text.startswith(channel)
    assert hourly.effect == pytest.approx(hourly.observed - hourly.expected)
    assert hourly.effect_low <= hourly.effect <= hourly.effect_high
    assert hourly.z > hourly.critical
    assert hourly.rank == 1
    assert hourly.listed
    assert hourly.reference == "production"
    assert "since 20" in hourly.reason


def test_unchanged_traffic_does_not_page(traffic, grids):
    judge = judge_with_history(traffic, grids)
    verdicts = run(judge, traffic, range(LEARNED, LEARNED + 72))
    assert {v.verdict for v in verdicts} == {"ok"}
    assert len(verdicts) == 72 * 3 * 3
    assert all(v.detectable_effect is not None for v in verdicts if v.scale_hours == 24)


def test_a_small_change_is_found_at_a_longer_scale(traffic, grids):
    judge = judge_with_history(traffic, grids)
    found = pages(
        run(judge, traffic, range(LEARNED, LEARNED + 24), lambda c: c | {"age": c["age"] + 0.15}), "age"
    )
    assert found
    assert found[0].scale_hours > 1


def test_a_stuck_feature_pages_where_its_values_are_all_ordinary(traffic, grids):
    judge = judge_with_history(traffic, grids)
    found = pages(run(judge, traffic, range(LEARNED, LEARNED + 6), kept_constant), "amount")
    assert "stuck" in {v.channel.text for v in found if v.window_end == LEARNED + 6}
    assert "stuck" not in {v.channel.text for v in found if v.window_end < LEARNED + 6}


def test_a_feature_that_was_constant_before_is_not_stuck(traffic, grids):
    judge = Judge(grids=grids, identity="m")
    for hour in range(START, LEARNED):
        judge.remember(traffic.hour(hour, kept_constant))
    assert not pages(run(judge, traffic, range(LEARNED, LEARNED + 30), kept_constant))


def test_a_constant_feature_that_moves_either_way_pages(traffic, grids):
    for value in (9.0, 10.0):
        judge = Judge(grids=grids, identity="m")
        for hour in range(START, LEARNED):
            judge.remember(traffic.hour(hour, kept_constant))
        moved = traffic.hour(LEARNED, lambda c, value=value: c | {"amount": np.full(c["amount"].size, value)})
        assert pages(judge.judge(moved), "amount")


def test_a_young_production_learns_and_never_pages(traffic, grids):
    judge = Judge(grids=grids, identity="m")
    verdicts = run(judge, traffic, range(START, START + 150), shifted)
    assert {v.verdict for v in verdicts} == {"learning"}
    assert "day 1 of 8" in verdicts[0].reason
    assert "day 7 of 8" in verdicts[-1].reason
    verdicts = run(judge, traffic, range(START + 150, START + 8 * 24 + 1), shifted)
    assert {v.verdict for v in verdicts[-9:]} == {"ok"}


def test_a_feature_that_appears_later_learns_while_the_others_are_judged(traffic, grids):
    judge = Judge(grids=grids, identity="m")
    for hour in range(START, LEARNED):
        judge.remember(traffic.hour(hour, absent))
    verdicts = judge.judge(traffic.hour(LEARNED))
    assert {v.verdict for v in verdicts if v.feature == "age"} == {"learning"}
    assert {v.verdict for v in verdicts if v.feature != "age"} == {"ok"}


def test_hours_with_few_rows_are_insufficient_but_longer_windows_are_judged(traffic, grids):
    judge = judge_with_history(traffic, grids)
    verdicts = judge.judge(traffic.hour(LEARNED, shifted, rows=5))
    by_scale = {v.scale_hours: v.verdict for v in verdicts if v.feature == "age"}
    assert by_scale == {1: "insufficient_data", 6: "ok", 24: "ok"}
    assert "5 events in 1 h" in next(v.reason for v in verdicts if v.scale_hours == 1)


def test_an_hour_that_lost_events_is_incomplete_and_does_not_page(traffic, grids):
    judge = judge_with_history(traffic, grids)
    verdicts = judge.judge(traffic.hour(LEARNED, shifted), completeness=0.6)
    assert {v.verdict for v in verdicts if v.scale_hours == 1} == {"incomplete"}
    assert [v.completeness for v in verdicts if v.scale_hours == 1] == pytest.approx([0.6] * 3)
    day = next(v for v in verdicts if v.scale_hours == 24)
    assert 0.95 < day.completeness < 1


def test_gaps_between_hours_are_no_change(traffic, grids):
    judge = Judge(grids=grids, identity="m")
    open_hours = [hour for hour in range(START, LEARNED + 240) if hour % 24 in range(7, 19)]
    for hour in open_hours:
        if hour < LEARNED:
            judge.remember(traffic.hour(hour))
        else:
            assert not pages(judge.judge(traffic.hour(hour)))


def test_after_a_gap_longer_than_the_windows_only_the_new_hour_counts(traffic, grids):
    judge = judge_with_history(traffic, grids)
    run(judge, traffic, range(LEARNED, LEARNED + 3))
    verdicts = judge.judge(traffic.hour(LEARNED + 60))
    assert {v.sample_size for v in verdicts} == {traffic.rows}


def test_hours_must_come_in_order(traffic, grids):
    judge = judge_with_history(traffic, grids)
    for feed in (judge.judge, judge.remember):
        with pytest.raises(ValueError, match="must come after"):
            feed(traffic.hour(LEARNED - 1))


def test_the_order_of_counts_makes_no_difference(traffic, grids):
    def reversed_order(profile: HourProfile) -> HourProfile:
        return replace(
            profile,
            numeric={
                name: replace(c, buckets=c.buckets[::-1], counts=c.counts[::-1])
                for name, c in reversed(list(profile.numeric.items()))
            },
            categorical={
                name: CategoricalCounts(dict(reversed(list(c.counts.items()))), c.nulls)
                for name, c in profile.categorical.items()
            },
        )

    straight, turned = Judge(grids=grids, identity="m"), Judge(grids=grids, identity="m")
    for hour in range(START, START + 2 * WEEK):
        straight.remember(traffic.hour(hour))
        turned.remember(reversed_order(traffic.hour(hour)))
    for hour in range(START + 2 * WEEK, START + 2 * WEEK + 30):
        profile = traffic.hour(hour, shifted)
        assert straight.judge(profile) == turned.judge(reversed_order(profile))


def test_one_episode_holds_all_pages_until_a_quiet_day_and_its_id_is_repeatable(traffic, grids):
    def episodes():
        judge = judge_with_history(traffic, grids)
        run(judge, traffic, range(LEARNED, LEARNED + 4))
        first = pages(run(judge, traffic, range(LEARNED + 4, LEARNED + 8), shifted), "age")
        run(judge, traffic, range(LEARNED + 8, LEARNED + 70))
        second = pages(run(judge, traffic, range(LEARNED + 70, LEARNED + 74), shifted), "age")
        return first, second

    first, second = episodes()
    assert {v.episode_start for v in first} == {LEARNED + 4}
    assert len({v.episode_id for v in first}) == 1
    assert len({v.episode_id for v in second}) == 1
    assert first[0].episode_id != second[0].episode_id
    assert episodes() == (first, second)


def test_a_fault_does_not_become_the_reference_while_it_lasts(traffic, grids):
    judge = judge_with_history(traffic, grids)
    verdicts = run(judge, traffic, range(LEARNED, LEARNED + 13 * 24), shifted)
    last = [v for v in verdicts if v.window_end == LEARNED + 13 * 24 and v.feature == "age"]
    assert {v.verdict for v in last} == {"page"}
    assert {v.episode_start for v in last} == {LEARNED}


def test_a_change_that_lasts_two_weeks_is_the_new_normal(traffic, grids):
    judge = judge_with_history(traffic, grids)
    run(judge, traffic, range(LEARNED, LEARNED + 14 * 24), shifted)
    after = run(judge, traffic, range(LEARNED + 14 * 24, LEARNED + 15 * 24), shifted)
    assert not pages(after)
    back = pages(judge.judge(traffic.hour(LEARNED + 15 * 24)), "age")
    assert back


def test_a_judge_rebuilt_from_hours_and_pages_goes_on_alike(traffic, grids):
    def change(hour):
        return shifted if LEARNED + 30 <= hour < LEARNED + 47 else None

    split, end = LEARNED + 53, LEARNED + 130
    steady = judge_with_history(traffic, grids)
    before = [v for h in range(LEARNED, split) for v in steady.judge(traffic.hour(h, change(h)))]
    rebuilt = Judge(grids=grids, identity="model/1/production")
    for hour in range(split - rebuilt.history_hours, split):
        if hour >= START:
            rebuilt.remember(traffic.hour(hour, change(hour)))
    rebuilt.resume(reversed(pages(before)))
    assert pages(before)
    for hour in range(split, end):
        assert rebuilt.judge(traffic.hour(hour)) == steady.judge(traffic.hour(hour))


def test_summer_time_moves_no_window_when_the_clock_of_the_traffic_is_known(grids):
    # 2013-03-10 07:00 UTC: New York puts its clocks forward.
    changes = 1362898800 // 3600

    def hours(judge, first, last):
        found = []
        for hour in range(first, last):
            local = hour - (4 if hour >= changes else 5)
            day = 1.0 if 8 <= local % 24 < 20 else 0.0
            rng = np.random.default_rng(hour)
            columns = {
                "age": rng.normal(day * 3, 0.3, size=300),
                "amount": rng.lognormal(size=300),
                "city": rng.choice(CITIES, size=300),
            }
            found += pages(judge.judge(profile_of(hour, columns)))
        return found

    aware = Judge(grids=grids, settings=DriftSettings(timezone="America/New_York"), identity="m")
    assert not hours(aware, changes - 22 * 24, changes + 36)
    unaware = Judge(grids=grids, identity="m")
    assert hours(unaware, changes - 22 * 24, changes + 36)


def test_training_warns_of_season_and_pages_for_rare_channels_only(traffic, grids):
    training = [traffic.hour(hour) for hour in range(START, START + 3 * WEEK)]
    judge = Judge(grids=grids, training=training, identity="m")
    later = START + 20 * WEEK
    warm = run(judge, traffic, range(later, later + 30), shifted)
    moved = {v.verdict for v in warm if v.reference == "training" and v.feature == "age"}
    assert moved == {"warn"}
    found = pages(run(judge, traffic, range(later + 30, later + 32), half_null))
    assert {(v.reference, v.channel.text) for v in found} == {("training", "nulls")}


def test_training_without_times_is_compared_by_whole_weeks(traffic, grids):
    everything = traffic.hour(START, rows=20_000)
    judge = Judge(grids=grids, training=[everything], identity="m")
    begin = START + 50 * WEEK
    verdicts = []
    for hour in range(begin, begin + 9 * 24):
        verdicts = [v for v in judge.judge(traffic.hour(hour)) if v.reference == "training"]
        assert {v.scale_hours for v in verdicts} == ({1, 6, 24} if hour < begin + 8 * 24 else {WEEK})
    assert {v.verdict for v in verdicts} == {"ok"}
    assert "carry no times" in verdicts[0].reason
    for hour in range(begin + 9 * 24, begin + 10 * 24):
        verdicts = [v for v in judge.judge(traffic.hour(hour, renamed)) if v.reference == "training"]
    assert {v.feature for v in pages(verdicts)} == {"city"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum_effect": 0.0},
        {"scales_hours": ()},
        {"scales_hours": (6, 1)},
        {"scales_hours": (1, 200)},
        {"reference_weeks": 1},
        {"page_budget_hours": 0},
        {"minimum_completeness": 1.5},
        {"controller_step": -0.1},
    ],
)
def test_settings_that_cannot_be_honoured_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        DriftSettings(**wrong)


@pytest.mark.parametrize(("once", "after"), [(7, 21), (11, 33)])
def test_a_feature_that_was_constant_once_for_hours_can_be_stuck_again(traffic, grids, once, after):
    judge = Judge(grids=grids, identity="m")
    for hour in range(START, LEARNED):
        is_constant = START + 400 <= hour < START + 400 + once
        judge.remember(traffic.hour(hour, kept_constant if is_constant else None))
    found = pages(run(judge, traffic, range(LEARNED, LEARNED + after), kept_constant), "amount")
    ends = [one.window_end for one in found if one.channel.text == "stuck"]
    assert min(ends) == LEARNED + after
