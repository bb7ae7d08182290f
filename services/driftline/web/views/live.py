"""What a model does at this moment, for its page: traffic, times, answers and features of the open hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from driftline.domain.names import is_answer
from driftline.domain.streams import PRODUCTION
from driftline.store.live import OPEN_HOURS, TRAFFIC_MINUTES, read_newest_hour, read_open, read_traffic
from driftline.web import formatting
from driftline.web.draw.small import LINES, difference, small_bars, small_histogram, traffic_chart
from driftline.web.views.streams import stream_feature_path

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from markupsafe import Markup

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection
    from driftline.store.live import OpenFeature, RecentTraffic, Traffic
    from driftline.web.views.streams import Choice

MOST_DRAWN = 48
"""So many features are drawn, those that differ most from the reference first."""


@dataclass(frozen=True, slots=True)
class Small:
    """One feature's picture.

    Args:
        name: as people call it.
        href: its page; empty: it has none yet.
        picture: None where there is no value.
        note: how it compares, in words.
        rows: values in the open hour.
    """

    name: str
    href: str
    picture: Markup | None
    note: str
    rows: int


@dataclass(frozen=True, slots=True)
class LiveView:
    """One model at this moment.

    Args:
        newest: when its newest event was.
        traffic: the events, by version and environment, the busiest first.
        chart: of the busiest.
        stream: of which the distributions are.
        first_hour: with which they begin.
        answers: what it answers.
        features: what it is asked with.
        hidden: how many features more there are.
        has_reference: whether any of it stands beside reference rows.
    """

    newest: datetime
    traffic: Sequence[Traffic]
    chart: Markup
    stream: Stream
    first_hour: int
    answers: Sequence[Small]
    features: Sequence[Small]
    hidden: int
    has_reference: bool

    @property
    def measured(self) -> Sequence[Traffic]:
        """The streams of which somebody measured how long they take."""
        return [each for each in self.traffic if each.latency_us or each.compute_us]


def view_live(
    connection: Connection, name: str, choice: Choice, *, pages: Collection[str]
) -> LiveView | None:
    """Return a model at the moment of its newest event; None where none was counted yet.

    Args:
        connection: to the store.
        name: of the model.
        choice: version and environment.
        pages: addresses of the features that have one.
    """
    newest_hour = read_newest_hour(connection, name)
    if newest_hour is None:
        return None
    found = read_traffic(connection, name, newest_hour)
    stream = _chosen(found, choice)
    if stream is None:
        return None
    parts = read_open(connection, stream, newest_hour)
    ranked = sorted(parts, key=lambda each: (-(_differs(each) or 0.0), each.feature))
    answers = [each for each in ranked if is_answer(each.feature.name)]
    features = [each for each in ranked if not is_answer(each.feature.name)]
    return LiveView(
        newest=datetime.fromtimestamp(found.newest_s, UTC),
        traffic=found.streams,
        chart=_chart(found),
        stream=stream,
        first_hour=newest_hour - OPEN_HOURS + 1,
        answers=[_small(each, stream, pages, choice.days) for each in answers],
        features=[_small(each, stream, pages, choice.days) for each in features[:MOST_DRAWN]],
        hidden=max(len(features) - MOST_DRAWN, 0),
        has_reference=any("training" in each.distribution.layers for each in parts),
    )


def _chosen(found: RecentTraffic, choice: Choice) -> Stream | None:
    """Return the busiest stream of those asked for, one in production before others."""
    asked = [
        each.stream
        for each in found.streams
        if choice.version in {None, each.stream.model_version}
        and choice.environment in {None, each.stream.environment}
    ]
    served = [stream for stream in asked if stream.environment == PRODUCTION] or asked
    return served[0] if served else None


def stream_text(stream: Stream) -> str:
    """Return what a stream is called on its model's page."""
    where = "" if stream.environment == PRODUCTION else f", {stream.environment}"
    return f"version {stream.model_version}{where}"


def _chart(found: RecentTraffic) -> Markup:
    shown = found.streams[:LINES]
    names = formatting.listing([stream_text(each.stream) for each in shown])
    return traffic_chart(
        [(stream_text(each.stream), each.minutes) for each in shown],
        title="Events a minute",
        description=f"Of the {TRAFFIC_MINUTES} minutes up to the newest event, of {names}. "
        "The sums are in the table below.",
    )


def _differs(each: OpenFeature) -> float | None:
    return difference(each.distribution, each.grid)


def _small(each: OpenFeature, stream: Stream, pages: Collection[str], days: int) -> Small:
    layers = each.distribution.layers
    name = each.feature.name
    note = _note(each)
    label = f"Distribution of {name}: {note}"
    picture = (
        small_bars(each.distribution, label=label)
        if each.grid is None
        else small_histogram(layers, each.grid, label=label)
    )
    href = stream_feature_path(stream, name, days=days, kind=each.feature.kind)
    return Small(
        name=name,
        href=href if href in pages else "",
        picture=picture,
        note=note,
        rows=layers["now"].present if "now" in layers else 0,
    )


def _note(each: OpenFeature) -> str:
    """Return how a feature compares with the reference, and what it lacks."""
    layers, differs = each.distribution.layers, _differs(each)
    now, past = layers.get("now"), layers.get("training")
    if now is None or not now.rows:
        return "in the reference, not in this hour"
    parts = [f"{formatting.count(now.present)} values"]
    lacking, lacked = (1 - one.present / one.rows if one and one.rows else 0.0 for one in (now, past))
    if lacking >= 0.0005 or lacked >= 0.0005:
        beside = f" (reference {formatting.percent(lacked)})" if past else ""
        parts.append(f"{formatting.percent(lacking)} missing{beside}")
    if differs is not None:
        parts.append(f"up to {formatting.percent(differs)} of values elsewhere than in the reference")
    return "; ".join(parts)
