"""A partition as far as a reader knows it, fed with records by hand."""

from __future__ import annotations

import pytest

from driftline.log.kafka.buffer import PartitionBuffer
from driftline.log.kafka.cluster import Cluster
from driftline.log.kafka.member import Member
from driftline.log.kafka.settings import parse_kafka_url

PLACE = ("t", 0)


class Fetched:
    """What librdkafka hands over: a record of one byte."""

    def __init__(self, offset: int, size: int = 1) -> None:
        self._offset, self._value = offset, b"x" * size

    def __len__(self) -> int:
        return len(self._value)

    def topic(self) -> str:
        return PLACE[0]

    def partition(self) -> int:
        return PLACE[1]

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return self._value

    def key(self) -> bytes | None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_700_000_000_000

    def headers(self) -> None:
        return None

    def error(self) -> None:
        return None


@pytest.fixture
def buffer():
    buffer = PartitionBuffer(PLACE)
    buffer.begin("cluster:topic", 5, None, 0)
    return buffer


def test_what_came_already_is_left_out(buffer):
    buffer.take(map(Fetched, [3, 4, 5, 6, 7]))
    buffer.take(map(Fetched, [6, 7, 8]))
    assert buffer.next_batch(10, 100).offsets == [5, 6, 7, 8]


def test_a_commit_lets_go_of_what_lies_before(buffer):
    buffer.take(map(Fetched, range(5, 10)))
    held = buffer.held_bytes
    buffer.move(8)
    assert buffer.next_batch(10, 100).offsets == [8, 9]
    assert buffer.held_bytes == held * 2 // 5
    buffer.move(10)
    assert (buffer.held_bytes, buffer.next_batch(10, 100)) == (0, None)


def test_a_commit_beyond_what_came_has_the_rest_passed_over(buffer):
    buffer.is_to_seek = False
    buffer.take(map(Fetched, [5, 6]))
    buffer.move(9)
    assert (buffer.reached, buffer.is_to_seek) == (9, True)


def test_lost_offsets_are_counted_in_the_batch_that_passes_them_and_once():
    buffer = PartitionBuffer(PLACE)
    buffer.begin("cluster:topic", 5, None, 20)
    buffer.take(map(Fetched, [20, 25]))
    batch = buffer.next_batch(1, 100)
    assert (batch.first_offset, batch.missing_count) == (20, 15)
    buffer.move(21)
    assert buffer.next_batch(1, 100).missing_count == 0


def test_a_batch_is_full_at_either_bound(buffer):
    buffer.take([Fetched(5, 60), Fetched(6, 60)])
    assert buffer.fills(2, 1000)
    assert buffer.fills(10, 120)
    assert not buffer.fills(10, 121)


def test_records_from_before_a_seek_are_dropped(buffer):
    member = Member(Cluster(parse_kafka_url("kafka://host", {})), "group", ["t"], lambda: 0.0)
    member.buffers[PLACE] = buffer
    member.sort([Fetched(900)])
    assert buffer.next_batch(10, 100) is None
    buffer.is_to_seek = False
    member.sort([Fetched(5)])
    assert buffer.next_batch(10, 100).offsets == [5]
