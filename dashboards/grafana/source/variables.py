"""Variables: what is looked at. Addresses name them, as in ``?var-model_name=flight-delay``."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import (
    ConstantVariable,
    CustomVariable,
    DatasourceVariable,
    QueryVariable,
    TextBoxVariable,
)
from grafana_foundation_sdk.models.dashboard import (
    VariableHide,
    VariableModel,
    VariableOption,
    VariableRefresh,
)

from dashboards.grafana.source.queries import CLICKHOUSE, MODEL, PROMETHEUS, STREAM
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL_TRAFFIC = "all traffic"
PAGES_URL = "http://localhost:8321"
"""Where driftline's own pages are, unless whoever brings the dashboards to Grafana says otherwise."""


class _Hidden(ConstantVariable):
    """A constant that no reader has to see."""

    def build(self) -> VariableModel:
        variable = super().build()
        variable.hide = VariableHide.HIDE_VARIABLE
        return variable


def prometheus() -> DatasourceVariable:
    """Which Prometheus."""
    return _source("prometheus", "Prometheus", "prometheus", "driftline-prometheus")


def clickhouse() -> DatasourceVariable:
    """Which store."""
    return _source("clickhouse", "Store", "grafana-clickhouse-datasource", "driftline-clickhouse")


def _source(name: str, label: str, kind: str, uid: str) -> DatasourceVariable:
    current = VariableOption(selected=True, text=uid, value=uid)
    return DatasourceVariable(name).label(label).type(kind).current(current)


def driftline_url() -> ConstantVariable:
    """Where driftline's own pages are."""
    return _Hidden("driftline_url").label("driftline's pages").value(PAGES_URL)


def model_name() -> QueryVariable:
    """Which model."""
    return _asked(
        "model_name",
        "Model",
        "SELECT DISTINCT model_name FROM derived_hours ORDER BY model_name",
    )


def model_version() -> QueryVariable:
    """Which version; the one that served last comes first."""
    return _asked(
        "model_version",
        "Version",
        f"""
        SELECT model_version FROM derived_hours
        WHERE {MODEL} AND environment != 'reference'
        GROUP BY model_version ORDER BY max(hour) DESC, model_version DESC
        """,
    )


def environment() -> QueryVariable:
    """Where it serves; production comes first."""
    return _asked(
        "environment",
        "Environment",
        f"""
        SELECT environment FROM derived_hours
        WHERE {MODEL} AND environment != 'reference'
        GROUP BY environment ORDER BY environment != 'production', environment
        """,
    )


def feature() -> QueryVariable:
    """Which feature, or part of the answer."""
    return _asked(
        "feature",
        "Feature",
        f"""
        SELECT DISTINCT feature FROM
        (
            SELECT feature FROM profiles
            WHERE {STREAM} AND segment = '' AND kind != 'rows' AND {visible(STREAM)}
            UNION ALL SELECT feature FROM drift_verdicts WHERE {STREAM}
        )
        ORDER BY feature
        """,
    )


def segment() -> QueryVariable:
    """Which part of the traffic."""
    return _asked(
        "segment",
        "Segment",
        f"""
        SELECT if(segment = '', '{ALL_TRAFFIC}', segment) AS named FROM
        (
            SELECT DISTINCT segment FROM profiles
            WHERE {STREAM} AND feature = '' AND kind = 'rows' AND {visible(STREAM)}
        )
        ORDER BY segment
        """,
    )


def label_values(name: str, label: str, metric: str) -> QueryVariable:
    """Return the values of a metric's label, any number of which may be chosen; all by default."""
    everything = VariableOption(selected=True, text=["All"], value=["$__all"])
    return (
        QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query(f"label_values({metric}, {name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(everything)
    )


def choice(name: str, label: str, options: Mapping[str, str], chosen: str = "") -> CustomVariable:
    """Return a choice among fixed options, by value what is shown; none chosen: any of them, or none."""
    text = ", ".join(f"{shown} : {value}" for value, shown in options.items())
    shown = [
        VariableOption(selected=value == chosen, text=text, value=value) for value, text in options.items()
    ]
    variable = CustomVariable(name).label(label).values(text).options(shown)
    if chosen:
        return variable.current(VariableOption(selected=True, text=options[chosen], value=chosen))
    return variable.include_all(True).current(VariableOption(selected=True, text="All", value="$__all"))


def text(name: str, label: str, description: str) -> TextBoxVariable:
    """Return a field for a text; empty: anything."""
    empty = VariableOption(selected=True, text="", value="")
    return TextBoxVariable(name).label(label).description(description).default_value("").current(empty)


def anything(variable: QueryVariable) -> QueryVariable:
    """Let a variable be all of its values, which it is by default."""
    return variable.include_all(True).current(VariableOption(selected=True, text="All", value="$__all"))


def _asked(name: str, label: str, sql: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .datasource(CLICKHOUSE)
        .query(dedent(sql).strip())
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )
