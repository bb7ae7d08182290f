"""Windows against a baseline: all scales, features and channels at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.statistics import STATISTIC_NAMES
from driftline.domain.verdict_table import NUMBER, NUMBERS
from driftline.drift.statistics.descriptive import descriptive_statistics, typical_channels
from driftline.drift.statistics.minimum_effect import detectable_effect, effect_interval, surprise
from driftline.drift.statistics.precedents import Recurring, find_recurring
from driftline.drift.statistics.ranking import feature_p_values, rank_features
from driftline.drift.statistics.stuck import is_stuck

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from driftline.drift.settings import DriftSettings
    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.baseline import Baseline, Counted
    from driftline.drift.statistics.channels import Channels


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out for the worst channel of each feature.

    Args:
        numbers: what verdicts tell, by the columns of `NUMBERS`; what is the window's own is left at 0,
            (ends, scales, f, numbers).
        worst: the place of the worst channel, (ends, scales, f).
        channel: what that is, objects, (ends, scales, f).
        pages: whether it pages, (ends, scales, f).
        warns: whether it warns, should it not page, (ends, scales, f).
        held_back: whether it would page without margin, (ends, scales, f).
        recurs: the hours of two precedents where it would page but for these, else None, objects,
            (ends, scales, f).
        stuck: whether the feature is stuck, (ends, scales, f).
    """

    numbers: FloatArray
    worst: IntArray
    channel: NDArray[np.object_]
    pages: BoolArray
    warns: BoolArray
    held_back: BoolArray
    recurs: NDArray[np.object_]
    stuck: BoolArray

    def at(self, end: int) -> Comparison:
        """Return what came out for the windows of one end; arrays have no first axis then."""
        return Comparison(
            self.numbers[end],
            self.worst[end],
            self.channel[end],
            self.pages[end],
            self.warns[end],
            self.held_back[end],
            self.recurs[end],
            self.stuck[end],
        )


@dataclass(frozen=True, slots=True)
class _Tests:
    """All channels of all windows, each array (ends, scales, c)."""

    observed: FloatArray
    expected: FloatArray
    window: FloatArray
    reference: FloatArray
    z: FloatArray
    pages: BoolArray
    held_back: BoolArray
    recurring: Recurring
    warns: BoolArray
    score: FloatArray
    least: FloatArray


def compare(
    baseline: Baseline,
    recent: Counted,
    ends: IntArray,
    scales_hours: tuple[int, ...],
    *,
    settings: DriftSettings,
    may_page: BoolArray,
    margins: FloatArray,
    constant_before: Callable[[int, int, float], int],
) -> Comparison:
    """Compare the windows that end with some of these hours.

    Args:
        baseline: what to compare with.
        recent: the hours, projected onto the baseline, (h, ...); hours without traffic hold zeros.
        ends: places of the last hours of windows, each of which is in `recent` as a whole, (ends,).
        scales_hours: window lengths; one per row of the baseline's noise.
        settings: effects and samples.
        may_page: which channels may page, (c,); a feature of which none may does not page when it is stuck.
        margins: what critical values of each feature are multiplied by, at least 1, (ends, f).
        constant_before: returns for how many hours before one, by its place, a feature had a value.
    """
    features, channels = len(baseline.features), baseline.channels
    margin = margins[:, None, channels.feature]
    windows = Windows(ends, scales_hours)
    columns = windows.sums(recent.columns)
    tests = _test(baseline, recent, windows, columns, settings, may_page=may_page, margin=margin)
    stuck = _stuck(baseline, recent, windows, settings, constant_before)
    worst = channels.by_feature[np.arange(features), tests.score[..., channels.by_feature].argmax(-1)]
    scale = np.arange(len(scales_hours))[:, None]

    def of_worst(values: FloatArray) -> FloatArray:
        return np.take_along_axis(values, worst, axis=-1)

    observed, expected, z, sample, behind = map(
        of_worst, (tests.observed, tests.expected, tests.z, tests.window, tests.reference)
    )
    critical = baseline.critical[scale, worst] * margins[:, None]
    phi, df = baseline.noise.phi[scale, worst], baseline.df[scale, worst]
    least = of_worst(tests.least)
    low, high = effect_interval(observed, expected, sample / phi, behind / phi)
    effects = np.where(stuck, 1.0, np.abs(observed - expected)).round(9)
    pages, held_back = _of_features(tests, channels, stuck, may_page)
    ranking = rank_features(effects, feature_p_values(z, df, channels.sizes, stuck))
    known = {
        "sample_size": np.rint(sample),
        "reference_size": np.rint(behind),
        "rank": ranking.rank,
        "listed": ranking.listed,
        "observed": observed,
        "expected": expected,
        "effect_low": low,
        "effect_high": high,
        "z": z,
        "critical": critical,
        "overdispersion": phi,
        "freedom": df,
        "detectable_effect": detectable_effect(expected, sample / phi, behind / phi, critical, least),
        **_descriptive(baseline, recent, windows, columns, tests.reference),
    }
    return Comparison(
        numbers=_numbers(known, stuck.shape),
        worst=worst,
        channel=channels.objects[worst],
        pages=pages,
        warns=tests.warns[..., channels.by_feature].any(-1) | stuck | held_back,
        held_back=held_back,
        recurs=_recurs(tests.recurring, channels.feature, pages | held_back),
        stuck=stuck,
    )


def _numbers(known: Mapping[str, FloatArray], shape: tuple[int, ...]) -> FloatArray:
    """Return what verdicts say by the columns of `NUMBERS`, 0 where it is not known."""
    numbers = np.zeros((*shape, len(NUMBERS)))
    for name, values in known.items():
        numbers[..., NUMBER[name]] = values
    return numbers


class Windows:
    """Windows of several lengths that end with some of the hours.

    Args:
        ends: places of their last hours, (ends,).
        scales_hours: their lengths, ascending.
    """

    def __init__(self, ends: IntArray, scales_hours: tuple[int, ...]) -> None:
        self.ends, self.scales_hours = ends, scales_hours

    def sums(self, hours: FloatArray) -> FloatArray:
        """Sum hours over each window. Shape (h, ...) in, (ends, scales, ...) out.

        Each sum is taken backwards from its window's end, so that its last bits depend on the window alone.
        """
        first, end = int(self.ends[0]), int(self.ends[-1]) + 1
        # Of all hours from the first end to the last, most of which are ends: rows that lie side by side.
        total = np.zeros((end - first, *hours.shape[1:]))
        sums = np.empty((self.ends.size, len(self.scales_hours), *hours.shape[1:]))
        for place, (known, scale) in enumerate(pairwise([0, *self.scales_hours])):
            for back in range(known, scale):
                total += hours[first - back : end - back]
            sums[:, place] = total[self.ends - first]
        return sums


def _test(
    baseline: Baseline,
    recent: Counted,
    windows: Windows,
    columns: FloatArray,
    settings: DriftSettings,
    *,
    may_page: BoolArray,
    margin: FloatArray,
) -> _Tests:
    channels, noise = baseline.channels, baseline.noise
    totals = windows.sums(recent.groups)[..., channels.group]
    rows = np.maximum(totals, 1.0)
    # A slot's hours depend on each other, so the reference is worth less than its rows.
    inverse = baseline.inverse_reference(windows.sums(recent.borrowed), rows) * baseline.reference_dependence
    m = 1 / np.maximum(inverse, 1e-12)
    # Running sums round: a share of all rows might be a hair more than 1, of which no test knows anything.
    p = np.clip(channels.collect(columns, windows.sums(recent.rare)) / rows, 0.0, 1.0)
    e = np.clip(windows.sums(recent.expected_channels) / rows, 0.0, 1.0)
    n = np.maximum(totals, 1e-9)
    assumed = baseline.assumed
    least = _least_effects(baseline, recent, windows, rows, settings)
    worth_a_warning = settings.warn_effect if assumed is None else assumed.warn_effects
    z = surprise(p, e, n / noise.phi, m / noise.phi, least)
    any_z = surprise(p, e, n / noise.phi, m / noise.phi, 0.0)
    beyond = (z > baseline.critical) & may_page
    recurring = find_recurring(
        baseline,
        beyond,
        z,
        p - e,
        recent.slots[windows.ends].astype(np.int64),
        scales_hours=windows.scales_hours,
        delta=settings.minimum_effect,
    )
    may = beyond & ~recurring.is_known
    pages = may & (z > baseline.critical * margin)
    surest = np.where(z > 0, 1 + z / baseline.critical, any_z / (any_z + baseline.critical))
    return _Tests(
        observed=p,
        expected=e,
        window=n,
        reference=m,
        z=z,
        pages=pages,
        held_back=may & ~pages,
        recurring=recurring,
        warns=recurring.is_known | ((any_z > baseline.critical) & (np.abs(p - e) >= worth_a_warning)),
        # Two values that share all rows move alike: of equals the first is shown, whatever their last bits.
        score=np.round(surest + 1e6 * pages, 6),
        least=np.broadcast_to(least, z.shape),
    )


def _least_effects(
    baseline: Baseline, recent: Counted, windows: Windows, rows: FloatArray, settings: DriftSettings
) -> FloatArray:
    """Return what share of rows has to move before each channel pages, (c,) or (ends, scales, c).

    Of rows in hours that the calendar names, so many more as such hours may bring.
    """
    least = baseline.least_effects(settings.minimum_effect)
    if baseline.named is None or not recent.entries.any():
        return least
    allowed = baseline.named.allowed[recent.entries.astype(np.int64)]
    further = windows.sums(recent.groups[:, baseline.channels.group] * allowed) / rows
    return np.asarray(least + further, dtype=np.float64)


def _of_features(
    tests: _Tests, channels: Channels, stuck: BoolArray, may_page: BoolArray
) -> tuple[BoolArray, BoolArray]:
    """Return which features page, and which others would without margin."""
    pages = tests.pages[..., channels.by_feature].any(-1)
    pages |= stuck & may_page[channels.by_feature].any(-1)
    return pages, tests.held_back[..., channels.by_feature].any(-1) & ~pages


def _recurs(recurring: Recurring, feature: IntArray, is_paging: BoolArray) -> NDArray[np.object_]:
    """Return the hours of the precedents of each feature, unless it pages or would page all the same."""
    recurs = np.full(is_paging.shape, None, dtype=np.object_)
    for (end, scale, channel), hours in recurring.hours.items():
        if not is_paging[end, scale, feature[channel]]:
            recurs[end, scale, feature[channel]] = hours
    return recurs


def _descriptive(
    baseline: Baseline, recent: Counted, windows: Windows, columns: FloatArray, reference: FloatArray
) -> dict[str, FloatArray]:
    reference = reference[..., typical_channels(baseline.channels, baseline.noise.level)]
    totals = windows.sums(recent.groups)[..., : len(baseline.features)]
    present = np.maximum(totals, 1.0)[..., baseline.layout.column_feature]
    expected = windows.sums(recent.expected_columns) / present
    found = descriptive_statistics(baseline.plan, columns / present, expected, totals, reference)
    return {name: found[name] for name in STATISTIC_NAMES}


def _before(
    constant_before: Callable[[int, int, float], int],
    first: IntArray,
    place: tuple[int, ...],
    value: float,
) -> int:
    """Ask by the places of a window and a feature what is known by the place of the window's first hour."""
    return constant_before(int(first[place[0]]), place[1], value)


def _stuck(
    baseline: Baseline,
    recent: Counted,
    windows: Windows,
    settings: DriftSettings,
    constant_before: Callable[[int, int, float], int],
) -> BoolArray:
    features = len(baseline.features)
    stuck = np.zeros((windows.ends.size, len(windows.scales_hours), features), dtype=np.bool_)
    for index, scale in enumerate(windows.scales_hours):
        if scale >= settings.stuck_hours:
            inside = windows.ends[:, None] + np.arange(1 - scale, 1)
            stuck[:, index] = is_stuck(
                recent.minimum[inside],
                recent.maximum[inside],
                recent.groups[inside, :features],
                stuck_hours=settings.stuck_hours,
                minimum_sample=settings.minimum_sample,
                longest_known=baseline.longest_constant_hours,
                before=partial(_before, constant_before, inside[:, 0]),
            )
    return stuck
