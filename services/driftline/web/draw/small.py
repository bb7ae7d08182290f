"""Small multiples: a feature's distribution in a few lines of SVG, one beside the other; and traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.web import formatting
from driftline.web.draw.histogram import nice_step, rebin
from driftline.web.draw.svg import element, join, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from driftline.profiles import Grid
    from driftline.store.distributions import Distribution, Layer, LayerName

_BAR_HEIGHT = 14
_DRAWN: tuple[LayerName, LayerName] = ("now", "training")
LINES = 4
"""So many lines can be distinguished in one chart of traffic."""


def small_histogram(layers: Mapping[LayerName, Layer], grid: Grid, *, label: str) -> Markup | None:
    """Draw a numeric distribution: bars for now, a dashed outline for the reference; None without values.

    Args:
        layers: what is drawn.
        grid: of their buckets.
        label: what it shows, for those who can't see it.
    """
    histogram = rebin(layers, grid)
    if histogram is None:
        return None
    top = max(max(shares) for shares in histogram.shares.values()) or 1.0
    bins = len(histogram.edges) - 1
    shapes = []
    for name in _DRAWN:
        shares = histogram.shares.get(name)
        if shares is not None:
            outline = "".join(
                f"V{100 - share / top * 96:.1f}H{(place + 1) / bins * 1000:.1f}"
                for place, share in enumerate(shares)
            )
            kind = "bars now" if name == "now" else "line training"
            shapes.append(element("path", class_=kind, d=f"M0 100{outline}V100"))
    drawn = element(
        "svg",
        *shapes,
        viewBox="0 0 1000 100",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
    )
    low, high = (formatting.number(edge) for edge in (histogram.edges[0], histogram.edges[-1]))
    axis = element(
        "svg",
        element("text", low, x=0, y=12),
        element("text", high, x="100%", y=12, text_anchor="end"),
        class_="ends",
        aria_hidden="true",
    )
    return join([element("svg", element("title", label), drawn, class_="small", role="img"), axis])


def small_bars(distribution: Distribution, *, label: str) -> Markup | None:
    """Draw the most frequent values of a category, each a bar for now and one for the reference."""
    if not distribution.values:
        return None
    top = max((share for each in distribution.values for share in each.shares.values()), default=0.0) or 1.0
    shapes = []
    for place, each in enumerate(distribution.values):
        y = place * (_BAR_HEIGHT + 6)
        for name, height, dy in zip(_DRAWN, (7, 3), (2, 10), strict=True):
            if name in each.shares:
                shapes.append(
                    element(
                        "rect",
                        class_=f"bar {name}",
                        x="38%",
                        y=y + dy,
                        height=height,
                        width=percent(each.shares[name] / top * 0.62),
                    )
                )
        shapes.append(element("text", _shortened(each.value), x="36%", y=y + 12, text_anchor="end"))
    height = len(distribution.values) * (_BAR_HEIGHT + 6)
    return element("svg", element("title", label), *shapes, class_="small-bars", height=height, role="img")


def _shortened(value: str) -> str:
    return value if len(value) <= 14 else f"{value[:13]}…"


def difference(distribution: Distribution, grid: Grid | None) -> float | None:
    """Return how far now is from the reference, the largest difference of shares; None without either.

    Of numbers that of the shares at or below any value, of categories the share that would have to change.
    """
    layers = distribution.layers
    if (
        not {"now", "training"} <= layers.keys()
        or not layers["now"].present
        or not layers["training"].present
    ):
        return None
    if grid is None:
        moved = sum(abs(each.shares["now"] - each.shares["training"]) for each in distribution.values)
        moved += abs(distribution.others["now"] - distribution.others["training"])
        return moved / 2
    one, other = layers["now"], layers["training"]
    buckets = np.union1d(one.buckets, other.buckets)
    below = [_below(layer, buckets) for layer in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def _below(layer: Layer, buckets: np.ndarray) -> np.ndarray:
    running = np.append(0.0, np.cumsum(layer.counts)) / max(sum(layer.counts), 1)
    return running[np.searchsorted(layer.buckets, buckets, side="right")]


def traffic_chart(lines: Sequence[tuple[str, Sequence[int]]], *, title: str, description: str) -> Markup:
    """Draw events a minute, a line each.

    Args:
        lines: names and events of each minute, the oldest first, at most `LINES`.
        title: of the chart.
        description: of the chart, for those who can't see it.
    """
    most = max(max(counts) for _, counts in lines)
    step = max(nice_step(max(most, 1) / 3), 1.0)
    top = step * -(-most // step) or 1.0
    shapes, texts = [], []
    for place in range(int(top / step) + 1):
        y = percent(1 - place * step / top)
        shapes.append(element("line", class_="grid-line", x1=0, x2="100%", y1=y, y2=y))
        if place:
            texts.append(element("text", f"{formatting.count(place * step)} a minute", x=2, y=y, dy=12))
    paths = []
    for number, (_, counts) in enumerate(lines):
        width = 1000 / len(counts)
        path = "".join(
            f"{'M' if place == 0 else 'L'}{place * width:.1f} {100 - count / top * 100:.2f}h{width:.1f}"
            for place, count in enumerate(counts)
        )
        paths.append(element("path", class_=f"line traffic-{number}", d=path))
    scaled = element(
        "svg", *paths, viewBox="0 0 1000 100", preserveAspectRatio="none", width="100%", height="100%"
    )
    minutes = len(lines[0][1])
    marks = []
    for ago in (minutes, minutes // 2, 0):
        anchor = {minutes: "start", 0: "end"}.get(ago, "middle")
        text = f"{ago} min before" if ago else "newest event"
        marks.append(element("text", text, x=percent(1 - ago / minutes), y=14, text_anchor=anchor))
    head = element("title", title), element("desc", description)
    drawn = element("svg", *head, *shapes, scaled, *texts, class_="plot traffic", role="img")
    return join([drawn, element("svg", *marks, class_="ends", aria_hidden="true")])
