"""`driftline score` reads features once for several models, and logs every prediction."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import joblib
import pandas as pd
import pytest
from click.testing import CliRunner
from pyarrow import parquet
from sklearn.linear_model import LinearRegression, LogisticRegression

from driftline import register_training_run
from driftline.cli.app import driftline
from driftline.domain.streams import Stream
from driftline.features import FeatureService
from driftline.features.consistency import compare_window
from driftline.features.registering import register
from driftline.store.feature_events import Window, sample_events
from tests.features.world import WEATHER, store_weather
from tests.support.landing import Landing
from tests.support.running import Place

ENTITIES = "origin,event_time\nA1,2026-02-02T01:30:00\nA2,2026-02-02T02:30:00\n"
WAIVED = dict.fromkeys(("code", "environment", "data"), "a test trains nothing")


def run(place, *arguments, code=0):
    env = {"DRIFTLINE_STORE": place.store_url, "DRIFTLINE_LOG": place.log_url}
    done = CliRunner().invoke(driftline, arguments, env=env)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Two models in production, with one feature each of one view."""
    folder = tmp_path_factory.mktemp("score")
    frame = pd.DataFrame({"temp": [0.0, 10.0, 20.0, 30.0]})
    models = {
        "colder": LogisticRegression().fit(frame, [1, 1, 0, 0]),
        "twice": LinearRegression().fit(frame, frame["temp"] * 2),
    }
    landing = Landing(Place(folder))
    store_weather(landing.client)
    services = [FeatureService(f"for_{name}", [WEATHER["temp"]], model=name) for name in models]
    register(landing.client, services, author="a test")
    for name, model in models.items():
        joblib.dump(model, folder / f"{name}.joblib")
        artifact = {"artifact": folder / f"{name}.joblib", "waive": WAIVED, "log": landing.log}
        register_training_run(f"run-{name}", model_name=name, model_version="1", **artifact)
    landing.close()
    for name in models:
        run(landing.place, "models", "promote", name, "1", "--why", "it is the first", "--by", "ann")
    (folder / "entities.csv").write_text(ENTITIES)
    return folder, landing


def test_several_models_score_what_is_read_once_and_every_prediction_is_logged(served):
    folder, landing = served
    asked = ("--entities", str(folder / "entities.csv"), "--out", str(folder / "scores.parquet"), "--json")
    began = datetime.now(UTC)
    done = json.loads(run(landing.place, "score", "colder@production", "twice@production", *asked))
    assert [(row["model_name"], row["rows"], row["logged"]) for row in done] == [
        ("colder", 2, 2),
        ("twice", 2, 2),
    ]
    scores = parquet.read_table(folder / "scores.parquet").to_pydict()
    assert scores["twice"] == pytest.approx([23.0, 26.0])
    assert 0 < scores["colder"][1] < scores["colder"][0] < 1
    landing.open()
    landing.land()
    window = Window(Stream("twice", "1", "production"), began, began + timedelta(hours=1))
    logged = {event.features["temp"] for event in sample_events(landing.client, window, limit=9)}
    report = compare_window(landing.client, window)
    landing.close()
    assert logged == {11.5, 13.0}
    assert report.of("temp").counts["equal"] == report.with_provenance == 2


def test_another_file_than_was_registered_is_not_loaded(served):
    folder, landing = served
    kept = (folder / "twice.joblib").read_bytes()
    (folder / "twice.joblib").write_bytes(kept + b" ")
    asked = ("score", "twice@production", "--entities", str(folder / "entities.csv"))
    assert "is not the file that was registered as twice 1; it is not loaded" in run(
        landing.place, *asked, code=1
    )
    (folder / "twice.joblib").write_bytes(kept)


def test_a_model_that_no_service_names_is_reported(served):
    folder, landing = served
    other = folder / "other.py"
    other.write_text(
        "from driftline.features import Entity, FeatureService, FeatureView\n"
        "other = FeatureService('other', [FeatureView('v', Entity('e'), {'x': 'numeric'})], model='other')\n"
    )
    asked = ("score", "twice@production", "--entities", str(folder / "entities.csv"))
    done = run(landing.place, *asked, "--definitions", str(other), code=1)
    assert "one feature service is to name model 'twice' (model=), and none of 1 does" in done
