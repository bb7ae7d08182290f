"""Hours by how many predictions they bring, and which verdicts on them page."""

from __future__ import annotations

import numpy as np

from driftline.drift.hours import WHOLE, Arrival, StreamHour
from driftline.profiles import HourProfile
from tests.drift.conftest import START, WEEK

LEARNED = START + 5 * WEEK + 48
NOISE = 0.08


def usual(hour, seed=3):
    """Return how many predictions an hour brings: twenty times as many by day as by night, and noise."""
    rng = np.random.default_rng((seed, hour))
    daily = 1.05 - np.cos(2 * np.pi * (hour - START) / 24)
    weekend = 0.4 if (hour - START) % WEEK >= 120 else 1.0
    return int(rng.poisson(1000 * daily * weekend * np.exp(rng.normal(0, NOISE))))


def hour_of(hour, rows, *, missing=0.0, elsewhere=0.0):
    return StreamHour(hour, Arrival(rows, missing), {WHOLE: HourProfile(hour, rows, {}, {})}, elsewhere)


def paging(verdicts):
    return sorted({one.window_end for one in verdicts if one.verdict == "page"})
