"""The joint check beside a stream's other judges."""

from __future__ import annotations

from driftline.domain.verdicts import Verdict, VerdictName
from driftline.drift.hours import WHOLE, Arrival, StreamHour
from driftline.drift.joint.judge import JointJudge
from driftline.profiles import HourProfile


def hour_of(hour, rows=30):
    return StreamHour(hour, Arrival(rows), {WHOLE: HourProfile(hour, rows, {}, {})})


class Watch:
    """A watch that finds nothing, and notes what it is asked."""

    def __init__(self, asked):
        self.asked = asked
        asked.append("begun")

    def judge(self, hours, *, missing):
        self.asked.append(("first", tuple(hours), missing))
        return [
            Verdict(
                feature="(joint)",
                kind="numeric",
                reference="production",
                scale_hours=1,
                window_start=hour,
                window_end=hour + 1,
                verdict=VerdictName.OK,
            )
            for hour in hours
        ]

    def judge_anew(self, hours, *, missing):
        given = self.judge(hours, missing=missing)
        self.asked[-1] = ("again", *self.asked[-1][1:])
        return given


def judge_of(asked, **options):
    return JointJudge(lambda: Watch(asked), missing=lambda hour: {hour: 2.0}, **options)


def ends(verdicts):
    return [verdict.window_end for verdict in verdicts]


def test_hours_are_judged_together_and_given_one_by_one():
    asked = []
    judge = judge_of(asked)
    judge.foresee([hour_of(5), hour_of(6)], lambda _: 1.0)
    assert asked == ["begun", ("first", (5, 6), {5: 2.0})]
    assert ends(judge.judge(hour_of(5), 1.0)) == [6]
    assert ends(judge.judge(hour_of(6), 1.0)) == [7]


def test_an_hour_without_rows_has_no_sample_to_judge():
    asked = []
    judge = judge_of(asked)
    judge.foresee([hour_of(5, rows=0)], lambda _: 1.0)
    assert asked == []
    assert judge.judge(hour_of(5, rows=0), 1.0) == []


def test_it_goes_on_from_chunk_to_chunk_and_begins_again_behind_what_is_not_judged():
    asked = []
    judge = judge_of(asked)
    judge.foresee([hour_of(5)], lambda _: 1.0)
    judge.foresee([hour_of(6)], lambda _: 1.0)
    assert asked.count("begun") == 1
    judge.remember(hour_of(7))
    judge.foresee([hour_of(8)], lambda _: 1.0)
    assert asked.count("begun") == 2


def test_what_was_judged_before_is_judged_anew():
    asked = []
    judge = judge_of(asked, is_anew=True)
    judge.foresee([hour_of(5)], lambda _: 1.0)
    assert asked == ["begun", ("again", (5,), {5: 2.0})]
