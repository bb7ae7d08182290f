"""Charts of a calibration: a line for each feature, false pages as bars, delays as dots on a log scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup

from driftline.domain.calibration import HORIZON_HOURS
from driftline.web.draw.svg import element, join, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.calibration import Calibration, Delays, FalsePages

_ROW = 22
"""Height of a feature's line, in CSS pixels."""

_TICKS = (1, 3, 6, 12, 24, 72, HORIZON_HOURS)
_NEVER = 1.0
_SCALE = 0.8
"""The share of the width that the hours take; "not found" is at the right end."""


def false_pages(found: Calibration) -> Markup:
    """Return a bar for the model and for each feature that paged by itself; nothing where none did."""
    paging = sorted(
        (each for each in found.features if each.pages), key=lambda each: (-each.pages, each.name)
    )
    if not paging:
        return Markup()
    rows: list[FalsePages] = [found.model, *paging]
    most = max(1.2 * 1000 / found.budget_hours, *(row.per_1000_hours for row in rows))
    budget = percent(1000 / found.budget_hours / most)
    cells = []
    for row in rows:
        bar = element(
            "rect", x="0", y="5", width=percent(row.per_1000_hours / most), height="12", class_="bar"
        )
        line = element("line", x1=budget, x2=budget, y1="0", y2=str(_ROW), class_="budget")
        cells += [
            element("div", row.name or "the model", title=row.name),
            element("svg", bar, line, height=str(_ROW), role="img", aria_label=f"{row.pages} pages"),
            element("div", f"{row.per_1000_hours:.2f} in 1000 h", class_="figure"),
        ]
    caption = element("p", "The dashed line is the model's budget.", class_="soft")
    return join([element("div", *cells, class_="calibration"), caption])


def delays_of(delays: Sequence[Delays]) -> Markup:
    """Return a line of dots for each feature, all of one shift."""
    cells = []
    for each in delays:
        median, late = each.quantile(0.5), each.quantile(0.9)
        summary = f"{_hours(median)} / {_hours(late)}" if each.hours else "pages by itself"
        cells += [
            element("div", each.feature.name, title=each.feature.name),
            element(
                "svg",
                *_marks(each),
                height=str(_ROW),
                role="img",
                aria_label=f"{each.feature.name}: median {_hours(median)}, 90 % {_hours(late)}",
            ),
            element("div", summary, class_="figure"),
        ]
    ticks = [
        element(
            "text",
            f"{tick} h" if tick < 72 else f"{tick // 24} d",
            x=percent(_place(tick)),
            y="15",
            text_anchor="middle",
        )
        for tick in _TICKS
    ]
    ticks.append(element("text", "not found", x=percent(_NEVER), y="15", text_anchor="end"))
    axis = element("svg", *ticks, height=str(_ROW))
    heads = element("div", class_="axis"), axis, element("div", "median / 90 %", class_="axis figure")
    return element("div", *heads, *cells, class_="calibration")


def _marks(each: Delays) -> list[Markup]:
    marks = [
        element(
            "line", x1=percent(_place(tick)), x2=percent(_place(tick)), y1="0", y2=str(_ROW), class_="line"
        )
        for tick in _TICKS
    ]
    middle = str(_ROW // 2)
    marks += [
        element("circle", cx=percent(_place(delay)), cy=middle, r="5", class_="dot")
        for delay in each.hours
        if delay is not None
    ]
    if (median := each.quantile(0.5)) is not None:
        marks.append(
            element(
                "line",
                x1=percent(_place(median)),
                x2=percent(_place(median)),
                y1="3",
                y2="19",
                class_="median",
            )
        )
    if each.missed:
        cross = element("path", d="M-17,6 l10,10 m0,-10 l-10,10", class_="missed")
        marks.append(element("svg", cross, x=percent(_NEVER)))
        marks.append(element("text", f"{each.missed} ×", x="98.0%", dx="-14", y="15", text_anchor="end"))
    return marks


def _place(hours: int) -> float:
    """Return the position of a delay, as a share of the width, on a logarithmic scale."""
    return _SCALE * math.log(hours) / math.log(HORIZON_HOURS) + 0.02


def _hours(delay: int | None) -> str:
    return "> 7 d" if delay is None else f"{delay} h"
