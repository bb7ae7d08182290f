"""Answers of every shape, and categories that are integers: from the log to a fault that is found and shown."""

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
from driftline.store.predictions import Filter, read_predictions
from driftline.store.verdicts import read_verdicts
from driftline.web import create_app
from driftline.web.addresses import feature_path, prediction_path
from tests.drift.service.watching import HOUR, HOUR_S, Clock, opened_landing
from tests.support.traffic import make_logger

BROKEN, END, PER_HOUR = 190, 194, 40
ITEMS = ("tent", "boots", "stove", "rope")
FAULTS = {
    "ranking": ("prediction.outputs.item_1", "categorical", "value", "rope"),
    "targets": ("prediction.outputs.price", "numeric", "at_most", None),
    "labels": ("prediction.outputs.spam", "numeric", "at_most", None),
    "stores": ("store_id", "categorical", "value", "3"),
}
"""By model: the feature that changes, its kind, the channel, and of a category which."""


def answer(model, chance, *, is_broken):
    """Return the arguments of one prediction."""
    features = {"amount": chance.gauss(10, 3)}
    if model == "ranking":
        first = ITEMS[3 if is_broken else chance.choice((0, 0, 1))]
        rest = [item for item in ITEMS if item != first]
        ranked = [(item, chance.random()) for item in (first, *chance.sample(rest, 3))]
        return {"features": features, "prediction": ranked}
    if model == "targets":
        price = chance.gauss(14 if is_broken else 10, 1)
        return {"features": features, "prediction": {"price": price, "days": chance.gauss(3, 1)}}
    if model == "labels":
        spam = chance.random() < (0.7 if is_broken else 0.2)
        return {"features": features, "prediction": {"spam": spam, "urgent": chance.random() < 0.5}}
    store = chance.choice((1, 1, 1, 2, 2, 3))
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
        landing.land()
        worker = DriftWorker(
            landing.store, metrics=Metrics(WORKER_METRICS), monotonic=Clock(), late_quiet_s=0.0
        )
        landing.workers.append(worker)
        worker.watch_once()
        yield landing, newest


def paged(landing, model):
    rows = read_verdicts(landing.client, limit=100_000)
    return [row for row in rows if row["model_name"] == model and row["verdict"] == "page"]


@pytest.mark.parametrize("model", FAULTS)
def test_the_fault_is_found_where_it_is(site, model):
    landing, _ = site
    feature, kind, channel, value = FAULTS[model]
    pages = paged(landing, model)
    assert min(row["window_end"].timestamp() for row in pages) > (HOUR + BROKEN) * HOUR_S
    found = [row for row in pages if row["feature"] == feature]
    assert {row["kind"] for row in found} == {kind}
    assert channel in {row["channel"].kind.value for row in found if row["channel"]}
    assert value is None or value in {row["channel"].value for row in found if row["channel"]}
