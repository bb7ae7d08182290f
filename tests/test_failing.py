"""What fails of many is named, waits longer each time, and holds up none of the others."""

from __future__ import annotations

import logging

import pytest

from driftline.failing import Failing


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def make(clock=None, *, general=()):
    return Failing(
        "judging",
        logger=logging.getLogger("test"),
        monotonic=clock or Clock(),
        is_general=lambda error: isinstance(error, tuple(general)),
    )


def test_what_fails_is_kept_and_told_and_the_block_ends(caplog):
    failing = make()
    with failing.apart("a", model_name="m", version="1"):
        raise ValueError("first\nsecond")
    assert failing.known["a"].attempts == 1
    assert failing.described() == "m 1: ValueError: first"
    assert "judging m 1 failed, attempt 1; the others go on" in caplog.text


def test_it_waits_twice_as_long_each_time_and_no_longer_than_five_minutes():
    clock = Clock()
    failing = make(clock)
    waits = []
    for _ in range(12):
        assert failing.is_due("a")
        with failing.apart("a"):
            raise OSError
        waits.append(failing.known["a"].due_s - clock.now_s)
        assert not failing.is_due("a")
        assert failing.is_due("b")
        clock.now_s += waits[-1]
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == 300.0


def test_what_succeeds_again_is_forgotten():
    failing = make()
    with failing.apart("a"):
        raise ValueError
    with failing.apart("a"):
        pass
    assert failing.known == {}
    assert failing.described() == ""


def test_what_concerns_everything_is_raised():
    failing = make(general=(OSError,))
    with pytest.raises(OSError, match="gone"), failing.apart("a"):
        raise OSError("gone")
    assert failing.known == {}


def test_of_many_that_fail_three_are_named_and_the_rest_counted():
    failing = make()
    for name in "abcde":
        with failing.apart(name, model_name=name):
            raise ValueError(name)
    assert failing.described() == "a: ValueError: a; b: ValueError: b; c: ValueError: c; and 2 more"
