"""Single predictions: found by model, version, slice, or any id, with their run and their outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.grafana.source import links, variables
from dashboards.grafana.source.panels import (
    dashboard,
    lines,
    number,
    row,
    rows,
    titled,
    unit_of,
    wide,
)
from dashboards.grafana.source.queries import MODEL, series, table
from driftline.store.outcomes import NEWER

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.table import Panel as Table
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines

_FOUND = f"""
    {MODEL} AND $__timeFilter(event_time)
    AND $__conditionalAll(model_version = ${{model_version:sqlstring}}, $model_version)
    AND $__conditionalAll(environment = ${{environment:sqlstring}}, $environment)
    AND $__conditionalAll(training_run_id = ${{training_run_id:sqlstring}}, $training_run_id)
    AND $__conditionalAll(has(arrayConcat(
        arrayMap((name, value) -> concat(name, '=', value), mapKeys(tags), mapValues(tags)),
        arrayMap((name, value) -> concat(name, '=', value),
            mapKeys(categorical_features), mapValues(categorical_features))
    ), ${{segment:sqlstring}}), $segment)
    AND $__conditionalAll(has([
        toString(event_id), ifNull(request_id, ''), ifNull(trace_id, ''), ifNull(entity_id, ''), session_id
    ], ${{id:sqlstring}}), $id)"""
_OUTCOMES = f"""
    SELECT event_id,
        argMaxIf(
            coalesce(toString(actual_number), toString(actual_label)),
            {NEWER},
            actual_number IS NOT NULL OR actual_label IS NOT NULL) AS actual,
        max(observed_time) AS observed
    FROM outcomes FINAL
    WHERE {MODEL} AND observed_time >= $__fromTime
        AND event_id IN (SELECT event_id FROM predictions WHERE {_FOUND})
    GROUP BY event_id"""
_KNOWN = "$__conditionalAll((actual IS NOT NULL) = (${outcome:sqlstring} = 'known'), $outcome)"


def build() -> Dashboard:
    """Return the dashboard."""
    return (
        _empty()
        .with_row(row("Found"))
        .with_panel(_count())
        .with_panel(_with_outcome())
        .with_panel(_over_time())
        .with_panel(_answers())
        .with_panel(_predictions())
        .with_row(row("Where they come from"))
        .with_panel(_runs())
        .with_panel(_outcomes())
    )


def _empty() -> Dashboard:
    outcomes = {"known": "known", "unknown": "not known"}
    return (
        dashboard(
            "driftline / Predictions",
            links.PREDICTIONS,
            "Single predictions, by model, version, environment, slice, training run or any id.",
            since="now-1h",
            refresh="",
        )
        .with_variable(variables.prometheus())
        .with_variable(variables.clickhouse())
        .with_variable(variables.driftline_url())
        .with_variable(variables.model_name())
        .with_variable(variables.anything(variables.model_version()))
        .with_variable(variables.anything(variables.environment()))
        .with_variable(
            variables.text("segment", "Slice", "A tag or a categorical feature, as carrier=DL; empty: all.")
        )
        .with_variable(variables.text("training_run_id", "Training run", "Its id; empty: any."))
        .with_variable(
            variables.text("id", "Id", "Of an event, request, trace, entity or session; empty: any.")
        )
        .with_variable(variables.choice("outcome", "Outcome", outcomes))
        .link(
            links.own_pages("driftline's own explorer", f"/models/{links.variable('model_name')}/predictions")
        )
    )


def _count() -> Stat:
    return number(
        "Predictions",
        "That fit the filters above, whatever is known of their outcome.",
        table(f"SELECT count() AS predictions FROM predictions WHERE {_FOUND}"),
        unit="short",
    )


def _with_outcome() -> Stat:
    return number(
        "Outcome known",
        "Share of them whose true outcome has arrived.",
        table(
            f"""
            SELECT countIf(event_id IN (SELECT event_id FROM ({_OUTCOMES}))) / nullIf(count(), 0) AS known
            FROM predictions WHERE {_FOUND}
            """
        ),
        unit="percentunit",
    )


def _over_time() -> Lines:
    return lines(
        "Over time",
        "Predictions that fit the filters, by their own time, per second.",
        series(
            f"""
            SELECT
                $__timeInterval(event_time) AS time, concat(model_version, ' ', environment) AS version,
                count() / $__interval_s AS predictions
            FROM predictions WHERE {_FOUND}
            GROUP BY time, version ORDER BY time
            """
        ),
        unit="reqps",
        width=8,
        height=4,
    ).interval("1m")


def _answers() -> Lines:
    return lines(
        "Answers",
        "The middle of the predicted numbers, and the 5 % and 95 % quantiles, of what fits the filters.",
        series(
            f"""
            SELECT
                $__timeInterval(event_time) AS time,
                quantile(0.05)(prediction_number) AS low,
                quantile(0.5)(prediction_number) AS median,
                quantile(0.95)(prediction_number) AS high
            FROM predictions WHERE {_FOUND} AND isFinite(prediction_number)
            GROUP BY time ORDER BY time
            """
        ),
        unit="short",
        width=8,
        height=4,
    ).interval("1m")


def _predictions() -> Table:
    own = links.to_page("From this prediction to its run", f"/predictions/{links.field('event_id')}")
    by_run = links.to_dashboard(
        "What this run made",
        links.PREDICTIONS,
        model_name=links.variable("model_name"),
        training_run_id=links.field("training_run_id"),
    )
    return (
        rows(
            "Newest predictions",
            "At most 500, the newest first. Follow an event for its features, verdicts around it, and its "
            "training run.",
            table(_TABLE),
            height=14,
            numbers=["prediction_number"],
            times=["event_time"],
        )
        .no_value("no prediction fits the filters in this time range")
        .override_by_name("event_time", [titled("time"), wide(190)])
        .override_by_name("event_id", [titled("event"), links.linked(own), wide(300)])
        .override_by_name("model_version", [titled("version")])
        .override_by_name("training_run_id", [titled("training run"), links.linked(by_run)])
        .override_by_name("git_commit", [titled("commit")])
        .override_by_name("prediction_number", [titled("number")])
        .override_by_name("prediction_label", [titled("label")])
        .override_by_name("latency_us", [titled("latency"), unit_of("µs")])
    )


_TABLE = f"""
SELECT
    event_time, event_id, model_version, environment, prediction_number, prediction_label, actual,
    toString(tags) AS tags, latency_us, training_run_id, git_commit, request_id, trace_id, entity_id,
    toString(numeric_features) AS numbers, toString(categorical_features) AS categories,
    arrayStringConcat(missing_features, ', ') AS missing
FROM
(
    SELECT * FROM predictions
    LEFT JOIN ({_OUTCOMES}) AS known USING (event_id)
    WHERE {_FOUND} AND {_KNOWN}
    ORDER BY event_time DESC, event_id LIMIT 500
) AS found
LEFT JOIN
(
    SELECT training_run_id, git_commit FROM training_runs FINAL WHERE {MODEL}
) AS runs USING (training_run_id)
ORDER BY event_time DESC, event_id
"""


def _runs() -> Table:
    return (
        rows(
            "Training runs of what was found",
            "What made the model that answered: code, artifact and data. Not registered: "
            "register_training_run() was never called for it.",
            table(
                f"""
                SELECT
                    training_run_id, model_version, predictions, registered_time, git_commit, git_dirty,
                    artifact_uri, data_uri, data_fingerprint, reference_rows, toString(metrics) AS metrics
                FROM
                (
                    SELECT training_run_id, model_version, count() AS predictions
                    FROM predictions WHERE {_FOUND} GROUP BY training_run_id, model_version
                ) AS made
                LEFT JOIN
                (
                    SELECT * EXCEPT (model_version) FROM training_runs FINAL WHERE {MODEL}
                ) AS runs USING (training_run_id)
                ORDER BY predictions DESC
                """
            ),
            width=16,
            numbers=["predictions", "reference_rows"],
            times=["registered_time"],
        )
        .override_by_name("training_run_id", [titled("training run")])
        .override_by_name("registered_time", [titled("registered")])
        .override_by_name("git_commit", [titled("commit")])
        .override_by_name("git_dirty", [titled("uncommitted changes")])
        .override_by_name("artifact_uri", [titled("artifact")])
    )


def _outcomes() -> Table:
    return rows(
        "Outcomes by answer",
        "What was answered, and what came true, of those whose outcome is known.",
        table(
            f"""
            SELECT prediction_label AS answered, actual, count() AS predictions,
                avg(prediction_number) AS mean_number
            FROM predictions INNER JOIN ({_OUTCOMES}) AS known USING (event_id)
            WHERE {_FOUND}
            GROUP BY answered, actual ORDER BY predictions DESC LIMIT 100
            """
        ),
        width=8,
        numbers=["predictions", "mean_number"],
    ).no_value("no outcome is known yet")
