"""Whether everything arrives and is judged in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.grafana.source import aside, deriving, links, variables
from dashboards.grafana.source.panels import (
    GREEN,
    RED,
    YELLOW,
    dashboard,
    hidden,
    leveled,
    lines,
    named_numbers,
    number,
    one_of,
    row,
    rows,
    states,
    steps,
    titled,
    unit_of,
    wide,
)
from dashboards.grafana.source.queries import JOB, metric, metric_now, series, table

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.statetimeline import Panel as Timeline
    from grafana_foundation_sdk.builders.table import Panel as Table
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines

_MODELS = '{job=~"$job", model_name=~"$model_name", model_version=~"$model_version"}'
_CHOSEN = """$__conditionalAll(model_name IN (${model_name:sqlstring}), $model_name)
                AND $__conditionalAll(model_version IN (${model_version:sqlstring}), $model_version)"""


def build() -> Dashboard:
    """Return the dashboard."""
    return (
        dashboard(
            "driftline / Pipeline",
            links.PIPELINE,
            "From the log to the store to the verdicts: rates, lag, losses, lateness, disk. Look here "
            "when data is missing or verdicts are late.",
            since="now-6h",
            refresh="30s",
        )
        .with_variable(variables.prometheus())
        .with_variable(variables.clickhouse())
        .with_variable(variables.driftline_url())
        .with_variable(variables.label_values("job", "Job", "driftline_build_info"))
        .with_variable(variables.label_values("model_name", "Model", "driftline_completeness_ratio"))
        .with_variable(
            variables.label_values(
                "model_version", "Version", 'driftline_completeness_ratio{model_name=~"$model_name"}'
            )
        )
        .link(links.own_pages("driftline's own page of the fleet", "/"))
        .with_row(row("Services"))
        .with_panel(_up())
        .with_panel(_builds())
        .with_panel(_disk_now())
        .with_panel(_lag_now())
        .with_panel(_late_now())
        .with_row(row("Landing"))
        .with_panel(_rates())
        .with_panel(_lag())
        .with_panel(_refused_rate())
        .with_panel(_dead_letters())
        .with_panel(_landing_failures())
        .with_panel(_lost())
        .with_row(row("Deriving"))
        .with_panel(deriving.dirty_hours())
        .with_panel(deriving.lag())
        .with_panel(deriving.time_spent())
        .with_panel(deriving.derived_rows())
        .with_panel(deriving.derived_hours())
        .with_panel(deriving.failures())
        .with_row(row("Ledger"))
        .with_panel(_completeness())
        .with_panel(_dropped())
        .with_panel(_unknown_runs())
        .with_panel(_last_heartbeats())
        .with_panel(aside.not_judged())
        .with_panel(aside.unencodable())
        .with_panel(aside.undeclared())
        .with_row(row("Judging"))
        .with_panel(_lateness())
        .with_panel(_verdicts())
        .with_panel(_paging())
        .with_panel(_judging_failures())
        .with_panel(aside.failing_alone())
        .with_row(row("Store"))
        .with_panel(_disk())
        .with_panel(_events())
    )


def _up() -> Timeline:
    up_or_down = named_numbers({"0": ("down", RED), "1": ("up", GREEN)})
    return states(
        "Services that answer",
        "Whether Prometheus could scrape each service.",
        metric(f"up{JOB}", "{{job}} {{instance}}"),
        up_or_down,
        width=12,
        height=5,
    )


def _builds() -> Table:
    return (
        rows(
            "Releases",
            "Which release of driftline runs where. Two at once: an update is under way.",
            metric_now(f"driftline_build_info{JOB}"),
            width=6,
            height=5,
        )
        .override_by_regexp(one_of("Time", "__name__", "Value"), [hidden()])
        .override_by_name("version", [titled("release")])
    )


def _disk_now() -> Stat:
    return number(
        "Disk free",
        "Share of the store's disk that is free.",
        metric_now(f"min(driftline_store_disk_free_bytes{JOB} / driftline_store_disk_size_bytes{JOB})"),
        unit="percentunit",
        width=2,
        height=5,
    ).thresholds(steps((None, RED), (0.1, YELLOW), (0.2, GREEN)))


def _lag_now() -> Stat:
    return number(
        "Lag",
        "Offsets in the log that are not landed yet, over all topics.",
        metric_now(f"sum(max by (topic) (driftline_lander_lag_events{JOB}))"),
        unit="short",
        width=2,
        height=5,
    ).thresholds(steps((None, GREEN), (10_000, YELLOW), (100_000, RED)))


def _late_now() -> Stat:
    return number(
        "Late",
        "How far judging is behind the newest event, by the events' own time. An hour is judged once it "
        "closed.",
        metric_now(f"max({_LATENESS})"),
        unit="s",
        width=2,
        height=5,
    ).thresholds(steps((None, GREEN), (2 * 3600, YELLOW), (4 * 3600, RED)))


_LATENESS = (
    f"driftline_newest_event_timestamp_seconds{_MODELS} - on (model_name, model_version) "
    f"driftline_window_evaluated_timestamp_seconds{_MODELS}"
)


def _rates() -> Lines:
    return lines(
        "Events landed",
        "By stage (the topic) and outcome. Repeated: its client marked it as possibly in the log twice, "
        "and it was.",
        metric(
            f"sum by (stage, outcome) (rate(driftline_events_total{JOB}[$__rate_interval]))",
            "{{stage}} {{outcome}}",
        ),
        unit="reqps",
    )


def _lag() -> Lines:
    return lines(
        "Lag by topic",
        "Offsets in the log that are not landed yet. Grows for minutes: the lander is too slow, or stands.",
        metric(f"max by (topic) (driftline_lander_lag_events{JOB})", "{{topic}}"),
        unit="short",
    )


def _refused_rate() -> Lines:
    return lines(
        "Refused records",
        "Records that became dead letters, by topic.",
        metric(
            "sum by (stage) "
            '(rate(driftline_events_total{job=~"$job", outcome="dead_lettered"}[$__rate_interval]))',
            "{{stage}}",
        ),
        unit="reqps",
    ).no_value("no record was refused")


def _dead_letters() -> Table:
    return (
        rows(
            "Dead letters by reason",
            "What can't be landed and was not sent through again: driftline dead-letters list, show, replay.",
            table(
                """
                SELECT
                    topic, reason, count() AS records, min(refused_time) AS first, max(refused_time) AS last,
                    any(detail) AS example
                FROM dead_letters FINAL WHERE replayed_at IS NULL
                GROUP BY topic, reason ORDER BY records DESC
                """
            ),
            width=12,
            numbers=["records"],
            times=["first", "last"],
        )
        .no_value("no dead letter waits")
        .override_by_name("example", [wide(300)])
    )


def _landing_failures() -> Lines:
    return lines(
        "Landing: failures",
        "Times that the store did not take a batch, or the log could not be read. Both are tried again: "
        "nothing is lost. Settled: pieces of a repeated batch that had to be put in anew.",
        metric(
            f"increase(driftline_lander_store_failures_total{JOB}[$__rate_interval])",
            "store {{instance}}",
            "A",
        ),
        metric(f"increase(driftline_log_failures_total{JOB}[$__rate_interval])", "log {{instance}}", "B"),
        metric(
            f"increase(driftline_lander_settled_parts_total{JOB}[$__rate_interval])",
            "settled {{instance}}",
            "C",
        ),
        unit="short",
    )


def _lost() -> Lines:
    panel = lines(
        "Lost offsets",
        "Records that were gone before they were landed: retention was shorter than the lag. They are lost.",
        metric(f"sum by (topic) (driftline_lander_lost_offsets_total{JOB})", "{{topic}}"),
        unit="short",
    )
    return leveled(panel.no_value("none was ever lost"), (None, GREEN), (1, RED))


def _completeness() -> Lines:
    panel = lines(
        "Completeness",
        "Of what each version's sessions in production sent or refused in the last 24 hours, the share that "
        "landed.",
        metric(f"driftline_completeness_ratio{_MODELS}", "{{model_name}} {{model_version}}"),
        unit="percentunit",
    )
    return leveled(panel.max(1), (None, RED), (0.95, YELLOW), (0.99, GREEN))


def _dropped() -> Table:
    return rows(
        "Dropped by sessions",
        "Events that a logging session refused or gave up, by its own account: its queue was full, its "
        "disk was.",
        table(
            f"""
            SELECT model_name, model_version, environment, reason, sum(dropped_events) AS events,
                uniqExact(session_id) AS sessions
            FROM
            (
                SELECT session_id, model_name, model_version, environment,
                    mapConcat(dropped, mapApply((k, v) -> (concat('given up: ', k), v), abandoned)) AS counts
                FROM sessions FINAL WHERE $__timeFilter(beat_time) AND {_CHOSEN}
            )
            ARRAY JOIN mapKeys(counts) AS reason, mapValues(counts) AS dropped_events
            WHERE dropped_events > 0
            GROUP BY model_name, model_version, environment, reason ORDER BY events DESC
            """
        ),
        width=12,
        numbers=["events", "sessions"],
    ).no_value("no session dropped anything")


def _unknown_runs() -> Lines:
    return lines(
        "Of unknown training runs",
        "Predictions of the last 24 hours whose training run nobody registered.",
        metric(f"driftline_unregistered_run_events{_MODELS}", "{{model_name}} {{model_version}}"),
        unit="short",
    )


def _last_heartbeats() -> Table:
    return (
        rows(
            "Sessions",
            "Who logs: each session's newest heartbeat, with its progress. One that is not final and "
            "is silent has died, or can't reach the log.",
            table(
                f"""
                SELECT
                    session_id, model_name, model_version, environment, host,
                    toString(process_id) AS process_id, client,
                    last_sequence AS sent, final, beat_time
                FROM sessions FINAL WHERE $__timeFilter(beat_time) AND {_CHOSEN}
                ORDER BY beat_time DESC LIMIT 200
                """
            ),
            width=12,
            numbers=["sent"],
        )
        .override_by_name("beat_time", [titled("last heartbeat"), unit_of("dateTimeFromNow")])
        .override_by_name("session_id", [titled("session"), wide(120)])
    )


def _lateness() -> Lines:
    panel = lines(
        "Judging behind the newest event",
        "By the events' own time. An hour is judged once it has closed, so up to an hour is usual.",
        metric(_LATENESS, "{{model_name}} {{model_version}}"),
        unit="s",
    )
    return leveled(panel, (None, GREEN), (2 * 3600, YELLOW), (4 * 3600, RED))


def _verdicts() -> Lines:
    return lines(
        "Verdicts given",
        "By name, a second; and hours that were judged anew since events arrived late, or went missing.",
        metric(
            f"sum by (verdict) (rate(driftline_verdicts_total{JOB}[$__rate_interval]))", "{{verdict}}", "A"
        ),
        metric(f"rate(driftline_late_hours_total{JOB}[$__rate_interval])", "late hours", "B"),
        unit="ops",
    )


def _paging() -> Lines:
    return lines(
        "Features by gravest verdict",
        "How many features, over all models that are chosen, page or warn now.",
        metric(
            f'sum by (verdict) (driftline_drift_verdict{_MODELS[:-1]}, verdict=~"page|warn"}})', "{{verdict}}"
        ),
        unit="short",
    )


def _judging_failures() -> Lines:
    return lines(
        "Judging: failures",
        "Times that the worker could not read or write the store. It tries again.",
        metric(f"increase(driftline_worker_failures_total{JOB}[$__rate_interval])", "{{instance}}"),
        unit="short",
    )


def _disk() -> Lines:
    return lines(
        "The store's disk",
        "Free and total, as the store itself sees it.",
        metric(f"driftline_store_disk_free_bytes{JOB}", "free", "A"),
        metric(f"driftline_store_disk_size_bytes{JOB}", "total", "B"),
        unit="bytes",
    ).min(0)


def _events() -> Lines:
    return lines(
        "Events by their own time",
        "Predictions by when they happened, per second: a gap where services ran is data on its way, or "
        "lost.",
        series(
            f"""
            SELECT $__timeInterval(event_time) AS time, environment, count() / $__interval_s AS predictions
            FROM predictions
            WHERE environment != 'reference' AND $__timeFilter(event_time)
                AND {_CHOSEN}
            GROUP BY time, environment ORDER BY time
            """
        ),
        unit="reqps",
    ).interval("1m")
