"""An append that failed, and arrived all the same, is not made again."""

from __future__ import annotations

import pytest

from driftline.errors import LogError, LogFullError
from driftline.log import Record
from driftline.log.kafka.relay import Relay
from driftline.log.kafka.settings import parse_kafka_url
from driftline.log.kafka.spill import Spill
from driftline.wire import PREDICTIONS_TOPIC, SESSIONS_TOPIC


def records(count: int, topic: str = PREDICTIONS_TOPIC) -> list[Record]:
    return [Record(topic, b"session", b"%d" % number) for number in range(count)]


class FakeDelivery:
    def __init__(self, records):
        self.records = list(records)
        self.is_stalled = False
        self.error = "no answer"

    def remaining(self):
        return self.records


class FakeSender:
    """Answers each wait as it was set up to."""

    def __init__(self, answers):
        self.sent = []
        self.answers = list(answers)
        self.is_closed = False

    def send(self, records):
        self.sent.append(list(records))
        return FakeDelivery(records)

    def wait(self, _delivery, _timeout_s):
        return self.answers.pop(0)

    def close(self):
        self.is_closed = True


@pytest.fixture
def relay_of():
    def make(answers, spill):
        sender = FakeSender(answers)
        settings = parse_kafka_url(f"kafka://127.0.0.1:9?spill={spill or 'off'}", {})
        return Relay(settings, make_sender=lambda _: sender), sender

    return make


def test_an_append_that_arrives_while_another_one_is_tried_is_not_sent_again(relay_of):
    relay, sender = relay_of([False, True, True], None)
    events, heartbeat = records(3), records(1, topic=SESSIONS_TOPIC)
    with pytest.raises(LogError):
        relay.append(events)
    relay.append(heartbeat)
    relay.append(events)
    assert sender.sent == [events, heartbeat]
    relay.close()


def test_an_append_that_goes_to_disk_while_another_one_is_tried_is_not_put_there_again(
    relay_of, tmp_path, monkeypatch
):
    relay, sender = relay_of([False] * 1_000, tmp_path / "spill")
    events, heartbeat = records(3), records(1, topic=SESSIONS_TOPIC)
    with monkeypatch.context() as patched:
        patched.setattr(Spill, "put_first", _full)
        with pytest.raises(LogFullError):
            relay.append(events)
    relay.append(heartbeat)
    relay.append(events)
    assert relay.spilled() == len(events) + len(heartbeat)
    assert sender.sent == [events]
    relay.close()


def _full(*_):
    raise LogFullError("the disk is full")
