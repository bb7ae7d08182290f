"""Materializing misses no late row, makes nothing older, and may be killed at any point."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from driftline.features import Entity, FeatureView
from driftline.features.history import push
from driftline.features.materialize import materialize
from driftline.features.online import OnlineStore, ViewKey, open_online
from driftline.store.feature_values import FeatureRow, Place, write_values

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = int((START + timedelta(minutes=100)).timestamp() * 1e6)
_numbers = count()


def view_of():
    return FeatureView(f"view{next(_numbers)}", Entity("plane"), {"value": "numeric"})


def put(connection, view, *rows):
    """Push rows (plane, event minute, minute from which it is known, value)."""
    frame = {
        "plane": [row[0] for row in rows],
        "event_time": [START + timedelta(minutes=row[1]) for row in rows],
        "known": [START + timedelta(minutes=row[2]) for row in rows],
        "value": [row[3] for row in rows],
    }
    push(connection, view, frame, available_time="known")


def bring(connection, online, view, minute=100, **rest):
    return materialize(connection, online, view, now_us=NOW_US + (minute - 100) * 60_000_000, **rest)


def values(online, view, planes="abcd"):
    rows = online.get(ViewKey(view.name, view.computation), list(planes))
    return "".join("-" if row is None else f"{row.numbers[0]:.0f}" for row in rows)


def test_only_what_came_since_is_looked_at_and_late_rows_are_not_missed(connection, online):
    view = view_of()
    put(connection, view, ("a", 10, 10, 1), ("b", 10, 10, 1))
    first = bring(connection, online, view)
    assert (first.entities, first.is_whole, values(online, view)) == (2, True, "11--")
    assert bring(connection, online, view).entities == 0
    # Of times long before what is there already: of another plane, of the same and older, corrected.
    put(connection, view, ("c", 2, 2, 3), ("a", 3, 3, 9), ("b", 10, 10, 2))
    second = bring(connection, online, view)
    assert (second.entities, second.is_whole, values(online, view)) == (3, False, "123-")


def test_a_row_comes_online_when_its_time_comes_though_it_arrived_long_before(connection, online):
    view = view_of()
    put(connection, view, ("a", 10, 10, 1), ("a", 120, 10, 2), ("b", 10, 130, 5))
    bring(connection, online, view)
    assert values(online, view) == "1---"
    bring(connection, online, view, minute=120)
    assert values(online, view) == "2---"
    bring(connection, online, view, minute=131)
    assert values(online, view) == "25--"


def test_an_insert_that_becomes_visible_behind_newer_ones_is_not_missed(connection, online):
    view = view_of()
    put(connection, view, ("a", 10, 10, 1))
    bring(connection, online, view)
    slow = FeatureRow("c", NOW_US - 1, NOW_US - 1, 5, [7.0], [])
    write_values(connection, Place(view.name, view.computation), [slow])
    done = bring(connection, online, view)
    assert (done.is_whole, values(online, view)) == (True, "1-7-")
    assert bring(connection, online, view).entities == 0


def test_entities_come_in_pieces(connection, online):
    view = view_of()
    put(connection, view, *((plane, 1, 1, 4) for plane in "abcd"))
    assert bring(connection, online, view, piece_rows=3).entities == 4
    assert values(online, view) == "4444"


class Deadly(list):
    """Rows of which the second kills whoever comes to it."""

    def __iter__(self):
        for place, row in enumerate(list.__iter__(self)):
            if place == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            yield row

    def __getitem__(self, place):
        found = list.__getitem__(self, place)
        return Deadly(found) if isinstance(place, slice) else found


class KilledError(Exception):
    """A process was killed on the way."""


class Dying(OnlineStore):
    """Does everything in processes of its own, one of which is killed at a point."""

    def __init__(self, url, point):
        self.url, self.point = url, point

    def _apart(self, step, action):
        child = os.fork()
        if child == 0:
            try:
                with closing(open_online(self.url)) as online:
                    if self.point == f"before {step}":
                        os.kill(os.getpid(), signal.SIGKILL)
                    action(online)
                    if self.point == f"after {step}":
                        os.kill(os.getpid(), signal.SIGKILL)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            raise KilledError

    def put(self, key, rows):
        given = Deadly(rows) if self.point == "within rows" else rows
        self._apart("rows", lambda online: online.put(key, given))

    def set_progress(self, key, progress):
        self._apart("progress", lambda online: online.set_progress(key, progress))

    def progress(self, key):
        with closing(open_online(self.url)) as online:
            return online.progress(key)


POINTS = ["before rows", "within rows", "after rows", "before progress", "after progress"]


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_nothing_is_lost_and_nothing_becomes_older(connection, online_url, point):
    view = view_of()
    put(connection, view, ("a", 10, 10, 1), ("b", 10, 10, 1), ("c", 10, 10, 1))
    with closing(open_online(online_url)) as online:
        bring(connection, online, view)
    put(connection, view, ("a", 20, 20, 2), ("b", 5, 5, 9), ("c", 10, 10, 3), ("d", 1, 1, 4))
    with pytest.raises(KilledError):
        bring(connection, Dying(online_url, point), view)
    with closing(open_online(online_url)) as online:
        between = values(online, view)
        assert all(now in then for now, then in zip(between, ["12", "1", "13", "-4"], strict=True))
        bring(connection, online, view)
        assert values(online, view) == "2134"
        assert bring(connection, online, view).entities == 0
