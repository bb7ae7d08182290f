"""Batches of JSON: what is good is in the log, the same each time; what is wrong is named."""

from __future__ import annotations

import gzip
import json

import pytest

from driftline.errors import LogError
from driftline.intake.app import MOST_ITEMS
from driftline.intake.bodies import MAX_BODY_BYTES, MAX_UNPACKED_BYTES
from driftline.intake.items import own_event_id
from driftline.intake.metrics import EVENTS, LOG_FAILURES, REQUESTS
from driftline.wire import PREDICTIONS_TOPIC

PATH = "/v1/events"
NAMES = {"model_name": "flight-delay", "model_version": "3", "training_run_id": "run-7f3a"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ROW = {
    "id": "a-1",
    "event_time": "2026-01-01T00:00:00Z",
    "features": {"distance": 733, "carrier": "UA", "gate": None},
    "prediction": 0.81,
    "label": "late",
    "probabilities": {"late": 0.81, "on time": 0.19},
    "entity_id": "N14228",
    "request_id": "r1",
    "trace_id": TRACE,
    "tags": {"region": "eu"},
    "latency_us": 1200,
}
TIMED = {"event_time": 1_767_225_600}


def batch(*predictions, **others):
    return {"batch": "b1", **NAMES, "predictions": list(predictions), **others}


def test_a_prediction_is_logged_with_all_that_was_sent(client, log):
    answer = client.post(PATH, json=batch(ROW))
    assert answer.status_code == 200
    assert answer.json()["accepted"] == {"predictions": 1}
    (only,) = log.predictions
    assert answer.json()["event_ids"] == [only.event_id] == [own_event_id("flight-delay", "a-1")]
    assert dict(only.features) == {"distance": 733.0, "carrier": "UA", "gate": None}
    assert (only.prediction, only.label, only.entity_id) == (0.81, "late", "N14228")
    assert (only.request_id, only.trace_id, dict(only.tags)) == ("r1", TRACE, {"region": "eu"})
    assert (only.model_version, only.environment, only.latency_us) == ("3", "production", 1200)


def test_a_repeated_batch_is_the_same_records_and_they_say_that_they_may_repeat(client, log, clock):
    first = client.post(PATH, json=batch(ROW, {**TIMED, "prediction": 1}))
    clock.now_s += 3600
    second = client.post(PATH, json=batch(ROW, {**TIMED, "prediction": 1}))
    assert first.json() == second.json()
    values = log.reader("test", []).fetch(PREDICTIONS_TOPIC)
    assert values.values[:2] == values.values[2:]
    assert values.may_repeat == {0, 1, 2, 3}


def test_another_batch_is_another_session_and_ids_of_ones_own_stay(client, log):
    client.post(PATH, json=batch(ROW, {**TIMED, "prediction": 1}))
    client.post(PATH, json=batch(ROW, {**TIMED, "prediction": 1}), headers={"Idempotency-Key": "b2"})
    first, placed, again, placed_again = log.predictions
    assert first.event_id == again.event_id
    assert placed.event_id != placed_again.event_id
    assert first.session_id != again.session_id


def test_what_is_wrong_is_named_and_costs_no_neighbour(client, log):
    wrong = [
        ("text", "no_object"),
        ({**TIMED, "prediction": 1, "colour": "red"}, "unknown_field"),
        ({"prediction": 1}, "missing_event_time"),
        ({"prediction": 1, "event_time": "yesterday"}, "invalid_event_time"),
        ({**TIMED, "event_id": "7"}, "invalid_event_id"),
        ({**TIMED, "id": ["a"]}, "invalid_id"),
        ({**TIMED, "id": "\ud800"}, "invalid_id"),
        ({**ROW}, "repeated_id"),
        ({**TIMED, "features": [1, 2]}, "features"),
        ({**TIMED, "model_version": ""}, "names"),
        ({**TIMED, "features": {f"f{n}": "x" * 60_000 for n in range(20)}}, "too_large"),
    ]
    answer = client.post(
        PATH, content=json.dumps(batch(ROW, *(item for item, _ in wrong), {**TIMED, "prediction": 2}))
    )
    refused = answer.json()["refused"]
    assert answer.status_code == 200
    assert sorted((one["place"], one["reason"]) for one in refused) == [
        (place, reason) for place, (_, reason) in enumerate(wrong, 1)
    ]
    assert all(one["list"] == "predictions" and one["detail"] for one in refused)
    first, last = log.predictions
    assert (first.sequence, last.sequence, last.prediction) == (1, 2, 2.0)
    assert answer.json()["event_ids"] == [first.event_id, *[None] * len(wrong), last.event_id]


def test_what_was_refused_is_counted_as_dropped_by_its_session(client, log):
    client.post(PATH, json=batch(ROW, {**TIMED, "id": ["a"]}, outcomes=[{"id": "a-1"}]))
    (only,) = log.heartbeats
    assert (only.last_sequence, dict(only.dropped), only.final) == (1, {"invalid_id": 1}, True)
    assert only.last_outcome_sequence == 0


def test_outcomes_of_no_version_make_none(client, log):
    client.post(PATH, json={"batch": "o1", "model_name": "m", "outcomes": [{"id": "a-1", "actual": 1}]})
    assert len(log.outcomes) == 1
    assert list(log.heartbeats) == []


def test_values_that_no_event_can_hold_are_left_out_and_named(client, log):
    answer = client.post(PATH, json=batch({**TIMED, "features": {"x": 1, "embedding": [1, 2]}}))
    assert answer.json()["left_out"] == {"embedding": 1}
    assert dict(log.predictions[0].features) == {"x": 1.0}


def test_outcomes_name_their_prediction_by_the_senders_id(client, log):
    outcomes = [
        {"id": "a-1", "actual": 1, "revision": 2, "observed_time": "2026-01-02T00:00:00Z"},
        {"event_id": own_event_id("flight-delay", "a-2"), "acted_on": True},
        {"actual": 1},
        {"id": "a-3"},
    ]
    answer = client.post(PATH, json={"batch": "o1", "model_name": "flight-delay", "outcomes": outcomes})
    assert [one["reason"] for one in answer.json()["refused"]] == ["missing_id", "missing_actual"]
    first, second = log.outcomes
    assert (first.event_id, first.actual, first.revision) == (own_event_id("flight-delay", "a-1"), 1.0, 2)
    assert second.acted_on is True


def test_what_holds_for_all_is_given_once(client, log):
    client.post(
        PATH, json=batch({"prediction": 1}, {"prediction": 2, "tags": {"a": "b"}}, **TIMED, tags={"c": "d"})
    )
    assert [dict(one.tags) for one in log.predictions] == [{"c": "d"}, {"a": "b"}]


def test_a_batch_without_a_key_is_refused_since_it_could_not_be_repeated(client, log):
    answer = client.post(PATH, json={**NAMES, "predictions": [ROW]})
    assert (answer.status_code, answer.json()["reason"]) == (400, "missing_batch")
    assert list(log.predictions) == []


@pytest.mark.parametrize(
    ("body", "headers", "problem"),
    [
        (b"{", {}, (400, "json")),
        (b"[" * 100_000, {}, (400, "json")),
        (b"[]", {}, (400, "json")),
        (b'{"batch": "\\ud800"}', {}, (400, "missing_batch")),
        (b'{"batch": "b", "predictions": {}}', {}, (400, "json")),
        (b'{"batch": "b", "colour": 1}', {}, (400, "unknown_field")),
        (json.dumps({"batch": "b", "predictions": [0] * (MOST_ITEMS + 1)}).encode(), {}, (400, "too_many")),
        (b"x" * (MAX_BODY_BYTES + 1), {}, (413, "body")),
        (gzip.compress(b" " * (MAX_UNPACKED_BYTES + 1)), {"Content-Encoding": "gzip"}, (413, "body")),
        (gzip.compress(b"{}")[:-4], {"Content-Encoding": "gzip"}, (400, "body")),
        (gzip.compress(b"{}") * 2, {"Content-Encoding": "gzip"}, (400, "body")),
        (b"{}", {"Content-Encoding": "gzip"}, (400, "body")),
        (b"{}", {"Content-Encoding": "br"}, (415, "body")),
        (b"{}", {"Authorization": "Bearer wrong"}, (401, "token")),
        (b"{}", {"Authorization": "Basic YTpi"}, (401, "token")),
    ],
    ids=range(15),
)
def test_a_body_that_can_t_be_taken_is_refused_as_a_whole(client, log, body, headers, problem):
    answer = client.post(PATH, content=body, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == problem
    assert list(log.predictions) == []


def test_a_packed_body_is_unpacked(client, log):
    body = gzip.compress(json.dumps(batch(ROW)).encode())
    assert client.post(PATH, content=body, headers={"Content-Encoding": "gzip"}).status_code == 200
    assert len(log.predictions) == 1


def test_while_the_log_takes_nothing_the_sender_is_asked_to_try_again(client, log, metrics, monkeypatch):
    def refuse(*_, **__):
        raise LogError("away")

    with monkeypatch.context() as patched:
        patched.setattr(log, "append", refuse)
        answer = client.post(PATH, json=batch(ROW))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert metrics.series(LOG_FAILURES)[()] == 1
    assert client.post(PATH, json=batch(ROW)).status_code == 200
    assert len(log.predictions) == 1


def test_what_is_taken_and_refused_is_counted(client, metrics):
    client.post(PATH, json=batch(ROW, "text"))
    client.post(PATH, content=b"{")
    assert metrics.series(EVENTS) == {("predictions", "accepted"): 1.0, ("predictions", "refused"): 1.0}
    assert metrics.series(REQUESTS) == {("events", "200"): 1.0, ("events", "400"): 1.0}


def test_a_second_token_is_as_good_while_the_first_is_replaced(client):
    assert client.post(PATH, json=batch(ROW), headers={"Authorization": "Bearer another"}).status_code == 200
