"""Judges that know made traffic of four weeks and two days, and what they say."""

from __future__ import annotations

import numpy as np

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


def shifted(columns):
    return columns | {"age": columns["age"] + 1.0}


def renamed(columns):
    return columns | {"city": np.where(columns["city"] == "Bergen", "BERGEN", columns["city"])}


def half_null(columns):
    return columns | {"age": np.where(np.arange(columns["age"].size) % 2, np.nan, columns["age"])}


def kept_constant(columns):
    return columns | {"amount": np.full(columns["amount"].size, 9.5)}


def in_pence(columns):
    return columns | {"amount": columns["amount"] * 100}


def infinite(columns):
    return columns | {"amount": np.where(np.arange(columns["amount"].size) % 4, columns["amount"], np.inf)}


def absent(columns):
    return {name: values for name, values in columns.items() if name != "age"}
