"""What is accepted as the new normal breaks no learned rule any more; a stray row makes nothing normal."""

from __future__ import annotations

from collections import Counter

import pytest

from driftline import register_training_run
from driftline.domain.streams import Stream
from driftline.store.invalid import read_invalid
from driftline.store.rules import read_rule_sets, read_rules, set_rules
from driftline.store.widened_rules import widen_rules
from tests.support.landing import put
from tests.support.traffic import START_S
from tests.support.training import WAIVED

FIRST_HOUR = int(START_S) // 3600
HOURS = 24
EVENTS = HOURS * 60
REFERENCE_ROWS = 1200
CITIES = ("Ankara", "Bergen", "Cork")
STRAY = 700


def summer(number):
    """Return an event of a season that the training data do not hold: warmer, another city, often no age."""
    features = {
        "amount": 1e9 if number == STRAY else 40.0 + number % 11,
        "age": 5.0,
        "ratio": None if number % 10 == 0 else 0.5,
        "city": "Rome" if number == STRAY + 1 else "Oslo" if number % 2 else "Cork",
    }
    return {"features": features, "prediction": 1.0, "event_time": START_S + number * 60.0}


def counted(landing, model):
    found = read_invalid(landing.client, model_name=model)
    return Counter({(line.feature, line.reason): line.count for line in found})


@pytest.fixture(scope="module")
def stream(landing):
    register_training_run(
        "winter",
        model_name="seasons",
        model_version="3",
        waive=WAIVED,
        log=landing.log,
        reference={
            "amount": [float(number % 11) for number in range(REFERENCE_ROWS)],
            "age": [float(number % 61) for number in range(REFERENCE_ROWS)],
            "ratio": [0.5 for _ in range(REFERENCE_ROWS)],
            "city": [CITIES[number % 3] for number in range(REFERENCE_ROWS)],
        },
        reference_predictions=[float(number % 2) for number in range(REFERENCE_ROWS)],
    )
    landing.land()
    put(landing, [summer(number) for number in range(EVENTS)], model_name="seasons")
    return Stream("seasons", "3", "production")


def widen(landing, stream, *features):
    found = widen_rules(landing.client, stream, features, first_hour=FIRST_HOUR, end_hour=FIRST_HOUR + HOURS)
    landing.land()
    return found


def test_what_lies_out_of_the_training_range_is_called_so_and_is_accepted_with_the_incident(landing, stream):
    before = counted(landing, "seasons")
    assert before[("amount", "above_training_range")] == EVENTS
    assert before[("city", "not_allowed")] == EVENTS // 2
    assert before[("ratio", "missing")] == EVENTS // 10
    assert sorted(widen(landing, stream, "amount", "city", "ratio", "nothing")) == ["amount", "city", "ratio"]
    after = counted(landing, "seasons")
    assert after == {("amount", "above_training_range"): 1, ("city", "not_allowed"): 1}
    assert read_rules(landing.client, "seasons")["3"]["city"].allowed == ("Ankara", "Bergen", "Cork", "Oslo")
    limits = read_rules(landing.client, "seasons")["3"]["amount"]
    assert (limits.minimum, limits.maximum) == (-25.0, 75.0)


def test_accepting_it_again_changes_nothing(landing, stream):
    widen(landing, stream, "amount", "city", "ratio")
    number = read_rule_sets(landing.client, "seasons")["seasons", "3"].number
    assert widen(landing, stream, "amount", "city", "ratio") == []
    assert read_rule_sets(landing.client, "seasons")["seasons", "3"].number == number


def test_what_was_set_by_hand_is_a_limit_whatever_is_accepted(landing, stream):
    set_rules(landing.client, "seasons", {"amount": {"maximum": 45.0}})
    widen(landing, stream, "amount")
    assert counted(landing, "seasons")[("amount", "above_range")] == sum(
        summer(number)["features"]["amount"] > 45.0 for number in range(EVENTS)
    )


def test_a_version_that_learned_nothing_has_nothing_to_widen(landing):
    assert widen(landing, Stream("never", "1", "production"), "amount") == []
