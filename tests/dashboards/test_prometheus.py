"""Prometheus takes the shipped configuration, each alert is proven, and rules and metrics know each other."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from driftline.drift.service.metrics import WORKER_METRICS
from driftline.lander import LANDER_METRICS
from driftline.lifecycle.metrics import RETRAIN_METRICS
from driftline.metrics import COMMON_METRICS
from driftline.mlflow.metrics import MLFLOW_METRICS
from driftline.profiling import PROFILER_METRICS
from driftline.web.addresses import explorer_path, feature_path, incident_path, model_path, runbook_path
from tests.dashboards.rules import (
    PROMETHEUS,
    ROOT,
    RUNBOOKS,
    grouped_labels,
    metrics_in,
    read_alerts,
    read_expected,
    read_rules,
    selected_labels,
)
from tests.support.prometheus import promtool

TABLES = (
    COMMON_METRICS,
    LANDER_METRICS,
    PROFILER_METRICS,
    WORKER_METRICS,
    MLFLOW_METRICS,
    RETRAIN_METRICS,
)
METRICS = {metric.name: metric for table in TABLES for metric in table}
ALERTS = read_alerts()
NAMES = sorted({alert.name for alert in ALERTS})
TARGET_LABELS = {"job", "instance", "service"}
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.severity}")
each_name = pytest.mark.parametrize("name", NAMES)


def files(folder):
    return sorted((PROMETHEUS / folder).glob("*.yml"))


@pytest.mark.parametrize(
    "asked",
    [
        ("check", "config", PROMETHEUS / "prometheus.yml"),
        ("check", "rules", "--lint=all", "--lint-fatal", *files("rules")),
        ("test", "rules", *files("tests")),
    ],
    ids=lambda asked: " ".join(asked[:2]),
)
def test_promtool_finds_nothing_wrong(asked):
    done = promtool(*asked)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_wrong_where_one_process_is_all(tmp_path):
    (tmp_path / "rules").symlink_to(PROMETHEUS / "rules")
    text = (PROMETHEUS / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("#| ", ""))
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "job_name: driftline-up" in text


@each_alert
def test_each_alert_fires_in_a_unit_test(alert):
    fired = [one for case in read_expected() if case.name == alert.name for one in case.alerts]
    assert any(one["exp_labels"]["severity"] == alert.severity for one in fired)


@each_name
def test_each_alert_is_quiet_in_a_unit_test_before_and_after_it_fires(name):
    cases = ["fires" if case.alerts else "quiet" for case in read_expected() if case.name == name]
    assert re.search("quiet (fires )+quiet", " ".join(cases))


def test_what_a_unit_test_expects_is_reported_in_full():
    shown = [one for case in read_expected() for one in case.alerts]
    assert all({"summary", "description", "runbook_url"} <= one["exp_annotations"].keys() for one in shown)


def test_each_alert_has_a_runbook_and_each_runbook_an_alert():
    assert sorted(file.stem for file in RUNBOOKS.glob("*.md")) == NAMES


@each_alert
def test_an_alert_says_what_to_do_where_to_look_and_how_urgent_it_is(alert):
    shown = alert.rule["annotations"]
    assert alert.severity in {"page", "ticket"}
    assert "for" in alert.rule
    assert {"summary", "description", "dashboard", "pages", "runbook_url"} <= shown.keys()
    assert shown["runbook_url"] == f"{{{{ $externalLabels.driftline_url }}}}{runbook_path(alert.name)}"
    (uid,) = re.findall(r"grafana_url }}/d/([\w-]+)", shown["dashboard"])
    assert (ROOT / "dashboards" / "grafana" / f"{uid}.json").exists()


@each_alert
def test_an_alert_of_a_model_carries_its_team(alert):
    labels = grouped_labels(alert.expression)
    assert ("model_name" in labels) == ("team" in labels)


def test_rules_ask_only_for_metrics_and_labels_that_there_are():
    for rule in read_rules():
        names = metrics_in(rule["expr"])
        assert names <= METRICS.keys()
        for name, label in selected_labels(rule["expr"]):
            assert label in METRICS[name].labels, f"{name} has no label {label}"


@each_alert
def test_rules_group_only_by_labels_that_there_are(alert):
    there = {label for name in metrics_in(alert.expression) for label in METRICS[name].labels}
    made = set(re.findall(r'label_replace\([^"]*"(\w+)"', alert.expression.replace("\n", " ")))
    assert grouped_labels(alert.expression) <= there | made | TARGET_LABELS


def test_metrics_name_the_alerts_that_ask_for_them_and_no_other():
    asking = defaultdict(set)
    for alert in ALERTS:
        for name in alert.metrics:
            asking[name].add(alert.name)
    assert {name: set(m.alerts) for name, m in METRICS.items() if m.alerts} == dict(asking)


def test_links_lead_to_pages_that_there_are():
    """Names that a URL has to quote, as the pages quote them."""
    host = "http://driftline"
    shown = {
        (one["exp_labels"].get("model_name"), case.name): one["exp_annotations"]
        for case in read_expected()
        for one in case.alerts
    }
    odd = shown["eu/flight delay", "DriftlinePredictionDrift"]
    assert odd["trace"] == host + explorer_path("eu/flight delay", version="2 b", feature="prediction.number")
    assert odd["pages"] == host + incident_path("01a9")
    slice_ = shown["flight-delay", "DriftlineDataDrift"]["trace"]
    asked = {"version": "3", "feature": "wind speed", "part": "origin=JFK"}
    assert slice_ == host + explorer_path("flight-delay", **asked)
    invalid = shown["flight-delay", "DriftlineInvalidPredictions"]
    assert invalid["pages"] == host + feature_path("flight-delay", "dep_delay")
    assert shown["flight-delay", "DriftlineWorkerLate"]["pages"] == host + model_path("flight-delay")


def test_the_documentation_has_each_alert_with_its_severities_and_no_other():
    text = (ROOT / "docs" / "alerting.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\(runbooks/\1\.md\) \| ([\w, ]+) \|", text, re.MULTILINE)
    there = defaultdict(set)
    for alert in ALERTS:
        there[alert.name].add(alert.severity)
    assert [(name, set(severities.split(", "))) for name, severities in rows] == [
        (name, there[name]) for name, _ in rows
    ]
    assert {name for name, _ in rows} == set(there)
