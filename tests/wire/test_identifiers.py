"""Ids are UUIDs of version 7, as RFC 9562 lays them out."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from driftline.wire import RANDOM_BITS, new_id, uuid7

times_ms = st.integers(0, 2**48 - 1)
bits = st.integers(0, 2**RANDOM_BITS - 1)


@given(times_ms, bits)
def test_an_id_is_a_canonical_uuid_of_version_7_with_its_time_in_front(time_ms, random_bits):
    text = uuid7(time_ms, random_bits)
    uuid = UUID(text)
    assert str(uuid) == text
    assert uuid.version == 7
    assert uuid.variant == RFC_4122
    assert uuid.int >> 80 == time_ms


@given(times_ms, bits, bits)
def test_different_random_bits_give_different_ids(time_ms, some, others):
    assert (uuid7(time_ms, some) == uuid7(time_ms, others)) == (some == others)


@given(bits, bits)
def test_later_ids_sort_behind_earlier_ones(some, others):
    assert uuid7(1_700_000_000_000, some) < uuid7(1_700_000_000_001, others)


def test_clock_and_random_source_are_the_callers():
    assert new_id(lambda: 1.5, lambda count: count) == uuid7(1500, RANDOM_BITS)
