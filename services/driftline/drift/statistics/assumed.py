"""A training reference from the first hour on: the noise is assumed, and what season may do pages nobody.

Until production is known nobody can tell how far its hours stray from a reference of another mix of hours.
So rows count for little, what moved has to be much, and only what no season brings may page.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.settings import HOURS_PER_DAY
from driftline.drift.statistics.baseline import Assumed
from driftline.drift.statistics.channels import NEVER_SEEN, NULLS, RARE_PER_FEATURE
from driftline.drift.statistics.layout import CategoricalColumns
from driftline.drift.statistics.noise import critical_values

if TYPE_CHECKING:
    from driftline.drift.settings import DriftSettings
    from driftline.drift.statistics.arrays import BoolArray, FloatArray
    from driftline.drift.statistics.baseline import Baseline
    from driftline.drift.statistics.channels import Channels

OVERDISPERSION = 5.0
"""Five rows that lack a value are taken for one observation, as where they share a reading or a customer."""

LEAST_SHARE = 0.1
"""A page says that at least this share of rows moved, and so does a warning of a day."""

LEAST_SHARE_OF_HOURS = 0.2
"""Of windows shorter than a day season is a part: they warn from there."""

_LEAST_NULLS = 0.25
"""Nulls have a season of their own, since what is known of a customer depends on who comes when."""

_PROVES_NOTHING = 1e12
_TIMES_THE_ODDS = 10.0
_DF = 1000.0


def with_assumed_noise(pooled: Baseline, settings: DriftSettings) -> Baseline:
    """Make a pooled reference ready for the windows of the first week, whose noise nobody knows yet.

    Args:
        pooled: the reference; see `build_pooled_baseline`.
        settings: windows and budget.
    """
    scales = len(settings.scales_hours)
    shape = (scales, pooled.channels.size)
    ones = np.ones(shape)
    hours = np.array(settings.scales_hours)[:, None]
    noise = replace(
        pooled.noise,
        # Values that moved only warn, and what that asks for is an effect.
        phi=without_new_numbers(pooled, np.where(pooled.channels.is_rare, OVERDISPERSION, ones)),
        dependence=ones,
        blocks=ones,
        effective=ones,
        independent=np.ones(scales),
        added=np.zeros(shape),
    )
    df = np.full(shape, _DF)
    alpha = 1 / (settings.page_budget_hours * pooled.channels.size * scales)
    return replace(
        pooled,
        noise=noise,
        df=df,
        reference_dependence=ones,
        critical=critical_values(df, alpha),
        assumed=Assumed(
            least_effects(pooled.channel_shares[0], pooled.channels),
            np.where(hours < HOURS_PER_DAY, LEAST_SHARE_OF_HOURS, LEAST_SHARE),
        ),
    )


def without_new_numbers(pooled: Baseline, phi: FloatArray) -> FloatArray:
    """Return overdispersions by which numbers between two of the reference's prove nothing.

    A reference of some hundred rows holds few of the numbers there are, so most that come are new to it.

    Args:
        pooled: the reference.
        phi: of its channels, (scales, c).
    """
    channels = pooled.channels
    is_number = np.array([feature.kind == "numeric" for feature in pooled.features], dtype=np.bool_)
    unseen = np.zeros(channels.size, dtype=np.bool_)
    unseen[channels.size - channels.rare.size :] = channels.rare % RARE_PER_FEATURE == NEVER_SEEN
    return np.where(unseen & is_number[channels.feature], _PROVES_NOTHING, phi)


def least_effects(expected: FloatArray, channels: Channels) -> FloatArray:
    """Return how much each share has to rise before it pages: to ten times its odds, by a tenth of all rows.

    Nulls that night brings and a reference of the day does not know are a few times as many, and fewer than a
    quarter; those of a feature that lost its source are nearly all.

    Args:
        expected: shares, (c,).
        channels: of which they are.
    """
    nulls = np.zeros(channels.size, dtype=np.bool_)
    nulls[channels.size - channels.rare.size :] = channels.rare % RARE_PER_FEATURE == NULLS
    odds = _TIMES_THE_ODDS * expected / np.maximum(1 - expected, 1e-9)
    least = np.where(nulls, _LEAST_NULLS, LEAST_SHARE)
    return np.asarray(np.maximum(least, odds / (1 + odds) - expected), dtype=np.float64)


def beyond_season(baseline: Baseline) -> BoolArray:
    """Return which channels tell of what no season brings, (c,).

    Missing, invalid and out of range. New categories only where the reference names all there are: among
    customers and postcodes new ones are what every day brings. A number between two of the reference's is no
    news where the reference is small.
    """
    channels = baseline.channels
    is_open = np.array(
        [
            not isinstance(columns, CategoricalColumns) or columns.keys.size > len(columns.values)
            for columns in baseline.layout.columns
        ],
        dtype=np.bool_,
    )
    values = channels.size - channels.rare.size
    unseen = np.concatenate(
        [np.zeros(values, dtype=np.bool_), channels.rare % RARE_PER_FEATURE == NEVER_SEEN]
    )
    return np.asarray(channels.is_rare & ~(unseen & is_open[channels.feature]), dtype=np.bool_)
