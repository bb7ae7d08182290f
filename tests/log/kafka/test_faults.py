"""Readers that are killed or stopped, brokers that go away: each range is processed by one, exactly again."""

from __future__ import annotations

import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from driftline.errors import LogError, LogMovedError
from driftline.log import Record, open_log
from tests.log.kafka.groups import GROUP, TOPIC, Stage, fetched, wait_for
from tests.support.certificates import Certificates, make_certificates
from tests.support.java.jars import JavaMissingError
from tests.support.kafka import PASSWORD, USER, Kafka
from tests.support.process import wait_until_paused

if TYPE_CHECKING:
    from driftline.log import Batch
    from driftline.log.kafka.reader import KafkaReader

CLASSIC = {"group.protocol": "classic", "session.timeout.ms": 1000, "heartbeat.interval.ms": 100}


def numbers(*bounds: int) -> list[str]:
    return [str(number) for number in range(*bounds)]


@pytest.fixture(params=[{}, CLASSIC], ids=["consumer", "classic"])
def stage(request, kafka):
    stage = Stage(kafka.bootstrap, **request.param)
    stage.make_quick()
    stage.put([b"%d" % number for number in range(20)])
    yield stage
    stage.log.close()


@pytest.fixture
def other(stage):
    """A reader in a process of its own, which has the partition."""
    other = stage.other_process()
    yield other
    other.end()


def secure_url(broker: Kafka, certificates: Certificates) -> str:
    return (
        f"kafka://{broker.sasl_bootstrap}?security.protocol=SASL_SSL&sasl.mechanism=SCRAM-SHA-256"
        f"&sasl.username={USER}&ssl.ca.location={certificates.authority}&spill=off"
    )


def allow(stage: Stage, user: str) -> None:
    """Allow a user to read the topic."""
    topic = (ResourceType.TOPIC, stage.broker_topic, ResourcePatternType.LITERAL)
    rule = AclBinding(*topic, f"User:{user}", "*", AclOperation.READ, AclPermissionType.ALLOW)
    for answer in stage.admin.create_acls([rule]).values():
        answer.result(60)


@pytest.fixture
def make_broker(tmp_path):
    brokers = []

    def make(**settings: object) -> Kafka:
        try:
            brokers.append(Kafka(tmp_path / "broker", **settings))
        except JavaMissingError as error:
            pytest.skip(str(error))
        brokers[-1].start()
        return brokers[-1]

    yield make
    for broker in brokers:
        broker.kill()


def test_the_intent_of_a_reader_that_was_killed_is_repeated_with_the_same_token(stage, other):
    token, values = other.ask("fetch")
    assert values == numbers(5)
    assert other.ask("intend") == [token, values]
    other.end()
    reader = stage.reader()
    batch = fetched(reader)
    assert (batch.token, batch.repeated) == (token, True)
    assert [value.decode() for value in batch.values] == values
    reader.commit(batch)
    assert fetched(reader).first_offset == 5


def test_a_reader_that_was_killed_before_it_intended_leaves_nothing(stage, other):
    other.ask("fetch")
    other.end()
    batch = fetched(stage.reader())
    assert (len(batch.values), batch.repeated) == (20, False)


@pytest.mark.parametrize("command", ["intend", "commit"])
def test_a_reader_that_slept_past_its_session_gets_an_error_and_doubles_nothing(stage, other, command):
    token, _ = other.ask("fetch")
    other.ask("intend")
    other.process.send_signal(signal.SIGSTOP)
    wait_until_paused(other.process.pid)
    reader = stage.reader()
    batch = fetched(reader)
    assert batch.token == token
    processed = [value.decode() for value in batch.values]
    reader.commit(batch)
    other.process.send_signal(signal.SIGCONT)
    assert other.ask(command) == ["LogMovedError"]
    assert other.ask(command) == ["LogMovedError"]
    rest = fetched(reader)
    processed += [value.decode() for value in rest.values]
    reader.commit(rest)
    assert processed == numbers(20)
    reader.close()
    stage.put([b"on"])
    wait_for(lambda: other.ask("fetch")[-1:] == [["on"]])


def test_a_reader_that_slept_is_refused_also_when_nobody_is_in_the_group_any_more(stage, other):
    """It is refused, or not answered, as a commit may be; either way nothing of it is committed."""
    other.ask("fetch")
    other.process.send_signal(signal.SIGSTOP)
    wait_until_paused(other.process.pid)
    reader = stage.reader()
    batch = fetched(reader)
    reader.commit(batch)
    reader.close()
    other.process.send_signal(signal.SIGCONT)
    assert other.ask("commit") in (["LogMovedError"], ["LogError"])
    assert dict(stage.reader().positions()) == {(TOPIC, 0): 20}


def come_and_go(stage: Stage, seed: int, processed: dict[str, Batch], is_over: threading.Event) -> None:
    """Join and leave, read, and now and then leave what was fetched or intended as it is."""
    chance = random.Random(seed)
    while not is_over.is_set():
        with closing(stage.reader()) as reader:
            turns = chance.randrange(5, 100)
            while turns > 0 and not is_over.is_set():
                turns = turns - 1 if process_some(reader, chance, processed) else 0


def process_some(reader: KafkaReader, chance: random.Random, processed: dict[str, Batch]) -> bool:
    for partition in reader.partitions(TOPIC):
        with suppress(LogMovedError):
            batch = reader.fetch(TOPIC, partition, max_records=chance.choice([7, 70, 700]))
            if batch is None or chance.random() < 0.1:
                continue
            reader.intend(batch)
            assert processed.setdefault(batch.token, batch).values == batch.values
            if chance.random() < 0.1:
                return False
            reader.commit(batch)
    return True


@pytest.mark.parametrize("options", [{}, CLASSIC], ids=["consumer", "classic"])
def test_however_readers_come_and_go_ranges_neither_overlap_nor_leave_gaps(kafka, options):
    stage = Stage(kafka.bootstrap, 3, **options)
    stage.make_quick()
    processed: dict[str, Batch] = {}
    is_over = threading.Event()
    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(come_and_go, stage, seed, processed, is_over) for seed in range(4)]
        for begin in range(0, 15_000, 500):
            for partition in range(3):
                stage.put((b"%d" % number for number in range(begin, begin + 500)), partition)
        with closing(stage.reader()) as looking:
            wait_for(lambda: sum(looking.lag().values()) == 0, 60)
        is_over.set()
        for reader in readers:
            reader.result(60)
    for partition in range(3):
        mine = sorted(
            (batch for batch in processed.values() if batch.partition == partition),
            key=lambda batch: batch.first_offset,
        )
        assert [value for batch in mine for value in batch.values] == [b"%d" % n for n in range(15_000)]
        assert not any(batch.missing_count for batch in mine)
    stage.log.close()


def test_brokers_that_know_only_the_classic_protocol_are_read(make_broker):
    broker = make_broker(settings={"group.coordinator.rebalance.protocols": "classic"})
    stage = Stage(broker.bootstrap)
    stage.put([b"a"])
    reader = stage.reader()
    assert list(reader.partitions(TOPIC)) == [0]
    assert reader.protocol == "classic"
    batch = reader.fetch(TOPIC)
    reader.intend(batch)
    reader.commit(batch)
    assert batch.values == [b"a"]
    stage.log.close()
    with (
        open_log(f"{stage.url}&group.protocol=consumer", {}) as log,
        pytest.raises(LogError, match="not supported"),
    ):
        log.reader(GROUP, [TOPIC]).partitions(TOPIC)


def test_a_broker_that_is_killed_is_reported_and_read_on_when_it_is_back(make_broker):
    broker = make_broker()
    stage = Stage(broker.bootstrap, **{"queued.max.messages.kbytes": 1})
    stage.put([b"%d" % number for number in range(10)])
    reader = stage.reader()
    first = reader.fetch(TOPIC, max_records=4)
    reader.intend(first)
    broker.kill()
    for call in (lambda: reader.commit(first), lambda: reader.intend(first), reader.lag):
        begin = time.monotonic()
        with pytest.raises(LogError) as caught:
            call()
        assert not isinstance(caught.value, LogMovedError)
        assert time.monotonic() < begin + 12
    reader.stay()
    with pytest.raises(LogError):
        stage.reader().partitions(TOPIC)
    broker.start()
    stage.put([b"10"])
    again = fetched(reader)
    assert (again.token, again.repeated) == (first.token, True)
    reader.commit(again)
    assert fetched(reader).values == [b"%d" % number for number in range(4, 11)]
    stage.log.close()


def test_a_broker_that_does_not_answer_is_reported_and_asked_again(make_broker):
    broker = make_broker()
    stage = Stage(broker.bootstrap)
    stage.put([b"a", b"b"])
    reader = stage.reader()
    batch = reader.fetch(TOPIC, max_records=1)
    broker.pause()
    begin = time.monotonic()
    with pytest.raises(LogError) as caught:
        reader.intend(batch)
    assert not isinstance(caught.value, LogMovedError)
    assert time.monotonic() < begin + 12
    broker.resume()

    def processed() -> bool:
        try:
            reader.intend(batch)
            reader.commit(batch)
        except LogMovedError:  # Its session is over: it joins anew.
            return bool(reader.partitions(TOPIC)) and False
        except LogError:
            return False
        return True

    wait_for(processed)
    assert fetched(reader).values == [b"b"]
    stage.log.close()


def held(reader: KafkaReader) -> int:
    """Return how many partitions a reader has; -1: it can't say now."""
    with suppress(LogError):
        return len(reader.partitions(TOPIC))
    return -1


def test_a_partition_changes_hands_although_the_answer_came_too_late(make_broker):
    """A coordinator says once what a member shall give up; librdkafka takes no notice of a late answer."""
    broker = make_broker()
    stage = Stage(broker.bootstrap, partitions=2)
    with closing(stage.reader()) as first, closing(stage.reader()) as second:
        wait_for(lambda: held(first) == 2)
        joining = threading.Thread(target=held, args=[second])
        joining.start()
        wait_for(lambda: stage.members() == 2)
        broker.pause()
        time.sleep(2.5)  # A heartbeat, each second, is waited for as long.
        broker.resume()
        joining.join()
        wait_for(lambda: (held(first), held(second)) == (1, 1), timeout_s=40)
        assert stage.members() == 2
    stage.log.close()


def test_over_tls_with_a_password_only_what_is_allowed_is_done(make_broker, tmp_path, caplog):
    certificates = make_certificates(tmp_path / "certificates")
    broker = make_broker(
        certificates=certificates,
        settings={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        },
    )
    stage = Stage(broker.bootstrap)
    stage.put([b"a"])
    url = secure_url(broker, certificates) + f"&topic_prefix={stage.prefix}&group_prefix={stage.prefix}"
    environ = {"DRIFTLINE_KAFKA_SASL_PASSWORD": PASSWORD}
    with open_log(url, environ) as log:
        with pytest.raises(LogError, match="may not create it"):
            log.ensure_topics(["not.there"])
        assert list(log.reader(GROUP, [TOPIC]).partitions(TOPIC)) == []
        assert "may not see" in caplog.text
        allow(stage, USER)
        for call in ("partitions", "rewind"):
            with pytest.raises(LogError, match="GROUP_AUTHORIZATION_FAILED"):
                getattr(log.reader(GROUP, [TOPIC]), call)(TOPIC, *([0] if call == "rewind" else []))
    with open_log(stage.url, {}) as log:
        assert log.reader(GROUP, [TOPIC]).fetch(TOPIC).values == [b"a"]


def test_over_tls_with_a_password_a_log_is_read_and_written(make_broker, tmp_path):
    certificates = make_certificates(tmp_path / "certificates")
    broker = make_broker(certificates=certificates)
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    url = secure_url(broker, certificates)
    with open_log(url, {"DRIFTLINE_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password")}) as log:
        log.ensure_topics([TOPIC])
        log.writer().append([Record(TOPIC, b"k", b"v")])
        reader = log.reader(GROUP, [TOPIC])
        batch = reader.fetch(TOPIC)
        reader.commit(batch)
        assert batch.values == [b"v"]
    wrong = {"DRIFTLINE_KAFKA_SASL_PASSWORD": "wrong"}
    with open_log(url, wrong) as log, pytest.raises(LogError, match="uthentication failed"):
        log.topics()
