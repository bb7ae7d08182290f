"""A member of a group, whose coordinator is not always ready."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from driftline.log.kafka import member as member_module
from tests.log.kafka.groups import Stage, fetched


class Unsettled:
    """A consumer whose coordinator has just started: it refuses a request of each kind first."""

    def __init__(self, consumer):
        self._consumer = consumer
        self.refusals = {"committed": KafkaError.NOT_COORDINATOR, "commit": KafkaError.NOT_COORDINATOR}

    def __getattr__(self, name):
        if code := self.refusals.pop(name, None):
            return lambda *_, **__: self._refuse(code)
        return getattr(self._consumer, name)

    @staticmethod
    def _refuse(code):
        raise KafkaException(KafkaError(code))


def test_a_coordinator_that_has_just_started_is_asked_again(kafka, monkeypatch):
    made = member_module.make_consumer
    consumers = []

    def make_consumer(config):
        consumers.append(Unsettled(made(config)))
        return consumers[-1]

    monkeypatch.setattr(member_module, "make_consumer", make_consumer)
    stage = Stage(kafka.bootstrap)
    stage.put([b"a", b"b"])
    reader = stage.reader()
    batch = fetched(reader)
    assert batch.values == [b"a", b"b"]
    reader.intend(batch)
    reader.commit(batch)
    assert [consumer.refusals for consumer in consumers] == [{}]
    stage.log.close()
