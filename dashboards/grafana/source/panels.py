"""Panels in one style: each with a description, a unit, and a text for when there is no data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from grafana_foundation_sdk.builders import barchart, common, stat, statetimeline, timeseries, trend
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.builders.dashboard import Dashboard, FieldColor, Row, ThresholdsConfig
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from dashboards.grafana.source.links import others
from dashboards.grafana.source.queries import GRAVITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.variants import Dataquery

    Target = Builder[Dataquery]

P = TypeVar("P")

GREEN, YELLOW, RED, BLUE, GREY = "green", "yellow", "red", "blue", "text"
VERDICT_COLOURS = {
    "page": "red",
    "warn": "orange",
    "incomplete": "purple",
    "learning": "blue",
    "ok": "green",
    "insufficient_data": "#808080",
}
VERDICT_LABELS = {
    "page": "drifted",
    "warn": "warning",
    "incomplete": "incomplete",
    "learning": "learning",
    "ok": "ok",
    "insufficient_data": "too few events",
}
VERDICT_COLUMN = [
    DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-background", "mode": "basic"}),
    DynamicConfigValue(
        id_val="mappings",
        value=[
            {
                "type": "value",
                "options": {
                    name: {"text": VERDICT_LABELS[name], "color": VERDICT_COLOURS[name], "index": place}
                    for place, name in enumerate(GRAVITY)
                },
            }
        ],
    ),
]
"""Colours a table's column of verdicts, and labels them."""


def dashboard(title: str, uid: str, description: str, *, since: str, refresh: str) -> Dashboard:
    """Return a dashboard without panels, with links to the others."""
    return (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["driftline"])
        .time(since, "now")
        .timezone("browser")
        .refresh(refresh)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(others())
    )


def row(title: str) -> Row:
    """Return a row's title."""
    return Row(title)


def number(
    title: str, description: str, target: Target, *, unit: str, width: int = 4, height: int = 4
) -> stat.Panel:
    """Return one number, as it is now."""
    panel = (
        stat.Panel()
        .graph_mode(models.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _dressed(panel, title, description, [target], unit=unit, width=width, height=height)


def lines(
    title: str, description: str, *targets: Target, unit: str, width: int = 12, height: int = 8
) -> timeseries.Panel:
    """Return lines over time."""
    panel = (
        timeseries.Panel()
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(models.TooltipDisplayMode.MULTI))
        .line_width(1)
        .fill_opacity(8)
        .show_points(models.VisibilityMode.AUTO)
    )
    return _dressed(panel, title, description, targets, unit=unit, width=width, height=height)


def rows(
    title: str,
    description: str,
    *targets: Target,
    numbers: Sequence[str] = (),
    shares: Sequence[str] = (),
    times: Sequence[str] = (),
    width: int = 24,
    height: int = 8,
) -> tables.Panel:
    """Return a table. Its columns are texts, but for those that are named as numbers, shares or times.

    With any other unit Grafana reads a number into every text that looks like one: a version, a commit.
    """
    panel = tables.Panel().filterable(True).show_header(True)
    for columns, name in ((numbers, "short"), (shares, "percentunit"), (times, "dateTimeAsIso")):
        if columns:
            panel.override_by_regexp(one_of(*columns), [unit_of(name)])
    return _dressed(panel, title, description, targets, unit="string", width=width, height=height)


def verdict_timeline(
    title: str, description: str, target: Target, *, width: int = 24, height: int = 10
) -> statetimeline.Panel:
    """Return verdicts over time, a line for each of what is judged."""
    panel = (
        statetimeline.Panel()
        .mappings([_verdict_numbers()])
        .color_scheme(FieldColor().mode(FieldColorModeId.FIXED))
        .show_value(models.VisibilityMode.NEVER)
        .row_height(0.85)
        .line_width(0)
        .fill_opacity(85)
        .legend(_legend())
    )
    return _dressed(panel, title, description, [target], unit="short", width=width, height=height)


def states(
    title: str, description: str, target: Target, mapping: ValueMap, *, width: int, height: int
) -> statetimeline.Panel:
    """Return states over time that are numbers with names."""
    panel = (
        statetimeline.Panel()
        .mappings([mapping])
        .show_value(models.VisibilityMode.NEVER)
        .row_height(0.85)
        .legend(_legend())
    )
    return _dressed(panel, title, description, [target], unit="short", width=width, height=height)


def bars(
    title: str, description: str, target: Target, *, x: str, unit: str = "percentunit", width: int = 12
) -> barchart.Panel:
    """Return bars side by side, one group for each value of a column."""
    panel = (
        barchart.Panel()
        .x_field(x)
        .x_tick_label_spacing(100)
        .show_value(models.VisibilityMode.NEVER)
        .bar_width(0.97)
        .group_width(0.9)
        .line_width(0)
        .fill_opacity(70)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(models.TooltipDisplayMode.MULTI))
    )
    panel.override_by_name(x, [unit_of("string")])
    return _dressed(panel, title, description, [target], unit=unit, width=width, height=9)


def curves(
    title: str, description: str, target: Target, *, x: str, unit: str, width: int = 12
) -> trend.Panel:
    """Return curves over a column of numbers that ascend."""
    panel = (
        trend.Panel()
        .x_field(x)
        .line_width(1)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(models.TooltipDisplayMode.MULTI))
    )
    panel.override_by_name(x, [unit_of("short")])
    return _dressed(panel, title, description, [target], unit=unit, width=width, height=9)


def one_of(*columns: str) -> str:
    """Return a pattern that fits these columns and no others, as Grafana reads it."""
    return f"/^({'|'.join(columns)})$/"


def steps(*levels: tuple[float | None, str]) -> ThresholdsConfig:
    """Return from which value on which colour holds; the first has none."""
    thresholds = [Threshold(value=value, color=colour) for value, colour in levels]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(thresholds)


def named_numbers(names: dict[str, tuple[str, str]]) -> ValueMap:
    """Return what numbers are called, and their colours."""
    return ValueMap(
        {
            key: ValueMappingResult(text=text, color=colour, index=place)
            for place, (key, (text, colour)) in enumerate(names.items())
        }
    )


def verdict_number(panel: stat.Panel) -> stat.Panel:
    """Show the number of a verdict as its label, in its colour."""
    return panel.mappings([_verdict_numbers()]).color_mode(models.BigValueColorMode.BACKGROUND)


def leveled(panel: timeseries.Panel, *levels: tuple[float | None, str]) -> timeseries.Panel:
    """Draw from which value on lines are in which colour."""
    style = common.GraphThresholdsStyleConfig().mode(models.GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(steps(*levels)).thresholds_style(style)


def unit_of(name: str) -> DynamicConfigValue:
    """Give a column its unit."""
    return DynamicConfigValue(id_val="unit", value=name)


def titled(text: str) -> DynamicConfigValue:
    """Give a column its title."""
    return DynamicConfigValue(id_val="displayName", value=text)


def wide(pixels: int) -> DynamicConfigValue:
    """Give a column its width."""
    return DynamicConfigValue(id_val="custom.width", value=pixels)


def hidden() -> DynamicConfigValue:
    """Keep a column for links, unseen."""
    return DynamicConfigValue(id_val="custom.hidden", value=True)


def _verdict_numbers() -> ValueMap:
    return named_numbers(
        {str(place): (VERDICT_LABELS[name], VERDICT_COLOURS[name]) for place, name in enumerate(GRAVITY)}
    )


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(models.LegendDisplayMode.LIST)
        .placement(models.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _dressed(
    panel: P,
    title: str,
    description: str,
    targets: Sequence[Target],
    *,
    unit: str,
    width: int,
    height: int,
) -> P:
    """Give a panel what every panel has. The builders' kinds of panels share no base class."""
    any_panel: Any = panel
    for target in targets:
        any_panel.with_target(target)
    any_panel.title(title).description(description).unit(unit).span(width).height(height)
    any_panel.no_value("nothing in this time range")
    return panel
