"""The example: traffic that is the same each time, breaks on request, and is sent once."""

from __future__ import annotations

import importlib
import random

import pytest

from tests.deployment.composition import ROOT

START_S = 1_772_409_600.0
"""A Monday, midnight UTC."""

HOUR_S = 3600.0


@pytest.fixture(scope="module")
def traffic():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "examples" / "inference_service"))
        yield importlib.import_module("traffic")


def sent(traffic, first_hour, end_hour, *, fault="none", between=(0, float("inf")), seed=1):
    broken = traffic.Fault(fault, *between)
    chance = random.Random(seed)
    made = traffic.Traffic(start_s=START_S, per_hour=60.0, fault=broken, random=chance)
    hours = [START_S + hour * HOUR_S for hour in range(first_hour, end_hour)]
    return [patient for begin_s in hours for patient in made.between(begin_s, begin_s + HOUR_S)]


def test_the_same_seed_sends_the_same_patients_and_another_one_others(traffic):
    assert sent(traffic, 0, 24) == sent(traffic, 0, 24)
    assert sent(traffic, 0, 24) != sent(traffic, 0, 24, seed=2)


def test_fewer_come_at_night(traffic):
    by_day, by_night = sent(traffic, 8, 20), sent(traffic, 22, 34)
    assert 600 < len(by_day) < 850
    assert len(by_night) < 0.6 * len(by_day)


@pytest.mark.parametrize(
    ("fault", "feature", "is_broken"),
    [
        ("blood_pressure_in_kpa", "blood_pressure", lambda value: value < 25),
        ("glucose_missing", "glucose", lambda value: value is None),
        ("hdl_stuck", "hdl", lambda value: value == 40.0),
        ("sex_renamed", "sex", lambda value: value in {"F", "M"}),
    ],
)
def test_a_fault_breaks_one_feature_from_one_hour_to_another(traffic, fault, feature, is_broken):
    whole, broken = sent(traffic, 8, 14), sent(traffic, 8, 14, fault=fault, between=(10, 12))
    for before, after in zip(whole, broken, strict=True):
        is_meant = "T10" <= after["seen_at"][10:13] < "T12"
        assert is_broken(after[feature]) == is_meant
        assert {**before, feature: 0} == {**after, feature: 0}


def test_hours_that_passed_are_sent_whole_and_the_present_one_as_it_passes(traffic):
    now_s, waits = [START_S + 2.5 * HOUR_S], []

    def wait(seconds):
        waits.append(seconds)
        now_s[0] += seconds
        return len(waits) > 4

    steps = list(traffic.steps(START_S, float("inf"), now=lambda: now_s[0], wait=wait))
    assert steps[:2] == [(START_S, START_S + HOUR_S), (START_S + HOUR_S, START_S + 2 * HOUR_S)]
    assert {end - begin for begin, end in steps[2:]} == {30.0}
    assert waits == [0.0] * 5


def test_nothing_is_sent_before_its_time(traffic):
    now_s = [START_S]

    def wait(seconds):
        now_s[0] += seconds
        return False

    for _, end_s in traffic.steps(START_S, START_S + 120, now=lambda: now_s[0], wait=wait):
        assert end_s <= now_s[0]


def test_a_restart_goes_on_where_it_was(traffic, tmp_path):
    first = traffic.Progress(tmp_path / "state.json", start_s=START_S, first_s=START_S)
    first.reach(START_S + 5 * HOUR_S)
    again = traffic.Progress(tmp_path / "state.json", start_s=START_S + 99, first_s=START_S + 99)
    assert (again.start_s, again.sent_until_s) == (START_S, START_S + 5 * HOUR_S)
