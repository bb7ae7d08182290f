"""One model version: what drifted since when, its incidents, its versions, and whether all of it arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.models.common import BigValueColorMode

from dashboards.grafana.source import figures, links, marks, performance, variables, versions
from dashboards.grafana.source.panels import (
    GREEN,
    RED,
    VERDICT_COLUMN,
    dashboard,
    lines,
    number,
    row,
    rows,
    steps,
    titled,
    unit_of,
    verdict_number,
    verdict_timeline,
    wide,
)
from dashboards.grafana.source.queries import (
    GRAVITY_NOW,
    GRAVITY_OF_VERDICT,
    HOURS,
    MODEL,
    STREAM,
    metric,
    metric_now,
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

_SERVED = '{model_name="$model_name", model_version="$model_version"}'
_STATISTICS = {
    "effect": "share that moved",
    **{each.name: each.title for each in DESCRIPTIVE_STATISTICS},
}


def build() -> Dashboard:
    """Return the dashboard."""
    empty = (
        dashboard(
            "driftline / Model",
            links.MODEL,
            "One model version: drift by feature, incidents, versions, completeness.",
            since="now-7d",
            refresh="1m",
        )
        .with_variable(variables.prometheus())
        .with_variable(variables.clickhouse())
        .with_variable(variables.driftline_url())
        .with_variable(variables.model_name())
        .with_variable(variables.model_version())
        .with_variable(variables.environment())
        .with_variable(variables.choice("statistic", "Statistic", _STATISTICS, "effect"))
        .annotation(marks.new_versions())
        .annotation(marks.incidents())
        .link(links.own_pages("driftline's own page of the model", f"/models/{links.variable('model_name')}"))
    )
    return (
        empty.with_row(row("Now"))
        .with_panel(_state())
        .with_panel(_open_incidents())
        .with_panel(_completeness_now())
        .with_panel(
            figures.invalid_values(f"driftline_invalid_values{_SERVED[:-1]}, {figures.NOT_TRAINING}}}")
        )
        .with_panel(_judged_until())
        .with_panel(figures.unknown_runs(f"driftline_unregistered_run_events{_SERVED}"))
        .with_row(row("Drift"))
        .with_panel(_verdicts())
        .with_panel(_effects())
        .with_panel(_scores())
        .with_panel(_features())
        .with_row(row("Incidents"))
        .with_panel(_incidents())
        .with_row(row("Versions and traffic"))
        .with_panel(versions.versions())
        .with_panel(versions.traffic())
        .with_panel(versions.completeness())
        .with_panel(versions.hourly_completeness())
        .with_panel(_invalid())
        .with_row(row("Performance"))
        .with_panel(performance.performance())
        .with_panel(performance.drops())
        .with_panel(performance.estimates())
        .with_panel(performance.trust())
    )


def _state() -> Stat:
    return verdict_number(
        number(
            "State",
            "The gravest verdict of the windows that ended last, over all features and references.",
            table(
                f"""
                SELECT max({GRAVITY_NOW}) AS state FROM drift_verdicts
                WHERE {STREAM} AND segment = '' AND $__timeFilter(window_end)
                GROUP BY window_end ORDER BY window_end DESC LIMIT 1
                """
            ),
            unit="short",
        )
    )


def _open_incidents() -> Stat:
    return (
        number(
            "Open incidents",
            "Incidents of this version that last.",
            metric_now(f"count(driftline_incident_since_timestamp_seconds{_SERVED}) or vector(0)"),
            unit="short",
        )
        .thresholds(steps((None, GREEN), (1, RED)))
        .color_mode(BigValueColorMode.BACKGROUND)
    )


def _completeness_now() -> Stat:
    return figures.completeness(
        "Complete",
        "Which share of what its sessions sent in the last 24 hours of its own time has landed.",
        f"driftline_completeness_ratio{_SERVED}",
    )


def _judged_until() -> Stat:
    return number(
        "Judged until",
        "When the last window that was judged ended, by the events' own time. No stream is judged ahead "
        "of it.",
        metric_now(f"driftline_window_evaluated_timestamp_seconds{_SERVED} * 1000"),
        unit="dateTimeFromNow",
    )


def _verdicts() -> Timeline:
    return verdict_timeline(
        "Verdicts by feature",
        "The gravest verdict of all windows and references, whole traffic; (joint) is the check of features "
        "together, which only warns; (volume) is the number of predictions.",
        series(
            f"""
            SELECT
                $__timeInterval(window_end) AS time, feature, max({GRAVITY_OF_VERDICT}) AS gravest
            FROM drift_verdicts
            WHERE {STREAM} AND segment = '' AND $__timeFilter(window_end)
            GROUP BY time, feature ORDER BY time
            """
        ),
    ).interval("1h")


def _effects() -> Lines:
    return lines(
        "Share of rows that moved",
        "Without sign, against the same hours of past weeks, by the longest window: how big drift is, not "
        "how sure.",
        series(
            f"""
            SELECT $__timeInterval(window_end) AS time, feature, max(abs(effect)) AS moved
            FROM drift_verdicts
            WHERE {STREAM} AND segment = '' AND reference = 'production' AND scale_hours = 24
                AND effect IS NOT NULL AND $__timeFilter(window_end)
            GROUP BY time, feature ORDER BY time
            """
        ),
        unit="percentunit",
    ).interval("1h")


def _scores() -> Lines:
    return lines(
        "Descriptive statistics",
        "As they were exported, of the newest longest window, by feature. They inform; the verdict decides.",
        metric(f'driftline_drift_score{_SERVED[:-1]}, statistic="$statistic"}}', "{{feature}}"),
        unit="short",
    )


def _features() -> Table:
    named = {name: links.variable(name) for name in ("model_name", "model_version", "environment")}
    feature = links.field("feature")
    to_feature = links.to_dashboard("Distribution and slices", links.FEATURE, **named, feature=feature)
    to_own = links.to_page(
        "driftline's own page", f"/models/{links.variable('model_name')}/features/{feature}"
    )
    return (
        rows(
            "Features by their gravest newest verdict",
            "What each feature's surest window says. Detectable: the smallest shift that it could have "
            "paged for.",
            table(_NEWEST),
            height=10,
            numbers=["z", "critical", "sample"],
            shares=["effect", "low", "high", "expected", "observed", "detectable", "completeness"],
        )
        .override_by_name("feature", [links.linked(to_feature, to_own)])
        .override_by_name("verdict", VERDICT_COLUMN)
        .override_by_name("hours", [titled("window"), unit_of("h")])
        .override_by_name("reason", [wide(500)])
    )


_NEWEST = f"""
SELECT
    feature, verdict, channel, effect, effect_low AS low, effect_high AS high, expected, observed, z,
    critical, detectable_effect AS detectable, scale_hours AS hours, reference, sample_size AS sample,
    completeness, reason
FROM drift_verdicts
WHERE {STREAM} AND segment = '' AND window_end =
(
    SELECT max(window_end) FROM drift_verdicts
    WHERE {STREAM} AND segment = '' AND $__timeFilter(window_end)
)
ORDER BY {GRAVITY_OF_VERDICT} DESC, abs(z) DESC NULLS LAST
LIMIT 1 BY feature
"""


def _incidents() -> Table:
    incident = links.to_page("What happened", f"/incidents/{links.field('incident_id')}")
    return (
        rows(
            "Incidents",
            "One for one cause, the newest first, of all versions. Acknowledged: what on-call decided.",
            table(
                f"""
                SELECT
                    incident_id, model_version, environment, state, acknowledged, since, detected, last,
                    headline,
                    arrayStringConcat(arrayDistinct(findings.feature), ', ') AS features,
                    arrayStringConcat(arrayDistinct(findings.segment), ' ') AS segments
                FROM incidents FINAL
                WHERE {MODEL} AND state != 'withdrawn' AND last >= $__fromTime AND detected <= $__toTime
                ORDER BY detected DESC LIMIT 200
                """
            ),
            times=["since", "detected", "last"],
        )
        .no_value("no incident in this time range")
        .override_by_name("incident_id", [titled("incident"), wide(130), links.linked(incident)])
        .override_by_name("headline", [wide(420), links.linked(incident)])
        .override_by_name("last", [titled("until")])
    )


def _invalid() -> Lines:
    return (
        lines(
            "Invalid values over time",
            "Values that broke a rule, by feature and reason, by the hour of the events' own time.",
            series(
                f"""
                SELECT
                    $__timeInterval(hour) AS time, concat(feature, ' ', reason) AS broken,
                    sum(count) AS values
                FROM invalid_values
                WHERE {STREAM} AND {HOURS} AND {visible(f"{STREAM} AND {HOURS}")}
                GROUP BY time, broken ORDER BY time
                """
            ),
            unit="short",
        )
        .no_value("no invalid value in this time range")
        .interval("1h")
    )
