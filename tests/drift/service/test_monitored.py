"""Features that a monitor ignores are not judged; what only warns never pages."""

from __future__ import annotations

from driftline.drift import DriftSettings, Judge, Verdict
from driftline.drift.service.pipeline import as_monitored
from driftline.drift.service.source import without_ignored
from driftline.monitors import FeatureMonitor, ModelMonitor
from tests.drift.conftest import GRIDS, Traffic

SETTINGS = DriftSettings(reference_weeks=2)
WEEK = 168


def page(feature):
    return Verdict(
        feature=feature,
        kind="numeric",
        reference="production",
        scale_hours=1,
        window_start=1,
        window_end=2,
        verdict="page",
        episode_id="e",
        episode_start=1,
        reason="It moved.",
    )


def shifted(columns):
    return {**columns, "age": columns["age"] + 5, "amount": columns["amount"] + 50}


def test_ignored_features_get_no_verdict_and_the_others_do():
    monitor = ModelMonitor(settings=SETTINGS, ignored_features=("a*t", "ci*"))
    traffic = Traffic()
    judge = Judge(grids=GRIDS, training=(), settings=SETTINGS, identity="m")
    for hour in range(3 * WEEK):
        judge.remember(without_ignored(traffic.hour(hour), monitor))
    verdicts = judge.judge(without_ignored(traffic.hour(3 * WEEK, shifted), monitor))
    assert {(verdict.feature, verdict.verdict) for verdict in verdicts if verdict.scale_hours == 1} == {
        ("age", "page")
    }


def test_without_ignored_features_an_hour_stays_the_same_object():
    profile = Traffic().hour(0)
    assert without_ignored(profile, ModelMonitor(settings=SETTINGS)) is profile


def test_what_only_warns_is_a_warning_that_says_why_and_keeps_its_episode():
    monitor = ModelMonitor(settings=SETTINGS, features={"tmp_*": FeatureMonitor(warn_only=True)})
    warned, paged = as_monitored([page("tmp_x"), page("age")], monitor)
    assert (warned.verdict, warned.episode_id, warned.episode_start) == ("warn", "e", 1)
    assert warned.reason == "It moved. This only warns, as the file of monitors says."
    assert paged == page("age")


def test_nothing_pages_of_a_model_that_only_warns():
    reported = as_monitored([page("age"), page("city")], ModelMonitor(settings=SETTINGS, warn_only=True))
    assert [verdict.verdict for verdict in reported] == ["warn", "warn"]
