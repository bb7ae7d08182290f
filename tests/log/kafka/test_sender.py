"""What librdkafka has taken is delivered once; what is refused is reported, and blocks nothing."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException

from driftline.errors import LogError
from driftline.log import Record
from driftline.log.kafka import clients
from driftline.log.kafka.delivery import Delivery
from driftline.log.kafka.sender import MAY_REPEAT_HEADER, Sender
from driftline.wire import MAX_EVENT_BYTES, PREDICTIONS_TOPIC, SESSION, SESSIONS_TOPIC, encode_record
from driftline.wire.schemas import PREDICTION, event_schema
from tests.log.kafka.topics import Topics

EVENTS, HEARTBEATS = PREDICTIONS_TOPIC, SESSIONS_TOPIC


def an_event(number: int, key: bytes = b"session") -> Record:
    return Record(EVENTS, key, b"%d" % number)


def a_heartbeat(number: int) -> Record:
    return Record(HEARTBEATS, b"session", b"%d" % number)


@pytest.fixture
def topics(kafka, tmp_path):
    return Topics(kafka, tmp_path / "spill", [EVENTS, HEARTBEATS])


@pytest.fixture
def sender(topics):
    sender = Sender(topics.settings())
    yield sender
    sender.close()


def deliver(sender: Sender, delivery: Delivery, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not sender.wait(delivery, 0.5):
        assert time.monotonic() < end, delivery.error
        if delivery.is_stalled:
            time.sleep(0.05)
            sender.retry(delivery)


def test_the_records_of_a_key_stand_in_order_in_one_partition(topics, sender):
    keys = [b"a", b"b", b"c", b"d"]
    deliver(sender, sender.send([an_event(number, keys[number % 4]) for number in range(2_000)]))
    seen = topics.read(EVENTS)
    assert len(seen) == 2_000
    for place, key in enumerate(keys):
        mine = [one for one in seen if one.key == key]
        assert len({one.partition for one in mine}) == 1
        assert [int(one.value) for one in mine] == list(range(place, 2_000, 4))
        assert not any(one.headers for one in mine)


def test_a_record_that_may_repeat_says_so(topics, sender):
    deliver(sender, sender.send([an_event(0), an_event(1)._replace(may_repeat=True)]))
    assert [one.headers for one in topics.read(EVENTS)] == [[], [(MAY_REPEAT_HEADER, b"1")]]


def test_an_event_of_the_largest_size_is_taken(topics, sender):
    largest = Record(EVENTS, b"k" * 36, os.urandom(MAX_EVENT_BYTES + 10), may_repeat=True)
    deliver(sender, sender.send([largest]))
    assert topics.values(EVENTS) == [largest.value]


def test_a_heartbeat_waits_until_the_events_before_it_are_delivered():
    records = [an_event(0), an_event(1), a_heartbeat(1), a_heartbeat(2), an_event(3), a_heartbeat(3)]
    delivery = Delivery(records)
    stages = []
    while stage := delivery.stage(1 << 20):
        stages.append(list(stage))
        delivery.sent(stage)
        assert not delivery.is_done
        delivery.delivered()
    assert stages == [[0, 1], [2, 3, 4], [5]]
    assert delivery.is_done
    assert delivery.remaining() == []


def test_what_is_on_its_way_may_repeat_and_what_waits_does_not():
    delivery = Delivery([an_event(number) for number in range(4)])
    delivery.sent([0])
    delivery.delivered()
    delivery.sent([1, 2])
    delivery.failed(1, "no such topic", may_be_there=False)
    assert [(record.value, record.may_repeat) for record in delivery.remaining()] == [
        (b"1", False),
        (b"2", True),
        (b"3", False),
    ]
    delivery.failed(2, "who knows", may_be_there=True)
    assert list(delivery.stage(1 << 20)) == [1, 2, 3]
    assert [record.may_repeat for record in delivery.remaining()] == [False, True, False]


def test_what_no_broker_takes_for_its_size_is_given_up_and_reported_and_the_rest_arrives(
    kafka, tmp_path, caplog
):
    topics = Topics(kafka, tmp_path, [EVENTS], {"max.message.bytes": "20000"})
    sender = Sender(topics.settings())
    records = [Record(EVENTS, b"k", b"%03d" % i + os.urandom(60_000 if i == 7 else 300)) for i in range(300)]
    with caplog.at_level(logging.ERROR, logger="driftline.log.kafka"):
        deliver(sender, sender.send([*records, Record(EVENTS, b"k", os.urandom(1_100_000))]))
    assert sorted(topics.values(EVENTS)) == [record.value for record in records if record is not records[7]]
    assert sender.given_up == 2
    assert caplog.text.count("is lost") == 2
    assert "60003 bytes" in caplog.text
    sender.close()


def test_a_topic_that_is_not_there_is_waited_for_and_only_its_records_are_sent_again(topics):
    sender = Sender(topics.settings(**{"topic.metadata.propagation.max.ms": 300}))
    delivery = sender.send([an_event(0), Record("late", b"k", b"1"), Record(HEARTBEATS, b"k", b"2")])
    end = time.monotonic() + 15
    while not delivery.is_stalled:
        assert not sender.wait(delivery, 0.5)
        assert time.monotonic() < end
    assert "late" in delivery.error
    assert [record.value for record in delivery.remaining()] == [b"1", b"2"]
    assert not any(record.may_repeat for record in delivery.remaining())
    topics.make("late")
    deliver(sender, delivery)
    assert [topics.values(topic) for topic in (EVENTS, "late", HEARTBEATS)] == [[b"0"], [b"1"], [b"2"]]
    sender.close()


class DyingProducer:
    """Fails for good with what it has taken."""

    def __init__(self) -> None:
        self.taken = []
        self.is_purged = False

    def __len__(self):
        return len(self.taken)

    def produce(self, topic, value, key, _partition, report):
        if len(self.taken) == 2:
            raise KafkaException(KafkaError(KafkaError._FATAL, "out of order", fatal=True))
        message = SimpleNamespace(topic=lambda: topic, value=lambda: value, key=lambda: key)
        self.taken.append((report, message))

    def poll(self, _timeout_s):
        for report, message in self.taken:
            report(KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "out of order", fatal=True), message)
        self.taken.clear()

    def purge(self, **_options):
        self.is_purged = True


def test_after_a_failure_for_good_another_producer_sends_what_may_be_there_already(topics, monkeypatch):
    sender, dying = Sender(topics.settings()), DyingProducer()
    with monkeypatch.context() as patched:
        patched.setattr(clients, "make_producer", lambda _config: dying)
        delivery = sender.send([an_event(number) for number in range(3)])
    assert not sender.wait(delivery, 1)
    assert delivery.is_stalled
    deliver(sender, delivery)
    assert dying.is_purged
    assert [(one.value, bool(one.headers)) for one in topics.read(EVENTS)] == [
        (b"0", True),
        (b"1", True),
        (b"2", False),
    ]
    sender.close()


def test_with_a_registry_events_get_its_header_and_other_bytes_stay(topics):
    asked = []
    registry = SimpleNamespace(schema_id=lambda name: asked.append(name) or 258)
    sender = Sender(topics.settings(), registry)
    header = b"\xc3\x01" + event_schema(PREDICTION).fingerprint
    foreign = b"\xc3\x01" + bytes(8) + b"datum"
    values = [header + b"one", header + b"two", foreign, b"\x00\x00\x00\x00\x07datum"]
    deliver(sender, sender.send([Record(EVENTS, b"k", value) for value in values]))
    assert topics.values(EVENTS) == [b"\x00\x00\x00\x01\x02one", b"\x00\x00\x00\x01\x02two", *values[2:]]
    assert asked == [PREDICTION]
    sender.close()


def test_a_registry_that_is_away_stalls_and_nothing_is_sent(topics):
    def away(name):
        raise LogError(f"no {name} today")

    registry = SimpleNamespace(schema_id=away)
    sender = Sender(topics.settings(), registry)
    event = encode_record(
        SESSION,
        {"session_id": "s", "beat_time": 0, "model_name": "m", "model_version": "1", "environment": "e"}
        | {"last_sequence": 0, "last_outcome_sequence": 0, "dropped": {}, "abandoned": {}, "final": False}
        | {"host": "h", "process_id": 1, "client": "c"},
    )
    delivery = sender.send([Record(HEARTBEATS, b"k", event)])
    assert delivery.is_stalled
    assert delivery.error == "no SessionBeat today"
    assert delivery.remaining() == [Record(HEARTBEATS, b"k", event)]
    registry.schema_id = lambda _: 1
    deliver(sender, delivery)
    assert topics.values(HEARTBEATS) == [b"\x00\x00\x00\x00\x01" + event[10:]]
    sender.close()


FORKING = """
import os, signal, sys
from driftline.log import Record
from driftline.log.kafka.sender import Sender
from driftline.log.kafka.settings import parse_kafka_url
sender = Sender(parse_kafka_url(sys.argv[1], {}))
first = [Record("driftline.predictions", b"k", b"parent")] * 100
assert sender.wait(sender.send(first), 20)
under_way = sender.send(first)
producer = sender._producer
references = sys.getrefcount(producer)
if (pid := os.fork()) == 0:
    signal.alarm(20)  # A child that hangs ends with a signal.
    assert sender._producer is None
    assert sys.getrefcount(producer) == references  # One that nobody holds: it is never destroyed here.
    assert sender.wait(sender.send([Record("driftline.predictions", b"k", b"child")]), 20)
    sys.exit()
assert sender.wait(under_way, 20)
assert os.waitpid(pid, 0)[1] == 0
assert sender.wait(sender.send(first), 20)
"""


def test_a_forked_child_ends_without_touching_its_parents_producer(topics):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", FORKING, topics.url()], env=environment, check=True, timeout=60)
    assert time.monotonic() - began < 30
    assert sorted(topics.values(EVENTS)) == [b"child"] + [b"parent"] * 300
