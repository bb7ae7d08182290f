"""An MLflow is looked at again and again; what fails is reported once, counted, and tried again."""

from __future__ import annotations

import logging
import threading

import pytest

from driftline.errors import DriftlineError
from driftline.health import Pulse
from driftline.metrics import Metrics
from driftline.mlflow.errors import MlflowAwayError
from driftline.mlflow.following import Follower
from driftline.mlflow.metrics import COPIED, FAILING, FAILURES, FOLLOWED, MLFLOW_METRICS
from driftline.mlflow.sync import Problem, Synchronised
from driftline.mlflow.webhook import Hints

BAD = Problem("till", "version 2", "its name is odd")


class Looking:
    """What a look comes to, in order; the last for ever. Remembers which were deep."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.deep = []
        self.stop = threading.Event()
        self.stop_after = 0

    def run(self, *, deep):
        self.deep.append(deep)
        if len(self.deep) == self.stop_after:
            self.stop.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def follow(clock):
    metrics, pulse, hints = Metrics(MLFLOW_METRICS), Pulse("bridge", clock), Hints()

    def make(*answers, **options):
        looking = Looking(*answers)
        follower = Follower(
            looking, metrics=metrics, pulse=pulse, hints=hints, clock=clock, monotonic=clock, **options
        )
        follower.looking, follower.shown, follower.pulse, follower.hinting = looking, metrics, pulse, hints
        return follower

    return make


def test_the_first_look_is_deep_and_so_is_one_every_ten_minutes(follow, clock):
    follower = follow(Synchronised(), interval_s=30.0, deep_interval_s=600.0)
    for _ in range(22):
        clock.now_s += follower.look()
    assert follower.looking.deep == [True, *[False] * 19, True, False]


def test_a_deep_look_that_failed_is_deep_again(follow):
    follower = follow(MlflowAwayError("away"), Synchronised())
    follower.look()
    follower.look()
    assert follower.looking.deep == [True, True]


def test_how_far_it_is_behind_is_shown_from_the_beginning(follow, clock):
    follower = follow(MlflowAwayError("away"), Synchronised())
    assert follower.shown.series(FOLLOWED) == {(): 1000.0}
    clock.now_s = 1100.0
    follower.look()
    assert follower.shown.series(FOLLOWED) == {(): 1000.0}
    assert follower.shown.series(FAILURES) == {(): 1.0}
    with pytest.raises(DriftlineError, match="away"):
        follower.pulse.check_work()
    follower.look()
    assert follower.shown.series(FOLLOWED) == {(): 1100.0}
    follower.pulse.check_work()


def test_an_mlflow_that_is_away_is_asked_less_often_but_within_a_minute(follow):
    follower = follow(MlflowAwayError("away"), interval_s=1.0)
    waits = [follower.look() for _ in range(9)]
    assert waits == sorted(waits)
    assert waits[0] <= 1.0
    assert waits[-1] == 60.0


def test_what_goes_on_being_wrong_is_logged_once_and_counted(follow, caplog):
    follower = follow(Synchronised(problems=[BAD]), Synchronised(problems=[BAD]), Synchronised())
    with caplog.at_level(logging.WARNING):
        follower.look()
        follower.look()
    assert [record.getMessage() for record in caplog.records] == [f"not copied: {BAD}"]
    assert follower.shown.series(FAILING) == {("till", "version 2"): 2.0}
    assert "1 not copied, such as till version 2" in follower.pulse.warning
    follower.look()
    assert follower.shown.series(FAILING) == {}
    assert follower.pulse.warning == ""


def test_what_is_copied_is_counted(follow):
    done = Synchronised(new=[("till", "1"), ("till", "2")], moved=["champion moved"], gone=[("till", "0")])
    follower = follow(done)
    follower.look()
    shown = follower.shown.series(COPIED)
    assert shown == {("version",): 2.0, ("revision",): 0.0, ("decision",): 1.0}


def test_a_hint_has_it_look_at_once(follow):
    follower = follow(Synchronised(), interval_s=1e9)
    follower.looking.stop_after = 2
    thread = threading.Thread(target=follower.run, args=(follower.looking.stop,))
    thread.start()
    while thread.is_alive():
        follower.hinting.give()
        thread.join(0.05)
    assert len(follower.looking.deep) == 2
