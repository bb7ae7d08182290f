"""A calibration as a page of its own: one HTML file that needs nothing else, in light and in dark."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup

from driftline.domain.hours import hour_time
from driftline.drift.calibrate import HORIZON_HOURS
from driftline.web.draw.svg import element, join, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.drift.calibrate import Calibration, Delays, FalsePages

_ROW = 22
"""Height of a feature's line, in CSS pixels."""

_TICKS = (1, 3, 6, 12, 24, 72, HORIZON_HOURS)
_NEVER = 1.0
_SCALE = 0.8
"""The share of a panel's width that the hours take; not found stands at its right end."""

_STYLE = """
:root {
  --ground: #ffffff; --ink: #15181c; --soft: #57606b; --line: #dde1e6; --dot: #2b6c9b; --missed: #c43d06;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --ink: #e7e9ec; --soft: #a3acb7; --line: #343b44; --dot: #7db9e2; --missed: #ff7f4d;
  }
}
body { margin: 2rem auto; max-width: 60rem; padding: 0 1.25rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem; }
p { margin: .3rem 0; max-width: 44rem; }
.soft { color: var(--soft); }
.panel { display: grid; grid-template-columns: minmax(7rem, 14rem) 1fr 9rem; gap: 0 1rem; font-size: .85rem; }
.panel > * { height: 22px; line-height: 22px; white-space: nowrap; }
.panel > div { overflow: hidden; text-overflow: ellipsis; }
.panel .axis { color: var(--soft); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; overflow: visible; }
svg .line { stroke: var(--line); }
svg .dot { fill: var(--dot); fill-opacity: .55; }
svg .median { stroke: var(--dot); stroke-width: 3; }
svg .missed { stroke: var(--missed); stroke-width: 2; fill: none; }
svg .bar { fill: var(--missed); }
svg .budget { stroke: var(--ink); stroke-dasharray: 3 3; }
svg text { fill: var(--soft); font-size: 11px; }
"""


def draw_page(found: Calibration, names: tuple[str, str, str]) -> str:
    """Return the page.

    Args:
        found: what to draw.
        names: model, version and environment.
    """
    title = f"{names[0]}, version {names[1]}: its own past, replayed"
    shifts = list(dict.fromkeys((each.feature.kind, each.shift) for each in found.delays))
    body = [
        element("h1", title),
        element("p", _summary(found), class_="soft"),
        element("h2", "Pages that nobody injected"),
        element("p", _false_pages_words(found)),
        _false_pages(found),
        *(
            join(
                [
                    element("h2", f"{shift}, {'numbers' if kind == 'numeric' else 'categories'}"),
                    _panel(
                        [each for each in found.delays if (each.feature.kind, each.shift) == (kind, shift)]
                    ),
                ]
            )
            for kind, shift in shifts
        ),
    ]
    head = join(
        [
            Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width">'),
            element("title", title),
            Markup(f"<style>{_STYLE}</style>"),  # noqa: S704  a constant of this module
        ]
    )
    page = element("html", element("head", head), element("body", *body), lang="en")
    return f"<!doctype html>\n{page}\n"


def _summary(found: Calibration) -> str:
    span = f"{hour_time(found.first_hour):%d %b %Y} to {hour_time(found.end_hour):%d %b %Y}"
    dates = ", ".join(f"{hour_time(date):%d %b %H:00}" for date in found.dates)
    injected = f" Shifts were injected at {dates} (UTC)." if dates else " No shifts were injected."
    return (
        f"{found.model.hours} hours judged, {span}, against the weeks before each.{injected} "
        "A dot is a date; the bar is the median; a cross at the right was not found within 7 days."
    )


def _false_pages_words(found: Calibration) -> str:
    model = found.model
    known = f" Besides {model.known} over hours that were left out." if model.known else ""
    none = sum(feature.pages == 0 for feature in found.features)
    return (
        f"The model paged {model.pages} times in {model.hours} hours; the budget allows one in "
        f"{found.budget_hours:g}.{known} {none} of {len(found.features)} features never did."
    )


def _false_pages(found: Calibration) -> Markup:
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
            element("div", f"{row.per_1000_hours:.2f} in 1000 h", class_="number"),
        ]
    caption = element("p", "The dashed line is the model's budget.", class_="soft")
    return join([element("div", *cells, class_="panel"), caption])


def _panel(delays: Sequence[Delays]) -> Markup:
    cells = []
    for each in delays:
        median, late = each.quantile(0.5), each.quantile(0.9)
        words = f"{_hours(median)} / {_hours(late)}" if each.hours else "pages by itself"
        cells += [
            element("div", each.feature.name, title=each.feature.name),
            element(
                "svg",
                *_marks(each),
                height=str(_ROW),
                role="img",
                aria_label=f"{each.feature.name}: median {_hours(median)}, 90 % {_hours(late)}",
            ),
            element("div", words, class_="number"),
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
    heads = element("div", class_="axis"), axis, element("div", "median / 90 %", class_="axis number")
    return element("div", *heads, *cells, class_="panel")


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
    """Return where a delay stands, as a share of the width: by its logarithm."""
    return _SCALE * math.log(hours) / math.log(HORIZON_HOURS) + 0.02


def _hours(delay: int | None) -> str:
    return "> 7 d" if delay is None else f"{delay} h"
