"""Which hours serve as reference, given what paged and how it was acknowledged."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.drift import Feature
from driftline.drift.hygiene import PageLog

AGE, CITY = Feature("age", "numeric"), Feature("city", "categorical")
HOURS = np.arange(1000, 1100)
TWO_WEEKS = 14 * 24


def new_log():
    return PageLog(identity="m", reference="production", quiet_hours=24, accept_after_hours=TWO_WEEKS)


def page(log, end, feature=AGE):
    return log.record(feature, first=end - 1, window_start=end - 6, window_end=end)


def held(log, *, as_of, feature=AGE):
    usable = log.usable(HOURS, [CITY if feature is AGE else AGE, feature], as_of=as_of)
    assert usable[:, 0].all()
    return HOURS[~usable[:, 1]].tolist()


def test_hours_under_a_page_are_held_out_of_its_feature_from_when_it_was_decided():
    log = new_log()
    page(log, 1050)
    assert held(log, as_of=1049) == []
    assert held(log, as_of=1050) == list(range(1044, 1050))


def test_an_episode_goes_on_until_a_quiet_day_and_its_id_is_repeatable():
    def ids():
        log = new_log()
        return [page(log, end).episode_id for end in (1010, 1034, 1059)]

    assert ids() == ids()
    first, second, third = ids()
    assert first == second != third


def test_an_accepted_episode_is_taken_back_and_what_came_before_it_is_dropped():
    log = new_log()
    episode = page(log, 1050)
    assert log.decide(AGE, episode.episode_id, "accept", at=1051)
    assert not log.decide(AGE, episode.episode_id, "accept", at=1060)
    assert held(log, as_of=1050) == list(range(1044, 1050))
    assert held(log, as_of=1051) == list(range(1000, 1049))
    assert (log.is_accepted(AGE, by=1050), log.is_accepted(AGE, by=1051)) == (False, True)
    assert not log.is_accepted(CITY, by=1051)
    assert page(log, 1052).episode_id != episode.episode_id


def test_noise_is_reference_again_and_the_last_acknowledgement_holds():
    log = new_log()
    episode = page(log, 1050)
    log.decide(AGE, episode.episode_id, "noise", at=1060)
    page(log, 1056)
    assert held(log, as_of=1059) == list(range(1044, 1056))
    assert held(log, as_of=1060) == []
    log.decide(AGE, episode.episode_id, "real", at=1070)
    assert held(log, as_of=1069) == []
    assert held(log, as_of=1070) == list(range(1044, 1056))
    assert not log.decide(AGE, episode.episode_id, "real", at=1070)


@pytest.mark.parametrize(("name", "is_accepted"), [(None, True), ("noise", True), ("real", False)])
def test_two_weeks_make_an_episode_normal_unless_it_was_acknowledged_as_a_fault(name, is_accepted):
    log = new_log()
    episode = page(log, 1001)
    if name:
        log.decide(AGE, episode.episode_id, name, at=1002)
    for end in range(1002, 1002 + TWO_WEEKS):
        page(log, end)
    assert log.is_accepted(AGE, by=1000 + TWO_WEEKS) is is_accepted
    assert log.last_decided(by=1000 + TWO_WEEKS) == {None: 1000 + TWO_WEEKS, "noise": 1000 + TWO_WEEKS}.get(
        name, 1002
    )


def test_decisions_may_come_before_the_episode_when_a_log_is_rebuilt():
    known = page(new_log(), 1050).episode_id
    log = new_log()
    log.decide(AGE, known, "accept", at=1051)
    page(log, 1050)
    page(log, 1051)
    assert held(log, as_of=1051) == list(range(1000, 1049))
    assert page(log, 1052).episode_id != known


def test_nothing_decided_is_no_hour():
    assert new_log().last_decided(by=2000) is None


def test_what_no_reference_reaches_is_forgotten():
    log = new_log()
    page(log, 1020)
    page(log, 1060)
    log.forget(before=1030)
    assert held(log, as_of=1100) == list(range(1054, 1060))


def test_an_episode_is_held_out_as_a_whole():
    """The hours between two windows that page belong to what paged, and shift what is expected."""
    log = new_log()
    page(log, 1050)
    page(log, 1070)
    assert held(log, as_of=1060) == list(range(1044, 1050))
    assert held(log, as_of=1070) == list(range(1044, 1070))
    page(log, 1095)
    assert held(log, as_of=1095) == [*range(1044, 1070), *range(1089, 1095)]


@pytest.mark.parametrize(("name", "is_found"), [(None, True), ("noise", True), ("real", False)])
def test_what_paged_may_become_a_habit_once_a_weekend_has_passed_without_objection(name, is_found):
    log = new_log()
    episode = page(log, 1020)
    if name is not None:
        log.decide(AGE, episode.episode_id, name, at=1030)

    def found(as_of):
        return HOURS[log.precedents(HOURS, [AGE], as_of=as_of)[:, 0]].tolist()

    hours = list(range(1014, 1020))
    assert found(1020 + 71) == (hours if name == "noise" else [])
    assert found(1020 + 72) == (hours if is_found else [])
