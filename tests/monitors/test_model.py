"""What applies to a model and to its features, of all that a file says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from driftline.drift import DriftSettings
from driftline.monitors import FeatureMonitor, ModelMonitor, Monitors, read_monitors
from driftline.monitors.model import WARNS_BY_ITSELF
from driftline.monitors.values import matches

VALID = Path(__file__).parent / "valid"


@pytest.fixture
def write(tmp_path):
    def read(text, settings=None):
        (tmp_path / "monitors.yaml").write_text(text)
        return read_monitors(tmp_path / "monitors.yaml", settings or DriftSettings())

    return read


def test_without_a_file_every_model_is_judged_by_the_settings_given():
    settings = DriftSettings(timezone="Europe/Berlin")
    monitor = Monitors.default(settings).of("anything")
    assert monitor == ModelMonitor(settings=settings)
    assert monitor.may_page("x")
    assert not monitor.ignores("x")
    assert monitor.rules(["x"]) == {}


def test_a_file_that_says_nothing_changes_nothing(write):
    assert write("version: 1\nmodels:\n") == Monitors.default(DriftSettings())


def test_each_setting_of_a_file_is_a_setting_of_the_judge():
    settings = read_monitors(VALID / "full.yaml", DriftSettings()).settings_of("flight-delay")
    assert settings == DriftSettings(
        page_budget_hours=1000,
        minimum_effect=0.01,
        warn_effect=0.02,
        scales_hours=(1, 12, 48),
        reference_weeks=6,
        hour_of_day_after_hours=72,
        hour_of_week_after_hours=336,
        minimum_sample=50,
        minimum_completeness=0.9,
        quiet_hours=12,
        accept_after_hours=168,
        stuck_hours=12,
        controller_step=0.5,
        timezone="America/New_York",
        holidays=("US",),
    )
    unchanged = [
        field.name
        for field in dataclasses.fields(DriftSettings)
        if getattr(settings, field.name) == field.default and field.name != "page_budget_hours"
    ]
    assert unchanged == ["hour_of_week_after_hours"], "the example is to set every setting"


def test_what_a_model_says_comes_before_the_defaults_and_those_before_the_settings_given(write):
    monitors = write(
        "version: 1\n"
        "defaults: {minimum_effect: 2%, quiet_hours: 12, labels: {team: platform, tier: 2}}\n"
        "models:\n"
        "  churn: {quiet_hours: 48, labels: {team: churn}}\n",
        DriftSettings(minimum_effect=0.5, stuck_hours=7),
    )
    churn, other = monitors.of("churn"), monitors.of("other")
    assert (churn.settings.minimum_effect, churn.settings.quiet_hours, churn.settings.stuck_hours) == (
        0.02,
        48,
        7,
    )
    assert (other.settings.minimum_effect, other.settings.quiet_hours, other.settings.stuck_hours) == (
        0.02,
        12,
        7,
    )
    assert churn.labels == {"team": "churn", "tier": "2"}
    assert other.labels == {"team": "platform", "tier": "2"}


def test_a_name_in_full_comes_before_any_pattern_and_of_patterns_the_first_counts(write):
    monitors = write(
        "version: 1\n"
        "models:\n"
        '  "fraud-*-eu": {stuck_hours: 7}\n'
        '  "fraud-*": {stuck_hours: 8, quiet_hours: 30}\n'
        "  fraud-x-eu: {stuck_hours: 9}\n"
    )
    hours = {
        name: monitors.settings_of(name).stuck_hours for name in ("fraud-a-eu", "fraud-us", "fraud-x-eu", "x")
    }
    assert hours == {"fraud-a-eu": 7, "fraud-us": 8, "fraud-x-eu": 9, "x": 6}
    assert monitors.settings_of("fraud-x-eu").quiet_hours == 24, "entries do not add up"


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("churn", "churn", True),
        ("churn", "churn-eu", False),
        ("*", "", True),
        ("a*", "a", True),
        ("a*a", "a", False),
        ("*-eu-*", "x-eu-y", True),
        ("*-eu-*", "x-eu", False),
        ("a*b*c", "a-c-b-c", True),
        ("a*bc*c", "abc", False),
        ("a.c", "abc", False),
        ("a?", "ab", False),
        ("[ab]", "a", False),
    ],
)
def test_in_a_pattern_only_the_star_is_special(pattern, name, expected):
    assert matches(pattern, name) is expected


def test_texts_stay_as_they_were_written():
    carrier = read_monitors(VALID / "full.yaml", DriftSettings()).of("flight-delay").feature("carrier")
    assert carrier.rules["allowed"] == ("DL", "no", "off", "1e3", "007", "2026-01-31", "null", "true")


def test_rules_are_those_of_the_name_in_full_else_of_the_first_pattern_the_models_own_before_the_defaults():
    monitor = read_monitors(VALID / "full.yaml", DriftSettings()).of("flight-delay")
    assert monitor.feature("dep_delay").rules == {"minimum": -60, "maximum": 2000, "may_be_missing": True}
    allowed = {"may_be_missing": False, "may_be_absent": True, "may_be_not_finite": True}
    assert monitor.feature("dep_time").rules == allowed
    assert monitor.feature("distance") == FeatureMonitor()
    rules = monitor.rules(["dep_time", "distance", "tmp_x"])
    assert sorted(rules) == ["arr_delay", "carrier", "dep_delay", "dep_time", "hash"]
    assert rules["arr_delay"] == {"minimum": None, "allowed": None}, "off is listed, and not left out"


def test_rules_that_are_off_are_none_and_not_left_out(write):
    monitor = write("version: 1\ndefaults: {features: {id: {rules: off}, x: {warn_only: true}}}\n").of("any")
    assert monitor.rules([]) == {"id": None}


def test_what_only_warns_or_is_ignored_never_pages(write):
    monitors = write(
        "version: 1\n"
        "models:\n"
        '  a: {ignore_features: ["hash_*"], features: {"tmp_*": {warn_only: true}}}\n'
        "  b: {warn_only: true}\n"
    )
    a = monitors.of("a")
    assert [a.may_page(name) for name in ("hash_x", "tmp_x", "distance")] == [False, False, True]
    assert [a.ignores(name) for name in ("hash_x", "tmp_x", "distance")] == [True, False, False]
    assert not monitors.of("b").may_page("distance")


def test_segments_are_keys_or_single_values():
    monitors = read_monitors(VALID / "full.yaml", DriftSettings())
    assert monitors.of("flight-delay").segment_keys == ("carrier",)
    assert monitors.of("flight-delay").segments == ("country=NO", "origin=a=b")
    assert monitors.of("other").segment_keys == ("country",)
    assert monitors.of("other-eu").segment_keys == (), "an empty list takes the default's away"


def test_a_monitor_knows_the_line_of_what_the_file_tells():
    lines = read_monitors(VALID / "full.yaml", DriftSettings()).of("flight-delay").lines
    assert (lines["page_budget_hours"], lines["features.dep_delay.minimum"], lines["labels.tier"]) == (
        13,
        10,
        7,
    )
    assert "enabled" not in lines


def test_anchors_are_read_and_own_keys_come_before_what_is_taken_over():
    monitors = read_monitors(VALID / "anchors.yaml", DriftSettings())
    europe, america, following = (monitors.of(f"churn-{name}") for name in ("eu", "us", "next"))
    assert america.settings == dataclasses.replace(europe.settings, timezone="America/New_York")
    assert america.labels == {"team": "churn-us"}
    assert america.features == europe.features == following.features


def test_of_two_mappings_that_are_taken_over_the_first_counts():
    both = read_monitors(VALID / "anchors.yaml", DriftSettings()).of("churn-both")
    assert (both.settings.quiet_hours, both.settings.stuck_hours, both.warn_only) == (30, 7, True)


def test_times_and_confidence_only_warn_unless_the_file_says_otherwise(write):
    quiet = write("version: 1\nmodels: {m: {}}\n").of("m")
    assert [quiet.may_page(key) for key in (*sorted(WARNS_BY_ITSELF), "prediction.outputs.price")] == [
        *[False] * 4,
        True,
    ]
    text = "version: 1\nmodels: {m: {features: {prediction.latency_us: {warn_only: false}}}}\n"
    assert write(text).of("m").may_page("prediction.latency_us")


def test_a_feature_is_of_the_kind_that_the_file_says(write):
    text = (
        "version: 1\nmodels: {m: {features: {store_id: {kind: categorical}, 'n_*': {kind: numeric}, "
        "x: {maximum: 1}, 'feature:prediction': {kind: categorical}, "
        "prediction.number: {kind: categorical}}}}\n"
    )
    assert write(text).of("m").kinds(["n_1", "x", "store_id"]) == {
        "store_id": "categorical",
        "n_1": "numeric",
        "prediction": "categorical",
    }
