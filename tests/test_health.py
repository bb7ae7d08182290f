"""Health: a process that hangs is not alive; one that lacks what it needs is not ready, and says what."""

from __future__ import annotations

import logging

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from driftline.errors import DriftlineError, StoreError
from driftline.health import STALL_S, Health, Pulse, keep_on


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def asked(health, path):
    answer = TestClient(Starlette(routes=health.routes())).get(path)
    return answer.status_code, answer.json()


def away(_=None):
    raise StoreError("the store at db:8123 does not answer: connection refused")


def broken(_=None):
    raise ZeroDivisionError("nobody thought of this\nwith more lines")


def test_a_loop_that_makes_progress_is_alive_and_one_that_stopped_is_not(clock):
    pulse = Pulse("lander", clock)
    health = Health(alive={"lander": pulse.check})
    clock.now = STALL_S
    assert asked(health, "/healthz") == (200, {"status": "ok", "checks": {"lander": "ok"}, "problems": []})
    clock.now = STALL_S + 1
    status, reported = asked(health, "/healthz")
    assert status == 503
    assert reported["problems"] == ["lander: the lander got no further for 301 s; restart this process"]
    pulse.beat()
    assert asked(health, "/healthz")[0] == 200


def test_what_may_take_as_long_as_it_takes_is_no_hanging(clock):
    pulse = Pulse("lander", clock)
    with pulse.busy():
        clock.now = 10 * STALL_S
        pulse.check()
    pulse.check()
    clock.now += STALL_S + 1
    with pytest.raises(Exception, match="got no further for 301 s"):
        pulse.check()


def test_what_is_away_makes_a_process_unready_and_not_dead(clock):
    health = Health(alive={"lander": Pulse("lander", clock).check}, ready={"log": list, "store": away})
    assert asked(health, "/healthz")[0] == 200
    assert asked(health, "/readyz") == (
        503,
        {
            "status": "unavailable",
            "checks": {"lander": "ok", "log": "ok", "store": "failed"},
            "problems": ["store: the store at db:8123 does not answer: connection refused"],
        },
    )


def test_a_process_that_hangs_is_not_ready_either(clock):
    pulse = Pulse("lander", clock)
    clock.now = STALL_S + 1
    assert asked(Health(alive={"lander": pulse.check}, ready={"store": list}), "/readyz")[0] == 503


def test_a_check_that_fails_as_nobody_foresaw_is_a_problem_reported_in_a_line():
    status, reported = asked(Health(ready={"store": broken}), "/readyz")
    assert status == 503
    assert reported["problems"] == ["store: ZeroDivisionError: nobody thought of this"]


def test_a_loop_whose_last_attempt_failed_is_alive_and_not_ready(clock):
    pulse = Pulse("lander", clock)
    health = Health(alive={"lander": pulse.check}, ready={"landing": pulse.check_work})
    assert asked(health, "/readyz")[0] == 200
    pulse.fail(StoreError("Cannot reserve 1.00 MiB, not enough space\nin the store"))
    status, reported = asked(health, "/readyz")
    assert (status, reported["checks"]) == (503, {"lander": "ok", "landing": "failed"})
    assert reported["problems"] == [
        "landing: the lander tried last in vain: Cannot reserve 1.00 MiB, not enough space"
    ]
    assert asked(health, "/healthz")[0] == 200
    pulse.beat()
    assert asked(health, "/readyz")[0] == 503
    pulse.succeed()
    assert asked(health, "/readyz")[0] == 200


class TestKeepOn:
    """A service's loop, which nothing ends but whoever stops it."""

    def test_after_a_step_that_failed_it_starts_over_and_counts_it(self, clock, caplog):
        done = keep(clock, [away, work, broken, work])
        assert done == ["failed", "start over", "work", "failed", "start over", "work"]
        assert "judging failed, trying again: the store at db:8123" in caplog.text

    def test_only_what_nobody_foresaw_shows_where_it_came_from(self, clock, caplog):
        keep(clock, [away, broken])
        assert [bool(record.exc_info) for record in caplog.records] == [False, True]
        assert [record.error for record in caplog.records] == ["StoreError", "ZeroDivisionError"]

    def test_it_is_not_ready_from_a_failure_until_a_step_succeeds(self, clock):
        pulse = Pulse("worker", clock)
        keep(clock, [work, away], pulse=pulse)
        with pytest.raises(DriftlineError, match="the worker tried last in vain: the store"):
            pulse.check_work()
        keep(clock, [away, work], pulse=pulse)
        pulse.check_work()

    def test_starting_over_may_fail_too(self, clock):
        tries = iter([away, work])

        def start_over(done):
            next(tries)(done)

        done = keep(clock, [away, work], start_over=start_over)
        assert done == ["failed", "failed", "work", "work"]

    def test_it_rests_as_long_as_a_step_says_and_not_at_all_amid_work(self, clock):
        rests = []
        keep(clock, [lambda _: 0.0, lambda _: 2.5, away], rests=rests)
        assert rests == [2.5, 7.0]


def work(done):
    done.append("work")
    return 0.0


class Stop:
    """Set once a number of steps were tried; waiting takes no time."""

    def __init__(self, rests):
        self.steps_left, self.rests = True, rests

    def is_set(self):
        return not self.steps_left

    def wait(self, seconds):
        self.rests.append(seconds)


def keep(clock, steps, *, pulse=None, rests=None, start_over=lambda done: done.append("start over")):
    """Go through steps, then stop; return what was done."""
    pulse, done, left = pulse or Pulse("worker", clock), [], list(steps)
    stop = Stop([] if rests is None else rests)

    def step():
        todo = left.pop(0)
        stop.steps_left = bool(left)
        gap_s = todo(done)
        pulse.succeed()
        return gap_s

    keep_on(
        step,
        stop,
        what="judging",
        pulse=pulse,
        logger=logging.getLogger("test"),
        start_over=lambda: start_over(done),
        failed=lambda: done.append("failed"),
        rest_s=7.0,
    )
    return done
