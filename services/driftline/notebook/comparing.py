"""Two tables compared as the service compares an hour with its reference: by shares that moved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.statistics import statistics_of
from driftline.domain.verdict_table import NUMBER
from driftline.domain.verdicts import Feature, VerdictName, other_kind
from driftline.drift.settings import DriftSettings
from driftline.drift.statistics.assumed import without_new_numbers
from driftline.drift.statistics.hours import Clock, HourCounts
from driftline.drift.statistics.noise import critical_values
from driftline.drift.statistics.pooled import build_pooled_baseline
from driftline.drift.statistics.recent import Recent
from driftline.drift.statistics.units import OF_ALIKE_ROWS
from driftline.drift.statistics.vocabulary import Vocabulary
from driftline.drift.training import find_conversions
from driftline.errors import SettingError
from driftline.notebook.frames import choose_grids, made_alike, profile_of, read_table
from driftline.notebook.report import ColumnComparison, Comparison
from driftline.store.distributions import Distribution, Layer, LayerName, ValueShare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.verdicts import Kind
    from driftline.profiles import CategoricalCounts, Grid, HourProfile, NumericCounts

MINIMUM_EFFECT = 0.02
_WARN_EFFECT = 0.01
_FALSE_ALARMS = 0.001
"""Two tables of the same rows are found to differ so rarely at most, in any column."""

_FEWEST_ROWS = 30
_SHOWN_VALUES = 6
_DF = 1e6
_LAYERS: tuple[LayerName, LayerName] = ("now", "training")


def compare(
    reference: Any,
    current: Any,
    *,
    minimum_effect: float = MINIMUM_EFFECT,
    columns: Sequence[str] | None = None,
) -> Comparison:
    """Compare two tables: which columns drifted, how far, and what they look like.

    A column has drifted where surely more than `minimum_effect` of its rows moved, and not where a test only
    says that two large samples are not the same. Rows are taken for independent.

    Args:
        reference: what is expected: a DataFrame (pandas, polars), an Arrow table, or a mapping of columns.
        current: what came, the same way.
        minimum_effect: a share of rows between 0 and 1.
        columns: these only; left out: all of the reference.

    Returns:
        What a notebook shows by itself, and what `save` writes as one HTML file.

    Raises:
        SettingError: one of them is no table, has too few rows, or lacks a column that was asked for.
    """
    if not 0 < minimum_effect < 1:
        raise SettingError(f"minimum_effect: {minimum_effect} is no share of rows between 0 and 1")
    before, rows_before = read_table(reference, "reference")
    now, rows_now = read_table(current, "current")
    for argument, rows in (("reference", rows_before), ("current", rows_now)):
        if rows < _FEWEST_ROWS:
            raise SettingError(f"{argument}: {rows} rows say nothing; {_FEWEST_ROWS} are needed")
    if columns is not None:
        lacking = [name for name in columns if name not in before]
        if lacking:
            raise SettingError(f"columns: the reference has no {', '.join(map(repr, lacking))}")
        before = {name: before[name] for name in columns}
        now = {name: now[name] for name in columns if name in now}
    before, now = made_alike(before, now)
    grids = choose_grids(now) | choose_grids(before)
    profiles = {
        "training": profile_of(before, rows_before, grids, 0),
        "now": profile_of(now, rows_now, grids, 1),
    }
    found = _judge(profiles["training"], profiles["now"], grids, minimum_effect)
    return Comparison(
        columns=found,
        reference_rows=rows_before,
        current_rows=rows_now,
        minimum_effect=minimum_effect,
        added=sorted(set(now) - set(before)),
    )


def _judge(
    reference: HourProfile, current: HourProfile, grids: Mapping[str, Grid], minimum_effect: float
) -> Sequence[ColumnComparison]:
    settings = DriftSettings(
        minimum_effect=minimum_effect,
        warn_effect=min(_WARN_EFFECT, minimum_effect),
        scales_hours=(1,),
    )
    vocabulary, clock = Vocabulary(), Clock("UTC")
    past, now = (HourCounts.from_profile(each, vocabulary, clock=clock) for each in (reference, current))
    pooled = build_pooled_baseline([past], past.features, grids=grids, vocabulary=vocabulary)
    df = np.full(pooled.critical.shape, _DF)
    baseline = replace(
        pooled,
        noise=replace(pooled.noise, phi=without_new_numbers(pooled, pooled.noise.phi)),
        df=df,
        critical=critical_values(df, _FALSE_ALARMS / pooled.channels.size),
    )
    recent = Recent(baseline, [now], scales_hours=(1,), settings=settings, newest=now.hour)
    may_page = np.ones(baseline.channels.size, dtype=np.bool_)
    comparison = recent.compare(may_page=may_page, margin=1.0)
    units = find_conversions(
        baseline, comparison, [now], (1,), grids=grids, may_page=may_page, likeness=OF_ALIKE_ROWS
    )
    found = []
    for place, feature in enumerate(baseline.features):
        numbers = comparison.numbers[0, place]
        is_drifted, is_warned = bool(comparison.pages[0, place]), bool(comparison.warns[0, place])
        channel = cast("Channel", comparison.channel[0, place])
        if (0, place) in units:
            channel = Channel(ChannelKind.UNIT_CHANGED, units[0, place].text)
        elif is_drifted and Feature(feature.name, other_kind(feature.kind)) in now.features:
            channel = Channel(ChannelKind.TYPE_CHANGED, other_kind(feature.kind))
        found.append(
            ColumnComparison(
                name=feature.name,
                kind=feature.kind,
                verdict=VerdictName.PAGE if is_drifted else VerdictName.WARN if is_warned else VerdictName.OK,
                channel=channel,
                effect=float(numbers[NUMBER["observed"]] - numbers[NUMBER["expected"]]),
                effect_low=float(numbers[NUMBER["effect_low"]]),
                effect_high=float(numbers[NUMBER["effect_high"]]),
                expected=float(numbers[NUMBER["expected"]]),
                observed=float(numbers[NUMBER["observed"]]),
                statistics=_statistics(numbers, feature.kind),
                distribution=_distribution(reference, current, feature),
                grid=grids[feature.name] if feature.kind == "numeric" else None,
            )
        )
    return sorted(found, key=lambda each: (-each.verdict.severity, -abs(each.effect), each.name))


def _statistics(numbers: Any, kind: Kind) -> Mapping[str, float]:
    known = {each.name: float(numbers[NUMBER[each.name]]) for each in statistics_of(kind)}
    return {name: value for name, value in known.items() if not np.isnan(value)}


def _distribution(reference: HourProfile, current: HourProfile, feature: Feature) -> Distribution:
    """Return what a picture shows of a column in both tables."""
    profiles = dict(zip(_LAYERS, (current, reference), strict=True))
    if feature.kind == "numeric":
        return Distribution(
            {
                name: _numeric_layer(profile.numeric[feature.name])
                for name, profile in profiles.items()
                if feature.name in profile.numeric
            }
        )
    held = {
        name: profile.categorical[feature.name]
        for name, profile in profiles.items()
        if feature.name in profile.categorical
    }
    return _categories(held)


def _numeric_layer(counts: NumericCounts) -> Layer:
    return Layer(
        counts.buckets.tolist(),
        counts.counts.tolist(),
        int(counts.counts.sum()),
        counts.nulls,
        counts.nans,
        counts.infinities,
        None if np.isnan(counts.minimum) else counts.minimum,
        None if np.isnan(counts.maximum) else counts.maximum,
    )


def _categories(held: Mapping[LayerName, CategoricalCounts]) -> Distribution:
    totals = {name: max(sum(counts.counts.values()) + counts.folded, 1) for name, counts in held.items()}
    layers = {
        name: Layer(present=sum(counts.counts.values()) + counts.folded, nulls=counts.nulls)
        for name, counts in held.items()
    }
    values = {value for counts in held.values() for value in _most_frequent(counts)}
    shares = [
        ValueShare(value, {name: counts.counts.get(value, 0) / totals[name] for name, counts in held.items()})
        for value in values
    ]
    shares.sort(key=lambda each: (-max(each.shares.values()), each.value))
    shown = shares[:_SHOWN_VALUES]
    others = {name: max(1 - sum(each.shares[name] for each in shown), 0.0) for name in held}
    return Distribution(layers, shown, others)


def _most_frequent(counts: CategoricalCounts) -> Sequence[str]:
    ordered = sorted(counts.counts.items(), key=lambda item: (-item[1], item[0]))
    return [value for value, _ in ordered[:_SHOWN_VALUES]]
