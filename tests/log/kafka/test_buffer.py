"""A partition as far as a reader knows it, fed with records by hand."""

from __future__ import annotations

import pytest

from driftline.log.kafka.cluster import Cluster
from driftline.log.kafka.member import Member
from driftline.log.kafka.settings import parse_kafka_url
from driftline.log.kafka.stretch import Stretch

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
def stretch():
    stretch = Stretch(PLACE)
    stretch.begin("cluster:topic", 5, None, 0)
    return stretch


def test_what_came_already_is_left_out(stretch):
    stretch.take(map(Fetched, [3, 4, 5, 6, 7]))
    stretch.take(map(Fetched, [6, 7, 8]))
    assert stretch.next_batch(10, 100).offsets == [5, 6, 7, 8]


def test_a_commit_lets_go_of_what_lies_before(stretch):
    stretch.take(map(Fetched, range(5, 10)))
    held = stretch.held_bytes
    stretch.move(8)
    assert stretch.next_batch(10, 100).offsets == [8, 9]
    assert stretch.held_bytes == held * 2 // 5
    stretch.move(10)
    assert (stretch.held_bytes, stretch.next_batch(10, 100)) == (0, None)


def test_a_commit_beyond_what_came_has_the_rest_passed_over(stretch):
    stretch.is_to_seek = False
    stretch.take(map(Fetched, [5, 6]))
    stretch.move(9)
    assert (stretch.reached, stretch.is_to_seek) == (9, True)


def test_lost_offsets_are_counted_in_the_batch_that_passes_them_and_once():
    stretch = Stretch(PLACE)
    stretch.begin("cluster:topic", 5, None, 20)
    stretch.take(map(Fetched, [20, 25]))
    batch = stretch.next_batch(1, 100)
    assert (batch.first_offset, batch.missing_count) == (20, 15)
    stretch.move(21)
    assert stretch.next_batch(1, 100).missing_count == 0


def test_a_batch_is_full_at_either_bound(stretch):
    stretch.take([Fetched(5, 60), Fetched(6, 60)])
    assert stretch.fills(2, 1000)
    assert stretch.fills(10, 120)
    assert not stretch.fills(10, 121)


def test_records_from_before_a_seek_are_dropped(stretch):
    member = Member(Cluster(parse_kafka_url("kafka://host", {})), "group", ["t"], lambda: 0.0)
    member.stretches[PLACE] = stretch
    member._sort([Fetched(900)])
    assert stretch.next_batch(10, 100) is None
    stretch.is_to_seek = False
    member._sort([Fetched(5)])
    assert stretch.next_batch(10, 100).offsets == [5]
