"""An embedded store's owner stays findable, whatever becomes of the files that say who it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict

import pytest

from driftline.embedded import open_store
from driftline.embedded.owner import Owner, Ownership, is_there, read_owner
from driftline.errors import NotFoundError, StoreBusyError, StoreError
from tests.support.running import wait_until

OWNER = Owner("127.0.0.1", 8123, "driftline", "token", "reader", 17)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "engine").mkdir()
    return tmp_path


@pytest.fixture
def ownership(folder):
    taken = Ownership.take(folder)
    taken.announce(OWNER)
    yield taken
    taken.release()


@pytest.fixture
def unattended(folder):
    """An ownership of which nobody looks after the files."""
    taken = Ownership.take(folder)
    taken.announce(OWNER, looks_after=False)
    yield taken
    taken.release()


DAMAGED = {
    "gone": None,
    "empty": b"",
    "cut off": json.dumps(asdict(OWNER)).encode()[:40],
    "garbled": os.urandom(200),
    "zeros": bytes(200),
    "no object": b"[1, 2]",
    "a field missing": json.dumps({**asdict(OWNER), "port": 1} | {"token": "x"})
    .replace('"host"', '"h"')
    .encode(),
    "a field of another kind": json.dumps({**asdict(OWNER), "port": "8123"}).encode(),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_owner_file_says_nothing_and_the_owner_writes_it_anew(folder, unattended, damage):
    path = folder / "owner.json"
    path.unlink()
    if DAMAGED[damage] is not None:
        path.write_bytes(DAMAGED[damage])
    assert read_owner(folder) is None
    unattended.heal()
    assert read_owner(folder) == OWNER
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_owner_looks_after_its_file_by_itself(folder, ownership):
    (folder / "owner.json").write_text("garbage")
    wait_until(lambda: read_owner(folder) == OWNER, what="the owner file anew")
    ownership.check()
    assert Ownership.take(folder) is None


def test_an_owner_whose_lock_file_was_deleted_locks_a_new_one(folder, ownership):
    (folder / "owner.lock").unlink()
    wait_until((folder / "owner.lock").exists, what="a lock file")
    ownership.check()
    assert Ownership.take(folder) is None


def test_an_owner_whose_lock_file_another_process_has_says_so(folder, unattended):
    (folder / "owner.lock").unlink()
    other = Ownership.take(folder)
    unattended.heal()
    with pytest.raises(StoreError, match="was deleted, or replaced, while this process had it open"):
        unattended.check()
    other.release()


def test_a_lock_file_of_garbage_locks_as_well(folder):
    (folder / "owner.lock").write_bytes(os.urandom(5000))
    ownership = Ownership.take(folder)
    assert Ownership.take(folder) is None
    ownership.release()


def test_a_store_is_there_with_its_engine_or_with_a_process_that_makes_it(tmp_path):
    assert not is_there(tmp_path / "nothing")
    assert not is_there(tmp_path)
    making = Ownership.take(tmp_path)
    assert is_there(tmp_path)
    making.release()
    assert not is_there(tmp_path)
    (tmp_path / "engine").mkdir()
    assert is_there(tmp_path)


@pytest.mark.parametrize("use", ["read", "write"])
def test_a_store_that_is_not_there_is_not_made_by_who_does_not_come_to_make_it(tmp_path, use):
    with pytest.raises(NotFoundError, match=f"there is no store at chdb://{tmp_path}/store"):
        open_store(f"chdb://{tmp_path}/store", use=use)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cant_be_used_is_reported_in_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        StoreError, match=f"the embedded store in {tmp_path}/file/store can't be used: Not a dir"
    ):
        open_store(f"chdb://{tmp_path}/file/store")


def test_an_owner_that_does_not_answer_is_named(folder, ownership):
    del ownership
    with pytest.raises(StoreBusyError, match=r"owned by another process \(process 17\)"):
        open_store(f"chdb://{folder}", patience_s=0)


_OWNS = """
import os, shutil, sys, time
from driftline.errors import StoreError
from driftline.embedded import open_store
store = open_store(sys.argv[1])
print("up", flush=True)
sys.stdin.readline()
try:
    store.connect()
    print("goes on")
except StoreError as error:
    print(error)
store.close()
"""


def test_an_owner_whose_folder_was_deleted_says_what_to_do(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    line = [sys.executable, "-c", _OWNS, f"chdb://{tmp_path / 'store'}"]
    with subprocess.Popen(line, **pipes, text=True) as process:
        assert process.stdout.readline() == "up\n"
        (tmp_path / "store" / "inserts" / "left behind by a process that was killed").touch()
        shutil.rmtree(tmp_path / "store")
        reported, _ = process.communicate("\n", timeout=60)
    assert "was deleted, or replaced, while this process had it open: restart the process" in reported
    assert process.returncode == 0


def test_what_a_killed_owner_was_inserting_is_removed_by_the_next(tmp_path):
    line = [sys.executable, "-c", _OWNS, f"chdb://{tmp_path / 'store'}"]
    inserts = tmp_path / "store" / "inserts"
    inserts.mkdir(parents=True)
    (inserts / "left.native").write_bytes(b"half an insert")
    done = subprocess.run(line, input="\n", capture_output=True, text=True, check=True)
    assert done.stdout == "up\ngoes on\n"
    assert list(inserts.iterdir()) == []
