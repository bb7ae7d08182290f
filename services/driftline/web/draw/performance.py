"""A metric over time: what was estimated, each period's value with its interval, whether it is final."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.web import formatting
from driftline.web.draw.charts import time_axis
from driftline.web.draw.histogram import nice_step
from driftline.web.draw.svg import element, join, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup

    from driftline.web.period import Period

_MARGIN = 0.08
"""Above and below what is drawn, as a share of its height."""


@dataclass(frozen=True, slots=True)
class Point:
    """One period's value.

    Args:
        first: its first hour.
        end: the hour behind its last.
        value: the value; None: no truths are there.
        low: of its interval; None: it has none.
        high: of its interval.
        is_final: whether nearly all truths that will ever be known are known.
        naive: the value of the truths known so far, unweighted; None: not to be shown.
        baseline: the value of a constant answer; None: not defined.
        text: its description, for people.
        estimate: the estimate, and where its interval begins and ends; None: not estimated, or withdrawn.
    """

    first: int
    end: int
    value: float | None
    low: float | None
    high: float | None
    is_final: bool
    naive: float | None
    baseline: float | None
    text: str
    estimate: tuple[float, float, float] | None = None


def timeline_chart(points: Sequence[Point], period: Period, *, title: str, description: str) -> Markup | None:
    """Draw a metric's values over a period; None: there are none.

    Args:
        points: in any order.
        period: what the whole width covers.
        title: of the chart.
        description: of the chart, for those who can't see it.
    """
    shown = [each for each in points if each.end > period.first_hour and each.first < period.end_hour]
    if not shown:
        return None
    ticks = _ticks([value for each in shown for value in _values(each)])
    low, high = ticks[0], ticks[-1]

    def height(value: float) -> str:
        share = (min(max(value, low), high) - low) / (high - low)
        return percent(1 - _MARGIN - share * (1 - 2 * _MARGIN))

    shapes = [
        element("line", class_="grid-line", x1=0, x2="100%", y1=height(tick), y2=height(tick))
        for tick in ticks
    ]
    for each in shown:
        if each.estimate is not None:
            shapes += _estimated(each, period, height)
    for each in shown:
        left, right = period.fraction(each.first), period.fraction(each.end)
        middle = percent((left + right) / 2)
        if each.baseline is not None:
            line = height(each.baseline)
            shapes.append(
                element("line", class_="baseline", x1=percent(left), x2=percent(right), y1=line, y2=line)
            )
        if each.low is not None and each.high is not None:
            ends = {"y1": height(each.low), "y2": height(each.high)}
            shapes.append(element("line", class_="interval", x1=middle, x2=middle, **ends))
        if each.naive is not None:
            cross = element("path", class_="naive", d="M-4,-4 l8,8 m0,-8 l-8,8")
            shapes.append(element("svg", cross, x=middle, y=height(each.naive), overflow="visible"))
        if each.value is None:
            continue
        kind = "final" if each.is_final else "partial"
        place = {"cx": middle, "cy": height(each.value)}
        shapes.append(element("circle", element("title", each.text), class_=f"point {kind}", r=4.5, **place))
    texts = [element("text", formatting.number(tick), x=2, y=height(tick), dy=-3) for tick in ticks]
    head = element("title", title), element("desc", description)
    drawn = element("svg", *head, *shapes, *texts, class_="plot timeline", role="img")
    return join([drawn, time_axis(period)])


def _estimated(point: Point, period: Period, height: Callable[[float], str]) -> list[Markup]:
    """Draw an estimate: a band from end to end of its interval, and a line where it is likely to be."""
    value, low, high = point.estimate or (0.0, 0.0, 0.0)
    left, right = (period.fraction(hour) for hour in (point.first, point.end))
    top, bottom = (float(height(each).rstrip("%")) for each in (high, low))
    across = {"x": percent(left), "width": percent(right - left)}
    band = element(
        "rect",
        element("title", point.text),
        class_="estimate",
        y=height(high),
        height=percent((bottom - top) / 100),
        **across,
    )
    ends = {"x1": percent(left), "x2": percent(right), "y1": height(value), "y2": height(value)}
    return [band, element("line", class_="estimated", **ends)]


def _values(point: Point) -> Sequence[float]:
    given = (point.value, point.low, point.high, point.naive, point.baseline, *(point.estimate or ()))
    return [value for value in given if value is not None and math.isfinite(value)]


def _ticks(values: Sequence[float]) -> Sequence[float]:
    """Return round values, ascending, the first not above any value and the last not below."""
    low, high = min(values), max(values)
    step = nice_step(max(high - low, abs(high) * 1e-3, 1e-9) / 3)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [place * step for place in range(first, max(last, first + 1) + 1)]
