"""Baselines: what is learned from the reference, and what from the weeks before it."""

import numpy as np
import pytest

from driftline.drift import DriftSettings
from driftline.drift.statistics.baseline import build_baseline
from driftline.drift.statistics.hours import Clock, HourCounts, known_features
from driftline.drift.statistics.lessons import Span
from driftline.drift.statistics.vocabulary import Vocabulary
from tests.drift.conftest import START, WEEK

WEEKS = 4
AGE = "age"


def restless(hour, columns):
    """Move the whole hour, up and down by turns of a day."""
    return columns | {AGE: columns[AGE] + (0.3 if hour // 24 % 2 else -0.3)}


def far_away(_, columns):
    return columns | {AGE: np.append(columns[AGE][1:], 60.0)}


def absent(_, columns):
    return {name: values for name, values in columns.items() if name != AGE}


def baseline(traffic, grids, changes, *, lag_weeks=1):
    """Build the baseline of five weeks, of which those that `changes` names are changed."""
    vocabulary, clock = Vocabulary(), Clock("UTC")
    hours = []
    for hour in range(START, START + 5 * WEEK):
        change = changes.get((hour - START) // WEEK)
        profile = traffic.hour(
            hour, change and (lambda columns, hour=hour, change=change: change(hour, columns))
        )
        hours.append(HourCounts.from_profile(profile, vocabulary, clock=clock))
    features = tuple(sorted({feature for hour in hours for feature in hour.features}))
    return build_baseline(
        hours,
        known_features(hours, features),
        features,
        span=Span(START + WEEK, WEEKS, lag_weeks),
        grids=grids,
        vocabulary=vocabulary,
        settings=DriftSettings(),
    )


def daily_noise(built):
    """Return the largest phi of a day among the shares of the feature."""
    owner = next(i for i, feature in enumerate(built.features) if feature.name == AGE)
    own = (built.channels.feature == owner) & ~built.channels.is_rare
    return built.noise.phi[-1, own].max()


def test_a_restless_last_week_does_not_pass_for_noise(traffic, grids):
    """A fault that is too small to be found on its first day may be found on its third."""
    calm, restive = (daily_noise(baseline(traffic, grids, changes)) for changes in ({}, {4: restless}))
    assert restive == pytest.approx(calm, rel=0.05)  # The cuts lie elsewhere.
    assert daily_noise(baseline(traffic, grids, {4: restless}, lag_weeks=0)) > 5 * calm


def test_a_restless_week_before_the_reference_is_noise_that_was_seen(traffic, grids):
    assert daily_noise(baseline(traffic, grids, {0: restless})) > 5 * daily_noise(
        baseline(traffic, grids, {})
    )


def test_only_the_reference_itself_says_what_is_expected_and_in_range(traffic, grids):
    plain, odd = (baseline(traffic, grids, changes) for changes in ({}, {0: far_away}))
    assert odd.extremes() == plain.extremes()
    assert odd.slot_sizes.max() == plain.slot_sizes.max()
    assert baseline(traffic, grids, {1: far_away}).extremes() != plain.extremes()


def test_a_feature_too_young_to_lag_behind_learns_its_noise_from_all_that_it_has(traffic, grids):
    young = daily_noise(baseline(traffic, grids, {0: absent, 4: restless}))
    assert young == pytest.approx(daily_noise(baseline(traffic, grids, {4: restless}, lag_weeks=0)), rel=0.05)
