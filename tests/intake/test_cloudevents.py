"""What KServe and Seldon log is paired, and its rows are predictions."""

from __future__ import annotations

import base64
import json

import pytest

from driftline import register_training_run
from driftline.intake.metrics import EVENTS, UNPAIRED
from driftline.intake.pairs import MOST_WAITING

PATH = "/v1/cloudevents?model_version=3&training_run_id=run-7f3a"
KSERVE = "org.kubeflow.serving.inference."
SELDON = "io.seldon.serving.inference."
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
REQUEST = {"instances": [{"distance": 733, "carrier": "UA"}, {"distance": 1400, "carrier": "DL"}]}
RESPONSE = {"predictions": [0.25, 0.75]}


def send(client, half, body, *, family=KSERVE, path=PATH, **headers):
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": "r1",
        "ce-type": family + half,
        "ce-source": "http://predictor",
        "ce-time": "2026-01-01T00:00:00Z",
        "ce-inferenceservicename": "flight-delay",
        "ce-namespace": "models",
        "content-type": "application/json",
        **{f"ce-{name}": value for name, value in headers.items()},
    }
    return client.post(path, content=json.dumps(body), headers=attributes)


@pytest.mark.parametrize("halves", [("request", "response"), ("response", "request")])
def test_a_request_and_its_response_are_predictions_in_whatever_order_they_come(client, log, halves):
    bodies = {"request": REQUEST, "response": RESPONSE}
    answers = [send(client, half, bodies[half]) for half in halves]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["accepted"] for answer in answers] == [0, 2]
    first, second = log.predictions
    assert dict(first.features) == {"distance": 733.0, "carrier": "UA"}
    assert (first.prediction, second.prediction) == (0.25, 0.75)
    assert (first.model_name, first.model_version, first.training_run_id) == ("flight-delay", "3", "run-7f3a")
    assert (first.request_id, first.event_time.isoformat()) == ("r1", "2026-01-01T00:00:00+00:00")


def test_event_ids_are_made_of_the_requests_and_what_is_delivered_again_is_one(client, log):
    for _ in range(2):
        send(client, "request", REQUEST)
        send(client, "response", RESPONSE)
    assert len(log.predictions) == 2
    assert len({one.event_id for one in log.predictions}) == 2


def test_seldon_s_halves_have_ids_of_their_own_and_one_of_the_request(client, log):
    common = {"family": SELDON, "requestid": "q1", "modelid": "classifier", "endpoint": "canary"}
    names = {"names": ["distance", "taxi_s"], "ndarray": [[733.0, 600.0]]}
    send(client, "request", {"data": names}, id="1", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01", **common)
    tensor = {"names": ["no", "yes"], "tensor": {"shape": [1, 2], "values": [0.2, 0.8]}}
    send(client, "response", {"data": tensor}, id="2", **common)
    (only,) = log.predictions
    assert (only.probabilities, only.label, only.prediction) == ({"no": 0.2, "yes": 0.8}, "yes", 0.8)
    assert (only.environment, only.trace_id, only.request_id) == ("canary", TRACE, "q1")
    assert dict(only.features) == {"distance": 733.0, "taxi_s": 600.0}


def test_the_open_inference_protocol_says_its_version_itself(client, log):
    inputs = [
        {"name": "distance", "shape": [2, 1], "datatype": "FP64", "data": [733.0, 1400.0]},
        {"name": "carrier", "shape": [2], "datatype": "BYTES", "data": ["UA", "DL"]},
    ]
    outputs = [
        {"name": "predict", "shape": [2, 1], "datatype": "BYTES", "data": ["no", "yes"]},
        {"name": "predict_proba", "shape": [2, 2], "datatype": "FP64", "data": [[0.9, 0.1], [0.6, 0.4]]},
    ]
    path = "/v1/cloudevents?classes=no,yes&model_name=own"
    send(client, "request", {"inputs": inputs}, path=path)
    send(client, "response", {"model_name": "m", "model_version": "7", "outputs": outputs}, path=path)
    _, second = log.predictions
    assert (second.model_name, second.model_version, second.training_run_id) == ("own", "7", "unknown")
    assert (second.label, second.probabilities) == ("yes", {"no": 0.6, "yes": 0.4})


def test_the_run_of_a_version_that_was_registered_is_known(client, log):
    run = register_training_run(
        model_name="flight-delay",
        model_version="3",
        log=log,
        waive=dict.fromkeys(("artifact", "code", "environment", "data"), "a test"),
    )
    path = "/v1/cloudevents?model_version=3"
    send(client, "request", REQUEST, path=path)
    send(client, "response", RESPONSE, path=path)
    assert {one.training_run_id for one in log.predictions} == {run}


@pytest.mark.parametrize("encoded", [False, True])
def test_structured_events_are_the_same(client, log, encoded):
    for half, body in (("request", REQUEST), ("response", RESPONSE)):
        data = (
            {"data_base64": base64.b64encode(json.dumps(body).encode()).decode()}
            if encoded
            else {"data": body}
        )
        event = {"specversion": "1.0", "id": "r1", "type": KSERVE + half, "inferenceservicename": "m", **data}
        client.post(PATH, content=json.dumps(event), headers={"content-type": "application/cloudevents+json"})
    assert [one.prediction for one in log.predictions] == [0.25, 0.75]


def test_what_has_no_other_half_is_given_up_and_counted(client, intake, metrics, log, clock):
    send(client, "request", REQUEST)
    send(client, "response", RESPONSE, id="r2")
    clock.now_s += 61
    intake.tick()
    send(client, "response", RESPONSE)
    assert metrics.series(UNPAIRED) == {("request", "expired"): 1.0, ("response", "expired"): 1.0}
    assert list(log.predictions) == []


@pytest.mark.parametrize(
    ("bodies", "path", "reason"),
    [
        ((REQUEST, {"predictions": [1]}), PATH, "2 rows, and answers for 1"),
        (({"text": "hello"}, RESPONSE), PATH, "a request has inputs"),
        ((REQUEST, {"error": "no"}), PATH, "a response has outputs"),
        ((REQUEST, RESPONSE), "/v1/cloudevents", "give model_version"),
        ((REQUEST, RESPONSE), f"{PATH}&model_name={'x' * 600}", "600 characters"),
    ],
)
def test_what_is_not_understood_is_answered_with_200_and_named(client, metrics, bodies, path, reason):
    send(client, "request", bodies[0], path=path)
    answer = send(client, "response", bodies[1], path=path)
    assert answer.status_code == 200
    assert reason in answer.json()["refused"][0]
    assert metrics.series(EVENTS)["predictions", "refused"] == 1


@pytest.mark.parametrize(
    ("headers", "reason"),
    [({"type": "other"}, "type"), ({"id": ""}, "cloudevent"), ({"inferenceservicename": ""}, "cloudevent")],
)
def test_what_is_no_inference_is_refused(client, headers, reason):
    answer = send(client, "request", REQUEST, **headers)
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)


def test_a_logger_that_sends_no_header_gives_the_token_in_its_address(client, log):
    client.headers.pop("Authorization")
    assert send(client, "request", REQUEST).status_code == 401
    assert send(client, "request", REQUEST, path=f"{PATH}&token=another").status_code == 200
    assert MOST_WAITING > 1
    assert list(log.predictions) == []
