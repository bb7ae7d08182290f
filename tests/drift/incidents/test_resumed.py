"""Judge and book of incidents together, stopped and taken up again from what a store would hold."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.domain.incidents import Acknowledgement
from driftline.domain.streams import Stream
from driftline.drift import DriftSettings, Judge
from driftline.drift.incidents.book import IncidentBook
from tests.drift.judging import LEARNED, START, judge_with_history, renamed, shifted

SETTINGS = DriftSettings(controller_step=0.7)
ACKNOWLEDGED, SPLIT, END = LEARNED + 45, LEARNED + 60, LEARNED + 100


def slightly(columns):
    return columns | {"amount": columns["amount"] * np.exp(0.12)}


def change(hour):
    """One fault after the other; the last one is small enough for margin to matter."""
    since = hour - LEARNED
    if 2 <= since < 12:
        return shifted
    if 40 <= since < 75:
        return renamed
    return slightly if since >= 75 else None


class Watch:
    """What a worker does of a stream, with lists for a store."""

    def __init__(self, traffic, grids, judge=None):
        self.traffic = traffic
        self.judge = judge or judge_with_history(traffic, grids, settings=SETTINGS)
        self.book = IncidentBook(Stream("model", "1", "production"), settings=SETTINGS)
        self.verdicts, self.incidents = [], {}

    def run(self, first, end):
        for hour in range(first, end):
            profile = self.traffic.hour(hour, change(hour))
            given = self.judge.judge(profile, margin=self.book.margin(hour))
            self.verdicts += given
            self.keep(self.book.take(hour, given))

    def take_acknowledgements(self, decided):
        self.keep(self.book.acknowledge(decided))

    def keep(self, incidents):
        self.incidents.update((incident.incident_id, incident) for incident in incidents)
        self.judge.decide(self.book.decisions())


@pytest.mark.parametrize("name", ["real", "noise", "accept", None])
def test_a_worker_that_is_started_again_says_the_same(traffic, grids, name):
    steady = Watch(traffic, grids)
    steady.run(LEARNED, ACKNOWLEDGED)
    newest = steady.book.incidents[-1]
    assert newest.findings[0].feature == "city"
    decided = [Acknowledgement(newest.incident_id, newest.detected, name, ACKNOWLEDGED)] if name else []
    steady.take_acknowledgements(decided)
    steady.run(ACKNOWLEDGED, SPLIT)
    judge = Judge(grids=grids, settings=SETTINGS, identity="model/1/production")
    again = Watch(traffic, grids, judge)
    unkept = again.book.resume(
        stored=list(steady.incidents.values()),
        verdicts=steady.verdicts,
        acknowledgements=decided,
        next_hour=SPLIT,
    )
    assert unkept == []
    for hour in range(max(SPLIT - judge.history_hours, START), SPLIT):
        judge.remember(traffic.hour(hour, change(hour)))
    judge.resume(steady.verdicts, again.book.decisions())
    steady.verdicts.clear()
    steady.run(SPLIT, END)
    again.run(SPLIT, END)
    assert again.verdicts == steady.verdicts
    assert again.book.incidents == steady.book.incidents
    levels = {None: 1.4, "noise": 1.4, "real": 0.7, "accept": 0.7}
    assert again.book.level(SPLIT) == pytest.approx(levels[name], abs=0.1)
    afterwards = {
        one.verdict for one in again.verdicts if one.feature == "city" and one.window_end <= SPLIT + 9
    }
    assert afterwards == ({"learning"} if name == "accept" else {"page"})
