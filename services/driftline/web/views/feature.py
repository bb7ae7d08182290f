"""The content of a feature's page, read from the store. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_time
from driftline.domain.names import JOINT, VOLUME
from driftline.domain.streams import PRODUCTION
from driftline.domain.verdicts import Feature, gravest
from driftline.errors import NotFoundError
from driftline.profiles import Grid
from driftline.store.distributions import LAYERS, Spans, read_distribution
from driftline.store.evidence import read_parts
from driftline.store.grids import read_grids
from driftline.store.judged import read_cells, read_effects, read_newest
from driftline.web import formatting
from driftline.web.addresses import explorer_path
from driftline.web.draw import charts
from driftline.web.draw.charts import Series
from driftline.web.draw.histogram import few_values, rebin
from driftline.web.episodes import read_episodes
from driftline.web.period import Period
from driftline.web.views.model import invalid_of
from driftline.web.views.stories import gather
from driftline.web.views.streams import episode_spans, find_stream, that_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from markupsafe import Markup

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection
    from driftline.store.distributions import Distribution, Layer, LayerName
    from driftline.store.evidence import PartVerdict
    from driftline.store.invalid import InvalidCount
    from driftline.store.judged import NewestVerdict
    from driftline.web.episodes import Episode
    from driftline.web.views.stories import Story
    from driftline.web.views.streams import Choice

LAYER_LABELS: Mapping[LayerName, str] = {
    "now": "this window",
    "before": "the weeks before",
    "training": "training data",
}
_EFFECT_SCALE_HOURS = 24


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One value of a feature with few of them.

    Args:
        text: the value.
        shares: of the values present, by layer.
        change: this window's share less the weeks'; None where one of the two is missing.
        bars: the shares as bars.
    """

    text: str
    shares: Mapping[LayerName, float]
    change: float | None
    bars: Markup


@dataclass(frozen=True, slots=True)
class BinRow:
    """One bin of a histogram: its ends, in the feature's own unit, and its shares by layer."""

    low: float
    high: float
    shares: Mapping[LayerName, float]


@dataclass(frozen=True, slots=True)
class DistributionView:
    """The distribution of a feature, as rows of values or as a histogram.

    Args:
        layers: the counts, by layer.
        values: of a feature with few values; else empty.
        chart: the histogram of a numeric feature with many values; else None.
        bins: the histogram as numbers.
        outside: the share of values that the histogram leaves out, by layer.
    """

    layers: Mapping[LayerName, Layer]
    values: Sequence[ValueRow] = ()
    chart: Markup | None = None
    bins: Sequence[BinRow] = ()
    outside: Mapping[LayerName, float] | None = None


@dataclass(frozen=True, slots=True)
class FeatureView:
    """One feature of one stream, as a window shows it.

    Args:
        stream: which version and environment.
        feature: its name.
        kind: numeric or categorical.
        period: what charts over time show.
        spans: which hours the distribution compares.
        state: the gravest verdict of the window; `page` within an episode.
        current: the open stories that the window is part of.
        settled: those that need no attention, since they were acknowledged or are the new normal.
        episodes: of this feature, in the period, the newest first.
        distribution: now and before.
        strip: verdicts over time.
        effects: the effect over time; None where nothing was compared.
        axis: the time axis below the strip.
        verdicts: of the window, by reference and scale.
        is_newest: whether the window is the newest judged.
        parts: the window's verdicts by part of the traffic, the gravest first.
        invalid: values of the period that broke a rule, the most frequent first.
        explorer: the address of the window's predictions.
        reference: what the verdicts over time compare with.
    """

    stream: Stream
    feature: str
    kind: str
    period: Period
    spans: Spans
    state: str
    current: Sequence[Story]
    settled: Sequence[Story]
    episodes: Sequence[Episode]
    distribution: DistributionView
    strip: Markup
    effects: Markup | None
    axis: Markup
    verdicts: Sequence[NewestVerdict]
    is_newest: bool
    parts: Sequence[PartVerdict]
    invalid: Sequence[InvalidCount]
    explorer: str
    reference: str = "production"

    @property
    def is_joint(self) -> bool:
        """Whether it is the check of all features together."""
        return self.feature == JOINT

    @property
    def is_volume(self) -> bool:
        """Whether it is the number of predictions."""
        return self.feature == VOLUME


def view_feature(
    connection: Connection, name: str, feature: str, choice: Choice, *, at: int | None, kind: str = ""
) -> FeatureView:
    """Return one feature of a model.

    Args:
        connection: to the store.
        name: of the model.
        feature: of the feature.
        choice: version, environment and days.
        at: the hour behind the window shown; None: the newest.
        kind: of the feature; empty: numeric where a number and a text bear its name, else the one that does.

    Raises:
        NotFoundError: the window holds no verdict on such a feature.
    """
    span, newest_end = find_stream(connection, name, choice)
    stream, end = span.stream, span.last_end if at is None else min(at, span.last_end)
    named = [each for each in read_newest(connection, stream, end) if each.feature == feature]
    wanted = kind or max((each.kind for each in named), default="")
    verdicts = [each for each in named if each.kind == wanted]
    if not verdicts:
        raise NotFoundError(f"no verdict on a feature called {feature!r} of {name!r} at {formatting.at(end)}")
    key = Feature(feature, verdicts[0].kind)
    period = Period(end, choice.days)
    episodes = [
        each
        for each in read_episodes(connection, name, period, newest_end=newest_end)
        if (each.feature, each.kind, each.stream) == (*key, stream)
    ]
    around = [each for each in episodes if each.since < end and end - each.until < each.quiet_hours]
    is_newest = end == span.last_end
    current = [each for each in around if (each.is_open if is_newest else each.acknowledged != "noise")]
    settled = [each for each in around if each.is_settled and each not in current]
    spans = Spans(end, min((each.since for each in around), default=None))
    counting = that_count(verdicts)
    reference = "training" if any(each.reference != PRODUCTION for each in counting) else "production"
    marks = episode_spans(episodes, key, stream, reference)
    cells = read_cells(connection, stream, period.span, reference=reference, feature=key).get(key, {})
    return FeatureView(
        stream=stream,
        feature=feature,
        kind=key.kind,
        period=period,
        spans=spans,
        state="page" if current else _state(counting, is_settled=bool(settled)),
        reference=reference,
        current=gather(current),
        settled=gather(settled),
        episodes=episodes,
        distribution=_distribution(
            read_distribution(connection, stream, feature, key.kind, spans),
            feature,
            read_grids(connection, name).get(feature, Grid()) if key.kind == "numeric" else None,
        ),
        strip=charts.strip(cells, period, marks, label=f"Verdicts on {feature} over {period.days} days"),
        effects=charts.effect_chart(
            read_effects(
                connection, stream, key, period.span, reference="production", scale_hours=_EFFECT_SCALE_HOURS
            ),
            period,
            marks,
            title=f"How much of the traffic moved in {feature}",
            description=f"Effect of {_EFFECT_SCALE_HOURS} h windows over {period.days} days "
            f"to {formatting.at(end)}, against the same hours of past weeks; episodes are shaded.",
        ),
        axis=charts.time_axis(period),
        verdicts=verdicts,
        is_newest=is_newest,
        parts=read_parts(connection, stream, key, end),
        invalid=[each for each in invalid_of(connection, stream, period) if each.feature == feature],
        explorer=window_explorer(stream, feature, spans.now, end),
    )


def _state(verdicts: Iterable[NewestVerdict], *, is_settled: bool) -> str:
    """Return the gravest of the verdicts that count; what is settled counts as ok."""
    return gravest("ok" if is_settled and each.verdict == "page" else each.verdict for each in verdicts)


def window_explorer(stream: Stream, feature: str, first: int, end: int) -> str:
    """Return the address of the predictions of some hours, with the values of a feature."""
    return explorer_path(
        stream.model_name,
        version=stream.model_version,
        environment=stream.environment,
        since=formatting.minute(hour_time(first)),
        until=formatting.minute(hour_time(end)),
        feature=None if feature in (JOINT, VOLUME) else feature,
    )


def _distribution(found: Distribution, feature: str, grid: Grid | None) -> DistributionView:
    """Choose how a distribution is shown: numeric features have a grid, categorical ones do not."""
    if grid is None:
        rows = [(value.value, value.shares) for value in found.values]
        if any(share >= 5e-5 for share in found.others.values()):
            rows.append(("all other values", found.others))
        return DistributionView(found.layers, _value_rows(rows))
    few = few_values(found.layers, grid)
    if few:
        return DistributionView(
            found.layers, _value_rows([(formatting.number(value), shares) for value, shares in few])
        )
    histogram = rebin(found.layers, grid)
    if histogram is None:
        return DistributionView(found.layers)
    names = [name for name in LAYERS if name in histogram.shares]
    chart = charts.histogram_chart(
        histogram.edges,
        [Series(name, LAYER_LABELS[name], histogram.shares[name]) for name in names],
        title=f"Distribution of {feature}",
        description=f"Share of values per bin: {formatting.listing([LAYER_LABELS[name] for name in names])}. "
        "The numbers are in the table below.",
    )
    bins = [
        BinRow(low, high, {name: histogram.shares[name][index] for name in names})
        for index, (low, high) in enumerate(zip(histogram.edges, histogram.edges[1:], strict=False))
    ]
    return DistributionView(found.layers, (), chart, bins, histogram.outside)


def _value_rows(rows: Sequence[tuple[str, Mapping[LayerName, float]]]) -> Sequence[ValueRow]:
    top = max((share for _, shares in rows for share in shares.values()), default=0.0)
    return [
        ValueRow(
            text=text,
            shares=shares,
            change=shares["now"] - shares["before"] if {"now", "before"} <= shares.keys() else None,
            bars=charts.paired_bars(
                [Series(name, LAYER_LABELS[name], [shares[name]]) for name in LAYERS if name in shares],
                top=top,
            ),
        )
        for text, shares in rows
    ]


def missing_text(layers: Mapping[LayerName, Layer]) -> str:
    """Return a sentence on the share of a feature's events that had no usable value, now and before."""
    now, before = layers.get("now"), layers.get("before")
    if now is None or not now.rows:
        return "No event of this window carried the feature."
    parts = []
    for name, text in (("nulls", "were null"), ("nans", "were NaN"), ("infinities", "were infinite")):
        share = getattr(now, name) / now.rows
        past = getattr(before, name) / before.rows if before is not None and before.rows else None
        if share or past:
            than = "" if past is None else f" ({formatting.percent(past)} in the weeks before)"
            parts.append(f"{formatting.percent(share)} {text}{than}")
    if not parts:
        return f"All {formatting.count(now.rows)} events that carried the feature had a value."
    return f"Of {formatting.count(now.rows)} events that carried the feature, {formatting.listing(parts)}."
