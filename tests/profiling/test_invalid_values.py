"""Values that break a rule are counted when their hour is derived: once, under their reason."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest

from driftline.domain.streams import Stream
from driftline.log import Record
from driftline.log.local import LocalReader
from driftline.store.invalid import UNKNOWN, read_invalid, recent_invalid
from driftline.store.rules import set_rules
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, encode_record
from tests.profiling.broken_values import event, register
from tests.support.landing import put
from tests.support.traffic import START_S

EVENTS = 2000


class Died(BaseException):
    """Nothing catches it: as if the process ended here."""


def die(*_given, **_options):
    raise Died


def counted(landing, model, version="3"):
    found = read_invalid(landing.client, model_name=model, model_version=version)
    return Counter({(line.feature, line.reason): line.count for line in found})


def expected(numbers):
    return Counter(broken for broken in (event(number)[1] for number in numbers) if broken)


def test_every_reason_is_counted_exactly_and_nothing_else(landing):
    register(landing, "bulk")
    event_ids = put(landing, [event(number)[0] for number in range(EVENTS)], model_name="bulk")
    assert counted(landing, "bulk") == expected(range(EVENTS))
    assert len({reason for _, reason in expected(range(EVENTS))}) == 11
    breaks = {event_id: event(number)[1] for number, event_id in enumerate(event_ids)}
    for line in read_invalid(landing.client, model_name="bulk"):
        assert len(line.examples) == 3
        assert {breaks[example] for example in line.examples} == {(line.feature, line.reason)}
        last = max(number for number in range(EVENTS) if event(number)[1] == (line.feature, line.reason))
        assert line.examples[0] == event_ids[last]
        assert line.rows == EVENTS


def test_a_feature_under_another_name_is_both_absent_and_unknown(landing):
    """As many features as ever, so that counting them would not tell."""
    register(landing, "renamed")
    features = {"amount": 1.0, "age": 1.0, "ratio": 0.5, "town": "Cork"}
    put(landing, [{"features": features, "prediction": 1.0}] * 3, model_name="renamed")
    assert counted(landing, "renamed") == {("city", "absent"): 3, ("town", "unknown_feature"): 3}


def test_a_negative_latency_is_counted_though_only_other_clients_send_any(landing):
    register(landing, "early")
    events = [
        {
            "event_id": str(uuid.UUID(int=number)),
            "event_time": START_S * 1_000_000,
            "model_name": "early",
            "model_version": "3",
            "training_run_id": "r",
            "session_id": "s",
            "sequence": number,
            "environment": "production",
            "numeric_features": {"amount": 1.0, "age": 1.0, "ratio": 0.5},
            "categorical_features": {"city": "Cork"},
            "prediction_number": 1.0,
            "latency_us": -1 if number % 2 else 1,
            "compute_us": -1,
        }
        for number in (1, 2, 3)
    ]
    records = [Record(PREDICTIONS_TOPIC, b"", encode_record(PREDICTION, event)) for event in events]
    landing.log.writer().append(records)
    landing.land()
    assert counted(landing, "early") == {
        ("prediction.latency_us", "below_range"): 2,
        ("prediction.compute_us", "below_range"): 3,
    }


def test_the_metric_counts_two_hours_unknown_features_together_and_leaves_out_what_is_not_served(landing):
    register(landing, "shown")
    put(landing, [event(number)[0] for number in range(200)], model_name="shown")
    put(landing, [event(number)[0] for number in range(200)], model_name="shown", environment="shadow")
    newest = int(START_S) // 3600 + 2
    wanted = expected(number for number in range(200) if 60 <= number < 180)
    unknown = wanted.pop(("colour", "unknown_feature")) + wanted.pop(("weight", "unknown_feature"))
    shown = dict(recent_invalid(landing.client, {Stream("shown", "3", "production"): newest}))
    assert shown.pop(("shown", "3", UNKNOWN, "unknown_feature")) == unknown
    assert shown == {("shown", "3", *key): count for key, count in wanted.items()}
    assert recent_invalid(landing.client, {Stream("shown", "2", "production"): newest}) == {}
    assert recent_invalid(landing.client, {}) == {}


def test_each_version_is_checked_by_its_own_reference(landing):
    register(landing, "two")
    register(landing, "two", "4", scale=100.0)
    rows = [{"features": {"amount": 400.0, "age": 1.0, "ratio": 0.5, "city": "Cork"}, "prediction": 1.0}] * 5
    put(landing, rows, model_name="two", model_version="4")
    assert counted(landing, "two", "4") == {}
    put(landing, rows, model_name="two", model_version="3")
    assert counted(landing, "two", "3") == {("amount", "above_training_range"): 5}


def test_a_model_is_checked_once_it_has_rules_and_its_reference_never_is(landing):
    put(landing, [event(number)[0] for number in range(100)], model_name="free")
    assert counted(landing, "free") == {}
    register(landing, "free")
    assert counted(landing, "free") == expected(range(100))
    set_rules(landing.client, "free", {"amount": {"maximum": 1.0}})
    landing.land()
    assert {line.environment for line in read_invalid(landing.client, model_name="free")} == {"production"}


def test_a_landing_that_was_repeated_doubles_no_count(landing, monkeypatch):
    register(landing, "killed")
    with monkeypatch.context() as patched:
        patched.setattr(LocalReader, "commit", die)
        with pytest.raises(Died):
            put(landing, [event(number)[0] for number in range(200)], model_name="killed")
    landing.profiler.run_until_idle()
    assert counted(landing, "killed") == expected(range(200))
    landing.again()
    assert landing.lander.run_until_idle() > 0
    landing.profiler.run_until_idle()
    assert counted(landing, "killed") == expected(range(200))


def test_changed_rules_hold_for_everything_that_landed_before(landing):
    register(landing, "changed")
    put(landing, [event(number)[0] for number in range(200)], model_name="changed")
    set_rules(landing.client, "changed", {"amount": None, "city": {"allowed": ["Oslo"]}})
    put(landing, [event(number)[0] for number in range(200)], model_name="changed")
    found = counted(landing, "changed")
    assert {reason for feature, reason in found if feature == "amount"} == set()
    events = [event(number)[0]["features"] for number in range(200)] * 2
    others = [row["city"] for row in events if isinstance(row.get("city"), str) and row["city"] != "Oslo"]
    assert found["city", "not_allowed"] == len(others)
    set_rules(landing.client, "changed", {"amount": {}, "city": {}})
    landing.land()
    assert counted(landing, "changed") == expected([*range(200), *range(200)])
