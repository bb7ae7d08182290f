"""How often a worker asks whether there is something to judge."""

from __future__ import annotations

import threading

import pytest

from tests.drift.service.watching import Clock, make_worker, opened_landing


class Once(threading.Event):
    """Set by the first wait, of which it remembers how long it was to be."""

    def wait(self, timeout=None):
        self.set()
        self.waited_s = timeout
        return True


@pytest.mark.parametrize(("look_s", "waited_s"), [(0.0, 1.0), (0.03, 1.5), (2.0, 3.0)])
def test_a_worker_asks_less_often_where_asking_is_dear_and_within_seconds_all_the_same(
    tmp_path, monkeypatch, look_s, waited_s
):
    clock, stop = Clock(), Once()
    with opened_landing(tmp_path) as landing:
        worker = make_worker(landing, clock=clock)

        def look():
            clock.now_s += look_s
            return 0

        monkeypatch.setattr(worker, "watch_once", look)
        worker.run(stop)
    assert stop.waited_s == pytest.approx(waited_s)


def test_a_worker_that_has_judged_asks_again_at_once(tmp_path, monkeypatch):
    stop, left = Once(), [7, 3, 0]
    with opened_landing(tmp_path) as landing:
        worker = make_worker(landing)
        monkeypatch.setattr(worker, "watch_once", lambda: left.pop(0))
        worker.run(stop)
    assert left == []
