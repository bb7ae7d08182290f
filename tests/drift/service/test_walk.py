"""The way of an hour, as ARCHITECTURE.md draws it, is the way that an hour goes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import driftline
from driftline.domain.verdict_table import Verdicts
from driftline.domain.verdicts import Verdict
from driftline.drift import DriftSettings
from driftline.drift.hours import StreamHour
from driftline.drift.service.source import StreamHours
from driftline.monitors import read_monitors
from driftline.profiles import HourProfile
from driftline.store.profiles import Hours
from tests.drift.service.watching import HOUR, HOUR_S, make_worker, opened_landing
from tests.support.landing import put
from tests.support.traffic import MODEL

HOUSE = Path(driftline.__file__).parent
HISTORY, ROWS = 200, 40
CARRIERS = (StreamHours, StreamHour, Hours, HourProfile, Verdicts, Verdict)
"""What an hour is on its way: profiles, then verdicts."""
MONITORS = f"""
version: 1
models:
  {MODEL}:
    segments: ["city=Oslo"]
"""


def put_hours(landing, first, end, *, shift=0.0, begin=0, rows=ROWS):
    put(
        landing,
        (
            {
                "features": {
                    "amount": (7.0 * number + hour) % 31 + shift,
                    "weight": (11.0 * number + hour) % 29,
                    "city": ("Bergen", "Oslo")[number % 2],
                },
                "event_time": float((HOUR + hour) * HOUR_S + number),
            }
            for hour in range(first, end)
            for number in range(begin, rows)
        ),
    )


def carries(value):
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, CARRIERS)


class Trace:
    """Notes the modules whose functions are given an hour, or give one back."""

    def __init__(self):
        self.modules = set()

    def __call__(self, frame, event, value):
        name = frame.f_code.co_filename
        if event not in {"call", "return"} or not name.startswith(str(HOUSE)):
            return
        held = [value] if event == "return" else list(frame.f_locals.values())
        if any(map(carries, held)):
            self.modules.add(Path(name).relative_to(HOUSE).as_posix())


def watched(worker):
    """Return the modules through which hours go when a worker looks once."""
    trace = Trace()
    sys.setprofile(trace)
    try:
        assert worker.watch_once()
    finally:
        sys.setprofile(None)
    return trace.modules


@pytest.fixture(scope="module")
def walks(tmp_path_factory):
    """The ways of an hour that pages, of a stream with a segment: at first, and when more of it arrived."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "monitors.yaml").write_text(MONITORS)
    with opened_landing(folder) as landing:
        put_hours(landing, 0, HISTORY)
        worker = make_worker(landing, monitors=read_monitors(folder / "monitors.yaml", DriftSettings()))
        while worker.watch_once():
            pass
        put_hours(landing, HISTORY, HISTORY + 2, shift=500.0)
        first = watched(worker)
        put_hours(landing, HISTORY, HISTORY + 1, shift=500.0, begin=ROWS, rows=2 * ROWS)
        return first, watched(worker)


@pytest.fixture
def walked(walks):
    return walks[0]


@pytest.fixture
def walked_again(walks):
    return walks[1]


def drawn():
    """Return the modules of walk 2's diagram, without whole rooms."""
    text = (HOUSE.parents[1] / "ARCHITECTURE.md").read_text()
    walk = text.partition("## Walk 2")[2].partition("## Walk 3")[0]
    return set(re.findall(r"\[([a-z_]+(?:/[a-z_]+)*\.py)\]", walk))


def test_an_hour_goes_the_way_that_is_drawn(walked):
    """Values and the mathematics, which are handed on everywhere, aside."""
    assert {path for path in walked if not path.startswith(("domain/", "drift/statistics/"))} == drawn()


def test_an_hour_that_is_judged_again_goes_the_same_way(walked_again):
    """But for what compares it with earlier verdicts."""
    aside = ("domain/", "drift/statistics/")
    others = {path for path in walked_again if not path.startswith(aside)} ^ drawn()
    assert others == {"drift/service/late.py"}
