"""What a monitor says of segments and rules is what the store counts by."""

from __future__ import annotations

from functools import partial

import pytest

from driftline.domain.business_value import BusinessValue, Worth
from driftline.drift import DriftSettings
from driftline.monitors import FeatureMonitor, ModelMonitor, Monitors
from driftline.store.business_values import read_business_value
from driftline.store.monitored import follow_monitors, follow_rules_of, follow_segments_of
from driftline.store.rules import Rule, read_rules, set_rules
from driftline.store.segments import wanted_segments
from tests.support.landing import put


def monitor(*segments):
    return ModelMonitor(
        settings=DriftSettings(),
        segment_keys=tuple(segment for segment in segments if "=" not in segment),
        segments=tuple(segment for segment in segments if "=" in segment),
    )


def served(landing, model_name, *countries):
    events = [{"features": {}, "prediction": 0.5, "tags": {"country": country}} for country in countries]
    put(landing, events, model_name=model_name)


@pytest.fixture
def written(client):
    return lambda: client.rows("SELECT count() FROM monitored_segments")[0][0]


def test_a_key_stands_for_its_frequent_values_and_a_value_for_itself(landing, client):
    served(landing, "segmented", *["NO"] * 60, *["SE"] * 139, "FI")
    assert follow_segments_of(client, "segmented", monitor("country", "carrier=DL")) == []
    assert wanted_segments(client, "segmented") == ["carrier=DL", "country=NO", "country=SE"]


def test_a_value_that_is_rare_now_stays_and_one_that_is_frequent_now_is_added(landing, client):
    served(landing, "changing", "NO")
    follow_segments_of(client, "changing", monitor("country"))
    served(landing, "changing", *["SE"] * 150)
    follow_segments_of(client, "changing", monitor("country"))
    assert wanted_segments(client, "changing") == ["country=NO", "country=SE"]


def test_nothing_is_written_where_nothing_is_new(landing, client, written):
    served(landing, "steady", "NO")
    follow_segments_of(client, "steady", monitor("country"))
    before = written()
    follow_segments_of(client, "steady", monitor("country"))
    assert written() == before


def test_segments_that_the_file_names_no_more_are_counted_no_more(landing, client):
    served(landing, "dropped", "NO")
    follow_segments_of(client, "dropped", monitor("country", "carrier=DL"))
    follow_segments_of(client, "dropped", monitor("carrier=DL"))
    assert wanted_segments(client, "dropped") == ["carrier=DL"]
    follow_segments_of(client, "dropped", monitor())
    assert wanted_segments(client, "dropped") == []


def test_a_key_without_values_is_warned_of_and_the_others_are_counted(landing, client):
    served(landing, "warned", "NO")
    (warning,) = follow_segments_of(client, "warned", monitor("county", "country"))
    assert "no tag or categorical feature 'county'" in warning
    assert wanted_segments(client, "warned") == ["country=NO"]


def test_what_is_too_many_is_cut_and_warned_of(client):
    named = [f"shop={number:03d}" for number in range(201)]
    (warning,) = follow_segments_of(client, "crowded", monitor(*named))
    assert "'shop=200'" in warning
    assert wanted_segments(client, "crowded") == named[:200]


def ruled(**rules):
    features = {
        name.replace("_any", "_*"): FeatureMonitor(rules=reported) for name, reported in rules.items()
    }
    return ModelMonitor(settings=DriftSettings(), features=features)


def test_rules_of_a_monitor_are_in_force_also_those_of_patterns(client):
    monitor = ruled(age={"minimum": 18.0, "maximum": None}, tmp_any={"may_be_missing": False}, hash=None)
    follow_rules_of(client, "ruled", monitor, ["age", "tmp_x", "other"])
    assert read_rules(client, "ruled")[""] == {
        "age": Rule(minimum=18.0),
        "tmp_x": Rule(may_be_missing=False),
        "hash": Rule(),
    }


def test_rules_that_the_file_names_no_more_go_back_to_what_was_learned(client):
    set_rules(client, "relaxed", {"age": {"minimum": 18.0}, "city": {"allowed": ["Bergen"]}})
    follow_rules_of(client, "relaxed", ruled(city={"allowed": ("Bergen", "Ankara")}))
    assert read_rules(client, "relaxed")[""] == {"city": Rule(allowed=("Ankara", "Bergen"))}


def test_rules_that_are_as_they_were_are_not_written_again(client):
    def written():
        return client.rows("SELECT count() FROM feature_rules WHERE model_name = 'calm'")[0][0]

    monitor = ruled(age={"minimum": 18.0, "maximum": None}, city={"allowed": ("b", "a")}, hash=None)
    follow_rules_of(client, "calm", monitor)
    before = written()
    follow_rules_of(client, "calm", monitor)
    assert written() == before > 0
    follow_rules_of(client, "untouched", ruled())
    assert read_rules(client, "untouched") == {}


def test_all_models_follow_those_that_landed_and_those_that_are_named(landing, client):
    served(landing, "all-landed", "NO")
    mine = ModelMonitor(
        settings=DriftSettings(),
        segment_keys=("country",),
        features={"prediction.*": FeatureMonitor(rules={"maximum": 1.0})},
    )
    entries = {"all-coming": mine, "all-*": mine, "other-*": ruled(age={"minimum": 0.0})}
    warnings = follow_monitors(client, Monitors(ModelMonitor(settings=DriftSettings()), entries))
    assert not [warning for warning in warnings if "all-" in warning], "what is to come is not warned of"
    assert wanted_segments(client, "all-landed") == ["country=NO"]
    assert read_rules(client, "all-landed")[""] == {"prediction.number": Rule(kind="answer", maximum=1.0)}
    assert wanted_segments(client, "all-coming") == []
    assert wanted_segments(client, "all-*") == []


def test_what_answers_are_worth_is_what_the_file_says_last(client):
    read = partial(read_business_value, client, "worthy")
    given = {
        "currency": "EUR",
        "true_positive": 12.0,
        "over": -2.0,
        "classes": {"late": {"false_negative": -9.0}},
    }
    unset = ModelMonitor(settings=DriftSettings())
    monitors = Monitors(unset, {"worthy": ModelMonitor(settings=DriftSettings(), business_value=given)})
    follow_monitors(client, monitors)
    assert read() == BusinessValue(
        currency="EUR",
        of_yes=Worth(true_positive=12),
        classes={"late": Worth(false_negative=-9)},
        over=-2,
    )
    follow_monitors(client, monitors)
    assert client.rows("SELECT count() FROM business_values")[0][0] == 1
    follow_monitors(client, Monitors(unset, {"worthy": unset}))
    assert read() is None
