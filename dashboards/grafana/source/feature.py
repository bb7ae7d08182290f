"""One feature: how it is distributed against its references, by slice, and what was judged of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards.grafana.source import distributions, links, marks, variables
from dashboards.grafana.source.panels import (
    VERDICT_COLUMN,
    dashboard,
    lines,
    number,
    row,
    rows,
    titled,
    unit_of,
    verdict_number,
    verdict_timeline,
    wide,
)
from dashboards.grafana.source.queries import (
    FEATURE,
    GRAVITY_NOW,
    GRAVITY_OF_VERDICT,
    HOURS,
    SEGMENT,
    STREAM,
    metric,
    series,
    table,
)
from driftline.domain.statistics import DESCRIPTIVE_STATISTICS
from driftline.store.visible import visible

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.statetimeline import Panel as Timeline
    from grafana_foundation_sdk.builders.table import Panel as Table
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines

_JUDGED = f"{STREAM} AND {FEATURE} AND {SEGMENT} AND $__timeFilter(window_end)"
_WINDOW = "reference = ${reference:sqlstring} AND scale_hours = ${scale_hours}"
_NAMED = ", ".join(each.title for each in DESCRIPTIVE_STATISTICS)
_CHARTED = "|".join(["effect", *(each.name for each in DESCRIPTIVE_STATISTICS if each.is_charted)])
_SERIES = 'model_name="$model_name", model_version="$model_version", feature="$feature"'


def build() -> Dashboard:
    """Return the dashboard."""
    path = f"/models/{links.variable('model_name')}/features/{links.variable('feature')}"
    return (
        _empty()
        .link(links.own_pages("driftline's own page of the feature", path))
        .with_row(row("Now"))
        .with_panel(_state())
        .with_panel(_effect_now())
        .with_panel(_detectable_now())
        .with_panel(_sample_now())
        .with_panel(_missing_now())
        .with_panel(_complete_now())
        .with_row(row("Distribution: the time range, the same hours of the four weeks before, training"))
        .with_panel(distributions.numeric_bars())
        .with_panel(distributions.numeric_curves())
        .with_panel(distributions.categories())
        .with_row(row("By slice"))
        .with_panel(distributions.numbers_by_segment())
        .with_panel(distributions.categories_by_segment())
        .with_panel(_slices())
        .with_row(row("Judged"))
        .with_panel(_effects())
        .with_panel(_verdicts())
        .with_panel(_statistics())
        .with_panel(_exported())
        .with_panel(_newest())
        .with_row(row("Missing and invalid"))
        .with_panel(_missing())
        .with_panel(_invalid())
    )


def _empty() -> Dashboard:
    references = {"production": "past weeks", "training": "training data"}
    scales = {"1": "1 hour", "6": "6 hours", "24": "24 hours"}
    return (
        dashboard(
            "driftline / Feature",
            links.FEATURE,
            "One feature of one model version: its distribution against its references, by slice; its "
            "verdicts.",
            since="now-24h",
            refresh="5m",
        )
        .with_variable(variables.prometheus())
        .with_variable(variables.clickhouse())
        .with_variable(variables.driftline_url())
        .with_variable(variables.model_name())
        .with_variable(variables.model_version())
        .with_variable(variables.environment())
        .with_variable(variables.feature())
        .with_variable(variables.segment())
        .with_variable(variables.choice("reference", "Reference", references, "production"))
        .with_variable(variables.choice("scale_hours", "Window", scales, "24"))
        .annotation(marks.new_versions())
        .annotation(marks.incidents())
    )


def _of_newest(column: str) -> str:
    return f"""
    SELECT {column} FROM drift_verdicts
    WHERE {_JUDGED} AND {_WINDOW} ORDER BY window_end DESC LIMIT 1
    """


def _state() -> Stat:
    return verdict_number(
        number(
            "State",
            "The gravest verdict of the windows that ended last, over all references and lengths.",
            table(
                f"""
                SELECT max({GRAVITY_NOW}) AS state FROM drift_verdicts
                WHERE {_JUDGED} GROUP BY window_end ORDER BY window_end DESC LIMIT 1
                """
            ),
            unit="short",
        )
    )


def _effect_now() -> Stat:
    return number(
        "Moved",
        "Observed share less the expected one, of the channel that moved most, in the newest window.",
        table(_of_newest("effect")),
        unit="percentunit",
    )


def _detectable_now() -> Stat:
    return number(
        "Detectable",
        "The smallest shift that the newest window could have paged for: smaller ones stay unseen.",
        table(_of_newest("detectable_effect")),
        unit="percentunit",
    )


def _sample_now() -> Stat:
    return number(
        "Events judged", "Events in the newest window.", table(_of_newest("sample_size")), unit="short"
    )


def _missing_now() -> Stat:
    return number(
        "Missing",
        "Share of the events that carry the feature and have no value of it, within the time range.",
        table(
            f"""
            SELECT sumIf(count, kind = 'missing') / nullIf(sum({_CARRIED}), 0) AS missing
            FROM profiles WHERE {_PROFILES}
            """
        ),
        unit="percentunit",
    )


def _complete_now() -> Stat:
    return number(
        "Complete",
        "How much of the newest window had arrived when it was judged.",
        table(_of_newest("completeness")),
        unit="percentunit",
    )


_HOURS = visible(f"{STREAM} AND {HOURS}")
_PROFILES = f"{STREAM} AND {FEATURE} AND {SEGMENT} AND {HOURS} AND {_HOURS}"
_CARRIED = "count + nans + infinities + folded"
"""Events that carry a feature, with a value or without, over all kinds of its rows."""


def _slices() -> Table:
    named = {name: links.variable(name) for name in ("model_name", "model_version", "environment", "feature")}
    to_slice = links.to_dashboard("This slice", links.FEATURE, **named, segment=links.field("slice"))
    return (
        rows(
            "Verdicts by slice",
            "The newest window of the chosen length and reference in each part of the traffic. Drivers: "
            "which slices the shift of the whole traffic comes from, and their share of it.",
            table(
                f"""
                SELECT
                    if(segment = '', 'all traffic', segment) AS slice, verdict, channel, effect,
                    effect_low AS low, effect_high AS high, z, critical, sample_size AS sample,
                    toString(drivers) AS drivers, window_end, reason
                FROM drift_verdicts
                WHERE {STREAM} AND {FEATURE} AND {_WINDOW} AND $__timeFilter(window_end)
                ORDER BY segment, window_end DESC LIMIT 1 BY segment
                """
            ),
            numbers=["z", "critical", "sample"],
            shares=["effect", "low", "high"],
            times=["window_end"],
        )
        .override_by_name("slice", [links.linked(to_slice)])
        .override_by_name("verdict", VERDICT_COLUMN)
        .override_by_name("window_end", [titled("until")])
        .override_by_name("reason", [wide(400)])
    )


def _effects() -> Lines:
    band = DynamicConfigValue(id_val="custom.fillBelowTo", value="low")
    thin = DynamicConfigValue(id_val="custom.lineWidth", value=0)
    return (
        lines(
            "Share of rows that moved, with its 95 % interval",
            "Of the channel that moved most in each window of the chosen length, against the chosen "
            "reference.",
            series(
                f"""
                SELECT window_end AS time, effect, effect_low AS low, effect_high AS high,
                    detectable_effect AS detectable
                FROM drift_verdicts
                WHERE {_JUDGED} AND {_WINDOW} AND effect IS NOT NULL ORDER BY time
                """
            ),
            unit="percentunit",
        )
        .override_by_name("high", [band, thin])
        .override_by_name("low", [thin])
    )


def _verdicts() -> Timeline:
    return verdict_timeline(
        "Verdicts by reference and window",
        "Each length of window against each reference, in the chosen part of the traffic.",
        series(
            f"""
            SELECT
                $__timeInterval(window_end) AS time,
                concat(reference, ', ', toString(scale_hours), ' h') AS judged_by,
                max({GRAVITY_OF_VERDICT}) AS gravest
            FROM drift_verdicts WHERE {_JUDGED} GROUP BY time, judged_by ORDER BY time
            """
        ),
        width=12,
        height=8,
    ).interval("1h")


def _statistics() -> Lines:
    return lines(
        "Descriptive statistics",
        f"{_NAMED} of the chosen windows. They "
        "inform; with many rows most of them call everything different, so they do not page.",
        series(
            f"""
            SELECT window_end AS time, name, statistics[name] AS value
            FROM drift_verdicts ARRAY JOIN mapKeys(statistics) AS name
            WHERE {_JUDGED} AND {_WINDOW} ORDER BY time, name
            """
        ),
        unit="short",
    )


def _exported() -> Lines:
    return lines(
        "As Prometheus saw it",
        "The exported scores of the newest longest window, whole traffic, by the time of the scrape: what "
        "alerts saw.",
        metric(f'driftline_drift_score{{{_SERIES}, statistic=~"{_CHARTED}"}}', "{{statistic}}"),
        unit="short",
    )


def _newest() -> Table:
    return (
        rows(
            "Newest verdicts, with reasons",
            "The newest window of every length against every reference, and whether it was judged anew, "
            "and why.",
            table(
                f"""
                SELECT
                    reference, scale_hours AS hours, window_start, window_end, verdict, channel,
                    expected, observed,
                    effect, z, critical, overdispersion, freedom, sample_size AS sample,
                    reference_size AS reference_rows, completeness, revision, revised_because, reason
                FROM drift_verdicts
                WHERE {_JUDGED} ORDER BY window_end DESC LIMIT 1 BY reference, scale_hours
                """
            ),
            numbers=["z", "critical", "overdispersion", "freedom", "sample", "reference_rows", "revision"],
            shares=["expected", "observed", "effect", "completeness"],
            times=["window_start", "window_end"],
        )
        .override_by_name("verdict", VERDICT_COLUMN)
        .override_by_name("hours", [titled("window"), unit_of("h")])
        .override_by_name("reason", [wide(500)])
    )


def _missing() -> Lines:
    return lines(
        "Missing, NaN and infinite",
        "Share of the events that carry the feature, by the hour of their own time.",
        series(
            f"""
            SELECT
                $__timeInterval(hour) AS time,
                sumIf(count, kind = 'missing') / sum({_CARRIED}) AS missing,
                sum(nans) / sum({_CARRIED}) AS NaN,
                sum(infinities) / sum({_CARRIED}) AS infinite
            FROM profiles WHERE {_PROFILES}
            GROUP BY time HAVING sum({_CARRIED}) > 0 ORDER BY time
            """
        ),
        unit="percentunit",
    ).interval("1h")


def _invalid() -> Lines:
    return (
        lines(
            "Invalid values",
            "Values that broke a rule, by reason, whole traffic, by the hour of the events' own time.",
            series(
                f"""
                SELECT $__timeInterval(hour) AS time, reason, sum(count) AS values
                FROM invalid_values
                WHERE {STREAM} AND {FEATURE} AND {HOURS} AND {_HOURS}
                GROUP BY time, reason ORDER BY time
                """
            ),
            unit="short",
        )
        .no_value("no invalid value in this time range")
        .interval("1h")
    )
