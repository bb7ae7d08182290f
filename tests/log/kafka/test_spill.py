"""What waits on disk survives its process, stays in order, is bounded, and has one owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from driftline.errors import LogError, LogFullError
from driftline.log import Record
from driftline.log.kafka.spill import Spill, SpillSettings, spill_folders, sweep
from driftline.log.local import LocalReader

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB = 1 << 20


@pytest.fixture
def settings(tmp_path):
    return SpillSettings(tmp_path / "spill", 8 * MIB, 3600.0)


def some_records(count: int, first: int = 0) -> list[Record]:
    return [Record("driftline.predictions", b"session", b"%d" % n) for n in range(first, first + count)]


def test_records_come_back_in_order_with_everything(settings):
    spill = Spill.create(settings)
    records = [
        Record("driftline.predictions", b"a\0b", b"one"),
        Record("driftline.sessions", b"", b"", may_repeat=True),
        Record("driftline.outcomes", b"a", bytes(range(256))),
    ]
    spill.put(records[:2])
    spill.put(records[2:])
    assert spill.waiting() == 3
    run = spill.take()
    assert run.records == records
    spill.done(run)
    assert spill.take() is None
    assert spill.waiting() == 0
    spill.close()


def test_a_run_is_bounded_and_comes_next_until_it_is_done(settings):
    spill = Spill.create(settings)
    spill.put(some_records(3_000))
    run = spill.take()
    assert len(run.records) == 2_000
    again = spill.take()
    assert [record.value for record in again.records] == [record.value for record in run.records]
    assert all(record.may_repeat for record in again.records)
    spill.done(again)
    assert spill.take().records == some_records(1_000, first=2_000)
    spill.close()


def test_what_was_on_its_way_is_the_first_run(settings):
    spill = Spill.create(settings)
    flying = [record._replace(may_repeat=True) for record in some_records(2_500)]
    run = spill.put_first(flying)
    spill.put(some_records(1, first=2_500))
    assert run.records == flying
    spill.done(run)
    assert spill.take().records == some_records(1, first=2_500)
    spill.close()


def test_an_empty_spill_is_removed_and_another_one_stays(settings):
    empty, full = Spill.create(settings), Spill.create(settings)
    full.put(some_records(1))
    assert len(spill_folders(settings.root)) == 2
    empty.close()
    full.close()
    assert spill_folders(settings.root) == [full.folder]
    assert list(settings.root.iterdir()) == [full.folder]
    assert full.waiting() == 0  # To look at it afterwards makes nothing anew.
    full.close()


def test_a_living_owner_keeps_its_spill(settings):
    spill = Spill.create(settings)
    spill.put(some_records(1))
    assert Spill.adopt(settings, spill.folder) is None
    spill.close()
    adopted = Spill.adopt(settings, spill.folder)
    assert adopted.take().records == some_records(1)
    adopted.close()


def test_a_spill_that_was_forwarded_meanwhile_is_not_adopted(settings):
    spill = Spill.create(settings)
    spill.close()
    assert Spill.adopt(settings, spill.folder) is None
    assert spill_folders(settings.root) == []


def test_a_spill_that_is_being_removed_is_not_adopted(settings, monkeypatch):
    """Whoever opened the lock file before it was moved away does not take it for the folder's."""
    spill = Spill.create(settings)
    real_open = os.open

    def open_and_lose(*arguments, **options):
        descriptor = real_open(*arguments, **options)
        spill.close()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    assert Spill.adopt(settings, spill.folder) is None


OWNER = """
import os, sys, time
from pathlib import Path
from driftline.log import Record
from driftline.log.kafka.spill import Spill, SpillSettings
spill = Spill.create(SpillSettings(Path(sys.argv[1]), 8 << 20, 3600.0))
spill.put([Record("driftline.predictions", b"session", b"%d" % number) for number in range(2_500)])
assert len(spill.take().records) == 2_000
if sys.argv[2] == "fork" and os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(60)
    os._exit(0)
if sys.argv[2] != "fork":
    print(0, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_the_spill_of_a_killed_process_is_adopted_although_its_child_lives(settings, how):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(settings.root), how],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(owner.stdout.readline())
    try:
        (folder,) = spill_folders(settings.root)
        assert Spill.adopt(settings, folder) is None
        owner.kill()
        owner.wait()
        adopted = Spill.adopt(settings, folder)
        assert adopted is not None
        run = adopted.take()
        assert [record.may_repeat for record in run.records] == [True] * 2_000
        adopted.done(run)
        assert adopted.take().records == some_records(500, first=2_000)
        adopted.close()
    finally:
        owner.kill()
        owner.stdout.close()
        if child:
            os.kill(child, signal.SIGKILL)


def fill(spills: Sequence[Spill], now_s: list[float]) -> int:
    """Put into each spill in turn, without an end; return how many MiB were taken when one refused."""
    chunk = [Record("driftline.predictions", b"", os.urandom(1024))] * 512
    for puts in range(100):
        spill = spills[puts % len(spills)]
        now_s[0] += 2  # What others take is looked at once a second.
        try:
            spill.put(chunk)
        except LogFullError:
            return puts // 2
    return 50


@pytest.mark.parametrize("count", [1, 2, 3])
def test_all_spills_of_a_host_share_one_bound(settings, count):
    now_s = [1_000_000.0]
    spills = [Spill.create(settings, lambda: now_s[0]) for _ in range(count)]
    assert 4 <= fill(spills, now_s) <= 8
    for spill in spills:
        spill.close()


def test_a_spill_whose_oldest_record_waits_too_long_takes_no_more(settings):
    now = [1_000_000.0]
    spill = Spill.create(settings, lambda: now[0])
    spill.put(some_records(1))
    now[0] += 3_599
    spill.put(some_records(1, first=1))
    now[0] += 2
    with pytest.raises(LogFullError, match="spill_age_s"):
        spill.put(some_records(1))
    spill.done(spill.take())
    spill.put(some_records(1))
    spill.close()


def test_a_folder_that_cant_be_made_is_reported(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="can't be made"):
        Spill.create(SpillSettings(tmp_path / "file" / "spill", 8 * MIB, 3600.0))


def test_what_killed_processes_left_half_made_is_swept_after_an_hour(settings):
    for name in (".new-old", ".gone-old", ".new-young"):
        (settings.root / name).mkdir(parents=True)
    for name in (".new-old", ".gone-old"):
        os.utime(settings.root / name, (time.time() - 4_000,) * 2)
    sweep(settings.root)
    assert [left.name for left in settings.root.iterdir()] == [".new-young"]


def full(*_arguments, **_options):
    raise LogFullError("database or disk is full")


def test_on_a_full_disk_everything_is_forwarded_without_notes_and_the_room_given_back(settings, monkeypatch):
    spill = Spill.create(settings)
    spill.put(some_records(5_000))
    monkeypatch.setattr(LocalReader, "intend", full)
    monkeypatch.setattr(LocalReader, "commit", full)
    taken = []
    while (run := spill.take()) is not None:
        taken += run.records
        spill.done(run)
        assert spill.waiting() == 5_000 - len(taken)
    assert taken == some_records(5_000)
    spill.close()
    assert spill_folders(settings.root) == []


def test_a_disk_that_fills_up_while_a_run_is_on_its_way_loses_and_repeats_nothing(settings, monkeypatch):
    spill = Spill.create(settings)
    spill.put(some_records(4_500))
    first = spill.take()
    monkeypatch.setattr(LocalReader, "commit", full)
    spill.done(first)
    assert spill.waiting() == 2_500
    second = spill.take()
    assert second.records == some_records(2_000, first=2_000)
    spill.done(second)
    spill.put(some_records(1, first=4_500))
    third = spill.take()
    assert third.records == some_records(501, first=4_000)
    spill.done(third)
    assert spill.take() is None
    spill.close()


def test_who_adopts_a_spill_without_notes_takes_every_record_for_one_that_may_have_been_sent(
    settings, monkeypatch
):
    spill = Spill.create(settings)
    spill.put(some_records(3_000))
    monkeypatch.setattr(LocalReader, "intend", full)
    spill.done(spill.take())
    spill.close()  # Its process ends.
    adopted = Spill.adopt(settings, spill.folder)
    values = []
    while (run := adopted.take()) is not None:
        assert all(record.may_repeat for record in run.records)
        values += [record.value for record in run.records]
        adopted.done(run)
    assert values == [record.value for record in some_records(3_000)]
    adopted.close()


def test_a_spill_that_could_not_be_begun_leaves_nothing_behind(settings):
    spill = Spill.create(settings)
    spill.discard()
    assert list(settings.root.iterdir()) == []
