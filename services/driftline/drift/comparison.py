"""Windows against a baseline: all scales, features and channels at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.familiar import familiar_statistics
from driftline.drift.minimum_effect import detectable_effect, effect_interval, surprise
from driftline.drift.ranking import Ranking, feature_p_values, rank_features
from driftline.drift.stuck import is_stuck

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.drift.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.baseline import Baseline, Counted
    from driftline.drift.settings import DriftSettings


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out, for the worst channel of each feature; every array has the shape (scales, f).

    Args:
        channel: place of the worst channel.
        pages: whether it pages.
        warns: whether it warns.
        stuck: whether the feature is stuck.
        observed: share seen.
        expected: share expected.
        effect_low: lower end of the interval of observed - expected.
        effect_high: upper end of it.
        z: against the minimum effect.
        critical: value that z has to exceed.
        phi: overdispersion.
        df: degrees of freedom.
        sample_size: rows or values in the window.
        reference_size: rows or values behind the expectation.
        detectable: smallest effect that would have paged, NaN where none.
        ranking: of the features, by scale.
        statistics: familiar numbers by name.
    """

    channel: IntArray
    pages: BoolArray
    warns: BoolArray
    stuck: BoolArray
    observed: FloatArray
    expected: FloatArray
    effect_low: FloatArray
    effect_high: FloatArray
    z: FloatArray
    critical: FloatArray
    phi: FloatArray
    df: FloatArray
    sample_size: FloatArray
    reference_size: FloatArray
    detectable: FloatArray
    ranking: Ranking
    statistics: Mapping[str, FloatArray]


def compare(
    baseline: Baseline,
    recent: Counted,
    hours: IntArray,
    scales_hours: tuple[int, ...],
    *,
    settings: DriftSettings,
    rare_only: bool,
) -> Comparison:
    """Compare the windows that end with the last of these hours.

    Args:
        baseline: what to compare with.
        recent: the hours, projected onto the baseline, (h, ...); hours without traffic hold zeros.
        hours: when they were by the local clock, (h,); anything where there was no traffic.
        scales_hours: window lengths, at most h; one per row of the baseline's noise.
        settings: effects and samples.
        rare_only: let only rare channels page.
    """
    size = hours.size
    windows = np.array([np.arange(size) >= size - scale for scale in scales_hours], dtype=np.float64)
    slots = baseline.slots(hours)
    channels = baseline.channels
    totals = windows @ recent.groups
    at_least_one = np.maximum(totals, 1.0)
    group = channels.group
    sizes = recent.groups[:, group]
    m = 1 / np.maximum(baseline.inverse_reference(windows, sizes, slots), 1e-12)
    p = (
        channels.collect(windows @ recent.columns, np.tensordot(windows, recent.rare, 1))
        / at_least_one[:, group]
    )
    e = windows @ (sizes * baseline.channel_shares[slots]) / at_least_one[:, group]
    np.clip(e, 0.0, 1.0, out=e)
    n = np.maximum(totals, 1e-9)[:, group]
    n_eff = n / baseline.noise.phi
    m_eff = m / baseline.noise.phi
    z = surprise(p, e, n_eff, m_eff, settings.minimum_effect)
    any_z = surprise(p, e, n_eff, m_eff, 0.0)
    pages = z > baseline.critical
    if rare_only:
        pages &= channels.is_rare
    score = np.where(z > 0, 1 + z / baseline.critical, any_z / (any_z + baseline.critical)) + 1e6 * pages
    padded = score[:, channels.by_feature]
    worst = channels.by_feature[np.arange(padded.shape[1]), padded.argmax(-1)]
    warns = (any_z > baseline.critical) & (np.abs(p - e) >= settings.warn_effect)
    stuck = _stuck(baseline, recent, scales_hours, settings)

    def of_worst(values: FloatArray) -> FloatArray:
        return np.take_along_axis(values, worst, axis=1)

    features = len(baseline.features)
    observed, expected, phi, df = (
        of_worst(values) for values in (p, e, baseline.noise.phi, baseline.noise.df)
    )
    sample, reference = of_worst(n), of_worst(m)
    low, high = effect_interval(observed, expected, sample / phi, reference / phi)
    critical = of_worst(baseline.critical)
    p_values = feature_p_values(of_worst(z), df, channels.sizes, stuck)
    columns = windows @ (recent.groups[:, baseline.layout.column_feature] * baseline.column_shares[slots])
    present = at_least_one[:, baseline.layout.column_feature]
    statistics = familiar_statistics(
        baseline.plan,
        windows @ recent.columns / present,
        columns / present,
        totals[:, :features],
        m[:, channels.by_feature[:, 0]],
    )
    return Comparison(
        channel=worst,
        pages=pages[:, channels.by_feature].any(-1) | stuck,
        warns=warns[:, channels.by_feature].any(-1),
        stuck=stuck,
        observed=observed,
        expected=expected,
        effect_low=low,
        effect_high=high,
        z=of_worst(z),
        critical=critical,
        phi=phi,
        df=df,
        sample_size=sample,
        reference_size=reference,
        detectable=detectable_effect(
            expected, sample / phi, reference / phi, critical, settings.minimum_effect
        ),
        ranking=rank_features(np.where(stuck, 1.0, np.abs(observed - expected)), p_values),
        statistics=statistics,
    )


def _stuck(
    baseline: Baseline, recent: Counted, scales_hours: tuple[int, ...], settings: DriftSettings
) -> BoolArray:
    features = len(baseline.features)
    stuck = np.zeros((len(scales_hours), features), dtype=np.bool_)
    for index, scale in enumerate(scales_hours):
        if scale >= settings.stuck_hours:
            stuck[index] = is_stuck(
                recent.minimum[-scale:],
                recent.maximum[-scale:],
                recent.groups[-scale:, :features],
                stuck_hours=settings.stuck_hours,
                minimum_sample=settings.minimum_sample,
                longest_known=baseline.longest_constant_hours,
            )
    return stuck
