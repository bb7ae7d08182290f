"""All models at a glance: what is wrong now, since when, and where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.models.common import BigValueColorMode

from dashboards.grafana.source import figures, links, variables
from dashboards.grafana.source.panels import (
    GREEN,
    RED,
    VERDICT_COLUMN,
    YELLOW,
    dashboard,
    hidden,
    leveled,
    lines,
    number,
    one_of,
    row,
    rows,
    steps,
    titled,
    unit_of,
    verdict_timeline,
    wide,
)
from dashboards.grafana.source.queries import (
    GRAVITY,
    GRAVITY_OF_VERDICT,
    HOURS,
    VERDICT_NOW,
    metric,
    metric_now,
    series,
    table,
)
from driftline.store.visible import visible

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.statetimeline import Panel as Timeline
    from grafana_foundation_sdk.builders.table import Panel as Table
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines

_TEAM = '* on (model_name) group_left (team) driftline_model_info{team=~"$team"}'


def build() -> Dashboard:
    """Return the dashboard."""
    return (
        dashboard(
            "driftline / Fleet",
            links.FLEET,
            "Every model that serves: what drifted, what is missing, what is invalid. Start here.",
            since="now-24h",
            refresh="1m",
        )
        .with_variable(variables.prometheus())
        .with_variable(variables.clickhouse())
        .with_variable(variables.driftline_url())
        .with_variable(variables.label_values("team", "Team", "driftline_model_info"))
        .link(links.own_pages("driftline's own page of the fleet", "/"))
        .with_row(row("Now"))
        .with_panel(_open_incidents())
        .with_panel(_models())
        .with_panel(_versions())
        .with_panel(_completeness_now())
        .with_panel(figures.invalid_values(f"driftline_invalid_values{{{figures.NOT_TRAINING}}} {_TEAM}"))
        .with_panel(figures.unknown_runs(f"driftline_unregistered_run_events {_TEAM}"))
        .with_panel(_incidents())
        .with_panel(_model_table())
        .with_row(row("Over time"))
        .with_panel(_states())
        .with_panel(_traffic())
        .with_panel(_completeness())
    )


def _open_incidents() -> Stat:
    return (
        number(
            "Open incidents",
            "Incidents that last: one for one cause. Ended, accepted and noise are not counted.",
            metric_now(f"count(driftline_incident_since_timestamp_seconds {_TEAM}) or vector(0)"),
            unit="short",
        )
        .thresholds(steps((None, GREEN), (1, RED)))
        .color_mode(BigValueColorMode.BACKGROUND)
    )


def _models() -> Stat:
    return number(
        "Models",
        "Models with a version in production that had an event within a day of the model's newest.",
        metric_now(
            f"count(count by (model_name) (driftline_window_evaluated_timestamp_seconds {_TEAM}))"
            " or vector(0)"
        ),
        unit="short",
    )


def _versions() -> Stat:
    return number(
        "Versions in production",
        "Model versions that are judged now. More than models: some model serves two versions at once.",
        metric_now(f"count(driftline_window_evaluated_timestamp_seconds {_TEAM}) or vector(0)"),
        unit="short",
    )


def _completeness_now() -> Stat:
    return figures.completeness(
        "Least complete",
        "Of what any version's sessions sent in the last 24 hours of its own time, the smallest share "
        "that landed.",
        f"min(driftline_completeness_ratio {_TEAM})",
    )


def _incidents() -> Table:
    incident = links.to_page("What happened", f"/incidents/{links.field('incident_id')}")
    drifted = links.to_dashboard(
        "The feature",
        links.FEATURE,
        model_name=links.field("model_name"),
        model_version=links.field("model_version"),
        feature=links.field("feature"),
        segment=links.field("segment"),
    )
    return (
        rows(
            "Open incidents, by their gravest finding",
            "What on-call has to look at. Follow the incident for its story, the feature for its "
            "distribution.",
            # Prometheus drops a label that is empty, and links need a value.
            metric_now(
                "label_replace(driftline_incident_since_timestamp_seconds * 1000 "
                f"* on (job, instance, incident_id) group_left (finding) driftline_incident_info {_TEAM}, "
                '"segment", "all traffic", "segment", "")'
            ),
            height=7,
        )
        .no_value("no open incident")
        .override_by_name("Value", [titled("since"), unit_of("dateTimeFromNow"), wide(160)])
        .override_by_name("incident_id", [titled("incident"), links.linked(incident)])
        .override_by_name("feature", [links.linked(drifted)])
        .override_by_name("finding", [titled("what moved"), wide(320)])
        .override_by_regexp(one_of("Time", "__name__", "instance", "job", "service", "kind"), [hidden()])
    )


def _model_table() -> Table:
    named = {"model_name": links.field("model_name")}
    to_model = links.to_dashboard("The model", links.MODEL, **named)
    to_version = links.to_dashboard(
        "The version", links.MODEL, **named, model_version=links.field("model_version")
    )
    return (
        rows(
            "Model versions",
            "Each version that was judged within the time range: its gravest verdict now, and its traffic.",
            table(_VERSIONS),
            height=9,
            numbers=["events", "open_incidents"],
            shares=["completeness"],
            times=["judged_until"],
        )
        .override_by_name("model_name", [titled("model"), links.linked(to_model)])
        .override_by_name("model_version", [titled("version"), links.linked(to_version)])
        .override_by_name("state", VERDICT_COLUMN)
        .override_by_name("judged_until", [titled("judged until")])
        .override_by_name("last_event", [titled("last event"), unit_of("dateTimeFromNow")])
        .override_by_name("open_incidents", [titled("open incidents")])
        .override_by_name("training_run_id", [titled("training run")])
    )


_VERSIONS = f"""
SELECT
    judged.model_name AS model_name, judged.model_version AS model_version, judged.environment AS environment,
    state, window_end AS judged_until, completeness, events, last_event, open_incidents, training_run_id,
    git_commit
FROM
(
    SELECT
        model_name, model_version, environment, window_end,
        arrayFirst(
            name -> has(groupUniqArray({VERDICT_NOW}), name),
            {list(reversed(GRAVITY))}) AS state,
        min(drift_verdicts.completeness) AS completeness
    FROM drift_verdicts
    WHERE segment = '' AND $__timeFilter(window_end)
    GROUP BY model_name, model_version, environment, window_end
    ORDER BY window_end DESC
    LIMIT 1 BY model_name, model_version, environment
) AS judged
LEFT JOIN
(
    SELECT model_name, model_version, environment, sum(rows) AS events, max(newest) AS last_event
    FROM session_hours WHERE {HOURS} AND {visible(HOURS)}
    GROUP BY model_name, model_version, environment
) AS traffic USING (model_name, model_version, environment)
LEFT JOIN
(
    SELECT model_name, model_version, environment, count() AS open_incidents
    FROM incidents FINAL WHERE state = 'open' GROUP BY model_name, model_version, environment
) AS paging USING (model_name, model_version, environment)
LEFT JOIN
(
    SELECT
        model_name, model_version,
        argMax(training_run_id, registered_time) AS training_run_id,
        argMax(training_runs.git_commit, registered_time) AS git_commit
    FROM training_runs FINAL GROUP BY model_name, model_version
) AS runs USING (model_name, model_version)
ORDER BY state = 'page' DESC, state = 'warn' DESC, model_name, model_version
"""


def _states() -> Timeline:
    return verdict_timeline(
        "Gravest verdict of each version",
        "Over all features, windows and references, whole traffic. Red: drifted, surely by more than a "
        "page needs.",
        series(
            f"""
            SELECT
                $__timeInterval(window_end) AS time,
                concat(model_name, ' ', model_version, ' ', environment) AS stream,
                max({GRAVITY_OF_VERDICT}) AS gravest
            FROM drift_verdicts
            WHERE segment = '' AND $__timeFilter(window_end)
            GROUP BY time, stream ORDER BY time
            """
        ),
    )


def _traffic() -> Lines:
    return lines(
        "Predictions by model",
        "Predictions that landed, by the hour of their own time, per second. The newest is not over yet.",
        series(
            f"""
            SELECT $__timeInterval(hour) AS time, model_name, sum(rows) / $__interval_s AS predictions
            FROM derived_hours FINAL
            WHERE environment != 'reference' AND {HOURS}
            GROUP BY time, model_name ORDER BY time
            """
        ),
        unit="reqps",
    ).interval("1h")


def _completeness() -> Lines:
    panel = lines(
        "Completeness by version",
        "Which share of what sessions in production sent in the last 24 hours has landed.",
        metric(f"driftline_completeness_ratio {_TEAM}", "{{model_name}} {{model_version}}"),
        unit="percentunit",
    )
    return leveled(panel.max(1), (None, RED), (0.95, YELLOW), (0.99, GREEN))
