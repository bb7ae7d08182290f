"""Streams of answers whose truths come about by chance, by day: what estimates are tried on."""

from __future__ import annotations

from collections import Counter

import numpy as np

from driftline.performance.estimate.reading import estimate
from tests.performance.rows import groups_of_columns


def expit(odds):
    return 1 / (1 + np.exp(-odds))


def binary_day(random, rows, *, shift=0.0, flip=0.0, wander=0.0):
    """Return a day of scores that are too sure of themselves, and truths.

    Args:
        shift: of the scores' log-odds, as when other cases come.
        flip: share of rows whose truth is turned round, as when the same scores mean something else.
        wander: standard deviation of what moves all truths of a day.
    """
    odds = random.normal(-0.5 + shift, 1.2, rows)
    truth = random.random(rows) < expit(0.6 * odds - 0.3 + wander * random.standard_normal())
    truth ^= random.random(rows) < flip
    return expit(odds), truth.astype(float)


def counted(score, truth, *, is_known=True):
    return groups_of_columns(score, truth if is_known else np.full(len(truth), np.nan))


def covered(task, past, periods):
    """Return how often the interval of each metric held what came true, and how many periods there were."""
    held, seen = Counter(), Counter()
    for days, (unknown, known) in zip(past, periods, strict=True):
        came = task.measure(known)
        for name, drawn in estimate(unknown, days, task).items():
            if name in came and came[name].value is not None:
                own = drawn.measured()
                held[name] += own.low <= came[name].value <= own.high
                seen[name] += 1
    return held, seen


def binary_periods(count, *, wander, seed, days=28, rows=150, period=400):
    random = np.random.default_rng(seed)
    past, periods = [], []
    for _ in range(count):
        past.append([counted(*binary_day(random, rows, wander=wander)) for _ in range(days)])
        score, truth = binary_day(random, period, wander=wander)
        periods.append((counted(score, truth, is_known=False), counted(score, truth)))
    return past, periods
