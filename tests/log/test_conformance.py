"""What every event log does. A new backend joins by adding itself to BACKENDS."""

from __future__ import annotations

import threading
import uuid
from contextlib import closing
from dataclasses import replace

import pytest

from driftline.errors import LogError, LogMovedError
from driftline.log import Record, open_log
from driftline.testing import MemoryLog

TOPIC = "driftline.predictions"
OTHER = "driftline.outcomes"
TOPICS = [TOPIC, OTHER]


def local_url(request):
    return (request.getfixturevalue("tmp_path") / "log").as_uri()


def kafka_url(request):
    own = f"t{uuid.uuid4().hex[:12]}."
    bootstrap = request.getfixturevalue("kafka").bootstrap
    return f"kafka://{bootstrap}?topic_prefix={own}&group_prefix={own}&partitions=1&spill=off"


BACKENDS = {"local": local_url, "kafka": kafka_url}
IN_MEMORY = "memory"


@pytest.fixture(params=BACKENDS)
def url(request):
    return made(request)


def made(request):
    url = BACKENDS[request.param](request)
    with open_log(url) as log:
        log.ensure_topics(TOPICS)
    return url


@pytest.fixture(params=[*BACKENDS, IN_MEMORY])
def log(request):
    with MemoryLog() if request.param == IN_MEMORY else open_log(made(request)) as log:
        yield log


def records(*values: bytes, topic: str = TOPIC) -> list[Record]:
    return [Record(topic, b"key", value) for value in values]


def numbered(count: int, topic: str = TOPIC) -> list[Record]:
    return records(*(str(number).encode() for number in range(count)), topic=topic)


def drain(reader, topic: str = TOPIC) -> list[bytes]:
    values: list[bytes] = []
    while (batch := reader.fetch(topic, max_records=7)) is not None:
        values += batch.values
        reader.intend(batch)
        reader.commit(batch)
    return values


def test_records_come_back_as_they_were_appended_in_order(log):
    values = [b"", b"\x00\xff" * 9, b"last"]
    log.writer().append(records(*values))
    batch = log.reader("lander", [TOPIC]).fetch(TOPIC)
    assert batch.values == values
    assert (batch.topic, batch.partition, batch.first_offset, batch.last_offset) == (TOPIC, 0, 0, 2)
    assert batch.offsets == [0, 1, 2]
    assert not batch.repeated
    assert batch.missing_count == 0
    assert len(batch.timestamps_ms) == 3


def test_nothing_to_read_is_none(log):
    reader = log.reader("lander", [TOPIC])
    assert reader.fetch(TOPIC) is None
    log.writer().append(numbered(1, OTHER))
    assert reader.fetch(TOPIC) is None


def test_appending_nothing_appends_nothing(log):
    log.writer().append([])
    assert log.reader("lander", TOPICS).fetch(TOPIC) is None


def test_a_topic_may_be_ensured_again(log):
    log.writer().append(numbered(1))
    log.ensure_topics(TOPICS)
    assert TOPIC in log.topics()
    assert drain(log.reader("lander", [TOPIC])) == [b"0"]


def test_a_reader_has_partitions(log):
    log.writer().append([Record(TOPIC, b"left", b""), Record(TOPIC, b"", b"")])
    reader = log.reader("lander", [TOPIC])
    assert list(reader.partitions(TOPIC)) == [0]
    assert reader.fetch(TOPIC, 0).keys == [b"left", b""]
    assert reader.fetch(TOPIC, 1) is None


def test_one_append_may_hold_several_topics_each_in_its_own_order(log):
    mixed = [record for pair in zip(numbered(50), numbered(50, OTHER), strict=True) for record in pair]
    log.writer().append(mixed)
    assert set(log.topics()) == {TOPIC, OTHER}
    reader = log.reader("lander", TOPICS)
    assert drain(reader) == drain(reader, OTHER) == [str(number).encode() for number in range(50)]


def test_a_failed_append_is_reported_and_harms_nothing_else(log):
    writer = log.writer()
    writer.append(records(b"before"))
    with pytest.raises(LogError):
        writer.append([*records(b"with it"), Record("No Topic", b"", b"")])
    with closing(log.writer()) as another:
        another.append(records(b"after"))
    values = drain(log.reader("lander", [TOPIC]))
    assert values in ([b"before", b"after"], [b"before", b"with it", b"after"])


def test_fetching_moves_nothing(log):
    log.writer().append(numbered(5))
    reader = log.reader("lander", [TOPIC])
    assert reader.fetch(TOPIC).values == reader.fetch(TOPIC).values
    assert dict(reader.positions()) == {}


def test_committing_moves_the_position(log):
    log.writer().append(numbered(5))
    reader = log.reader("lander", [TOPIC])
    reader.commit(reader.fetch(TOPIC, max_records=2))
    assert dict(reader.positions()) == {(TOPIC, 0): 2}
    assert reader.fetch(TOPIC).values == [b"2", b"3", b"4"]


def test_an_intended_range_comes_again_exactly_until_it_is_committed(log):
    writer, reader = log.writer(), log.reader("lander", [TOPIC])
    writer.append(numbered(5))
    batch = reader.fetch(TOPIC, max_records=3)
    reader.intend(batch)
    reader.close()
    writer.append(numbered(5))
    other = log.reader("lander", [TOPIC])
    again = other.fetch(TOPIC, max_records=1, max_bytes=1)
    assert again.repeated
    assert (again.first_offset, again.last_offset, again.values) == (0, 2, batch.values)
    assert again.token == batch.token
    assert dict(other.positions()) == {(TOPIC, 0): 0}
    other.commit(again)
    following = other.fetch(TOPIC)
    assert (following.first_offset, following.repeated) == (3, False)


def test_position_and_intent_survive_reopening(url):
    with open_log(url) as log:
        log.writer().append(numbered(9))
        reader = log.reader("lander", [TOPIC])
        reader.commit(reader.fetch(TOPIC, max_records=2))
        reader.intend(reader.fetch(TOPIC, max_records=3))
    with open_log(url) as log:
        batch = log.reader("lander", [TOPIC]).fetch(TOPIC)
        assert (batch.first_offset, batch.last_offset, batch.repeated) == (2, 4, True)


def test_a_batch_keeps_to_its_bounds_but_has_one_record_at_least(log):
    log.writer().append(records(b"x" * 100, b"y" * 10, b"z" * 10))
    reader = log.reader("lander", [TOPIC])
    assert reader.fetch(TOPIC, max_bytes=1).values == [b"x" * 100]
    assert reader.fetch(TOPIC, max_bytes=115).values == [b"x" * 100, b"y" * 10]
    assert reader.fetch(TOPIC, max_bytes=120).last_offset == 2
    assert len(reader.fetch(TOPIC, max_records=2).values) == 2


def test_groups_read_apart(log):
    log.writer().append(numbered(3))
    assert len(drain(log.reader("lander", [TOPIC]))) == 3
    assert len(drain(log.reader("watcher", [TOPIC]))) == 3


def test_of_two_readers_of_a_group_one_gets_nothing_or_an_error(log):
    log.writer().append(numbered(4))
    fast, slow = log.reader("lander", [TOPIC]), log.reader("lander", [TOPIC])
    mine, theirs = fast.fetch(TOPIC, max_records=2), slow.fetch(TOPIC, max_records=3)
    theirs = replace(mine, last_offset=2) if theirs is None else theirs
    fast.intend(mine)
    with pytest.raises(LogMovedError):
        slow.intend(theirs)
    with pytest.raises(LogMovedError):
        slow.commit(theirs)
    fast.commit(mine)
    with pytest.raises(LogMovedError):
        slow.commit(theirs)
    assert dict(fast.positions()) == {(TOPIC, 0): 2}


def test_a_batch_is_committed_once(log):
    log.writer().append(numbered(4))
    reader = log.reader("lander", [TOPIC])
    batch = reader.fetch(TOPIC, max_records=2)
    reader.commit(batch)
    for act in (reader.intend, reader.commit):
        with pytest.raises(LogMovedError):
            act(batch)
    assert reader.fetch(TOPIC).first_offset == 2


def test_another_range_than_the_intended_one_is_refused(log):
    log.writer().append(numbered(4))
    reader = log.reader("lander", [TOPIC])
    short, long = reader.fetch(TOPIC, max_records=2), reader.fetch(TOPIC)
    reader.intend(long)
    for act in (reader.intend, reader.commit):
        with pytest.raises(LogMovedError):
            act(short)
    reader.intend(long)
    reader.commit(long)
    assert reader.fetch(TOPIC) is None


def test_a_batch_of_another_log_is_refused(log):
    log.writer().append(numbered(4))
    reader = log.reader("lander", [TOPIC])
    with pytest.raises(LogMovedError):
        reader.commit(replace(reader.fetch(TOPIC), source="elsewhere"))
    assert len(drain(reader)) == 4


def test_after_staying_a_reader_goes_on(log):
    writer, reader = log.writer(), log.reader("lander", [TOPIC])
    reader.stay()
    writer.append(numbered(2))
    reader.commit(reader.fetch(TOPIC, max_records=1))
    for _ in range(3):
        reader.stay()
    writer.append(records(b"later"))
    assert reader.fetch(TOPIC).values == [b"1", b"later"]


def test_lag_counts_what_is_to_come_in_every_topic(log):
    log.writer().append([*numbered(5), *numbered(3, OTHER)])
    reader = log.reader("lander", TOPICS)
    assert dict(reader.lag()) == {TOPIC: 5, OTHER: 3}
    reader.commit(reader.fetch(TOPIC, max_records=4))
    assert dict(reader.lag()) == {TOPIC: 1, OTHER: 3}


def test_rewinding_reads_again_and_forgets_the_intent(log):
    log.writer().append(numbered(5))
    reader = log.reader("lander", [TOPIC])
    reader.commit(reader.fetch(TOPIC, max_records=3))
    reader.intend(reader.fetch(TOPIC))
    reader.rewind(TOPIC, 1)
    batch = reader.fetch(TOPIC)
    assert (batch.first_offset, batch.repeated, len(batch.values)) == (1, False, 4)


def test_a_group_without_readers_can_be_rewound(log):
    log.writer().append(numbered(5))
    log.reader("lander", [TOPIC]).rewind(TOPIC, 3)
    reader = log.reader("lander", [TOPIC])
    assert dict(reader.positions()) == {(TOPIC, 0): 3}
    assert reader.fetch(TOPIC).values == [b"3", b"4"]


def test_several_threads_share_a_writer(log):
    writer = log.writer()

    def append(thread: int) -> None:
        for number in range(50):
            writer.append([Record(TOPIC, b"%d" % thread, b"%d" % number)] * 2)

    threads = [threading.Thread(target=append, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batch = log.reader("lander", [TOPIC]).fetch(TOPIC)
    assert batch.offsets == list(range(400))
    assert sorted(batch.values) == sorted(b"%d" % number for number in range(50) for _ in range(8))


def test_closing_twice_is_allowed(url):
    log = open_log(url)
    with closing(log.writer()) as writer:
        writer.append(numbered(1))
        writer.close()
    log.close()
    log.close()
    assert TOPIC in log.topics()
    log.close()


def test_a_scan_gives_everything_and_then_what_came_since_whatever_groups_have_read(log):
    writer = log.writer()
    writer.append(numbered(3))
    reader = log.reader("lander", [TOPIC])
    drain(reader)
    scan = log.scan(TOPIC)
    (batch,) = scan.read()
    assert (batch.values, batch.offsets, batch.keys) == ([b"0", b"1", b"2"], [0, 1, 2], [b"key"] * 3)
    assert len(batch.timestamps_ms) == 3
    assert scan.read() == []
    writer.append(records(b"new"))
    assert [batch.values for batch in scan.read()] == [[b"new"]]
    assert [value for batch in log.scan(TOPIC).read() for value in batch.values] == [b"0", b"1", b"2", b"new"]
    assert drain(reader) == [b"new"]


def test_a_scan_of_a_topic_that_is_not_there_finds_nothing_until_it_is(log):
    scan = log.scan("driftline.later")
    assert scan.read() == []
    log.ensure_topics(["driftline.later"])
    log.writer().append(records(b"now", topic="driftline.later"))
    assert [batch.values for batch in scan.read()] == [[b"now"]]
    scan.close()
    scan.close()
