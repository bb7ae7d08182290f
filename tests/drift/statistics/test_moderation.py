"""Moderation: features know of each other's noise as far as they are alike."""

import numpy as np
import pytest

from driftline.drift.statistics.moderation import FeaturePower, moderate

FEATURES, CHANNELS, DAYS = 20, 5, 28
FEATURE = np.repeat(np.arange(FEATURES), CHANNELS)
SHARE = np.tile([0.1, 0.3, 0.5, 0.7, 0.9], FEATURES)
LIKE = np.ones(FEATURE.size, dtype=bool)
DF = np.full(FEATURE.size, float(DAYS))


def estimates(true_phi, seed=1):
    """Return phi as 28 days tell it, the same for all channels of a feature, (c,)."""
    chance = np.random.default_rng(seed).chisquare(DAYS, FEATURES) / DAYS
    return np.repeat(np.broadcast_to(true_phi, FEATURES) * chance, CHANNELS)


def moderated(phi, *, like=LIKE, independent=float(FEATURES)):
    return moderate(phi, DF, SHARE, FEATURE, like=like, independent=independent)


def test_features_that_are_alike_know_their_noise_from_each_other():
    phi = estimates(4.0)
    drawn = moderated(phi)
    assert np.abs(drawn.phi - 4.0).mean() < np.abs(phi - 4.0).mean() / 2
    assert drawn.added.min() > DAYS


def test_features_whose_noises_differ_stay_alone():
    """Weather is not like a schedule: half of the features have thirty times the noise of the others."""
    phi = estimates(np.where(np.arange(FEATURES) % 2, 1.0, 30.0))
    drawn = moderated(phi)
    assert drawn.added.max() < DAYS / 5
    np.testing.assert_allclose(drawn.phi, phi, rtol=0.5)


def test_what_one_cause_tells_of_all_features_counts_once():
    drawn = moderated(estimates(4.0), independent=1.2)
    assert drawn.added.max() <= 0.2 * DAYS + 1e-9


def test_a_few_features_tell_little_of_each_other():
    few = FEATURE < 2
    drawn = moderate(estimates(4.0)[few], DF[few], SHARE[few], FEATURE[few], like=LIKE[few], independent=2.0)
    np.testing.assert_array_equal(drawn.phi, estimates(4.0)[few])
    assert not drawn.added.any()


def test_rare_channels_are_only_ever_raised():
    """An outage that came in the reference is not made small by the calm of other features."""
    rare = np.arange(FEATURE.size) % CHANNELS == 0
    phi = estimates(4.0)
    phi[0], phi[CHANNELS] = 400.0, 0.5
    drawn = moderated(phi, like=~rare)
    assert drawn.phi[0] == pytest.approx(400.0)
    assert drawn.phi[CHANNELS] > 1.0


def test_noise_that_follows_the_share_does_not_look_like_features_that_differ():
    """A mean that wanders moves the middle of a distribution most."""
    steep = np.exp(-1.5 * (1 - 4 * SHARE * (1 - SHARE)))
    assert moderated(estimates(4.0) * steep).added.min() > DAYS


def test_where_all_shares_are_alike_no_trend_is_drawn_through_them():
    """Flags that are true half of the time: a share of nulls is not predicted by their line."""
    half = np.full(FEATURE.size, 0.5)
    half[0] = 0.001
    drawn = moderate(estimates(4.0), DF, half, FEATURE, like=half == 0.5, independent=float(FEATURES))
    assert 2.0 < drawn.phi[0] < 8.0


def independent_features(power, at_once=1000):
    shared = FeaturePower(FEATURE.max() + 1)
    for first in range(0, FEATURE.size, at_once):
        own = slice(first, first + at_once)
        shared.add(power[:, own], FEATURE[own])
    return shared.independent


def test_independent_features_are_counted():
    rng = np.random.default_rng(2)
    residuals = np.repeat(rng.normal(size=(400, FEATURES)), CHANNELS, axis=1)
    assert independent_features(residuals**2) == pytest.approx(FEATURES, rel=0.2)


def test_features_that_one_cause_moves_are_one():
    shocks = np.random.default_rng(3).standard_t(3, size=(400, 1)) * np.ones(FEATURE.size)
    assert independent_features(shocks**2) == pytest.approx(1.0)


def test_channels_may_come_some_at_a_time():
    """Also where that divides the channels of a feature."""
    residuals = np.repeat(np.random.default_rng(2).normal(size=(400, FEATURES)), CHANNELS, axis=1)
    residuals[:, 3] = 0.0
    power = residuals**2 * np.linspace(1, 5, FEATURE.size)
    assert independent_features(power, at_once=7) == pytest.approx(independent_features(power))


def test_where_nothing_varies_nothing_is_known():
    assert independent_features(np.zeros((28, FEATURE.size))) == pytest.approx(1.0)
