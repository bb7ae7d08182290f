"""The examples run with the frameworks and libraries themselves, and what they answered is in the log."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from driftline.intake import INTAKE_METRICS, Intake
from driftline.log import open_log
from driftline.metrics import Metrics
from driftline.serving import WebServer
from driftline.testing import MemoryLog, Prediction, read_events
from tests.support.integrations import BENTOML, EXAMPLES, FRAMEWORKS, MLSERVER, run_python
from tests.support.process import ServerProcess, answers, free_ports
from tests.support.servers import environ, environment

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


def test_what_bentoml_monitors_is_logged(tmp_path):
    url = (tmp_path / "log").as_uri()
    run_python(BENTOML, HERE / "monitoring.py", DRIFTLINE_LOG=url, BENTOML_DO_NOT_TRACK="True")
    with open_log(url) as log:
        first, second = read_events(log, Prediction)
    assert dict(first.features) == {"distance": 733.0, "departure_hour": 18.0, "wind": 12.5}
    assert (first.model_name, first.model_version) == ("flight-delay", "3")
    assert first.prediction > second.prediction


def test_a_runtime_of_mlserver_logs_what_it_answers(tmp_path):
    url = (tmp_path / "log").as_uri()
    home, ports = environment(MLSERVER), free_ports(3)
    names = ("MLSERVER_HTTP_PORT", "MLSERVER_GRPC_PORT", "MLSERVER_METRICS_PORT")
    variables = {"DRIFTLINE_LOG": url, **dict(zip(names, map(str, ports), strict=True))}
    command = [str(home / "bin" / "mlserver"), "start", str(EXAMPLES / "mlserver")]
    server = ServerProcess("mlserver", command, tmp_path / "output", environ(home, **variables))
    server.start()
    try:
        ready = f"http://127.0.0.1:{ports[0]}/v2/models/flight-delay/ready"
        server.wait_until(lambda: answers(ready), timeout_s=120)
        flights = {"name": "flights", "shape": [2, 2], "datatype": "FP64", "data": [700, 18, 100, 6]}
        answer = httpx.post(ready.replace("/ready", "/infer"), json={"id": "r1", "inputs": [flights]})
        assert answer.json()["outputs"][0]["data"] == [16.0, 4.0]
    finally:
        server.stop()
    with open_log(url) as log:
        rows = read_events(log, Prediction)
    assert [(one.prediction, one.request_id) for one in rows] == [(16.0, "r1"), (4.0, "r1")]
    assert dict(rows[0].features) == {"distance": 700.0, "departure_hour": 18.0}


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
