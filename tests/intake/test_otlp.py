"""OpenTelemetry's log records of driftline's names are events, in JSON and in protobuf."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from driftline.intake.items import own_event_id

PATH = "/v1/logs"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NANOS = "1767225600123456000"
RESOURCE = {
    "service.name": "web",
    "driftline.model.name": "flight-delay",
    "driftline.model.version": "3",
    "driftline.training_run.id": "run-7f3a",
}
ROW = {
    "driftline.feature.distance": 733,
    "driftline.feature.carrier": "UA",
    "driftline.feature.is_late": True,
    "driftline.answer": 0.81,
    "driftline.label": "late",
    "driftline.probability.late": 0.81,
    "driftline.tag.region": "eu",
    "driftline.id": "a-1",
    "driftline.latency_us": 1200,
    "http.route": "/predict",
}


def attributes(given):
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return [
        {"key": name, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}
        for name, value in given.items()
    ]


def export(*records):
    logs = [
        {"timeUnixNano": NANOS, "eventName": name, "attributes": attributes(given), **others}
        for name, given, others in records
    ]
    resource = {"attributes": attributes(RESOURCE)}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": logs}]}]}


@pytest.fixture(params=["json", "protobuf"])
def post(request, client):
    def in_json(whole):
        answer = client.post(PATH, json=whole)
        return answer.status_code, answer.json().get("partialSuccess", {})

    def in_protobuf(whole):
        # Protobuf's own JSON has bytes in base64, so they are set by hand.
        records = whole["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        traces = [bytes.fromhex(record.pop("traceId", "")) for record in records]
        message = ParseDict(whole, ExportLogsServiceRequest())
        for record, trace in zip(message.resource_logs[0].scope_logs[0].log_records, traces, strict=True):
            record.trace_id = trace
        headers = {"Content-Type": "application/x-protobuf"}
        answer = client.post(PATH, content=message.SerializeToString(), headers=headers)
        partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
        reported = {
            "rejectedLogRecords": str(partial.rejected_log_records),
            "errorMessage": partial.error_message,
        }
        return answer.status_code, reported if partial.rejected_log_records else {}

    return {"json": in_json, "protobuf": in_protobuf}[request.param]


def test_a_record_is_a_prediction(post, log):
    status, partial = post(export(("driftline.prediction", ROW, {"traceId": TRACE}), ("other", {}, {})))
    assert (status, partial) == (200, {})
    (only,) = log.predictions
    assert (only.model_name, only.model_version, only.training_run_id) == ("flight-delay", "3", "run-7f3a")
    assert dict(only.features) == {"distance": 733.0, "carrier": "UA", "is_late": 1.0}
    assert (only.prediction, only.label, only.probabilities) == (0.81, "late", {"late": 0.81})
    assert (only.trace_id, dict(only.tags), only.latency_us) == (TRACE, {"region": "eu"}, 1200)
    assert (only.event_id, only.event_time.microsecond) == (own_event_id("flight-delay", "a-1"), 123456)


def test_a_record_is_an_outcome(post, log):
    post(
        export(
            ("driftline.outcome", {"driftline.id": "a-1", "driftline.actual": 1, "driftline.revision": 2}, {})
        )
    )
    (only,) = log.outcomes
    assert (only.event_id, only.actual, only.revision) == (own_event_id("flight-delay", "a-1"), 1.0, 2)


def test_what_is_refused_is_counted_and_the_first_is_named(post, log):
    wrong = {**ROW, "driftline.event.id": "7"}
    status, partial = post(export(("driftline.prediction", ROW, {}), ("driftline.prediction", wrong, {})))
    assert (status, partial["rejectedLogRecords"]) == (200, "1")
    assert "predictions[1]: invalid_event_id" in partial["errorMessage"]
    assert len(log.predictions) == 1


def test_the_same_export_again_is_the_same_session(post, log):
    for _ in range(2):
        post(export(("driftline.prediction", ROW, {})))
    first, second = log.predictions
    assert (first.session_id, first.sequence) == (second.session_id, second.sequence)


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"[]", "application/json", "otlp"),
        (b'{"resourceLogs": [1]}', "application/json", "otlp"),
        (b'{"resourceLogs": 1}', "application/json", "otlp"),
        (
            b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [1]}]}]}',
            "application/json",
            "otlp",
        ),
        (b"\xff\xff", "application/x-protobuf", "protobuf"),
    ],
)
def test_what_is_no_export_is_refused(client, body, content_type, reason):
    answer = client.post(PATH, content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)
