"""Marks on every chart of a dashboard: when a version came into service, and what paged."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import AnnotationTarget

from dashboards.grafana.source.queries import CLICKHOUSE, MODEL, clickhouse_query


class _Target(AnnotationTarget):
    """A query of the store, among what Grafana's own annotations need, and others must have."""

    def __init__(self, sql: str) -> None:
        super().__init__(limit=100, match_any=False, tags=[], type_val="dashboard")
        self._query = clickhouse_query(sql, ref_id="Anno")

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), **self._query}


class _Sql(Builder[AnnotationTarget]):
    def __init__(self, sql: str) -> None:
        self._sql = sql

    def build(self) -> AnnotationTarget:
        return _Target(self._sql)


def new_versions() -> AnnotationQuery:
    """Mark when a version was seen first."""
    return _annotation(
        "New versions",
        "blue",
        f"""
        SELECT
            min(hour) AS time,
            concat('version ', model_version) AS title,
            concat('version ', model_version, ' in ', environment, ': its first hour') AS text,
            concat('version,', model_version) AS tags
        FROM derived_hours
        WHERE {MODEL} AND environment != 'reference'
        GROUP BY model_version, environment
        HAVING min(hour) >= $__fromTime AND min(hour) <= $__toTime
        ORDER BY time
        """,
    )


def incidents() -> AnnotationQuery:
    """Mark how long each incident lasted."""
    return _annotation(
        "Incidents",
        "red",
        f"""
        SELECT
            since AS time,
            last AS timeEnd,
            concat('incident ', incident_id) AS title,
            concat(headline, if(acknowledged = '', '', concat(' (', acknowledged, ')'))) AS text,
            concat('incident,', state, ',', model_version) AS tags
        FROM incidents FINAL
        WHERE {MODEL} AND state != 'withdrawn' AND last >= $__fromTime AND since <= $__toTime
        ORDER BY time
        """,
    )


def _annotation(name: str, colour: str, sql: str) -> AnnotationQuery:
    query = AnnotationQuery().name(name).datasource(CLICKHOUSE).icon_color(colour).enable(True)
    return query.target(_Sql(sql))
