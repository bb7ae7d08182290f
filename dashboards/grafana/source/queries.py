"""Queries: PromQL for what is now and how it ran, SQL for what the store knows.

SQL takes its time range from the macros of Grafana's ClickHouse data source, and its values from variables
as ``${name:sqlstring}``, which quotes them. It reads only tables that ``driftline_reader`` may read, and
derived rows only where their hour's pointer names them (`visible`).
"""

from __future__ import annotations

from textwrap import dedent
from typing import Literal

from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.runtime import UnknownDataquery
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from driftline.domain.verdicts import BY_SEVERITY

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${prometheus}")
CLICKHOUSE = DataSourceRef(type_val="grafana-clickhouse-datasource", uid="${clickhouse}")

_FORMATS = {"timeseries": 0, "table": 1}
"""What the data source calls its answers: numbers by time, a line for each text; or rows as they are."""

MODEL = "model_name = ${model_name:sqlstring}"
STREAM = (
    f"{MODEL} AND model_version = ${{model_version:sqlstring}} AND environment = ${{environment:sqlstring}}"
)
SEGMENT = "segment = if(${segment:sqlstring} = 'all traffic', '', ${segment:sqlstring})"
FEATURE = "feature = ${feature:sqlstring}"

GRAVITY = tuple(str(name) for name in BY_SEVERITY)
"""Verdicts by their number on a timeline; of several, the largest is shown, as on the built-in pages."""
GRAVITY_OF_VERDICT = (
    f"transform(verdict, {list(GRAVITY)}, {list(range(len(GRAVITY)))}, 0)"  # Unknown ones are no news.
)

_SETTLED = """
SELECT model_name, model_version, environment, arrayJoin(findings.feature) AS feature
FROM incidents FINAL GROUP BY model_name, model_version, environment, feature
HAVING countIf(state IN ('dismissed', 'accepted')) > 0 AND countIf(state = 'open') = 0
"""
_IS_SETTLED = f"(model_name, model_version, environment, feature) IN ({_SETTLED})"
VERDICT_NOW = f"if(verdict = 'page' AND {_IS_SETTLED}, 'ok', verdict)"
"""A verdict as it is shown now: a page that was acknowledged as noise, or is accepted, is ok."""

GRAVITY_NOW = f"transform({VERDICT_NOW}, {list(GRAVITY)}, {list(range(len(GRAVITY)))}, 0)"

JOB = '{job=~"$job"}'

FIRST_HOUR = "toStartOfHour($__fromTime, 'UTC')"
HOURS = f"hour >= {FIRST_HOUR} AND hour <= $__toTime"
"""The hours that the time range touches; derived rows are by hour."""


class _Sql(Builder[Dataquery]):
    def __init__(self, query: dict[str, object]) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return UnknownDataquery(self._query)


def clickhouse_query(
    sql: str, kind: Literal["timeseries", "table"] = "table", ref_id: str = "A"
) -> dict[str, object]:
    """Return a query as Grafana's ClickHouse data source keeps it."""
    return {
        "refId": ref_id,
        "datasource": {"type": CLICKHOUSE.type_val, "uid": CLICKHOUSE.uid},
        "editorType": "sql",
        "queryType": kind,
        "format": _FORMATS[kind],
        "rawSql": dedent(sql).strip(),
    }


def table(sql: str, ref_id: str = "A") -> Builder[Dataquery]:
    """Ask the store for rows."""
    return _Sql(clickhouse_query(sql, "table", ref_id))


def series(sql: str, ref_id: str = "A") -> Builder[Dataquery]:
    """Ask the store for numbers by time: first the column ``time``, then texts, then numbers."""
    return _Sql(clickhouse_query(sql, "timeseries", ref_id))


def metric(expression: str, legend: str = "", ref_id: str = "A") -> Builder[Dataquery]:
    """Ask Prometheus for a metric over the time range."""
    query = PrometheusQuery().datasource(PROMETHEUS).ref_id(ref_id).expr(expression).range()
    return query.legend_format(legend) if legend else query


def metric_now(expression: str, ref_id: str = "A", legend: str = "") -> Builder[Dataquery]:
    """Ask Prometheus for a metric as it is at the end of the time range."""
    query = PrometheusQuery().datasource(PROMETHEUS).ref_id(ref_id).expr(expression).instant()
    return query.legend_format(legend) if legend else query.format(PromQueryFormat.TABLE)
