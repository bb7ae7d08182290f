"""From a service's metrics through Prometheus and Alertmanager, as shipped, to who is called; and back."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from driftline.drift.service.metrics import INCIDENTS, MODEL, WORKER_METRICS
from driftline.lander import LANDER_METRICS
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS
from driftline.serving import WebServer
from tests.support.alertmanager import Alertmanager
from tests.support.prometheus import Prometheus
from tests.support.running import wait_until
from tests.support.webhook import Webhook

LINKS = {"driftline_url": "http://driftline.example", "grafana_url": "http://grafana.example"}
INCIDENT = ("flight-delay", "3", "7f3a", "origin=JFK", "dep_delay", "data")
SINCE_S = 1_361_336_400.0


@contextmanager
def stopped(server):
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def called(tmp_path):
    """A service's metrics, and the webhook that is called because of them."""
    metrics = Metrics(LANDER_METRICS, PROFILER_METRICS, WORKER_METRICS)
    metrics.replace(MODEL, {("flight-delay", "flights"): 1.0})
    with Webhook() as webhook, stopped(WebServer(metrics.app(), "127.0.0.1", 0)) as service:
        manager = Alertmanager(tmp_path / "alertmanager", webhook_url=webhook.url)
        prometheus = Prometheus(
            tmp_path / "prometheus",
            targets={"driftline-web": f"127.0.0.1:{service.port}"},
            alertmanager=manager.address,
            links=LINKS,
        )
        with stopped(manager), stopped(prometheus):
            wait_until(lambda: prometheus.query("driftline_build_info"), what="a scrape")
            yield metrics, webhook, prometheus


def test_an_open_incident_calls_once_and_its_end_is_reported(called):
    metrics, webhook, prometheus = called
    assert webhook.posts == []
    metrics.replace(INCIDENTS, {INCIDENT: SINCE_S})
    wait_until(webhook.alerts, what="an incident")
    (alert,) = webhook.alerts()
    names = "model_name", "model_version", "incident_id", "segment", "feature"
    reported = {"alertname": "DriftlineDataDrift", "severity": "page", "team": "flights"}
    assert alert["labels"] == reported | dict(zip(names, INCIDENT, strict=False))
    assert alert["annotations"]["summary"] == (
        "The data of flight-delay 3 has changed since 2013-02-20 05:00:00 +0000 UTC: dep_delay in origin=JFK."
    )
    assert alert["annotations"]["pages"] == "http://driftline.example/incidents/7f3a"
    assert alert["annotations"]["dashboard"].startswith("http://grafana.example/d/driftline-feature?")
    metrics.replace(INCIDENTS, {})
    wait_until(lambda: webhook.alerts("resolved"), what="its end")
    assert len(webhook.alerts()) == 1
    assert prometheus.alerts() == []
