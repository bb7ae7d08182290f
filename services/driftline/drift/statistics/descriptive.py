"""Descriptive statistics: PSI, Jensen-Shannon, Kolmogorov-Smirnov, Wasserstein, chi-square.

They inform, they do not page. All are computed for all features at once: rows are windows, columns lie
side by side as in the layout, and a feature is a run of columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, kolmogorov, rel_entr

from driftline.drift.statistics.channels import nearest_cuts
from driftline.drift.statistics.layout import Layout, NumericColumns

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.channels import Channels

DECILES = np.arange(1, 10) / 10
_WINSOR_SHARES = (0.005, 0.995)
_EMPTY_SHARE = 1e-4
"""PSI is infinite where a bin is empty; the usual remedy is a floor."""


@dataclass(frozen=True, slots=True)
class DescriptivePlan:
    """What the descriptive statistics need to know of a reference; pinned, so that they can be compared.

    Args:
        starts: first column of each feature, (f,).
        bin_starts: first column of each bin: deciles of a numeric feature, values of a category, (b,).
        feature_bins: first bin of each feature, (f,).
        bin_feature: which feature each bin belongs to, (b,).
        widths: distance from each column's value to the next one's, winsorised, 0 at a feature's
            last, (columns,).
        deviation: the reference's standard deviation, winsorised, NaN where it is 0, (f,).
        numeric: which features are numeric, (f,).
    """

    starts: IntArray
    bin_starts: IntArray
    feature_bins: IntArray
    bin_feature: IntArray
    widths: FloatArray
    deviation: FloatArray
    numeric: BoolArray

    @classmethod
    def of(cls, layout: Layout) -> DescriptivePlan:
        """Pin bins and winsorised values to a reference."""
        bins: list[IntArray] = []
        widths = np.zeros(layout.width)
        deviation = np.full(len(layout.features), np.nan)
        for index, (columns, start) in enumerate(zip(layout.columns, layout.starts.tolist(), strict=False)):
            if isinstance(columns, NumericColumns):
                values, deviation[index] = winsorised(columns)
                widths[start : start + values.size - 1] = np.diff(values)
                cuts = nearest_cuts(columns.counts, DECILES)
                bins.append(start + np.append(0, cuts[cuts < values.size - 1] + 1))
            else:
                # As in the channels, what is never seen belongs to the other values, where there are any.
                has_others = columns.keys.size > len(columns.values)
                end = start + len(columns.values) + 1 if has_others else layout.starts[index + 1]
                bins.append(np.arange(start, end))
        sizes = np.array([own.size for own in bins])
        return cls(
            starts=layout.starts[:-1],
            bin_starts=np.concatenate(bins),
            feature_bins=np.cumsum(sizes) - sizes,
            bin_feature=np.repeat(np.arange(sizes.size), sizes),
            widths=widths,
            deviation=deviation,
            numeric=np.array([feature.kind == "numeric" for feature in layout.features]),
        )


def typical_channels(channels: Channels, level: IntArray) -> IntArray:
    """Return the channel of each feature by which all of its values are matched, (f,).

    It is the one whose level is the median of the feature's value channels. So expected shares are taken
    from as many rows of the reference as pays, and p-values know from how many.

    Args:
        channels: of a baseline.
        level: how finely each channel is matched, (c,).
    """
    order = np.lexsort((level, channels.is_rare, channels.feature))
    values = np.bincount(channels.feature[~channels.is_rare], minlength=channels.features)
    first = np.cumsum(channels.sizes) - channels.sizes
    return np.asarray(order[first + np.maximum(values - 1, 0) // 2], dtype=np.int64)


def winsorised(columns: NumericColumns) -> tuple[FloatArray, float]:
    """Return each column's value within the 0.5 % and 99.5 % quantiles, and the standard deviation."""
    total = columns.counts.sum()
    if total <= 0:
        return np.full(columns.positions.size, columns.positions[0]), np.nan
    below = np.cumsum(columns.counts) / total
    low, high = columns.positions[np.minimum(np.searchsorted(below, _WINSOR_SHARES), below.size - 1)]
    values = np.clip(np.maximum.accumulate(columns.positions), low, high)
    mean = columns.counts @ values / total
    deviation = float(np.sqrt(columns.counts @ (values - mean) ** 2 / total))
    return values, deviation if deviation > 0 else np.nan


def descriptive_statistics(
    plan: DescriptivePlan, p: FloatArray, e: FloatArray, window: FloatArray, reference: FloatArray
) -> dict[str, FloatArray]:
    """Compute all descriptive statistics.

    KS p-values are asymptotic with Vrbik's correction (2018), within 0.005 of the exact ones from 60
    values on; they take values to be independent and continuous, which production's rarely are.

    Args:
        plan: of the reference.
        p: observed shares per column; each feature sums to 1, (..., columns).
        e: expected shares per column, (..., columns).
        window: values present in the window, (..., f).
        reference: values of the reference behind e, (..., f).

    Returns:
        By name, each of shape (..., f), NaN where the statistic does not apply: psi, js (distance, base 2),
        ks, ks_p_value, wasserstein (the feature's unit), wasserstein_normed (standard deviations),
        chi2, chi2_p_value.
    """
    seen = window > 0
    numeric = plan.numeric & seen
    distance = np.abs(np.cumsum(p - e, axis=-1))
    ks = np.maximum.reduceat(distance, plan.starts, axis=-1)
    wasserstein = np.add.reduceat(distance * plan.widths, plan.starts, axis=-1)
    p_bins = np.add.reduceat(p, plan.bin_starts, axis=-1)
    e_bins = np.add.reduceat(e, plan.bin_starts, axis=-1)
    chi2, chi2_p = _chi_square(plan, p_bins, e_bins, window, reference)
    root = np.sqrt(window * reference / np.maximum(window + reference, 1.0))
    root = np.maximum(root, 1e-9)
    deviate = root * ks + 1 / (6 * root) + (root * ks - 1) / (4 * root**2)
    return {
        "psi": np.where(seen, _psi(plan, p_bins, e_bins), np.nan),
        "js": np.where(seen, _jensen_shannon(plan, p_bins, e_bins), np.nan),
        "ks": np.where(numeric, ks, np.nan),
        "ks_p_value": np.where(numeric, np.where(ks > 0, kolmogorov(deviate), 1.0), np.nan),
        "wasserstein": np.where(numeric, wasserstein, np.nan),
        "wasserstein_normed": np.where(numeric, wasserstein / plan.deviation, np.nan),
        "chi2": np.where(seen & ~plan.numeric, chi2, np.nan),
        "chi2_p_value": np.where(seen & ~plan.numeric, chi2_p, np.nan),
    }


def _psi(plan: DescriptivePlan, p: FloatArray, e: FloatArray) -> FloatArray:
    p_floor, e_floor = np.maximum(p, _EMPTY_SHARE), np.maximum(e, _EMPTY_SHARE)
    # A bin that both leave empty floors to the same share and adds nothing.
    return np.add.reduceat((p_floor - e_floor) * np.log(p_floor / e_floor), plan.feature_bins, axis=-1)


def _jensen_shannon(plan: DescriptivePlan, p: FloatArray, e: FloatArray) -> FloatArray:
    p, e = np.maximum(p, 0.0), np.maximum(e, 0.0)
    middle = (p + e) / 2
    terms = rel_entr(p, middle) + rel_entr(e, middle)
    divergence = np.add.reduceat(terms, plan.feature_bins, axis=-1) / (2 * np.log(2))
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)), dtype=np.float64)


def _chi_square(
    plan: DescriptivePlan, p: FloatArray, e: FloatArray, window: FloatArray, reference: FloatArray
) -> tuple[FloatArray, FloatArray]:
    n, m = window[..., plan.bin_feature], reference[..., plan.bin_feature]
    pooled = (n * p + m * e) / np.maximum(n + m, 1.0)
    filled = pooled > 0
    terms = np.where(filled, (p - e) ** 2 / np.where(filled, pooled, 1.0), 0.0)
    harmonic = window * reference / np.maximum(window + reference, 1.0)
    chi2 = harmonic * np.add.reduceat(terms, plan.feature_bins, axis=-1)
    freedom = np.maximum(np.add.reduceat(filled.astype(np.float64), plan.feature_bins, axis=-1) - 1, 1.0)
    return chi2, chdtrc(freedom, chi2)
