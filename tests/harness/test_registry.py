"""The schema registry as the tests run it does what its usual client asks of it, and keeps what it has."""

from __future__ import annotations

import json
import uuid
from contextlib import ExitStack

import pytest

from tests.support.process import is_listening
from tests.support.registry import Registry

clients = pytest.importorskip(
    "confluent_kafka.schema_registry", reason="needs what confluent-kafka[schemaregistry] installs"
)


@pytest.fixture
def connect():
    """Return what makes clients, which remember nothing of one another."""
    with ExitStack() as opened:
        yield lambda registry: opened.enter_context(clients.SchemaRegistryClient({"url": registry.url}))


@pytest.fixture
def client(registry, connect):
    return connect(registry)


@pytest.fixture
def subject():
    return f"{uuid.uuid4()}-value"


def record(**defaults):
    """Return a schema of numbers; one whose default is None has none."""
    described = [
        {"name": name, "type": "long"} | ({} if default is None else {"default": default})
        for name, default in defaults.items()
    ]
    return clients.Schema(json.dumps({"type": "record", "name": "Made", "fields": described}), "AVRO")


def test_a_schema_has_one_number_and_is_found_by_it(registry, connect, client, subject):
    number = client.register_schema(subject, record(a=None))
    assert connect(registry).register_schema(subject, record(a=None)) == number
    found = connect(registry).get_schema(number)
    assert json.loads(found.schema_str) == json.loads(record(a=None).schema_str)
    assert client.lookup_schema(subject, record(a=None)).schema_id == number
    assert client.get_latest_version(subject).version == 1


def test_a_schema_that_can_not_read_what_was_written_is_refused(client, subject):
    assert client.get_compatibility() == "BACKWARD"
    first = client.register_schema(subject, record(a=None))
    assert not client.test_compatibility(subject, record(a=None, b=None))
    with pytest.raises(clients.SchemaRegistryError) as refused:
        client.register_schema(subject, record(a=None, b=None))
    assert refused.value.http_status_code == 409
    assert client.test_compatibility(subject, record(a=None, b=0))
    assert client.register_schema(subject, record(a=None, b=0)) > first


def test_what_is_not_there_is_not_found(client, subject):
    for ask in (
        lambda: client.get_schema(2_000_000_000),
        lambda: client.lookup_schema(subject, record(a=None)),
        lambda: client.get_latest_version(subject),
    ):
        with pytest.raises(clients.SchemaRegistryError) as missing:
            ask()
        assert missing.value.http_status_code == 404


def test_a_killed_registry_comes_back_where_it_was_with_what_it_had(tmp_path, connect, subject):
    own = Registry(tmp_path)
    try:
        own.start()
        number = connect(own).register_schema(subject, record(a=None))
        own.kill()
        assert not is_listening(own.port)
        own.start()
        again = connect(own)
        assert again.lookup_schema(subject, record(a=None)).schema_id == number
        assert again.register_schema(subject, record(a=None, b=0)) > number
    finally:
        own.kill()
