"""The examples run with the frameworks and libraries themselves, and what they answered is in the log."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from starlette.applications import Starlette

from driftline.intake import INTAKE_METRICS, Intake
from driftline.log import open_log
from driftline.metrics import Metrics
from driftline.serving import WebServer
from driftline.testing import MemoryLog, Prediction, read_events
from tests.support.integrations import EXAMPLES, FRAMEWORKS, run_python

HERE = Path(__file__).parent
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TOKEN = "a token of both sides"


@pytest.fixture
def predictions(tmp_path):
    """Return a function that runs a script, and returns the predictions that it logged."""

    def run(script):
        url = (tmp_path / "log").as_uri()
        run_python(FRAMEWORKS, script, DRIFTLINE_LOG=url)
        with open_log(url) as log:
            return read_events(log, Prediction)

    return run


def test_models_of_xgboost_and_lightgbm_answer_as_before_and_are_logged(predictions):
    rows = predictions(EXAMPLES / "boosting.py")
    assert Counter(one.model_version for one in rows) == {
        "xgboost": 40,
        "lightgbm": 40,
        "xgboost.Booster": 20,
        "lightgbm.Booster": 40,
    }
    assert {tuple(sorted(one.features)) for one in rows} == {("departure_hour", "distance", "wind")}
    own = [one for one in rows if one.model_version.endswith("Booster")]
    assert {tuple(one.probabilities) for one in own} == {("on time", "late")}


def test_services_of_each_framework_log_what_they_answer_and_for_which_request(predictions):
    rows = predictions(HERE / "asking.py")
    assert {one.request_id for one in rows} == {"fastapi", "litestar", "flask"}
    assert {one.trace_id for one in rows} == {TRACE}
    assert {one.label for one in rows} == {"late"}
    assert all(one.latency_us > one.compute_us > 0 for one in rows)
    assert {tuple(one.features.values()) for one in rows} == {(733.0, 18.0, 12.5)}


def test_opentelemetry_s_own_exporter_is_understood():
    log = MemoryLog()
    intake = Intake(log, [TOKEN], metrics=Metrics(INTAKE_METRICS))
    server = WebServer(Starlette(routes=intake.routes()), "127.0.0.1", 0)
    server.start()
    try:
        run_python(FRAMEWORKS, HERE / "exporting.py", f"{server.url}/v1/logs", TOKEN)
    finally:
        server.stop()
        intake.close()
    rows = log.predictions
    assert sorted(one.prediction for one in rows) == [number / 100 for number in range(100)]
    assert {one.model_version for one in rows} == {"3"}
