"""How far landing is, as it is noted."""

from __future__ import annotations

from driftline.lander.progress import EVERY_S, Progress


class Time:
    now_s = 1000.0

    def __call__(self):
        return self.now_s


def started():
    time = Time()
    progress = Progress(time, time)
    time.now_s += EVERY_S
    return time, progress


def test_an_empty_log_has_landed_until_now_and_that_is_noted_once_a_minute():
    time, progress = started()
    assert progress.tell(0) == time.now_s
    assert progress.tell(0) is None
    time.now_s += EVERY_S
    assert progress.tell(0) == time.now_s


def test_a_busy_log_has_landed_until_a_moment_once_what_waited_then_has():
    time, progress = started()
    asked_s = time.now_s
    assert progress.tell(500) is None
    progress.land(499)
    time.now_s += 2
    assert progress.tell(700) is None
    progress.land(1)
    assert progress.tell(800) == asked_s


def test_what_waits_for_ever_is_never_noted():
    time, progress = started()
    for _ in range(100):
        time.now_s += EVERY_S
        assert progress.tell(1) is None
