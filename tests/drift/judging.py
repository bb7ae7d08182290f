"""Judges that know made traffic of four weeks and two days, and what they say."""

from __future__ import annotations

from driftline.drift import Judge
from tests.drift.conftest import START, WEEK

LEARNED = START + 4 * WEEK + 48


def judge_with_history(traffic, grids, *, until=LEARNED, start=START, **arguments):
    judge = Judge(grids=grids, identity="model/1/production", **arguments)
    for hour in range(start, until):
        judge.remember(traffic.hour(hour))
    return judge


def pages(verdicts, feature=None):
    return [v for v in verdicts if v.verdict == "page" and feature in (None, v.feature)]


def run(judge, traffic, hours, change=None):
    return [verdict for hour in hours for verdict in judge.judge(traffic.hour(hour, change))]
