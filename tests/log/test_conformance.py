"""What every event log does. A new backend joins by adding itself to BACKENDS."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from driftline.errors import LogError
from driftline.log import Record, open_log

TOPIC = "driftline.predictions"
OTHER = "driftline.outcomes"
BACKENDS = {"local": lambda folder: (folder / "log").as_uri()}


@pytest.fixture(params=BACKENDS)
def url(request, tmp_path):
    return BACKENDS[request.param](tmp_path)


@pytest.fixture
def log(url):
    with open_log(url) as log:
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
    assert list(log.topics()) == []


def test_one_append_may_hold_several_topics_each_in_its_own_order(log):
    mixed = [record for pair in zip(numbered(50), numbered(50, OTHER), strict=True) for record in pair]
    log.writer().append(mixed)
    assert set(log.topics()) == {TOPIC, OTHER}
    reader = log.reader("lander", [TOPIC])
    assert drain(reader) == drain(reader, OTHER) == [str(number).encode() for number in range(50)]


def test_an_append_is_all_or_nothing(log):
    writer = log.writer()
    writer.append(numbered(1))
    with pytest.raises(LogError):
        writer.append([*numbered(3), Record("No Topic", b"", b"")])
    assert drain(log.reader("lander", [TOPIC])) == [b"0"]


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
    writer.append(numbered(5))
    again = log.reader("lander", [TOPIC]).fetch(TOPIC, max_records=1, max_bytes=1)
    assert again.repeated
    assert (again.first_offset, again.last_offset, again.values) == (0, 2, batch.values)
    assert again.token == batch.token
    assert dict(reader.positions()) == {(TOPIC, 0): 0}
    reader.commit(again)
    following = reader.fetch(TOPIC)
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


def test_of_two_readers_of_a_group_the_slower_one_is_told(log):
    log.writer().append(numbered(4))
    fast, slow = log.reader("lander", [TOPIC]), log.reader("lander")
    mine, theirs = fast.fetch(TOPIC, max_records=2), slow.fetch(TOPIC, max_records=3)
    fast.intend(mine)
    with pytest.raises(LogError):
        slow.intend(theirs)
    with pytest.raises(LogError):
        slow.commit(theirs)
    fast.commit(mine)
    with pytest.raises(LogError):
        slow.commit(theirs)
    assert dict(fast.positions()) == {(TOPIC, 0): 2}


def test_lag_counts_what_is_to_come_in_every_topic(log):
    log.writer().append([*numbered(5), *numbered(3, OTHER)])
    reader = log.reader("lander", [TOPIC])
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
    assert list(log.topics()) == [TOPIC]
    log.close()
