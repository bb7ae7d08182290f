"""A timeline of the versions that were declared and of those that answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.domain.hours import hour_of
from driftline.web import formatting
from driftline.web.draw.svg import element, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from driftline.registry.history import Declared
    from driftline.store.answered import Answered
    from driftline.web.period import Period

_HEIGHT = 24
_LEAST = 3
"""Height of an hour in which a version answered at all, in CSS pixels: one event has to be visible."""

_NARROW = 0.03


def declared_strip(declared: Sequence[Declared], period: Period, *, label: str) -> Markup:
    """Draw which version was in production when; each in its part of the strip, by name.

    Args:
        declared: over the period, without gaps.
        period: what the whole width covers.
        label: what it shows, for those who can't see it.
    """
    shapes: list[Markup] = []
    for place, each in enumerate(declared):
        left, right = (_fraction(period, time.timestamp()) for time in (each.since, each.until))
        if not each.version or right <= left:
            continue
        tooltip = element(
            "title",
            f"version {each.version}, {formatting.clock(each.since)} to {formatting.clock(each.until)}",
        )
        kind = "even" if place % 2 else "odd"
        shapes.append(
            element(
                "rect",
                tooltip,
                class_=f"declared {kind}",
                x=percent(left),
                width=percent(right - left),
                y=0,
                height=_HEIGHT,
            )
        )
        if right - left > _NARROW:
            shapes.append(element("text", each.version, x=percent(left), y=16, dx=5))
    return element("svg", element("title", label), *shapes, class_="strip", role="img")


def answered_strip(
    answered: Sequence[Answered], undeclared: set[int], most: int, period: Period, *, label: str
) -> Markup:
    """Draw how often one version answered, hour by hour; hours in which it was not declared are hatched.

    Args:
        answered: its hours, counted.
        undeclared: the hours, since the Unix epoch, in which it answered and was not declared.
        most: of all versions, in one hour: the whole height.
        period: what the whole width covers.
        label: what it shows, for those who can't see it.
    """
    shapes = []
    width = max(1 / period.hours, 0.002)
    for each in answered:
        hour = hour_of(each.hour)
        height = max(_LEAST, round(_HEIGHT * each.events / max(most, 1)))
        is_declared = hour not in undeclared
        what = "" if is_declared else ", not declared"
        tooltip = element("title", f"{formatting.count(each.events)} at {formatting.clock(each.hour)}{what}")
        shapes.append(
            element(
                "rect",
                tooltip,
                class_="answered" if is_declared else "answered undeclared",
                x=percent(min(period.fraction(hour), 1 - width)),
                width=percent(width),
                y=_HEIGHT - height,
                height=height,
            )
        )
    return element("svg", element("title", label), *shapes, class_="strip", role="img")


def _fraction(period: Period, time_s: float) -> float:
    return min(max((time_s / 3600 - period.first_hour) / period.hours, 0.0), 1.0)
