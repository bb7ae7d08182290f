"""The room that a store has left is its own disk's."""

from __future__ import annotations

import shutil

import pytest

from driftline.store.disk import Disk, read_fullest_disk


def test_it_is_the_disk_that_the_store_lies_on(client, landing):
    disk = read_fullest_disk(client)
    there = shutil.disk_usage(landing.place.folder)
    assert disk.size == there.total
    assert disk.free == pytest.approx(there.free, rel=0.2)


class Connection:
    def __init__(self, rows):
        self._rows = rows

    def rows(self, _query):
        return self._rows


def test_a_store_without_disks_of_a_size_has_none():
    assert read_fullest_disk(Connection([])) is None
    assert read_fullest_disk(Connection([(1, 2)])) == Disk(free=1, size=2)
