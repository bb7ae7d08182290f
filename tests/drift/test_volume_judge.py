"""How many predictions there are, against the same hours of past weeks."""

from __future__ import annotations

import pytest

from driftline.domain.names import VOLUME
from driftline.domain.streams import Stream
from driftline.drift import DriftSettings
from driftline.drift.incidents.book import IncidentBook
from driftline.drift.judges import VolumeJudge
from tests.drift.conftest import START, WEEK
from tests.drift.volumes import LEARNED, hour_of, paging, usual


def new_judge():
    return VolumeJudge(settings=DriftSettings(), identity="m/1/production")


def learned(seed=3, until=LEARNED):
    judge = new_judge()
    for hour in range(START, until):
        judge.remember(hour_of(hour, usual(hour, seed)))
    return judge


def run(judge, hours, change=lambda _hour, rows: rows, **arrived):
    return [
        one for hour in hours for one in judge.judge(hour_of(hour, change(hour, usual(hour)), **arrived), 1.0)
    ]


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_ordinary_weeks_do_not_page(seed):
    judge = learned(seed)
    for hour in range(LEARNED, LEARNED + 6 * WEEK):
        assert not paging(judge.judge(hour_of(hour, usual(hour, seed)), 1.0))


@pytest.mark.parametrize(
    ("factor", "within"), [(0.1, 1), (0.5, 6), (2.0, 6)], ids=["a tenth", "half", "twice"]
)
def test_volume_that_falls_or_doubles_pages_and_says_how_many_there_should_be(factor, within):
    begins = LEARNED + 9
    verdicts = run(
        learned(),
        range(LEARNED, begins + within),
        lambda hour, rows: int(rows * factor) if hour >= begins else rows,
    )
    found = [one for one in verdicts if one.verdict == "page"]
    assert found
    assert all(one.window_end > begins for one in found)
    assert {one.feature for one in found} == {VOLUME}
    surest = max(found, key=lambda one: one.z)
    assert surest.observed == pytest.approx(factor, rel=0.35)
    assert "predictions in" in surest.reason
    assert "to expect" in surest.reason


def test_what_the_ledger_misses_is_no_silence():
    """Events that were sent and did not arrive make data incomplete; the model spoke."""
    silent, lost = learned(), learned()
    hour = LEARNED + 12
    run(silent, range(LEARNED, hour))
    run(lost, range(LEARNED, hour))
    assert paging(silent.judge(hour_of(hour, 3), 1.0))
    verdicts = lost.judge(hour_of(hour, 3, missing=usual(hour) - 3.0), 1.0)
    assert not paging(verdicts)
    assert verdicts[0].completeness < 0.01
    more = lost.judge(hour_of(hour + 1, usual(hour + 1), missing=5.0 * usual(hour + 1)), 1.0)
    assert not paging(more)


def test_hours_that_brought_nothing_count_as_none():
    judge = learned()
    run(judge, range(LEARNED, LEARNED + 8))
    assert paging(judge.judge(hour_of(LEARNED + 14, usual(LEARNED + 14)), 1.0))


def test_traffic_that_goes_to_another_version_is_no_silence():
    judge = learned()
    verdicts = []
    for step, hour in enumerate(range(LEARNED, LEARNED + 30)):
        own = max(1.0 - step / 20, 0.0)
        rows = usual(hour)
        verdicts += judge.judge(hour_of(hour, int(rows * own), elsewhere=rows - int(rows * own)), 1.0)
    assert verdicts
    assert not paging(verdicts)


def test_a_peak_of_every_week_pages_twice_and_is_a_habit_then():
    peaks = [LEARNED + 40 + week * WEEK for week in range(4)]
    is_peak = {hour for peak in peaks for hour in range(peak, peak + 3)}
    verdicts = run(
        learned(),
        range(LEARNED, peaks[-1] + 48),
        lambda hour, rows: rows * 4 if hour in is_peak else rows,
    )
    ends = paging(verdicts)
    assert [peak for peak in peaks if any(peak < end <= peak + 27 for end in ends)] == peaks[:2]
    assert all(any(peak < end <= peak + 27 for peak in peaks) for end in ends)


def test_a_young_stream_learns_and_few_events_say_nothing():
    judge = learned(until=START + 3 * 24)
    assert {one.verdict for one in judge.judge(hour_of(START + 3 * 24, 900), 1.0)} == {"learning"}
    sparse = new_judge()
    for hour in range(START, LEARNED):
        sparse.remember(hour_of(hour, 0 if hour % 3 else 1))
    given = {one.scale_hours: one.verdict for one in sparse.judge(hour_of(LEARNED, 1), 1.0)}
    assert given == {1: "insufficient_data", 6: "insufficient_data", 24: "insufficient_data"}


def test_what_the_controller_holds_back_warns_and_keeps_its_episode():
    judge = learned()
    run(judge, range(LEARNED, LEARNED + 9))
    given = judge.judge(hour_of(LEARNED + 9, usual(LEARNED + 9) // 10), 50.0)
    assert {one.verdict for one in given if one.episode_id} == {"warn"}


def test_a_judge_rebuilt_from_hours_and_episodes_goes_on_alike():
    def change(hour, rows):
        return rows // 3 if LEARNED + 30 <= hour < LEARNED + 40 else rows

    split = LEARNED + 60
    steady = learned()
    before = run(steady, range(LEARNED, split), change)
    rebuilt = new_judge()
    for hour in range(split - DriftSettings().history_hours, split):
        rebuilt.remember(hour_of(hour, change(hour, usual(hour))))
    rebuilt.resume([one for one in before if one.episode_id], [])
    assert paging(before)
    for hour in range(split, split + 200):
        now = hour_of(hour, usual(hour))
        assert rebuilt.judge(now, 1.0) == steady.judge(now, 1.0)


def test_its_pages_become_incidents_that_say_it():
    judge, book = learned(), IncidentBook(Stream("m", "1", "production"), settings=DriftSettings())
    for hour in range(LEARNED, LEARNED + 12):
        rows = usual(hour) // (10 if hour >= LEARNED + 10 else 1)
        book.take(hour, judge.judge(hour_of(hour, rows), book.margin(hour)))
    (incident,) = book.incidents
    assert "of the predictions that were to be expected" in incident.headline


def test_summer_time_moves_no_hour_where_the_clock_of_the_traffic_is_known():
    """The weeks before the clock was put back are matched by the hour that people lived by."""
    settings = DriftSettings(timezone="America/New_York")
    judge = VolumeJudge(settings=settings, identity="m/1/production")
    end_of_summer_time = 384_294  # 3 November 2013, 06:00 UTC.

    def traffic(hour):
        local = hour - (4 if hour < end_of_summer_time else 5)
        return usual(local)

    begin = end_of_summer_time - 4 * WEEK
    for hour in range(begin, begin + 3 * WEEK):
        judge.remember(hour_of(hour, traffic(hour)))
    for hour in range(begin + 3 * WEEK, begin + 6 * WEEK):
        assert not paging(judge.judge(hour_of(hour, traffic(hour)), 1.0))


def test_a_batch_of_every_night_is_missed_at_night_and_by_day_nothing_is():
    """Rows come at 2 o'clock alone; hours without any are judged all the same."""
    judge = new_judge()
    for hour in range(START, LEARNED):
        judge.remember(hour_of(hour, 2000 if (hour - START) % 24 == 2 else 0))
    night = LEARNED + 24 + 2
    ordinary = [
        one
        for hour in range(LEARNED, night)
        for one in judge.judge(hour_of(hour, 2000 if (hour - START) % 24 == 2 else 0), 1.0)
    ]
    assert not paging(ordinary)
    assert paging(judge.judge(hour_of(night, 0), 1.0)) == [night + 1]
