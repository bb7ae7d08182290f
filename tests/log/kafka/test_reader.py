"""What only a cluster's reader meets: partitions, retention, transactions, topics created anew."""

from __future__ import annotations

import logging
import time

import pytest

from driftline.errors import LogError, LogMovedError
from driftline.log import open_log
from driftline.log.kafka import reader as reader_module
from driftline.log.kafka.cluster import Cluster
from driftline.log.kafka.note import Note
from tests.log.kafka.groups import GROUP, TOPIC, Stage, fetched, wait_for

CLASSIC = {"group.protocol": "classic", "session.timeout.ms": 1000, "heartbeat.interval.ms": 100}


@pytest.fixture
def make(kafka):
    stages = []

    def make(partitions: int = 1, **options: object) -> Stage:
        stages.append(Stage(kafka.bootstrap, partitions, **options))
        return stages[-1]

    yield make
    for stage in stages:
        stage.log.close()


@pytest.fixture
def stage(make):
    return make()


def numbers(*bounds: int) -> list[bytes]:
    return [b"%d" % number for number in range(*bounds)]


def process(reader, partition: int = 0, **bounds: int) -> list[bytes]:
    batch = reader.fetch(TOPIC, partition, **bounds)
    if batch is None:
        return []
    reader.intend(batch)
    reader.commit(batch)
    return batch.values


def process_own(reader) -> list[bytes]:
    return [
        value for partition in reader.partitions(TOPIC) for value in process(reader, partition, max_records=7)
    ]


def test_records_that_may_repeat_are_reported(stage):
    stage.put([b"a"])
    stage.put([b"b"], headers=[("trace", b"1"), ("driftline-may-repeat", b"1")])
    stage.put([b"c"], headers=[("trace", b"1")])
    assert stage.reader().fetch(TOPIC).may_repeat == {1}


def test_records_of_other_producers_may_have_no_key_and_no_value(stage):
    stage.put([None])
    batch = stage.reader().fetch(TOPIC)
    assert (batch.values, batch.keys) == ([b""], [b"key"])


@pytest.mark.parametrize("options", [{}, CLASSIC], ids=["consumer", "classic"])
def test_readers_share_the_partitions_and_each_record_goes_to_one(make, options):
    stage = make(4, **options)
    stage.make_quick()
    for partition in range(4):
        stage.put(numbers(partition * 100, partition * 100 + 100), partition)
    one, other = stage.reader(), stage.reader()
    assert len(one.partitions(TOPIC)) == 4
    assert one.protocol == options.get("group.protocol", "consumer")
    read = {one: process_own(one), other: []}

    def shared() -> bool:
        for reader in read:
            read[reader] += process_own(reader)
        return [len(reader.partitions(TOPIC)) for reader in read] == [2, 2]

    wait_for(shared)
    assert set(one.partitions(TOPIC)).isdisjoint(other.partitions(TOPIC))
    wait_for(lambda: shared() and sum(map(len, read.values())) >= 400)
    assert read[other]
    assert sorted(read[one] + read[other]) == sorted(numbers(400))
    one.close()
    wait_for(lambda: len(other.partitions(TOPIC)) == 4)
    assert not process_own(other)


def test_lag_and_positions_are_those_of_a_readers_own_partitions_once_it_has_joined(make):
    stage = make(2)
    stage.make_quick()
    for partition, count in enumerate((10, 5)):
        stage.put(numbers(count), partition)
    one, other = stage.reader(), stage.reader()
    assert one.lag() == {TOPIC: 15}
    process(one, 0, max_records=4)
    assert one.lag() == {TOPIC: 11}
    assert one.positions() == {(TOPIC, 0): 4}

    def shared() -> bool:
        return [len(reader.partitions(TOPIC)) for reader in (one, other)] == [1, 1]

    wait_for(shared)
    assert {one.lag()[TOPIC], other.lag()[TOPIC]} == {6, 5}
    assert other.positions() == {(TOPIC, 0): 4}


def test_lag_grows_while_a_reader_stays(stage):
    now_s = [0.0]
    reader = reader_module.KafkaReader(Cluster(stage.log.settings), GROUP, [TOPIC], clock=lambda: now_s[0])
    stage.put(numbers(3))
    process(reader)
    for count in (2, 3):
        reader.stay()
        stage.put(numbers(count))
        now_s[0] += 1.5
    assert reader.lag() == {TOPIC: 5}
    stage.put(numbers(4))
    assert reader.lag() == {TOPIC: 5}  # As the brokers reported less than a second ago.
    now_s[0] += 1.5
    assert reader.lag() == {TOPIC: 9}
    reader.close()


def test_staying_takes_in_nothing(stage):
    reader = stage.reader()
    assert list(reader.partitions(TOPIC)) == [0]
    assert reader.fetch(TOPIC) is None
    reader.stay()
    stage.put(numbers(1000))
    for _ in range(15):
        reader.stay()
        time.sleep(0.1)
    assert reader.held_bytes == 0
    assert len(reader.fetch(TOPIC).values) == 1000


def test_after_staying_records_come_at_once(stage):
    reader = stage.reader()
    reader.partitions(TOPIC)
    took_s = []
    for _ in range(4):
        assert reader.fetch(TOPIC) is None
        reader.stay()
        time.sleep(0.3)  # By now librdkafka waits for something to do: for a second, unless it is woken.
        stage.put([b"a"])
        begin = time.monotonic()
        assert process(reader) == [b"a"]
        took_s.append(time.monotonic() - begin)
    assert min(took_s) < 0.4


def test_staying_keeps_the_partitions(make):
    stage = make(**{"max.poll.interval.ms": 1500})
    stage.make_quick()
    stage.put(numbers(3))
    reader = stage.reader()
    batch = reader.fetch(TOPIC)
    reader.intend(batch)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        reader.stay()
        time.sleep(0.2)
    reader.intend(batch)
    time.sleep(3)
    with pytest.raises(LogMovedError):
        reader.commit(batch)


def test_what_waits_is_bounded_and_nothing_is_left_out(make, monkeypatch):
    monkeypatch.setattr(reader_module, "BUFFER_BYTES", 1 << 20)
    stage = make(2, **{"queued.max.messages.kbytes": 1024, "max.partition.fetch.bytes": 65536})
    for partition in range(2):
        stage.put([b"%d" % number + b"x" * 1000 for number in range(15_000)], partition)
    reader = stage.reader()
    reader.partitions(TOPIC)
    sizes, counts = [], [0, 0]
    for partition in (1, 0):
        while values := process(reader, partition, max_records=500):
            assert [int(value.rstrip(b"x")) for value in values] == list(
                range(counts[partition], counts[partition] + len(values))
            )
            counts[partition] += len(values)
            sizes.append(reader.held_bytes)
    assert counts == [15_000, 15_000]
    # Each its share, and what one look at librdkafka's queue brings beyond it.
    assert max(sizes) < 6 << 20


def test_records_that_retention_deleted_are_counted_as_missing(stage):
    stage.put(numbers(10))
    reader = stage.reader()
    assert process(reader, max_records=4) == numbers(4)
    reader.close()
    stage.delete_before(7)
    batch = stage.reader().fetch(TOPIC)
    assert (batch.values, batch.first_offset, batch.missing_count) == (numbers(7, 10), 7, 3)


def test_records_that_retention_deleted_while_they_were_to_be_read_are_counted_as_missing(stage):
    stage.put(numbers(10))
    reader = stage.reader()
    assert process(reader) == numbers(10)
    reader.stay()
    stage.put(numbers(10, 20))
    stage.delete_before(15)
    batch = reader.fetch(TOPIC)
    assert (batch.values, batch.first_offset, batch.missing_count) == (numbers(15, 20), 15, 5)
    reader.commit(batch)
    stage.put([b"on"])
    assert (reader.fetch(TOPIC).values, reader.fetch(TOPIC).missing_count) == ([b"on"], 0)


def test_what_was_gone_before_a_group_began_is_not_missing(stage):
    stage.put(numbers(10))
    stage.delete_before(6)
    batch = stage.reader().fetch(TOPIC)
    assert (batch.first_offset, batch.missing_count) == (6, 0)


@pytest.mark.parametrize(("start", "left"), [(5, numbers(5, 8)), (8, []), (10, [])])
def test_what_retention_left_of_an_intended_range_comes_again(stage, start, left):
    stage.put(numbers(10))
    reader = stage.reader()
    process(reader, max_records=3)
    intended = reader.fetch(TOPIC, max_records=5)
    reader.intend(intended)
    reader.close()
    stage.delete_before(start)
    reader = stage.reader()
    begin = time.monotonic()
    batch = reader.fetch(TOPIC)
    assert time.monotonic() < begin + 5
    assert (batch.repeated, batch.token, batch.values) == (True, intended.token, left)
    assert batch.missing_count == 5 - len(left)
    reader.commit(batch)
    stage.put([b"on"])
    following = reader.fetch(TOPIC)
    assert following.values == [*numbers(max(8, start), 10), b"on"]
    assert following.missing_count == max(0, start - 8)


def test_marks_of_transactions_are_not_missing_records(stage):
    reader = stage.reader()
    stage.put(numbers(2))
    stage.transaction([b"in one"]).commit_transaction(10)
    stage.transaction([b"undone"]).abort_transaction(10)
    batch = reader.fetch(TOPIC)
    assert (batch.values, batch.missing_count) == ([*numbers(2), b"in one"], 0)
    reader.intend(batch)
    assert reader.fetch(TOPIC).token == batch.token
    reader.commit(batch)
    assert reader.fetch(TOPIC) is None
    stage.put([b"on"])
    batch = reader.fetch(TOPIC)
    assert (batch.values, batch.first_offset, batch.missing_count) == ([b"on"], 6, 0)


def test_records_of_an_open_transaction_are_not_there_yet(stage):
    reader = stage.reader()
    stage.put(numbers(2))
    transaction = stage.transaction([b"in one"])
    stage.put([b"behind"])
    assert process(reader) == numbers(2)
    begin = time.monotonic()
    assert reader.fetch(TOPIC) is None
    assert time.monotonic() < begin + 1
    transaction.commit_transaction(10)
    read: list[bytes] = []
    wait_for(lambda: read.extend(process(reader)) or read == [b"in one", b"behind"])


def test_a_topic_created_anew_is_read_from_its_beginning_and_has_another_source(stage):
    stage.put(numbers(5))
    reader = stage.reader()
    earlier = reader.fetch(TOPIC)
    reader.commit(earlier)
    reader.close()
    stage.admin.delete_topics([stage.broker_topic])[stage.broker_topic].result(60)
    wait_for(lambda: TOPIC not in stage.log.topics())
    stage.log.ensure_topics([TOPIC])
    stage.put(numbers(8))
    batch = stage.reader().fetch(TOPIC)
    assert batch.values == numbers(8)
    assert batch.source != earlier.source


def test_a_position_in_a_topic_that_was_created_anew_is_reported_and_not_used(stage, caplog):
    stage.put(numbers(8))
    stage.reader()._offsets.set_position((TOPIC, 0), 3, str(Note("another-topic", (3, 4))))
    batch = stage.reader().fetch(TOPIC)
    assert (batch.values, batch.repeated) == (numbers(8), False)
    assert "created anew" in caplog.text


def test_a_position_behind_the_end_is_reported_until_it_is_set(stage):
    stage.put(numbers(8))
    stage.reader().rewind(TOPIC, 9)
    reader = stage.reader()
    for _ in range(2):
        with pytest.raises(LogError, match="is at 9, but the log ends at 8"):
            reader.fetch(TOPIC)
    reader.rewind(TOPIC, 6)
    assert process(reader) == numbers(6, 8)


def test_an_offset_that_another_tool_set_is_respected(stage):
    stage.put(numbers(8))
    stage.reader()._offsets.set_position((TOPIC, 0), 5, "moved by hand")
    assert stage.reader().fetch(TOPIC).values == numbers(5, 8)


def test_the_note_of_a_newer_driftline_is_not_overlooked(stage):
    stage.put(numbers(8))
    stage.reader()._offsets.set_position((TOPIC, 0), 5, "driftline:2:whatever")
    with pytest.raises(LogError, match="newer driftline"):
        stage.reader().fetch(TOPIC)


def test_a_group_with_readers_is_not_rewound_from_outside(stage):
    stage.put(numbers(8))
    reader = stage.reader()
    process(reader, max_records=2)
    with pytest.raises(LogError, match="readers"):
        stage.reader().rewind(TOPIC, 0)
    assert process(reader, max_records=2) == numbers(2, 4)


def test_a_batch_from_before_another_reader_went_on_is_refused(stage):
    stage.put(numbers(8))
    reader, other = stage.reader(), stage.reader()
    batch = reader.fetch(TOPIC, max_records=5)
    reader.close()
    process(other, max_records=2)
    other.close()
    with pytest.raises(LogMovedError):
        reader.intend(batch)
    assert list(reader.partitions(TOPIC)) == [0]
    for act in (reader.intend, reader.commit):
        with pytest.raises(LogMovedError):
            act(batch)
    assert process(reader) == numbers(2, 8)


def test_a_topic_that_comes_later_is_read(kafka):
    stage = Stage(kafka.bootstrap)
    with open_log(stage.url, {}) as log:
        reader = log.reader(GROUP, ["later"])
        assert list(reader.partitions("later")) == []
        assert reader.fetch("later") is None
        log.ensure_topics(["later"])
        wait_for(lambda: 0 in reader.partitions("later"))
    stage.log.close()


def test_a_static_member_goes_on_where_it_was_and_another_one_of_its_name_is_refused(make, caplog):
    caplog.set_level(logging.CRITICAL)
    stage = make(group_instance_id="one")
    stage.put(numbers(8))
    reader = stage.reader()
    assert process(reader, max_records=2) == numbers(2)
    with pytest.raises(LogError):
        wait_for(lambda: stage.reader().partitions(TOPIC), 10)
    reader.close()
    again = stage.reader()
    begin = time.monotonic()
    assert fetched(again).values == numbers(2, 8)
    assert time.monotonic() < begin + 5
