"""Answers of every shape, and categories that are integers: logged, landed, judged, found and shown."""

from __future__ import annotations

import json
import time
from random import Random

import pandas as pd
import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from driftline.cli.app import driftline
from driftline.domain.streams import Stream
from driftline.drift.service.metrics import WORKER_METRICS
from driftline.drift.service.worker import DriftWorker
from driftline.metrics import Metrics
from driftline.store.incidents import read_incidents
from driftline.store.predictions import Filter, read_predictions
from driftline.store.verdicts import read_verdicts
from driftline.web import create_app
from driftline.web.addresses import feature_path, incident_path, prediction_path
from driftline.web.formatting import feature_name
from tests.drift.service.watching import HOUR, HOUR_S, Clock, opened_landing
from tests.support.traffic import VERSION, make_logger

BROKEN, END, PER_HOUR = 188, 195, 40
ITEMS = ("tent", "boots", "stove", "rope")
FAULTS = {
    "ranking": ("prediction.outputs.item_1", "categorical", {"tent", "rope"}),
    "targets": ("prediction.outputs.price", "numeric", set()),
    "labels": ("prediction.outputs.spam", "numeric", set()),
    "stores": ("store_id", "categorical", {"1", "3"}),
}
"""By model: the feature that changes, its kind, and the categories of which one moved most."""


def answer(model, chance, *, is_broken):
    """Return the arguments of one prediction."""
    features = {"amount": chance.gauss(10, 3)}
    if model == "ranking":
        first = ITEMS[3 if is_broken else chance.choice((0, 0, 0, 1, 1, 3))]
        rest = [item for item in ITEMS if item != first]
        ranked = [(item, chance.random()) for item in (first, *chance.sample(rest, 3))]
        return {"features": features, "prediction": ranked}
    if model == "targets":
        price = chance.gauss(14 if is_broken else 10, 1)
        return {"features": features, "prediction": {"price": price, "days": chance.gauss(3, 1)}}
    if model == "labels":
        spam = chance.random() < (0.7 if is_broken else 0.2)
        return {"features": features, "prediction": {"spam": spam, "urgent": chance.random() < 0.5}}
    store = chance.choice((1, 1, 1, 1, 1, 1, 1, 2, 2, 3))
    features["store_id"] = {1: 3, 2: 1, 3: 2}[store] if is_broken else store
    shares = [chance.uniform(0.6, 0.9)]
    return {
        "features": features,
        "prediction": chance.random(),
        "probabilities": [*shares, 1 - shares[0]],
        "latency_us": chance.gauss(9000, 500),
    }


def log_hour(logger, model, hour, chance):
    """Log an hour, every other one by ``log_batch``."""
    rows = [answer(model, chance, is_broken=hour >= BROKEN) for _ in range(PER_HOUR)]
    times = [float((HOUR + hour) * HOUR_S + number) for number in range(PER_HOUR)]
    classes = {"classes": ["no", "yes"]} if model == "stores" else {}
    if hour % 2:
        return [
            logger.log(**row, **classes, event_time=moment) for row, moment in zip(rows, times, strict=True)
        ]
    answers = [row["prediction"] for row in rows]
    more = {} if not classes else {"probabilities": [row["probabilities"] for row in rows], **classes}
    if classes:
        more["latencies_us"] = [row["latency_us"] for row in rows]
    return logger.log_batch(
        pd.DataFrame([row["features"] for row in rows]),
        pd.DataFrame(answers) if model in {"targets", "labels"} else answers,
        event_times=times,
        **more,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    with opened_landing(folder) as landing:
        newest = {}
        for model in FAULTS:
            chance = Random(model)
            with make_logger(landing.log, model_name=model, categorical=["store_id"]) as logger:
                for hour in range(END):
                    newest[model] = log_hour(logger, model, hour, chance)[-1]
                assert not logger.stats().unencodable
                if model == "targets":
                    logger.log_outcome(newest[model], {"price": 11, "days": 4})
        landing.land()
        worker = DriftWorker(
            landing.store, metrics=Metrics(WORKER_METRICS), monotonic=Clock(), late_quiet_s=0.0
        )
        landing.workers.append(worker)
        worker.watch_once()
        yield landing, newest


def paged(landing, model):
    return read_verdicts(landing.client, model_name=model, verdicts=["page"], limit=100_000)


@pytest.mark.parametrize("model", FAULTS)
def test_the_fault_is_found_where_it_is_and_nothing_before_it(site, model):
    landing, _ = site
    feature, kind, categories = FAULTS[model]
    pages = paged(landing, model)
    assert min(row["window_end"].timestamp() for row in pages) > (HOUR + BROKEN) * HOUR_S
    found = [row for row in pages if row["feature"] == feature]
    assert {row["kind"] for row in found} == {kind}
    channels = {row["channel_kind"]: row["channel_value"] for row in found}
    assert channels.keys() <= {"value", "at_most"}
    assert channels.get("value") in categories or not categories


def test_parts_of_an_answer_are_judged_each_by_itself(site):
    landing, _ = site
    judged = {
        model: {row["feature"] for row in read_verdicts(landing.client, model_name=model, limit=100_000)}
        for model in FAULTS
    }
    assert judged["ranking"] >= {
        f"prediction.outputs.{name}" for name in ("items", "item_1", "item_4", "score_1", "score_4")
    }
    assert judged["stores"] >= {
        "store_id",
        "prediction.number",
        "prediction.probabilities.yes",
        "prediction.confidence",
        "prediction.entropy",
        "prediction.latency_us",
    }


@pytest.mark.parametrize("model", FAULTS)
def test_pages_name_it_and_show_what_was_answered(site, model):
    landing, newest = site
    feature = FAULTS[model][0]
    browser = TestClient(create_app(landing.store, landing.metrics, clock=time.time))
    page = browser.get(prediction_path(newest[model])).text
    called = feature_name(feature)
    assert f"{called}</" in page
    stream = Stream(model, VERSION, "production")
    assert f"<h1>{called}</h1>" in browser.get(feature_path(model, feature)).text
    rows = read_predictions(landing.client, stream, Filter(feature=feature), limit=5)
    assert all(row.value is not None for row in rows)


def test_an_incident_names_the_output_plainly(site):
    landing, _ = site
    (incident,) = [one for one in read_incidents(landing.client) if one.stream.model_name == "targets"]
    browser = TestClient(create_app(landing.store, landing.metrics, clock=time.time))
    assert "output price" in browser.get(incident_path(incident.incident_id)).text


def test_trace_shows_the_outputs_and_their_truth(site):
    landing, newest = site
    landing.close()
    try:
        environment = {"DRIFTLINE_LOG": landing.place.log_url, "DRIFTLINE_STORE": landing.place.store_url}
        found = CliRunner().invoke(driftline, ["trace", newest["targets"], "--json"], env=environment)
        shown = CliRunner().invoke(driftline, ["trace", newest["ranking"]], env=environment).output
    finally:
        landing.open()
    traced = json.loads(found.output)
    assert set(traced["prediction"]["numeric_outputs"]) == {"price", "days"}
    assert [outcome["actuals"] for outcome in traced["outcomes"]] == [{"price": 11.0, "days": 4.0}]
    assert '"item_1": "rope"' in shown
