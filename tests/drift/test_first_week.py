"""A version that was deployed today, and whose reference rows carry no times."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.domain.channels import ChannelKind
from driftline.domain.verdicts import Feature
from driftline.drift import Judge
from driftline.drift.hygiene import Decision
from tests.drift.conftest import START, WEEK
from tests.drift.judging import absent, half_null, infinite, pages, renamed, run, shifted

DEPLOYED = START + 50 * WEEK + 9


def scaled(factor):
    return lambda columns: columns | {"amount": columns["amount"] * factor}


@pytest.fixture
def judge(traffic, grids):
    return Judge(grids=grids, training=[traffic.hour(START, rows=20_000)], identity="m")


def against_training(verdicts):
    return [each for each in verdicts if each.reference == "training"]


def test_the_first_hour_is_judged_against_the_reference(traffic, judge):
    verdicts = against_training(judge.judge(traffic.hour(DEPLOYED)))
    assert {(each.feature, each.scale_hours, each.verdict) for each in verdicts} == {
        (feature, scale, "ok" if scale == 1 else "insufficient_data")
        for feature in ("age", "amount", "city")
        for scale in (1, 6, 24)
    }
    assert "until season is known" in verdicts[0].reason
    assert "6 h have not passed yet" in next(each.reason for each in verdicts if each.scale_hours == 6)


@pytest.mark.parametrize(
    ("change", "feature", "kind"),
    [
        (half_null, "age", ChannelKind.NULLS),
        (absent, "age", ChannelKind.NULLS),
        (renamed, "city", ChannelKind.NEVER_SEEN),
        (scaled(1000), "amount", ChannelKind.UNIT_CHANGED),
        (scaled(1 / 100), "amount", ChannelKind.UNIT_CHANGED),
        (scaled(1 / 60), "amount", ChannelKind.UNIT_CHANGED),
    ],
)
def test_what_no_season_brings_pages_in_the_first_hour(traffic, judge, change, feature, kind):
    found = pages(judge.judge(traffic.hour(DEPLOYED, change)))
    assert {(each.feature, each.channel.kind) for each in found} == {(feature, kind)}
    assert {each.reference for each in found} == {"training"}


def test_fewer_rows_that_lack_a_value_page_within_a_window_of_six_hours(traffic, judge):
    found = pages(run(judge, traffic, range(DEPLOYED, DEPLOYED + 6), infinite))
    assert {(each.feature, each.channel.kind) for each in found} == {("amount", ChannelKind.INFINITIES)}


def test_what_season_may_do_warns(traffic, judge):
    verdicts = run(judge, traffic, range(DEPLOYED, DEPLOYED + 30), shifted)
    assert not pages(verdicts)
    moved = [each for each in against_training(verdicts) if each.feature == "age"]
    assert {each.verdict for each in moved} == {"warn", "insufficient_data"}
    assert "season may do that" in moved[0].reason


def test_a_unit_that_a_season_might_look_like_warns_and_is_named(traffic, judge):
    verdicts = judge.judge(traffic.hour(DEPLOYED, scaled(1 / 3.28084)))
    moved = [
        each for each in against_training(verdicts) if each.feature == "amount" and each.scale_hours == 1
    ]
    assert [each.verdict for each in moved] == ["warn"]
    assert moved[0].channel.text == "unit changed, values divided by 3.28084, as feet to metres"


def test_nulls_that_are_some_times_as_many_at_another_hour_page_nobody(traffic, grids):
    def nulls(share):
        def change(columns):
            missing = np.random.default_rng(0).random(columns["age"].size) < share
            return columns | {"age": np.where(missing, np.nan, columns["age"])}

        return change

    reference = [traffic.hour(START, nulls(0.03), rows=20_000)]
    judge = Judge(grids=grids, training=reference, identity="m")
    assert not pages(run(judge, traffic, range(DEPLOYED, DEPLOYED + 30), nulls(0.12)))
    assert pages(run(judge, traffic, range(DEPLOYED + 30, DEPLOYED + 32), nulls(0.7)))


def test_customers_that_a_reference_has_not_met_page_nobody(traffic, grids):
    """Of a vocabulary that is larger than a verdict can name, new values are what each day brings."""

    def customers(first):
        def change(columns):
            drawn = np.random.default_rng(first).integers(first, first + 2000, columns["city"].size)
            return columns | {"city": drawn.astype(str)}

        return change

    judge = Judge(grids=grids, training=[traffic.hour(START, customers(0), rows=40_000)], identity="m")
    assert not pages(run(judge, traffic, range(DEPLOYED, DEPLOYED + 12), customers(1500)))


def test_numbers_between_those_of_a_small_reference_are_no_news(traffic, grids):
    judge = Judge(grids=grids, training=[traffic.hour(START, rows=60)], identity="m")
    verdicts = run(judge, traffic, range(DEPLOYED, DEPLOYED + 30))
    assert {each.verdict for each in against_training(verdicts)} == {"ok", "insufficient_data"}


def test_a_feature_that_was_accepted_pages_no_more(traffic, judge):
    found = pages(judge.judge(traffic.hour(DEPLOYED, half_null)))
    episode = found[0]
    judge.decide(
        [
            Decision(
                name="accept",
                feature=Feature("age", "numeric"),
                reference="training",
                segment="",
                episode_id=episode.episode_id,
                at=DEPLOYED + 1,
            )
        ]
    )
    assert not pages(run(judge, traffic, range(DEPLOYED + 1, DEPLOYED + 4), half_null))


def test_what_was_found_is_the_same_after_a_restart(traffic, grids):
    reference = [traffic.hour(START, rows=20_000)]
    steady, rebuilt = (Judge(grids=grids, training=reference, identity="m") for _ in range(2))
    before = run(steady, traffic, range(DEPLOYED, DEPLOYED + 5), half_null)
    for hour in range(DEPLOYED, DEPLOYED + 5):
        rebuilt.remember(traffic.hour(hour, half_null))
    rebuilt.resume(pages(before))
    for hour in range(DEPLOYED + 5, DEPLOYED + 30):
        assert rebuilt.judge(traffic.hour(hour)) == steady.judge(traffic.hour(hour))
