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


def test_what_fails_is_kept_and_reported_and_the_block_ends(caplog):
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


@pytest.fixture
def failing():
    return make(general=[ConnectionError])


class Work:
    """Is done with several at once, unless one of those that fail is among them."""

    def __init__(self, *bad):
        self.bad = set(bad)
        self.done = []

    def __call__(self, items):
        if self.bad & set(items):
            raise ValueError(f"among {items}")
        self.done.append(list(items))


def together(failing, items, work, **options):
    return failing.together(items, work, describe=lambda item: (item, {"item": str(item)}), **options)


def test_of_several_those_that_fail_stand_alone_and_the_rest_is_done(failing):
    work = Work(2, 7)
    assert together(failing, list(range(8)), work) == (6, 2)
    assert sorted(item for items in work.done for item in items) == [0, 1, 3, 4, 5, 6]
    assert set(failing.known) == {2, 7}


def test_what_failed_alone_and_is_done_with_others_succeeds_again(failing):
    together(failing, [1], Work(1))
    assert together(failing, [1, 2], Work()) == (2, 0)
    assert not failing.known


def test_of_several_what_concerns_all_is_raised(failing):
    def away(_items):
        raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        together(failing, [1, 2], away)


def test_several_are_left_once_it_does_not_go_on(failing):
    work = Work(3)
    asked = iter([True, True, False])
    assert together(failing, [1, 2, 3, 4], work, goes_on=lambda: next(asked, False)) == (2, 0)
    assert work.done == [[1, 2]]
