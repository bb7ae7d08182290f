"""Schemas have ids in a registry, and what is framed with them is read by any tool."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from driftline.errors import LogError
from driftline.log import open_log
from driftline.wire import OUTCOME, PREDICTION, PREDICTIONS_TOPIC, TOPICS, event_schema
from driftline.wire.registry import Registry
from tests.log.kafka.topics import Topics
from tests.sdk.logs import quick_logger


@pytest.fixture
def prefix():
    return f"t{uuid4().hex[:8]}-"


def test_a_schema_is_registered_once_and_comes_back(registry, prefix):
    ids = {Registry(registry.url, {}, topic_prefix=prefix).schema_id(PREDICTION) for _ in range(2)}
    assert len(ids) == 1
    with SchemaRegistryClient({"url": registry.url}) as client:
        assert client.get_versions(f"{prefix}{PREDICTIONS_TOPIC}-value") == [1]
    text = Registry(registry.url, {}).schema_text(ids.pop())
    assert json.loads(text) == json.loads(event_schema(PREDICTION).text)


def test_what_is_known_is_not_asked_for_again(registry, prefix, monkeypatch):
    ours = Registry(registry.url, {}, topic_prefix=prefix)
    found = ours.schema_id(OUTCOME)
    text = ours.schema_text(found)
    monkeypatch.setattr(ours, "_ask", lambda *_: 1 / 0)
    assert ours.schema_id(OUTCOME) == found
    assert ours.schema_text(found) == text
    with pytest.raises(ZeroDivisionError):
        ours.schema_id(PREDICTION)


def test_who_may_not_register_only_looks_up(registry, prefix):
    reading = Registry(registry.url, {"auto.register.schemas": "false"}, topic_prefix=prefix)
    with pytest.raises(LogError, match=f"{prefix}{PREDICTIONS_TOPIC}-value: its schema can't be found"):
        reading.schema_id(PREDICTION)
    registered = Registry(registry.url, {}, topic_prefix=prefix).schema_id(PREDICTION)
    assert reading.schema_id(PREDICTION) == registered


def test_a_schema_that_does_not_fit_the_versions_before_it_is_reported(registry, prefix):
    other = {"type": "record", "name": "Other", "fields": [{"name": "x", "type": "int"}]}
    with SchemaRegistryClient({"url": registry.url}) as client:
        client.register_schema(f"{prefix}{PREDICTIONS_TOPIC}-value", Schema(json.dumps(other), "AVRO"))
    with pytest.raises(LogError, match="not compatible with the versions that are there"):
        Registry(registry.url, {}, topic_prefix=prefix).schema_id(PREDICTION)


def test_an_id_that_nobody_gave_has_no_schema(registry):
    assert Registry(registry.url, {}).schema_text(999_999) is None


def test_a_registry_that_is_away_is_reported_without_waiting_long():
    with pytest.raises(LogError, match=r"http://127\.0\.0\.1:1"):
        Registry("http://127.0.0.1:1", {}).schema_id(PREDICTION)


@pytest.fixture
def topics(kafka, tmp_path):
    return Topics(kafka, tmp_path / "spill", TOPICS)


def log_some(url: str) -> list[str]:
    with open_log(url) as log, quick_logger(log) as logger:
        return [logger.log({"distance": 733.0, "carrier": "UA"}, prediction=0.81) for _ in range(20)]


def test_any_tool_reads_what_was_framed_for_the_registry(registry, topics):
    ids = log_some(topics.url(registry=registry.url))
    values = topics.values(PREDICTIONS_TOPIC)
    context = SerializationContext(topics.prefix + PREDICTIONS_TOPIC, MessageField.VALUE)
    with SchemaRegistryClient({"url": registry.url}) as client:
        read = AvroDeserializer(client)
        events = [read(value, context) for value in values]
    assert sorted(event["sequence"] for event in events) == list(range(1, 21))
    assert {str(event["event_id"]) for event in events} == set(ids)
    assert events[0]["numeric_features"] == {"distance": 733.0}


def test_without_a_registry_events_stand_as_single_objects(topics):
    log_some(topics.url())
    header = b"\xc3\x01" + event_schema(PREDICTION).fingerprint
    assert [value[:10] for value in topics.values(PREDICTIONS_TOPIC)] == [header] * 20


def test_while_the_registry_is_away_events_wait_on_disk(topics, tmp_path):
    from tests.support.registry import Registry as Server  # noqa: PLC0415  needs Java, as the fixture does

    server = Server(tmp_path / "registry")
    with (
        open_log(topics.url(registry=server.url)) as log,
        quick_logger(log, heartbeat_interval_s=60) as logger,
    ):
        for _ in range(10):
            logger.log()
        assert logger.flush(20)
        assert logger.stats().spilled >= 10
        server.start()
        try:
            server.wait_until(lambda: not logger.stats().spilled, timeout_s=15)
            logger.log()
            assert logger.flush(10)
            assert logger.close(10)
        finally:
            server.stop()
    values = topics.values(PREDICTIONS_TOPIC)
    assert len(values) == 11
    assert {value[:1] for value in values} == {b"\x00"}
