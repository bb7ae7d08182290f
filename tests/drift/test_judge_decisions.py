"""What a judge makes of a margin, and of acknowledgements of its pages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driftline.drift import DriftSettings, Feature, Judge
from driftline.drift.hygiene import Decision
from tests.drift.conftest import START, WEEK
from tests.drift.judging import (
    LEARNED,
    half_null,
    in_pence,
    judge_with_history,
    kept_constant,
    pages,
    run,
    shifted,
)


def decision(verdict, name, at):
    feature = Feature(verdict.feature, verdict.kind)
    return Decision(verdict.segment, verdict.reference, feature, verdict.episode_id, name, at)


def test_a_margin_multiplies_what_a_page_needs_and_is_reported(traffic, grids):
    change = traffic.hour(LEARNED, lambda c: c | {"age": c["age"] + 0.5})
    plain, careful = (judge_with_history(traffic, grids) for _ in range(2))
    paging = {(v.feature, v.scale_hours): v for v in plain.judge(change)}[("age", 1)]
    held = {(v.feature, v.scale_hours): v for v in careful.judge(change, margin=50.0)}[("age", 1)]
    assert (paging.verdict, held.verdict) == ("page", "warn")
    assert held.critical == pytest.approx(50 * paging.critical)
    assert held.detectable_effect is None or held.detectable_effect > paging.detectable_effect
    assert "would have paged, but pages that nobody confirmed" in held.reason
    lacked = held.critical - held.z
    assert f"of the evidence of {held.critical:.1f} that it takes, {lacked:.1f} (" in held.reason
    assert (held.z, held.channel, held.effect) == (paging.z, paging.channel, paging.effect)


def test_what_the_margin_holds_back_warns_even_where_it_is_too_small_for_a_warning(traffic, grids):
    judge = judge_with_history(traffic, grids, settings=DriftSettings(warn_effect=0.9))
    verdicts = judge.judge(traffic.hour(LEARNED, shifted), margin=50.0)
    hourly = {v.feature: v.verdict for v in verdicts if v.scale_hours == 1}
    assert hourly == {"age": "warn", "amount": "ok", "city": "ok"}


def test_a_stuck_feature_pages_whatever_the_margin(traffic, grids):
    judge = judge_with_history(traffic, grids)
    verdicts = [
        v
        for h in range(LEARNED, LEARNED + 6)
        for v in judge.judge(traffic.hour(h, kept_constant), margin=1e9)
    ]
    assert {v.channel.text for v in pages(verdicts)} == {"stuck"}


def test_a_judge_names_its_segment(traffic, grids):
    judge = Judge(grids=grids, identity="m/carrier=DL", segment="carrier=DL")
    assert {v.segment for v in judge.judge(traffic.hour(START))} == {"carrier=DL"}


def test_what_is_accepted_is_learned_anew_at_once_and_pages_no_more(traffic, grids):
    judge = judge_with_history(traffic, grids)
    found = pages(run(judge, traffic, range(LEARNED, LEARNED + 5), shifted))
    judge.decide([decision(found[-1], "accept", LEARNED + 5)])
    after = run(judge, traffic, range(LEARNED + 5, LEARNED + 24), shifted)
    assert {v.verdict for v in after if v.feature == "age"} == {"learning"}
    assert {v.verdict for v in after if v.feature != "age"} == {"ok"}
    later = run(judge, traffic, range(LEARNED + 24, LEARNED + 9 * 24 + 4), shifted)
    assert {v.verdict for v in later if v.window_end > LEARNED + 9 * 24} == {"ok"}
    assert pages(judge.judge(traffic.hour(LEARNED + 9 * 24 + 4)), "age")


def test_a_decision_on_another_segment_changes_nothing(traffic, grids):
    judge = judge_with_history(traffic, grids)
    (found, *_) = pages(judge.judge(traffic.hour(LEARNED, shifted)))
    judge.decide([decision(replace(found, segment="carrier=DL"), "accept", LEARNED + 1)])
    assert pages(judge.judge(traffic.hour(LEARNED + 1, shifted)), "age")


def test_a_change_that_was_accepted_only_warns_against_the_training_data(traffic, grids):
    training = [traffic.hour(hour) for hour in range(START, START + 3 * WEEK)]
    later = START + 20 * WEEK
    judge = Judge(grids=grids, training=training, identity="m")
    found = pages(run(judge, traffic, range(later, later + 2), half_null))
    assert {(v.reference, v.channel.text) for v in found} == {("training", "nulls")}
    judge.decide([decision(found[-1], "accept", later + 2)])
    resumed = Judge(grids=grids, training=training, identity="m")
    for hour in range(later, later + 2):
        resumed.remember(traffic.hour(hour, half_null))
    resumed.resume([], [decision(found[-1], "accept", later + 2)])
    for one in (judge, resumed):
        after = [v for v in one.judge(traffic.hour(later + 2, half_null)) if v.feature == "age"]
        (reported,) = [v for v in after if v.reference == "training"]
        assert reported.verdict == "warn"
        assert reported.reason.endswith("accepted as the new normal")
        assert pages(one.judge(traffic.hour(later + 3, in_pence)), "amount")


@pytest.mark.parametrize("name", ["accept", "noise", "real"])
def test_a_judge_rebuilt_with_decisions_goes_on_alike(traffic, grids, name):
    def change(hour):
        return shifted if LEARNED + 30 <= hour < LEARNED + 60 else None

    known_from, split, end = LEARNED + 40, LEARNED + 53, LEARNED + 100
    steady = judge_with_history(traffic, grids)
    before = [v for h in range(LEARNED, known_from) for v in steady.judge(traffic.hour(h, change(h)))]
    decisions = [decision(pages(before)[-1], name, known_from)]
    steady.decide(decisions)
    before += [v for h in range(known_from, split) for v in steady.judge(traffic.hour(h, change(h)))]
    rebuilt = Judge(grids=grids, identity="model/1/production")
    for hour in range(max(split - rebuilt.history_hours, START), split):
        rebuilt.remember(traffic.hour(hour, change(hour)))
    rebuilt.resume(reversed(pages(before)), decisions)
    for hour in range(split, end):
        profile = traffic.hour(hour, change(hour))
        assert rebuilt.judge(profile) == steady.judge(profile)
        steady.decide(decisions)
