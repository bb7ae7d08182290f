"""The training reference of a judge: how it is built, whose noise it takes, and what of it may page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.settings import HOURS_PER_WEEK, DriftSettings
from driftline.drift.statistics.assumed import beyond_season, with_assumed_noise
from driftline.drift.statistics.baseline import Baseline, build_baseline
from driftline.drift.statistics.hours import HourCounts, key_bucket, known_features
from driftline.drift.statistics.layout import NumericColumns
from driftline.drift.statistics.lessons import Span
from driftline.drift.statistics.pooled import build_pooled_baseline, has_usable_times, with_noise_of
from driftline.drift.statistics.units import AMONG_SEASONS, Conversion, Likeness, Values, find_conversion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.verdicts import Feature
    from driftline.drift.statistics.arrays import BoolArray
    from driftline.drift.statistics.comparison import Comparison
    from driftline.drift.statistics.vocabulary import Vocabulary
    from driftline.profiles import Grid

_WEEKS = 53


@dataclass(slots=True)
class Training:
    """The training reference of one judge.

    Args:
        baseline: as its rows make it.
        young: what is compared with until production is known: itself, where it knows its own noise.
    """

    baseline: Baseline
    young: Baseline

    @classmethod
    def of(
        cls,
        hours: Sequence[HourCounts],
        features: tuple[Feature, ...],
        *,
        grids: Mapping[str, Grid],
        vocabulary: Vocabulary,
        settings: DriftSettings,
    ) -> Training | None:
        """Build the reference; None where it knows no feature.

        Args:
            hours: of the reference, ascending.
            features: in the order of their names.
            grids: of every numeric feature.
            vocabulary: that knows the categorical values.
            settings: scales, budget, ages.
        """
        if not features:
            return None
        if not has_usable_times(hours):
            pooled = build_pooled_baseline(hours, features, grids=grids, vocabulary=vocabulary)
            return cls(pooled, with_assumed_noise(pooled, settings))
        end = hours[-1].local_hour + 1
        weeks = min(-(-(end - hours[0].local_hour) // HOURS_PER_WEEK), _WEEKS)
        timed = build_baseline(
            hours,
            known_features(hours, features),
            features,
            span=Span(end - weeks * HOURS_PER_WEEK, weeks),
            grids=grids,
            vocabulary=vocabulary,
            settings=replace(settings, scales_hours=(settings.longest_scale_hours,)),
        )
        return cls(timed, timed)

    def beside(self, production: Baseline | None, settings: DriftSettings) -> Baseline:
        """Return what is compared with on a day: what lacks times takes its noise from production.

        Args:
            production: the production reference; None: it is too young.
            settings: of the judge.
        """
        if self.baseline.timed or production is None:
            return self.young
        return with_noise_of(self.baseline, production, settings)


def training_scales(training: Baseline, settings: DriftSettings) -> tuple[int, ...]:
    """Return the lengths of the windows that are compared with a training reference."""
    if training.assumed is not None:
        return settings.scales_hours
    return (settings.longest_scale_hours if training.timed else HOURS_PER_WEEK,)


def pages_against(training: Baseline, production: Baseline | None) -> BoolArray:
    """Return which channels may page against the training data as long as nothing is accepted, (c,).

    Season moves what is served away from what was learned, so only rare channels page, and new numbers only
    until production is known: a summer's day is out of the range of a winter's training, and what is new
    about it production tells.

    Args:
        training: the reference.
        production: the other one; None: it is too young.
    """
    if training.assumed is not None:
        return beyond_season(training)
    channels = training.channels
    known = () if production is None else production.features
    is_known = np.array([feature in known for feature in training.features], dtype=np.bool_)
    silent = channels.is_new_number & is_known[channels.feature]
    return np.asarray(channels.is_rare & ~silent, dtype=np.bool_)


def find_conversions(
    baseline: Baseline,
    comparison: Comparison,
    hours: Sequence[HourCounts],
    scales_hours: Sequence[int],
    *,
    grids: Mapping[str, Grid],
    may_page: BoolArray,
    likeness: Likeness = AMONG_SEASONS,
) -> Mapping[tuple[int, int], Conversion]:
    """Return which features of which windows come in another unit, by the places of both.

    Args:
        baseline: the reference.
        comparison: of the windows that end with the newest hour.
        hours: ascending, the newest last.
        scales_hours: lengths of the windows.
        grids: of the numeric features.
        may_page: which channels may, (c,); a feature of which none may does not page for its unit.
        likeness: how sure one has to be.
    """
    features_page = np.asarray(may_page[baseline.channels.by_feature].any(-1), dtype=np.bool_)
    found: dict[tuple[int, int], Conversion] = {}
    for scale, index in np.argwhere(comparison.pages | comparison.warns).tolist():
        feature, columns = baseline.features[index], baseline.layout.columns[index]
        if not isinstance(columns, NumericColumns):
            continue
        first = hours[-1].hour + 1 - scales_hours[scale]
        inside = [hour for hour in hours[-scales_hours[scale] :] if hour.hour >= first]
        held = columns.counts > 0
        conversion = find_conversion(
            Values(
                columns.positions[held],
                columns.counts[held],
                float(baseline.known.least[index]),
                float(baseline.known.most[index]),
            ),
            _values(inside, feature, grids[feature.name]),
            likeness,
        )
        if conversion is not None:
            pages = conversion.pages and bool(features_page[index])
            found[scale, index] = replace(conversion, pages=pages)
    return found


def _values(hours: Sequence[HourCounts], feature: Feature, grid: Grid) -> Values:
    """Return the values of a numeric feature in some hours, each bucket's middle for all that it holds."""
    keys, counts = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    least = most = np.nan
    for hour in hours:
        if feature in hour.features:
            place = hour.features.index(feature)
            least = np.fmin(least, hour.tallies[place, 3])
            most = np.fmax(most, hour.tallies[place, 4])
            end = int(hour.sizes[: place + 1].sum())
            own = slice(end - int(hour.sizes[place]), end)
            keys.append(hour.keys[own])
            counts.append(hour.counts[own])
    distinct, where = np.unique(np.concatenate(keys), return_inverse=True)
    totals = np.bincount(where, np.concatenate(counts), distinct.size)
    return Values(grid.midpoint(key_bucket(distinct)), totals.astype(np.float64), float(least), float(most))
