"""Halves that wait are bounded in number, in bytes and in time, and each that is given up is counted."""

from __future__ import annotations

from driftline.intake.cloudevents import Logged
from driftline.intake.pairs import Pairs


def half(key, kind="request"):
    return Logged(kind, key, "m", "", None, None, key, {})


def pairs(**bounds):
    given_up = []
    waiting = Pairs(lambda: 0.0, lambda kind, reason: given_up.append((kind, reason)), **bounds)
    return waiting, given_up


def test_the_oldest_makes_way_where_too_many_wait():
    waiting, given_up = pairs(most=2)
    for key in "abc":
        waiting.take(half(key), 1)
    assert given_up == [("request", "full")]
    assert waiting.take(half("a", "response"), 1) is None
    assert waiting.take(half("c", "response"), 1).request.key == "c"


def test_the_oldest_makes_way_where_they_are_too_large():
    waiting, given_up = pairs(most_bytes=10)
    waiting.take(half("a"), 6)
    waiting.take(half("b"), 6)
    assert (waiting.waiting, given_up) == (1, [("request", "full")])
    waiting.take(half("c"), 11)
    assert waiting.waiting == 0


def test_the_same_half_again_takes_the_place_of_the_first():
    waiting, given_up = pairs(most_bytes=10)
    for _ in range(5):
        waiting.take(half("a"), 6)
    assert (waiting.waiting, given_up) == (1, [])


def test_what_waits_at_the_end_is_counted():
    waiting, given_up = pairs()
    waiting.take(half("a", "response"), 6)
    waiting.give_up()
    assert (waiting.waiting, given_up) == (0, [("response", "ended")])
