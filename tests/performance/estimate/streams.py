"""Streams of answers whose truths come about by chance, by day: what estimates are tried on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from driftline.performance.tally import add_up
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


def as_unknown(groups):
    """Return groups as they are counted before any truth."""
    return add_up(
        [
            replace(each, status="unknown", truth="" if each.kind == "answer" else each.truth)
            for each in groups
        ]
    )


def counted(score, truth, *, is_known=True):
    return groups_of_columns(score, truth if is_known else np.full(len(truth), np.nan))
