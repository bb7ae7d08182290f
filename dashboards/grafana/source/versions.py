"""A model's versions: which run made each, when it served, and how much of it arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.grafana.source import links
from dashboards.grafana.source.panels import GREEN, RED, YELLOW, leveled, lines, rows, titled
from dashboards.grafana.source.queries import HOURS, MODEL, STREAM, metric, series, table
from driftline.store.visible import visible

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.table import Panel as Table
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines


def versions() -> Table:
    """Return every version of the model, and the run that made it."""
    chosen = {"model_name": links.variable("model_name"), "model_version": links.field("model_version")}
    return (
        rows(
            "Versions",
            "Every version that ever served, the newest first, and the run that made it.",
            table(_VERSIONS),
            numbers=["predictions"],
            times=["first_hour", "last_event", "registered"],
        )
        .override_by_name(
            "model_version",
            [titled("version"), links.linked(links.to_dashboard("This version", links.MODEL, **chosen))],
        )
        .override_by_name(
            "training_run_id",
            [
                titled("training run"),
                links.linked(
                    links.to_dashboard(
                        "Its predictions",
                        links.PREDICTIONS,
                        **chosen,
                        training_run_id=links.field("training_run_id"),
                    )
                ),
            ],
        )
        .override_by_name("first_hour", [titled("first hour")])
        .override_by_name("last_event", [titled("last event")])
        .override_by_name("git_commit", [titled("commit")])
        .override_by_name("git_dirty", [titled("uncommitted changes")])
        .override_by_name("artifact_uri", [titled("artifact")])
    )


_SERVED = f"{MODEL} AND environment != 'reference'"
_VERSIONS = f"""
SELECT
    traffic.model_version AS model_version, environment, first_hour, last_event, predictions,
    training_run_id, git_commit, git_dirty, artifact_uri, registered
FROM
(
    SELECT
        model_version, environment, min(hour) AS first_hour, max(newest) AS last_event,
        sum(rows) AS predictions
    FROM session_hours WHERE {_SERVED} AND {visible(_SERVED)}
    GROUP BY model_version, environment
) AS traffic
LEFT JOIN
(
    SELECT
        model_version, training_run_id, git_commit, git_dirty, artifact_uri, registered_time AS registered
    FROM training_runs FINAL WHERE {MODEL}
    ORDER BY registered_time DESC LIMIT 1 BY model_version
) AS runs USING (model_version)
ORDER BY first_hour DESC
"""


def traffic() -> Lines:
    """Return who serves."""
    return lines(
        "Predictions by version",
        "Predictions that landed, by the hour of their own time, per second: who serves, and when a version "
        "took over. The newest is not over yet.",
        series(
            f"""
            SELECT
                $__timeInterval(hour) AS time, concat(model_version, ' ', environment) AS version,
                sum(rows) / $__interval_s AS predictions
            FROM derived_hours FINAL
            WHERE {_SERVED} AND {HOURS}
            GROUP BY time, version ORDER BY time
            """
        ),
        unit="reqps",
    ).interval("1h")


def completeness() -> Lines:
    """Return how much arrived, as exported."""
    panel = lines(
        "Completeness",
        "Which share of what sessions in production sent in the last 24 hours has landed.",
        metric('driftline_completeness_ratio{model_name="$model_name"}', "{{model_version}}"),
        unit="percentunit",
    )
    return leveled(panel.max(1), (None, RED), (0.95, YELLOW), (0.99, GREEN))


def hourly_completeness() -> Lines:
    """Return how much had arrived of each hour when it was judged."""
    return lines(
        "Completeness of each judged hour",
        "As known when the hour was judged last. Below 95 % a window is incomplete, and says nothing of "
        "drift.",
        series(
            f"""
            SELECT $__timeInterval(window_end) AS time, min(completeness) AS complete
            FROM drift_verdicts
            WHERE {STREAM} AND segment = '' AND scale_hours = 1 AND $__timeFilter(window_end)
            GROUP BY time ORDER BY time
            """
        ),
        unit="percentunit",
    ).interval("1h")
