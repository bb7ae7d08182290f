"""Ids are UUIDs of version 7, as RFC 9562 lays them out."""

from __future__ import annotations

from random import Random
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from driftline.wire import new_id
from driftline.wire.arrays import dashed
from driftline.wire.identifiers import Ids

times_ms = st.integers(0, 2**48 - 1)
seeds = st.integers(0, 2**32)


@given(st.lists(times_ms, min_size=1, max_size=4), seeds, st.integers(0, 3000))
def test_an_id_is_a_canonical_uuid_of_version_7_with_its_time_in_front(times, seed, count):
    ids = Ids(Random(seed).getrandbits)
    reported = [(time_ms, ids.new(time_ms)) for time_ms in times for _ in range(300)]
    reported += [(times[0], text) for text in ids.several(times[0], count)]
    reported += [(times[0], text.decode()) for text in dashed(*ids.digits(times[0], count))]
    assert len({text for _, text in reported}) == 300 * len(times) + 2 * count
    for time_ms, text in reported:
        uuid = UUID(text)
        assert str(uuid) == text
        assert uuid.version == 7
        assert uuid.variant == RFC_4122
        assert uuid.int >> 80 == time_ms


@given(st.binary(min_size=10, max_size=10))
def test_all_other_bits_are_random(drawn):
    bits = int.from_bytes(drawn)
    fixed = 0xF000_C000_0000_0000_0000
    assert UUID(Ids(lambda _: bits).several(0, 1)[0]).int & ~fixed == bits & ~fixed


def test_later_ids_sort_behind_earlier_ones():
    ids = Ids(Random(1).getrandbits)
    assert max(ids.new(1_700_000_000_000) for _ in range(100)) < ids.new(1_700_000_000_001)


def test_random_bits_are_drawn_for_many_ids_at_once():
    drawn = []
    ids = Ids(lambda count: drawn.append(count) or 0)
    for _ in range(500):
        ids.new(0)
    assert len(drawn) == 2


def test_clock_and_random_source_are_the_callers():
    assert new_id(lambda: 1.5, lambda _: 5) == "00000000-05dc-7000-8000-000000000005"
