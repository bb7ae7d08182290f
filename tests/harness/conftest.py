from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


class Topic:
    """A topic of one test's own, with one partition, written and read as a client does."""

    def __init__(self, bootstrap, **settings):
        self.settings = {"bootstrap.servers": bootstrap, "log_level": 0, **settings}
        self.name = f"topic-{uuid.uuid4()}"
        admin = AdminClient(self.settings)
        admin.create_topics([NewTopic(self.name, 1)], operation_timeout=60)[self.name].result(60)

    def put(self, *values, timeout_s=20.0):
        """Write values; return the errors of those that did not get there."""
        errors = []
        wait = {"acks": "all", "message.timeout.ms": int(timeout_s * 1000)}
        producer = Producer({**self.settings, **wait})
        for value in values:
            producer.produce(self.name, value, on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(timeout_s + 5) == 0
        return [error for error in errors if error]

    def values(self, count, timeout_s=20.0):
        """Return the first values."""
        consumer = Consumer({**self.settings, "group.id": "none", "enable.auto.commit": False})
        try:
            consumer.assign([TopicPartition(self.name, 0, 0)])
            return [message.value() for message in consumer.consume(count, timeout_s)]
        finally:
            consumer.close()


@pytest.fixture(scope="session")
def make_topic():
    return Topic
