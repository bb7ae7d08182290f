"""Training references without usable times: season cannot be matched, so a week is compared as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.settings import HOURS_PER_WEEK, DriftSettings
from driftline.drift.statistics.baseline import Baseline
from driftline.drift.statistics.channels import RARE_PER_FEATURE, Channels
from driftline.drift.statistics.descriptive import DescriptivePlan
from driftline.drift.statistics.hours import stack
from driftline.drift.statistics.layout import Layout
from driftline.drift.statistics.noise import Noise, critical_values
from driftline.drift.statistics.ranges import KnownValues, new_after

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.verdicts import Feature
    from driftline.drift.statistics.arrays import FloatArray
    from driftline.drift.statistics.hours import HourCounts
    from driftline.drift.statistics.vocabulary import Vocabulary
    from driftline.profiles import Grid

_FEWEST_TIMED_HOURS = 48


def has_usable_times(hours: Sequence[HourCounts]) -> bool:
    """Return whether a reference spans a week or more, and does not carry the time at which it was logged."""
    return len(hours) >= _FEWEST_TIMED_HOURS and hours[-1].hour - hours[0].hour + 1 >= HOURS_PER_WEEK


def build_pooled_baseline(
    hours: Sequence[HourCounts],
    features: tuple[Feature, ...],
    *,
    grids: Mapping[str, Grid],
    vocabulary: Vocabulary,
) -> Baseline:
    """Build the baseline of a reference without usable times; its noise is left at that of independent rows.

    Args:
        hours: of the reference, (h,).
        features: in the order of their names, (f,).
        grids: of every numeric feature.
        vocabulary: that knows the categorical values.
    """
    stacked = stack(hours, features)
    stacked = stacked.only(stacked.known)
    entries = stacked.distinct()
    layout = Layout.of(stacked, entries, features, grids, vocabulary)
    channels = Channels.of(layout)
    rows = np.where(stacked.known, stacked.rows[:, None], 0.0)
    sizes = np.concatenate([stacked.present.sum(0), rows.sum(0)])
    columns = layout.count(stacked, np.zeros(len(hours), dtype=np.int64), 1)
    column_shares = columns / np.maximum(sizes[layout.column_feature], 1.0)
    new = new_after(stacked, entries, layout)
    rare = np.column_stack([stacked.invalid.sum(0), np.zeros(len(features)), new])
    rare_shares = rare / np.maximum(sizes[len(features) :, None], 1.0)
    unit = np.ones((1, channels.size))
    return Baseline(
        features=features,
        layout=layout,
        channels=channels,
        plan=DescriptivePlan.of(layout),
        known=KnownValues.of(stacked, layout, grids),
        origin=0,
        column_shares=_every_slot(column_shares),
        channel_shares=_every_slot(
            channels.collect(column_shares, rare_shares[None].reshape(1, -1, RARE_PER_FEATURE))
        ),
        slot_sizes=_every_slot(sizes[None, channels.group]),
        noise=Noise(
            phi=unit,
            dependence=unit,
            blocks=unit,
            effective=unit,
            independent=unit[:, 0],
            added=np.zeros_like(unit),
            share=unit[0],
            information=unit[0],
            level=np.zeros(channels.size, dtype=np.int64),
        ),
        df=unit,
        reference_dependence=unit,
        critical=unit,
        longest_constant_hours=np.full(len(features), HOURS_PER_WEEK, dtype=np.int64),
        timed=False,
    )


def with_noise_of(pooled: Baseline, production: Baseline, settings: DriftSettings) -> Baseline:
    """Lend a pooled baseline the noise that production showed on its longest windows.

    Without times a reference cannot tell its own noise. Each channel takes the median over its feature's
    value channels, or over all features where production does not know the feature.
    """
    values = ~production.channels.is_rare
    lender = production.noise
    owner = production.channels.feature
    place = {feature: index for index, feature in enumerate(production.features)}
    chosen = [
        values & (owner == place[feature]) if feature in place else values for feature in pooled.features
    ]
    phi, dependence, blocks = (
        np.array([_median(lent[own], lent) for own in chosen])[None, pooled.channels.feature]
        for lent in (lender.phi[-1], lender.dependence[-1], lender.blocks[-1])
    )
    noise = replace(pooled.noise, phi=phi, dependence=dependence, blocks=blocks)
    alpha = 1 / (settings.page_budget_hours * pooled.channels.size)
    return replace(pooled, noise=noise, df=noise.df, critical=critical_values(noise.df, alpha))


def _every_slot(row: FloatArray) -> FloatArray:
    return np.repeat(row, HOURS_PER_WEEK, axis=0)


def _median(own: FloatArray, everything: FloatArray) -> float:
    return float(np.median(own if own.size else everything))
