"""One lander at a time, also after somebody deleted the file that says whose turn it is."""

from __future__ import annotations

import os
import shutil

import pytest

from driftline.lander.turn import Turn


@pytest.fixture
def url(tmp_path):
    return (tmp_path / "log").as_uri()


def test_a_turn_is_one_landers_until_it_is_released(url):
    first, second = Turn(url), Turn(url)
    assert (first.take(), first.take(), second.take()) == (True, True, False)
    first.release()
    assert (second.take(), first.take()) == (True, False)
    second.release()


@pytest.mark.parametrize("delete", ["the file", "the folder"])
def test_after_the_lock_was_deleted_one_of_those_who_ask_has_the_turn(url, tmp_path, delete):
    first, second = Turn(url), Turn(url)
    assert first.take()
    if delete == "the file":
        (tmp_path / "log" / "lander.lock").unlink()
    else:
        shutil.rmtree(tmp_path / "log")
    assert second.take()
    assert not first.take()
    assert second.take()
    second.release()
    assert first.take()
    first.release()


def test_a_lock_file_of_garbage_locks_as_well(url, tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "lander.lock").write_bytes(os.urandom(500))
    first = Turn(url)
    assert (first.take(), Turn(url).take()) == (True, False)
    first.release()
