"""A baseline: everything that verdicts need of one reference, computed once and then only read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.settings import HOURS_PER_DAY, HOURS_PER_WEEK, DriftSettings
from driftline.drift.statistics.arrays import run_starts
from driftline.drift.statistics.channels import RARE_PER_FEATURE, Channels
from driftline.drift.statistics.descriptive import DescriptivePlan, typical_channels
from driftline.drift.statistics.expected import repeat_slots, shares_by_level, sizes_by_level
from driftline.drift.statistics.hours import Stack, stack
from driftline.drift.statistics.layout import Layout
from driftline.drift.statistics.lessons import Span, learn, lessons_of
from driftline.drift.statistics.noise import Noise, critical_values
from driftline.drift.statistics.precedents import Past
from driftline.drift.statistics.ranges import Extremes, KnownValues
from driftline.drift.statistics.stuck import longest_constant_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.verdicts import Feature
    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.hours import HourCounts
    from driftline.drift.statistics.named_hours import NamedHours
    from driftline.drift.statistics.vocabulary import Vocabulary
    from driftline.profiles import Grid


@dataclass(frozen=True, slots=True)
class Counted:
    """Hours projected onto a baseline's columns.

    Args:
        columns: values per column, (h, columns).
        rare: nulls, NaN, infinities, values out of range and never seen, (h, f, 5).
        groups: denominators: values present, then rows, (h, 2 f).
        expected_columns: values expected per column, given how many there are, (h, columns).
        expected_channels: rows expected per channel, (h, c).
        borrowed: N^2 over the rows of the reference behind each channel, (h, c).
        minimum: smallest value, NaN where none, (h, f).
        maximum: largest value, NaN where none, (h, f).
        slots: the local hour of the week, (h,).
        entries: the place of what the calendar calls the hour, 0 for an ordinary one, (h,).
    """

    columns: FloatArray
    rare: FloatArray
    groups: FloatArray
    expected_columns: FloatArray
    expected_channels: FloatArray
    borrowed: FloatArray
    minimum: FloatArray
    maximum: FloatArray
    slots: FloatArray
    entries: FloatArray


@dataclass(frozen=True, slots=True)
class Assumed:
    """What a page and a warning need while the noise is not known yet.

    Args:
        least_effects: a page says that surely more than this share of rows moved, (c,).
        warn_effects: a warning needs at least this difference, by scale, (scales, 1).
    """

    least_effects: FloatArray
    warn_effects: FloatArray


@dataclass(frozen=True, slots=True)
class Baseline:
    """One reference, ready to be compared with.

    Args:
        features: what it knows, (f,).
        layout: the columns of its counts.
        channels: its channels, (c,).
        plan: for the descriptive statistics.
        known: the values that it holds.
        origin: the local hour of slot 0.
        column_shares: expected share of each column at each hour of the week, (168, columns).
        channel_shares: expected share of each channel at each hour of the week, (168, c).
        slot_sizes: values or rows behind each of these, (168, c).
        noise: phi, a running maximum over scales, and df, (scales, c); None where it cannot be learned.
        df: degrees of freedom, (scales, c).
        reference_dependence: how many rows of the reference make one, (scales, c).
        critical: critical values, (scales, c).
        longest_constant_hours: the longest run of hours with one single value, (f,).
        timed: the reference has usable times; else every slot holds all of it.
        past: where precedents are looked for; None: nowhere.
        assumed: what is asked for as long as the noise is assumed; None: it was learned.
        named: what is known of hours that the calendar names; None: it names none.
    """

    features: tuple[Feature, ...]
    layout: Layout
    channels: Channels
    plan: DescriptivePlan
    known: KnownValues
    origin: int
    column_shares: FloatArray
    channel_shares: FloatArray
    slot_sizes: FloatArray
    noise: Noise
    df: FloatArray
    reference_dependence: FloatArray
    critical: FloatArray
    longest_constant_hours: IntArray
    timed: bool = True
    past: Past | None = None
    assumed: Assumed | None = None
    named: NamedHours | None = None

    def count(self, stacked: Stack, local_hours: IntArray, entries: Sequence[str] = ()) -> Counted:
        """Project hours, stacked over this baseline's features, onto its columns, with what it expects.

        Args:
            stacked: the hours.
            local_hours: when they were, (h,).
            entries: what the calendar calls each, (h,); left out: they are ordinary.
        """
        slots = (local_hours - self.origin) % HOURS_PER_WEEK
        groups = _groups(stacked.present, np.broadcast_to(stacked.rows[:, None], stacked.present.shape))
        sizes = groups[:, self.channels.group]
        expected = sizes * self.channel_shares[slots]
        # A slot that the reference does not hold counts as a single row: such an hour proves nothing.
        borrowed = sizes**2 / np.maximum(self.slot_sizes[slots], 1.0)
        named = np.zeros(slots.size, dtype=np.int64)
        if self.named is not None and any(entries):
            named = self.named.places(entries)
            expected += sizes * self.named.shift[named]
            borrowed += np.where(named[:, None] > 1, sizes**2 / self.named.behind[named], 0.0)
        return Counted(
            columns=self.layout.count(stacked, np.arange(stacked.rows.size), stacked.rows.size),
            rare=np.concatenate([stacked.invalid, self.known.novel(stacked)], axis=-1),
            groups=groups,
            expected_columns=stacked.present[:, self.layout.column_feature] * self.column_shares[slots],
            expected_channels=expected,
            borrowed=borrowed,
            minimum=stacked.minimum,
            maximum=stacked.maximum,
            slots=(local_hours % HOURS_PER_WEEK).astype(np.float64),
            entries=named.astype(np.float64),
        )

    def extremes(self) -> Extremes:
        """Return the smallest and largest value of each feature that has any."""
        known = self.known
        return {
            feature: (float(least), float(most))
            for feature, least, most in zip(self.features, known.least, known.most, strict=True)
            if np.isfinite(least)
        }

    def least_effects(self, usual: float) -> FloatArray:
        """Return what share of rows has to move before each channel pages, (c,); the usual one if known."""
        if self.assumed is not None:
            return self.assumed.least_effects
        return np.full(self.channels.size, usual)

    def inverse_reference(self, borrowed: FloatArray, totals: FloatArray) -> FloatArray:
        """Return 1 / m, the variance that the reference adds, by window and channel, (..., scales, c).

        Args:
            borrowed: summed over each window, (..., scales, c).
            totals: rows of each window, at least 1, (..., scales, c).
        """
        # All hours share one expectation where season is not matched, so it does not average out.
        all_hours = 1 / np.maximum(self.slot_sizes[0], 1.0)
        return np.asarray(np.where(self.noise.level == 0, all_hours, borrowed / totals**2), dtype=np.float64)


def _groups(present: FloatArray, rows: FloatArray) -> FloatArray:
    return np.concatenate([present, rows], axis=-1)


def build_baseline(
    hours: Sequence[HourCounts],
    usable: BoolArray,
    features: tuple[Feature, ...],
    *,
    span: Span,
    grids: Mapping[str, Grid],
    vocabulary: Vocabulary,
    settings: DriftSettings,
    lent: Extremes | None = None,
    held: BoolArray | None = None,
) -> Baseline:
    """Build the baseline of a reference.

    Args:
        hours: ascending; those outside the span are left out, (h,).
        usable: which hour counts for which feature, (h, f).
        features: in the order of their names, (f,).
        span: the reference, in whole weeks, and how long before it the noise is learned.
        grids: of every numeric feature.
        vocabulary: that knows the categorical values.
        settings: scales, budget, ages.
        lent: extremes of another reference, for the range of features that are younger than the span, or that
            only ever showed one value.
        held: where precedents are looked for, too, (h, f); left out: nowhere.
    """
    position = np.array([hour.local_hour for hour in hours], dtype=np.int64) - span.earliest
    inside = np.flatnonzero((position >= 0) & (position < span.hours))
    hours, position = [hours[index] for index in inside.tolist()], position[inside]
    stacked = stack(hours, features).only(usable[inside])
    entries = stacked.distinct()
    layout = Layout.of(stacked, entries, features, grids, vocabulary, week=position // HOURS_PER_WEEK)
    channels = Channels.of(layout)
    first = np.where(stacked.known.any(0), position[stacked.known.argmax(0)], span.hours)
    by_day = span.hours - first < settings.hour_of_week_after_hours
    young = first >= span.lag + HOURS_PER_DAY
    known = KnownValues.of(stacked, layout, grids, inside=position >= span.lag, lent=lent, young=young)
    weeks = span.hours // HOURS_PER_WEEK
    novel = known.novel_among_cycles(stacked, entries, position, weeks=weeks, by_day=by_day, grids=grids)
    rare = np.concatenate([stacked.invalid, novel], axis=-1)
    rare_hours = _over_span(rare.reshape(len(hours), len(features) * RARE_PER_FEATURE), position, span)
    rows = np.where(stacked.known, stacked.rows[:, None], 0.0)
    sizes = _over_span(_groups(stacked.present, rows), position, span)
    slot_groups = _sum_weeks(sizes[span.lag :])
    column = layout.left_out(stacked, layout.locate_all(*entries), position // HOURS_PER_WEEK)
    columns, hourly = _count_hours(
        stacked, layout, channels, rare_hours, position, column=column, lag=span.lag
    )
    lessons = lessons_of(span, first[channels.feature], by_day[channels.feature])
    noise = learn(hourly, sizes, channels, lessons, settings.scales_hours)
    level = noise.level[typical_channels(channels, noise.level)]
    column_shares, _ = _matched(columns, slot_groups, layout.column_feature, level[layout.column_feature])
    channel_shares, slot_sizes = _matched(
        _sum_weeks(hourly[span.lag :]), slot_groups, channels.group, noise.level
    )
    alpha = 1 / (settings.page_budget_hours * channels.size * len(settings.scales_hours))
    baseline = Baseline(
        features=features,
        layout=layout,
        channels=channels,
        plan=DescriptivePlan.of(layout),
        known=known,
        origin=span.start,
        column_shares=column_shares,
        channel_shares=channel_shares,
        slot_sizes=slot_sizes,
        noise=noise,
        df=noise.df,
        reference_dependence=noise.reference_dependence,
        critical=critical_values(noise.df, alpha),
        longest_constant_hours=longest_constant_run(stacked, settings.minimum_sample),
    )
    under_page = None if held is None else (held[inside], usable[inside])
    return replace(baseline, past=_past(baseline, hours, under_page, (hourly, sizes), span))


def _past(
    baseline: Baseline,
    hours: Sequence[HourCounts],
    under_page: tuple[BoolArray, BoolArray] | None,
    ordinary: tuple[FloatArray, FloatArray],
    span: Span,
) -> Past | None:
    """Return what precedents are looked for in: the reference's hours, and others that were under pages.

    Args:
        baseline: of the reference.
        hours: within the span, (h,).
        under_page: which of them were, and which are reference all the same, (h, f); None: precedents are not
            looked for.
        ordinary: the counts of the reference, (span, c), and the rows behind them, (span, 2 f).
        span: of the reference.
    """
    if under_page is None:
        return None
    paged, usable = under_page
    position = np.array([hour.local_hour for hour in hours], dtype=np.int64) - span.earliest
    counts, sizes = (values.astype(np.float32) for values in ordinary)
    held = np.zeros((span.hours, len(baseline.features)), dtype=np.bool_)
    held[position] = paged
    some = np.flatnonzero((paged & ~usable).any(1))
    if some.size:
        stacked = stack([hours[at] for at in some.tolist()], baseline.features).only((paged & ~usable)[some])
        counted = baseline.count(stacked, span.earliest + position[some])
        rows = np.where(stacked.known, stacked.rows[:, None], 0.0)
        values = baseline.channels.collect(counted.columns, counted.rare)
        counts += _over_span(values, position[some], span)
        sizes += _over_span(_groups(stacked.present, rows), position[some], span)
    return Past(counts, sizes, held, span.earliest, span.hours - span.lag)


def _over_span(values: FloatArray, position: IntArray, span: Span) -> FloatArray:
    """Put hours at their places in the span, 0 elsewhere. Shape (h, k) in, (span, k) out."""
    spread = np.zeros((span.hours, values.shape[1]))
    first = run_starts(position)
    # The local hour that comes twice in autumn is one hour of both.
    is_twice = first.size < position.size
    spread[position[first]] = np.add.reduceat(values, first, axis=0) if is_twice else values
    return spread


def _sum_weeks(hours: FloatArray) -> FloatArray:
    return hours.reshape(-1, HOURS_PER_WEEK, hours.shape[1]).sum(0)  # type: ignore[no-any-return]  # numpy


def _matched(
    counts: FloatArray, sizes: FloatArray, group: IntArray, level: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return expected shares and the rows behind them at each hour of the week, at the level of each column.

    Args:
        counts: per slot, (168, k).
        sizes: rows per slot, (168, g).
        group: which of these rows each column is counted among, (k,).
        level: of each column, (k,).
    """
    sized = sizes_by_level(sizes)
    matched = np.take(repeat_slots(sized[1], HOURS_PER_WEEK), group, axis=1)
    wide = shares_by_level(sizes_by_level(counts)[1], sized[:2], group)
    shares = repeat_slots(wide[1], HOURS_PER_WEEK)
    if (all_hours := np.flatnonzero(level == 0)).size:
        shares[:, all_hours] = wide[0][:, all_hours]
        matched[:, all_hours] = sized[0][:, group[all_hours]]
    if (of_week := np.flatnonzero(level == len(sized) - 1)).size:
        finest = shares_by_level(np.take(counts, of_week, axis=1), sized, group[of_week])[-1]
        shares[:, of_week] = finest
        matched[:, of_week] = np.take(sized[-1], group[of_week], axis=1)
    return shares, matched


def _count_hours(
    stacked: Stack,
    layout: Layout,
    channels: Channels,
    rare_hours: FloatArray,
    position: IntArray,
    *,
    column: IntArray,
    lag: int,
) -> tuple[FloatArray, FloatArray]:
    """Return the counts of all columns by hour of the week, (168, columns), and of all channels, (span, c).

    Hours before the lag count for channels only, since only their noise is learned there. Of each hour only
    the sums of columns between which no channel tells a difference are kept.
    """
    span_hours = rare_hours.shape[0]
    edges = np.unique(np.concatenate([channels.low, channels.high, layout.starts]))
    widths = np.diff(edges)
    cell = (position * widths.size)[stacked.entry_hour] + np.repeat(np.arange(widths.size), widths)[column]
    held = np.bincount(cell, stacked.entry_count, span_hours * widths.size).reshape(span_hours, -1)
    begin = int(np.searchsorted(stacked.entry_hour, np.searchsorted(position, lag)))
    cell = (position % HOURS_PER_WEEK * layout.width)[stacked.entry_hour[begin:]] + column[begin:]
    columns = np.bincount(cell, stacked.entry_count[begin:], HOURS_PER_WEEK * layout.width)
    ranges = replace(
        channels, low=np.searchsorted(edges, channels.low), high=np.searchsorted(edges, channels.high)
    )
    rare = rare_hours.reshape(span_hours, -1, RARE_PER_FEATURE)
    by_slot = columns.astype(np.float64, copy=False).reshape(HOURS_PER_WEEK, -1)
    return by_slot, ranges.collect(held.astype(np.float64, copy=False), rare)
