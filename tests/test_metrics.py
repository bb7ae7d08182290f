"""Metrics as data: exported as the tables say, and documented as the tables say."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from driftline.audit import SEALER_METRICS
from driftline.drift.service.metrics import WORKER_METRICS
from driftline.lander import LANDER_METRICS
from driftline.lifecycle.metrics import RETRAIN_METRICS
from driftline.metrics import BUILD, COMMON_METRICS, Metric, Metrics
from driftline.mlflow.metrics import MLFLOW_METRICS
from driftline.profiling import PROFILER_METRICS
from driftline.web import WEB_METRICS

TABLES = (
    *COMMON_METRICS,
    *LANDER_METRICS,
    *PROFILER_METRICS,
    *SEALER_METRICS,
    *WORKER_METRICS,
    *WEB_METRICS,
    *MLFLOW_METRICS,
    *RETRAIN_METRICS,
)
_UNITS = (
    "_total",
    "_attempts",
    "_events",
    "_values",
    "_hours",
    "_ratio",
    "_seconds",
    "_bytes",
    "_score",
    "_verdict",
    "_info",
)
"""What is counted is a unit as well: hours of streams, for one."""

EXAMPLE = (
    Metric("example_events_total", "counter", ("stage",), "Events."),
    Metric("example_lag_events", "gauge", (), "Lag."),
    Metric("example_ratio", "gauge", ("model",), "Ratio."),
)


def exported(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(metrics.expose().decode())
    return {(s.name, tuple(s.labels.values())): s.value for family in families for s in family.samples}


def test_a_counter_adds_up() -> None:
    metrics = Metrics(EXAMPLE)
    metrics.count("example_events_total", 2, stage="a")
    metrics.count("example_events_total", stage="a")
    assert exported(metrics)["example_events_total", ("a",)] == 3


def test_a_metric_without_labels_is_there_from_the_beginning() -> None:
    """An alert on a series that does not exist never fires."""
    assert exported(Metrics(EXAMPLE))["example_lag_events", ()] == 0


def test_each_service_tells_its_version() -> None:
    assert exported(Metrics()) == {(BUILD, (version("driftline"),)): 1}


def test_replaced_series_that_are_not_named_any_more_are_gone() -> None:
    metrics = Metrics(EXAMPLE)
    metrics.set("example_ratio", 0.5, model="old")
    metrics.replace("example_ratio", {("new",): 1.0})
    assert ("example_ratio", ("old",)) not in exported(metrics)
    assert exported(metrics)["example_ratio", ("new",)] == 1.0


def test_a_label_that_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError):
        Metrics(EXAMPLE).set("example_ratio", 1.0, colour="red")


@pytest.mark.parametrize("metric", TABLES, ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric: Metric) -> None:
    """driftline_<noun>_<unit>; counters end in _total. Source: Prometheus, "Metric and label naming"."""
    assert metric.name.startswith("driftline_")
    assert metric.name.endswith(_UNITS)
    assert metric.name.endswith("_total") == (metric.kind == "counter")


def test_the_documentation_has_each_metric_as_the_tables_have_it_and_no_other() -> None:
    text = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text()
    documented = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if re.match(r"\| `driftline_", line)
    ]
    expected = [
        [f"`{m.name}`", m.kind, ", ".join(f"`{x}`" for x in m.labels) or "-", m.help, _links(m) or "-"]
        for m in TABLES
    ]
    assert documented == expected


def _links(metric: Metric) -> str:
    return ", ".join(f"[{name}](runbooks/{name}.md)" for name in metric.alerts)
