"""What no single feature shows: relations that change while every feature stays as it was."""

from __future__ import annotations

import re

import numpy as np
import pytest

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.names import JOINT
from driftline.domain.verdicts import VerdictName
from driftline.drift import DriftSettings, Judge, Verdict
from driftline.drift.joint.report import report_joint
from driftline.drift.statistics.joint import (
    DISTANCE,
    LEAST_ROWS,
    Projection,
    count,
    fit,
    pair_phrases,
    profile,
)
from driftline.store.samples import Sample
from tests.drift.conftest import START, WEEK


def sample_of(hour, *, rows=300, correlation=0.8, seed=3, tight=True):
    """Rows of four features, two of which hang together; `sum` follows from the two others."""
    rng = np.random.default_rng((seed, hour))
    first = rng.normal(size=rows)
    second = correlation * first + np.sqrt(1 - correlation**2) * rng.normal(size=rows)
    third, fourth = rng.lognormal(size=rows), rng.normal(size=rows)
    total = np.log(third) + fourth + 0.05 * rng.normal(size=rows)
    return Sample(
        np.full(rows, hour),
        {
            "age": first,
            "height": second,
            "price": third,
            "rate": fourth,
            "sum": total if tight else rng.permutation(total),
        },
        {"city": rng.choice(np.array(["Ankara", "Bergen", "Cork"], dtype=object), rows)},
    )


def joined(samples):
    return Sample(
        np.concatenate([sample.hours for sample in samples]),
        {name: np.concatenate([s.numeric[name] for s in samples]) for name in samples[0].numeric},
        {name: np.concatenate([s.categorical[name] for s in samples]) for name in samples[0].categorical},
    )


@pytest.fixture(scope="module")
def projection():
    return fit(joined([sample_of(hour) for hour in range(START, START + 40)]))


@pytest.fixture(scope="module")
def remembered(projection):
    """The hours that a judge knows before the test begins."""
    hours = [sample_of(hour) for hour in range(START, START + 2 * WEEK)]
    return [profile(projection, counts) for sample in hours for counts in count(projection, sample)]


def judged(projection, remembered, hours, **change):
    judge = Judge(grids=projection.grid_of, settings=DriftSettings(), identity="joint")
    for one in remembered:
        judge.remember(one)
    reported = []
    for hour in range(START + 2 * WEEK, START + 2 * WEEK + hours):
        (counts,) = count(projection, sample_of(hour, **change))
        reported += report_joint(judge.judge(profile(projection, counts)), pair_phrases(projection))
    return reported


def test_a_correlation_that_turns_is_reported_with_its_pair_and_only_warns(projection, remembered):
    reported = judged(projection, remembered, 1, correlation=-0.8)
    (verdict,) = (each for each in reported if each.scale_hours == 1)
    assert (verdict.feature, verdict.verdict, verdict.episode_id) == (JOINT, "warn", None)
    assert next(iter(verdict.drivers)) == "age × height"
    assert "age above" in verdict.reason
    assert "height above" in verdict.reason
    share, expected = re.search(r"neither in (\d+)% .* expect (\d+)%", verdict.reason).groups()
    assert 15 <= int(share) <= 25  # Half less the arc sine of 0.8, over pi.
    assert 75 <= int(expected) <= 85


def test_a_relation_that_breaks_is_reported_with_its_culprit(projection, remembered):
    reported = judged(projection, remembered, 2, tight=False)
    warned = [each for each in reported if each.verdict == "warn"]
    assert warned
    assert any("sum given the others" in each.drivers for each in warned)
    assert any("sum is not what the other features lead to expect" in each.reason for each in warned)


def test_a_residual_alone_is_no_finding_and_names_what_the_distance_found(projection):
    def verdict(feature, name, effect=0.3):
        return Verdict(
            feature=feature,
            kind="numeric",
            reference="production",
            scale_hours=6,
            window_start=START,
            window_end=START + 6,
            verdict=VerdictName(name),
            channel=Channel(ChannelKind.AT_MOST, 1.0),
            effect=effect,
            effect_low=effect - 0.1,
            effect_high=effect + 0.1,
        )

    residuals = [verdict("rate given the others", "ok", 0.05), verdict("price given the others", "ok", 0.2)]
    residuals += [verdict("sum given the others", "page"), verdict("age given the others", "warn", 0.6)]
    (alone,) = report_joint([*residuals, verdict(DISTANCE, "ok", 0.01)], pair_phrases(projection))
    assert (alone.verdict, alone.drivers) == ("ok", {})
    (both,) = report_joint([*residuals, verdict(DISTANCE, "warn", 0.01)], pair_phrases(projection))
    assert both.verdict == "warn"
    assert list(both.drivers) == ["age given the others", "sum given the others", "all features"]


def test_independent_features_that_begin_to_go_together_are_reported(projection, remembered):
    def mixed(hour, **_):
        sample = sample_of(hour)
        numeric = dict(sample.numeric)
        order = np.argsort(np.argsort(numeric["age"]))
        numeric["price"] = np.sort(numeric["price"])[order]
        return Sample(sample.hours, numeric, sample.categorical)

    judge = Judge(grids=projection.grid_of, identity="joint")
    for one in remembered:
        judge.remember(one)
    (counts,) = count(projection, mixed(START + 2 * WEEK))
    reported = report_joint(judge.judge(profile(projection, counts)), pair_phrases(projection))
    assert any("age × price" in each.drivers for each in reported)


def test_while_nothing_changes_nothing_is_reported(projection, remembered):
    reported = judged(projection, remembered, 24)
    assert {each.verdict for each in reported} == {"ok"}
    assert {each.scale_hours for each in reported} == {1, 6, 24}
    assert all(each.drivers == {} and "go together as they did" in each.reason for each in reported)


def test_a_feature_that_drifts_by_itself_shows_too_and_the_reason_says_so(projection, remembered):
    def moved(hour, **_):
        sample = sample_of(hour)
        return Sample(sample.hours, sample.numeric | {"age": sample.numeric["age"] + 3}, sample.categorical)

    judge = Judge(grids=projection.grid_of, identity="joint")
    for one in remembered:
        judge.remember(one)
    (counts,) = count(projection, moved(START + 2 * WEEK))
    reported = report_joint(judge.judge(profile(projection, counts)), pair_phrases(projection))
    assert reported[0].verdict == "warn"
    assert "a feature that drifts by itself shows here too" in reported[0].reason


def test_every_row_is_counted_once(projection):
    sample = joined([sample_of(START), sample_of(START + 2, rows=50)])
    first, second = count(projection, sample)
    assert (first.hour, first.rows, second.hour, second.rows) == (START, 300, START + 2, 50)
    for counts in (first, second):
        assert {int(number.counts.sum()) for number in counts.numbers} == {counts.rows}
        hour = profile(projection, counts)
        assert {sum(pair.counts.values()) for pair in hour.categorical.values()} == {counts.rows}
        assert DISTANCE in hour.numeric


def test_hours_are_counted_together_as_they_are_one_by_one(projection):
    alone = [sample_of(START), sample_of(START + 2, rows=50), sample_of(START + 3, rows=1)]
    for found, own in zip(count(projection, joined(alone)), alone, strict=True):
        (expected,) = count(projection, own)
        assert (found.hour, found.together.tolist()) == (expected.hour, expected.together.tolist())
        for number, other in zip(found.numbers, expected.numbers, strict=True):
            assert number.buckets.tolist() == other.buckets.tolist()
            assert number.counts.tolist() == other.counts.tolist()
            assert (number.minimum, number.maximum) == pytest.approx((other.minimum, other.maximum))


def test_pairs_count_rows_that_have_both_halves_or_neither(projection):
    sample = sample_of(START)
    (counts,) = count(projection, sample)
    place = projection.pair_names.index("age × height")
    first, second = (projection.columns[column] for column in projection.pairs[place])
    age, height = sample.numeric["age"] > first.halves, sample.numeric["height"] > second.halves
    assert counts.together[place] == (age == height).sum()


def test_a_missing_value_counts_as_the_median_and_changes_no_other_row(projection):
    torn = sample_of(START)
    torn.numeric["age"][:100] = np.nan
    middle = sample_of(START)
    middle.numeric["age"][:100] = np.median(joined([sample_of(START + h) for h in range(40)]).numeric["age"])
    (with_gaps,), (with_medians,) = count(projection, torn), count(projection, middle)
    unconcerned = [place for place, name in enumerate(projection.pair_names) if "age" not in name]
    assert with_gaps.together[unconcerned].tolist() == with_medians.together[unconcerned].tolist()
    assert with_gaps.numbers[0].maximum == pytest.approx(with_medians.numbers[0].maximum, rel=0.02)


def test_a_feature_that_the_projection_does_not_know_is_left_out(projection):
    sample = sample_of(START)
    more = Sample(sample.hours, sample.numeric | {"new": np.ones(300)}, sample.categorical)
    fewer = Sample(sample.hours, {"age": sample.numeric["age"]}, {})
    assert count(projection, more)[0].together.tolist() == count(projection, sample)[0].together.tolist()
    assert count(projection, fewer)[0].rows == 300


def test_a_model_with_a_single_feature_or_few_rows_has_no_projection():
    rows = joined([sample_of(START + hour) for hour in range(5)])
    alone = Sample(rows.hours, {"age": rows.numeric["age"], "constant": np.ones(rows.rows)}, {})
    assert fit(alone) is None
    assert fit(Sample(np.empty(0, dtype=np.int64), {}, {})) is None
    few = sample_of(START, rows=LEAST_ROWS - 1)
    assert fit(few) is None
    assert fit(sample_of(START, rows=LEAST_ROWS)) is not None


def test_a_projection_is_the_same_after_it_was_stored(projection):
    again = Projection.from_text(projection.to_text())
    assert again == projection


def test_many_features_are_watched_by_a_bounded_number_of_pairs():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(1200, 60))
    values[:, 59] = values[:, 58] + 0.5 * values[:, 59]
    wide = fit(Sample(np.zeros(1200, dtype=np.int64), {f"x{n}": values[:, n] for n in range(60)}, {}))
    assert len(wide.pairs) == 300
    assert "x58 × x59" in wide.pair_names
    assert len(wide.number_names) == 33


def test_a_column_that_repeats_another_one_is_no_trouble():
    sample = sample_of(START, rows=2000)
    twice = Sample(sample.hours, {"again": sample.numeric["age"]} | sample.numeric, sample.categorical)
    projection = fit(twice)
    (counts,) = count(projection, twice)
    assert np.isfinite(counts.numbers[0].maximum)
    assert counts.together[projection.pair_names.index("again × age")] == 2000
