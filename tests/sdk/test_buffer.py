"""What waits in memory is numbered without a gap, bounded, and counted."""

from __future__ import annotations

import threading

import pytest

from driftline.sdk.buffer import OTHER_NAMES, RECORD_OVERHEAD_BYTES, Buffer
from driftline.wire import PREDICTIONS_TOPIC, OpenRows, Remark, close_record, entries


def rows_of(sizes) -> OpenRows:
    after = [b"x" * size for size in sizes]
    return OpenRows([str(row) for row in range(len(after))], {}, [b"head"], [entries(after)])


@pytest.fixture
def buffer():
    return Buffer(10_000, threading.Event())


def test_rows_and_single_records_are_numbered_in_the_order_in_which_they_come(buffer):
    rows = rows_of(range(50))
    assert buffer.offer_all(PREDICTIONS_TOPIC, rows, 0, 0) == 50
    assert buffer.offer(PREDICTIONS_TOPIC, (b"head", b"alone")) is None
    assert buffer.offer_all(PREDICTIONS_TOPIC, rows_of([1]), 0, 0) == 1
    afters = [*(b"x" * size for size in range(50)), b"alone", b"x"]
    taken = buffer.take().values[PREDICTIONS_TOPIC]
    assert taken == [close_record((b"head", after), number) for number, after in enumerate(afters, 1)]


def test_of_rows_those_are_kept_that_fit_and_the_rest_later(buffer):
    rows = rows_of([1_000] * 15)
    kept = buffer.offer_all(PREDICTIONS_TOPIC, rows, 0, 0)
    assert kept == 10_000 // (1_000 + len("head") + RECORD_OVERHEAD_BYTES)
    assert buffer.offer_all(PREDICTIONS_TOPIC, rows, kept, 0) == 0
    taken = buffer.take().values[PREDICTIONS_TOPIC]
    buffer.settle(PREDICTIONS_TOPIC, taken)
    assert buffer.offer_all(PREDICTIONS_TOPIC, rows, kept, 0) == 15 - kept
    buffer.settle(PREDICTIONS_TOPIC, buffer.take().values[PREDICTIONS_TOPIC])
    assert buffer.stats().appended == buffer.stats().accepted == 15
    assert buffer.offer_all(PREDICTIONS_TOPIC, rows_of([9_900]), 0, 0) == 1  # Nothing is held any more.


def test_only_so_many_names_of_values_are_distinguished(buffer):
    first = [buffer.count_value(Remark.ROUNDED, f"feature {number} {'x' * 200}") for number in range(1_100)]
    assert sum(first) == 1_001
    counts = buffer.stats().rounded
    assert len(counts) == 1_001
    assert counts[OTHER_NAMES] == 100
    assert max(map(len, counts)) == 128
    assert buffer.stats().unencodable == {}
