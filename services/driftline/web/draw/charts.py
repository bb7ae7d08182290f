"""Charts as inline SVG. Lengths along x are percentages, so that drawings scale and their texts do not.

Colours come from classes of the style sheet; height, pattern or text shows the same without colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from driftline.web import formatting
from driftline.web.draw.histogram import nice_step
from driftline.web.draw.svg import element, join, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from driftline.web.period import Period

STRIP_HEIGHT = 24
"""In CSS pixels."""

# Height of a verdict's cell in a strip: what needs attention is tallest.
_HEIGHTS = {"page": 24, "warn": 14, "incomplete": 24, "learning": 9, "ok": 4, "insufficient_data": 2}
_HATCHED = frozenset({"incomplete", "learning"})


@dataclass(frozen=True, slots=True)
class Span:
    """Hours in [first, end) that a chart marks, such as an episode."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one set of bars of a chart.

    Args:
        name: in the style sheet.
        label: for people.
        values: shares, from 0 to 1.
    """

    name: str
    label: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that a chart marks, such as the beginning of a version."""

    hour: int
    text: str


def strip(
    cells: Mapping[int, str],
    period: Period,
    episodes: Sequence[Span],
    marks: Iterable[Mark] = (),
    *,
    label: str,
) -> Markup:
    """Draw the verdicts of one feature over a period.

    Args:
        cells: the verdict by cell; a cell that is not named was not judged.
        period: what the whole width covers.
        episodes: marked behind the cells, from their first hour on.
        marks: moments, each a dashed line.
        label: what it shows, for those who can't see it.
    """
    shapes = _shaded(episodes, period)
    for first, end, verdict in _runs(cells):
        left = period.fraction(period.first_hour + first * period.cell_hours)
        right = period.fraction(period.first_hour + end * period.cell_hours)
        tooltip = element("title", _run_title(first, end, verdict, period))
        shapes.append(cell(verdict, tooltip, x=percent(left), width=percent(right - left)))
    shapes += [
        element("line", class_="since", x1=percent(left), x2=percent(left), y1=0, y2="100%")
        for left, _ in _fractions(episodes, period)
        if left > 0
    ]
    shapes += _marked(marks, period)
    return element("svg", element("title", label), *shapes, class_="strip", role="img")


def incident_strip(incidents: Iterable[Span], judged: Span, period: Period, *, label: str) -> Markup:
    """Draw when a model paged, over a line for as long as it was judged.

    Args:
        incidents: from their first hour to their last window's end.
        judged: from the first to the newest window.
        period: what the whole width covers.
        label: what it shows, for those who can't see it.
    """
    shapes = [
        element("rect", class_="judged", x=percent(left), width=percent(right - left), y=22, height=2)
        for left, right in _fractions([judged], period)
    ]
    for span in incidents:
        for left, right in _fractions([span], period):
            tooltip = element("title", f"{formatting.at(span.first)} to {formatting.at(span.end)}")
            # An incident of one hour has to be visible in a year, too.
            width = percent(max(right - left, 0.004))
            shapes.append(cell("page", tooltip, x=percent(min(left, 0.996)), width=width))
    return element("svg", element("title", label), *shapes, class_="strip", role="img")


def cell(verdict: str, *children: Markup, x: str = "0%", width: str = "100%") -> Markup:
    """Draw one verdict's cell of a strip; its height and pattern show the verdict without colour."""
    height = _HEIGHTS[verdict]
    pattern = f"url(#hatch-{verdict})" if verdict in _HATCHED else None
    return element(
        "rect",
        *children,
        class_=f"cell {verdict}",
        fill=pattern,
        x=x,
        width=width,
        y=STRIP_HEIGHT - height,
        height=height,
    )


def mark_axis(marks: Sequence[Mark], period: Period) -> Markup | None:
    """Draw the labels of marks, above strips; None where no mark lies in the period."""
    texts = []
    for mark in marks:
        for left, _ in _fractions([Span(mark.hour, mark.hour + 1)], period):
            anchor = "end" if left > 0.8 else "start"
            dx = -4 if left > 0.8 else 4
            texts.append(element("text", mark.text, x=percent(left), y=13, dx=dx, text_anchor=anchor))
    if not texts:
        return None
    return element("svg", *texts, *_marked(marks, period), class_="marks", aria_hidden="true")


def time_axis(period: Period) -> Markup:
    """Draw the days or months of a period, below or above its strips. Times are UTC."""
    marks = []
    for hour, text in _time_ticks(period):
        place = percent(period.fraction(hour))
        marks.append(element("line", x1=place, x2=place, y1=0, y2=5))
        marks.append(element("text", text, x=place, y=17, dx=3))
    return element("svg", *marks, class_="axis", aria_hidden="true")


def effect_chart(
    effects: Mapping[int, float], period: Period, episodes: Sequence[Span], *, title: str, description: str
) -> Markup | None:
    """Draw how much of the traffic moved over time; None where nothing was compared.

    Args:
        effects: by cell, a share without sign; cells that are not named leave a gap.
        period: what the whole width covers.
        episodes: shaded.
        title: of the chart.
        description: of the chart, for those who can't see it.
    """
    if not effects:
        return None
    ticks = _share_ticks(max(effects.values()))
    width, top = period.cell_hours / period.hours, ticks[-1]
    path = []
    for cell, effect in sorted(effects.items()):
        left, height = cell * width * 1000, 100 - effect / top * 100
        right = min(left + width * 1000, 1000)
        path.append(f"{'L' if cell - 1 in effects else 'M'}{left:.1f} {height:.2f}H{right:.1f}")
    shapes = _shaded(episodes, period)
    shapes.append(_scaled(element("path", class_="line effect", d="".join(path))))
    return _plot(shapes, ticks, time_axis(period), title=title, description=description)


def histogram_chart(
    edges: Sequence[float], series: Sequence[Series], *, title: str, description: str
) -> Markup:
    """Draw shares per bin: the series called `now` as bars, the others as outlines.

    Args:
        edges: of the bins, ascending.
        series: a share a bin each.
        title: of the chart.
        description: of the chart, for those who can't see it.
    """
    bins = len(edges) - 1
    ticks = _share_ticks(max((max(each.values) for each in series), default=0.0))
    top = ticks[-1]
    shapes = []
    for each in series:
        heights = [value / top * 100 for value in each.values]
        outline = "".join(
            f"{'M0 100V' if index == 0 else 'V'}{100 - height:.2f}H{(index + 1) / bins * 1000:.2f}"
            for index, height in enumerate(heights)
        )
        kind = "bars" if each.name == "now" else "line"
        shapes.append(element("path", class_=f"{kind} {each.name}", d=f"{outline}V100"))
    return _plot([_scaled(*shapes)], ticks, _value_axis(edges), title=title, description=description)


def paired_bars(shares: Sequence[Series], *, top: float) -> Markup:
    """Draw one value's shares as bars below each other; the page's table has the numbers beside them.

    Args:
        shares: one series a bar, with one share each.
        top: the share that fills the width.
    """
    bars = [
        element(
            "rect",
            class_=f"bar {each.name}",
            x=0,
            width=percent(each.values[0] / top if top > 0 else 0.0),
            y=place * 9,
            height=8,
        )
        for place, each in enumerate(shares)
    ]
    return element("svg", *bars, class_="pair", height=len(shares) * 9, aria_hidden="true")


def _plot(
    shapes: Sequence[Markup], ticks: Sequence[float], axis: Markup, *, title: str, description: str
) -> Markup:
    """Put shapes over a grid of shares, with an axis below."""
    lines, texts = [], []
    for tick in ticks:
        # The uppermost line lies within the drawing, where its text has room below it.
        place = percent(1 - tick / ticks[-1])
        lines.append(element("line", class_="grid-line", x1=0, x2="100%", y1=place, y2=place))
        if tick > 0:
            texts.append(element("text", _tick_share(tick), x=2, y=place, dy=12))
    return join(
        [
            element(
                "svg",
                element("title", title),
                element("desc", description),
                *lines,
                *shapes,
                *texts,
                class_="plot",
                role="img",
            ),
            axis,
        ]
    )


def _scaled(*shapes: Markup) -> Markup:
    return element(
        "svg", *shapes, viewBox="0 0 1000 100", preserveAspectRatio="none", width="100%", height="100%"
    )


def _value_axis(edges: Sequence[float]) -> Markup:
    low, high = edges[0], edges[-1]
    step = nice_step((high - low) / 5)
    first = -(-low // step)
    marks = []
    for index in range(int((high - first * step) / step + 1e-9) + 1):
        value = (first + index) * step
        fraction = (value - low) / (high - low)
        place = percent(fraction)
        marks.append(element("line", x1=place, x2=place, y1=0, y2=5))
        # Texts stay inside the drawing at both ends.
        anchor = "start" if fraction < 0.04 else "end" if fraction > 0.96 else "middle"
        marks.append(element("text", formatting.number(value), x=place, y=17, text_anchor=anchor))
    return element("svg", *marks, class_="axis", aria_hidden="true")


def _runs(cells: Mapping[int, str]) -> Iterator[tuple[int, int, str]]:
    """Yield first cell, the cell behind the last, and verdict of each run of equal neighbours."""
    numbered = sorted(cells.items())
    for (_, verdict), run in groupby(
        enumerate(numbered), key=lambda item: (item[1][0] - item[0], item[1][1])
    ):
        held = [cell for _, (cell, _) in run]
        yield held[0], held[-1] + 1, verdict


def _marked(marks: Iterable[Mark], period: Period) -> list[Markup]:
    return [
        element(
            "line",
            element("title", f"{mark.text}: {formatting.at(mark.hour)}"),
            class_="mark",
            x1=percent(left),
            x2=percent(left),
            y1=0,
            y2="100%",
        )
        for mark in marks
        for left, _ in _fractions([Span(mark.hour, mark.hour + 1)], period)
    ]


def _shaded(spans: Iterable[Span], period: Period) -> list[Markup]:
    return [
        element("rect", class_="episode", x=percent(left), width=percent(right - left), y=0, height="100%")
        for left, right in _fractions(spans, period)
    ]


def _run_title(first: int, end: int, verdict: str, period: Period) -> str:
    start = period.first_hour + first * period.cell_hours
    stop = min(period.first_hour + end * period.cell_hours, period.end_hour)
    return f"{formatting.VERDICT_LABELS[verdict]}: {formatting.at(start)} to {formatting.at(stop)}"


def _fractions(spans: Iterable[Span], period: Period) -> Sequence[tuple[float, float]]:
    return [
        (period.fraction(span.first), period.fraction(span.end))
        for span in spans
        if span.end > period.first_hour and span.first < period.end_hour
    ]


def _time_ticks(period: Period) -> Sequence[tuple[int, str]]:
    """Return hours and their texts: days, or months where the period is long; the first names its year."""
    ticks: list[tuple[int, str]] = []
    step = {7: 1, 28: 7, 90: 21}.get(period.days)
    day = -(-period.first_hour // 24)
    while day * 24 < period.end_hour:
        when = datetime.fromtimestamp(day * 86400, UTC)
        wanted = (
            when.day == 1 and when.month % 2 == 1
            if step is None
            else (period.end_hour // 24 - day) % step == 0
        )
        if wanted and period.fraction(day * 24) <= 0.93:
            text = f"{when:%b}" if step is None else f"{when.day} {when:%b}"
            ticks.append((day * 24, f"{text} {when.year}" if not ticks else text))
        day += 1
    return ticks


def _share_ticks(highest: float) -> Sequence[float]:
    """Return shares from 0 on, in steps that read well, the last not below the highest."""
    step = nice_step(max(highest, 1e-4) / 3)
    count = 1
    while count * step < highest * (1 - 1e-9):
        count += 1
    return [index * step for index in range(count + 1)]


def _tick_share(share: float) -> str:
    return f"{share * 100:.4g} %"
