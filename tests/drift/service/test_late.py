"""What makes an hour late, and which verdicts differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driftline.domain.hours import hour_time
from driftline.drift import DriftSettings, Verdict
from driftline.drift.hours import Arrival, StreamHour
from driftline.drift.service.late import Revision, is_late
from driftline.drift.service.sink import by_key, is_same, rewritten
from driftline.store.verdicts import JudgedHour

HOUR = 490_000


def verdict(end, *, scale=1, name="ok", episode=None, **changed):
    given = Verdict(
        feature="amount",
        kind="numeric",
        reference="production",
        scale_hours=scale,
        window_start=HOUR + end - scale,
        window_end=HOUR + end,
        verdict=name,
        effect=0.1,
        statistics={"psi": 0.2, "js": float("nan")},
        sample_size=40,
        episode_id=episode,
        episode_start=None if episode is None else HOUR,
    )
    return replace(given, **changed)


@pytest.mark.parametrize(
    ("judged", "now", "expected"),
    [
        (None, Arrival(), False),
        (None, Arrival(1), True),
        ((40, 0.0), Arrival(40), False),
        ((40, 0.0), Arrival(41), True),
        ((40, 0.0), Arrival(39), True),
        ((4000, 0.0), Arrival(4000, 3.0), False),
        ((4000, 0.0), Arrival(4000, 5.0), True),
        ((0, 13.0), Arrival(0, 12.0), False),
        ((0, 13.0), Arrival(), True),
    ],
)
def test_an_hour_is_late_by_one_row_or_by_a_thousandth_of_its_completeness(judged, now, expected):
    assert is_late(judged and JudgedHour(HOUR, *judged), now) is expected


def test_verdicts_are_the_same_whatever_their_revision_and_the_last_bits_of_their_numbers():
    one = verdict(1)
    assert is_same(one, replace(one, revision=3, revised_because="late"))
    assert is_same(one, replace(one, effect=0.1 * (1 + 1e-12), statistics={"psi": 0.2, "js": float("nan")}))
    for changed in (
        {"effect": 0.1001},
        {"effect": None},
        {"statistics": {"psi": 0.2}},
        {"statistics": {"psi": 0.3, "js": float("nan")}},
        {"verdict": "warn"},
        {"sample_size": 41},
        {"completeness": 0.5},
    ):
        assert not is_same(one, replace(one, **changed)), changed


def test_only_what_differs_is_written_again_as_the_next_revision():
    same, other, new = (verdict(end) for end in (1, 2, 3))
    known = by_key([same, replace(other, sample_size=30, revision=4)])
    assert rewritten(known, [same, other, new], "why") == [
        replace(other, revision=5, revised_because="why"),
        new,
    ]


def revise(hours, *, late, settings=None):
    """Take hours, each (given, known) by the hour after the first."""
    judged = {HOUR: JudgedHour(HOUR, 30, 0.0)}
    revision = Revision(
        [HOUR + hour for hour in late],
        judged=judged,
        landings={},
        settings=settings or DriftSettings(),
    )
    for hour, (given, known) in hours.items():
        arrived = StreamHour(HOUR + hour, Arrival(40), {})
        revision.compare_with(known)
        revision.take(arrived, given)
    return revision


def test_a_window_without_late_hours_is_left_alone_unless_its_incident_came_or_went():
    revision = revise(
        {
            0: ([verdict(1, sample_size=41)], [verdict(1)]),
            1: ([verdict(2, sample_size=41)], [verdict(2)]),
            2: ([verdict(3)], [verdict(3, name="page", episode="gone")]),
        },
        late=[0],
    )
    assert [(one.window_end, one.verdict) for one in revision.verdicts] == [
        (HOUR + 1, "ok"),
        (HOUR + 3, "ok"),
    ]
    assert revision.verdicts[1].revised_because == (
        f"10 events of {hour_time(HOUR):%Y-%m-%d %H:%M} UTC arrived late; "
        "this window holds none of them, but an incident before it came or went with them"
    )
    assert revision.hours == [JudgedHour(HOUR, 40, 0.0, 2)]


def test_it_goes_on_past_the_longest_window_while_incidents_change():
    settings = DriftSettings(scales_hours=(1, 6), quiet_hours=10)
    quiet = revise({0: ([verdict(1)], [verdict(1)])}, late=[0], settings=settings)
    assert quiet.end_hour == HOUR + 6
    changed = ([verdict(5, name="page", episode="new")], [verdict(5, name="page", episode="old")])
    revision = revise({0: ([verdict(1)], []), 4: changed}, late=[0], settings=settings)
    assert revision.end_hour == HOUR + 4 + 1 + 10
    week = revise({0: ([verdict(1, scale=168)], [])}, late=[0], settings=settings)
    assert week.end_hour == HOUR + 168


def test_a_reference_that_was_not_there_then_is_not_brought_up_afterwards():
    training = verdict(1, reference="training")
    revision = revise({0: ([verdict(1, sample_size=41), training], [verdict(1)])}, late=[0])
    assert [one.reference for one in revision.verdicts] == ["production"]
    never_judged = revise({0: ([verdict(1), training], [])}, late=[0])
    assert [one.reference for one in never_judged.verdicts] == ["production", "training"]
