"""Rows that one of the two models learned from decide nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from driftline.domain.snapshots import Definition, Split
from driftline.lifecycle.overlap import Learned, overlaps
from tests.lifecycle.traffic import START

DAY = timedelta(days=1)
ENTITIES = Split("entity", 0.2)


def defined(since, until, split=None):
    return Definition(
        model_name="m",
        since=START + since * DAY,
        until=START + until * DAY,
        as_of=START + 99 * DAY,
        split=split or Split(),
    )


def learned(*definitions, registered=50):
    return Learned("2", definitions, START + registered * DAY)


@pytest.mark.parametrize(
    ("evaluated", "part", "model", "problem"),
    [
        (defined(10, 20), "", learned(defined(0, 10)), ""),
        (defined(9, 20), "", learned(defined(0, 10)), "learned from rows until"),
        (defined(8, 20), "", learned(defined(0, 10, Split("time", 0.0, START + 8 * DAY))), ""),
        (defined(0, 10, Split("time", 0.0, START + 8 * DAY)), "test", learned(defined(0, 8)), ""),
        (defined(0, 10, Split("time", 0.0, START + 7 * DAY)), "test", learned(defined(0, 8)), "until"),
        (defined(10, 20), "", learned(defined(0, 10, ENTITIES)), "learned from entities apart"),
        (defined(0, 10, ENTITIES), "test", learned(defined(0, 10, ENTITIES)), ""),
        (defined(0, 10, ENTITIES), "train", learned(defined(0, 10, ENTITIES)), "from entities apart"),
        (
            defined(0, 10, Split("entity", 0.3)),
            "test",
            learned(defined(0, 10, ENTITIES)),
            "from entities apart",
        ),
        (defined(50, 60), "", learned(), ""),
        (defined(49, 60), "", learned(), "names no snapshot, and was registered at"),
    ],
)
def test_what_was_learned_from_is_refused_and_what_came_later_is_not(evaluated, part, model, problem):
    found = list(overlaps(evaluated, part, [model]))
    assert [problem in each for each in found] == ([True] if problem else [])
