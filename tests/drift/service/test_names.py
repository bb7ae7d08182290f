"""Names of every kind from the log to the metric: they come out as they went in, apart from ours."""

from __future__ import annotations

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from driftline.domain.names import NUMBER, feature_key
from driftline.drift.service.metrics import INCIDENTS, SCORE, VERDICT, WORKER_METRICS
from driftline.drift.service.worker import DriftWorker
from driftline.metrics import Metrics
from driftline.store.incidents import read_incidents
from driftline.store.invalid import read_invalid
from driftline.store.predictions import Filter, read_predictions
from driftline.store.rules import set_rules
from driftline.web import create_app
from driftline.web.addresses import feature_path
from tests.drift.service.watching import HOUR, HOUR_S, STREAM, Clock, opened_landing, reported
from tests.support.landing import put

OURS = ["prediction", "prediction.number", "prediction.label", "prediction.latency_us", "(joint)"]
ODD = ["feature:prediction", "line\nfeed", "back\\slash", 'quo"te', "it's", "a/b?c#d%25", "~", "..", "=x="]
NAMES = [*OURS, *ODD, "{channel}", "<b>", "\N{RIGHT-TO-LEFT OVERRIDE}right", " "]
KEYS = {feature_key(name) for name in NAMES}
BROKEN, END, PER_HOUR = 300, 302, 40


def event(hour, number):
    amount = (7.0 * number + hour) % 31 + (500.0 if hour >= BROKEN else 0.0)
    return {
        "features": dict.fromkeys(NAMES, amount),
        "prediction": ((3.0 * number + hour) % 17) / 17,
        "event_time": float((HOUR + hour) * HOUR_S + number),
    }


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    with opened_landing(tmp_path_factory.mktemp("names")) as landing:
        set_rules(landing.client, STREAM.model_name, {key: {"maximum": 100.0} for key in KEYS})
        put(landing, (event(hour, number) for hour in range(END) for number in range(PER_HOUR)))
        metrics = Metrics(WORKER_METRICS)
        worker = DriftWorker(landing.store, metrics=metrics, monotonic=Clock(), late_quiet_s=0.0)
        landing.workers.append(worker)
        worker.watch_once()
        yield landing, metrics


def test_each_feature_drifts_by_itself_and_the_answer_does_not(broken):
    landing, _ = broken
    end = (HOUR + END - 1) * HOUR_S
    newest = [row for row in reported(landing) if row["window_end"].timestamp() == end]
    assert {row["feature"] for row in newest if row["verdict"] == "page"} == KEYS
    assert {row["verdict"] for row in newest if row["feature"] == NUMBER} == {"ok"}


def test_the_incident_names_them_and_each_has_an_address_and_examples(broken):
    landing, _ = broken
    (incident,) = read_incidents(landing.client)
    assert {finding.feature for finding in incident.findings} == KEYS
    browser = TestClient(create_app(landing.store, landing.metrics, clock=time.time))
    for key in KEYS:
        assert browser.get(feature_path(STREAM.model_name, key)).status_code == 200, key
        high = read_predictions(landing.client, STREAM, Filter(feature=key, low=400.0), limit=1)
        assert [row.value >= 500.0 for row in high] == [True], key


def test_invalid_values_are_counted_of_each(broken):
    landing, _ = broken
    found = read_invalid(landing.client, model_name=STREAM.model_name)
    assert {(one.feature, one.reason, one.count) for one in found} == {
        (key, "above_range", (END - BROKEN) * PER_HOUR) for key in KEYS
    }


def test_metrics_hold_them_as_they_are(broken):
    _, metrics = broken
    families = list(text_string_to_metric_families(metrics.expose().decode()))
    features = {
        family.name: {sample.labels["feature"] for sample in family.samples}
        for family in families
        if family.name in {SCORE, VERDICT}
    }
    assert features[SCORE] >= KEYS
    assert features[VERDICT] >= KEYS
    (paged,) = [sample for family in families if family.name == INCIDENTS for sample in family.samples]
    assert (paged.labels["feature"] in KEYS, paged.labels["kind"]) == (True, "data")
