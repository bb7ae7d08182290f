"""Parts of an answer are counted as features are, and numbers as categories where somebody says so."""

from __future__ import annotations

import math

import pytest

from driftline import register_training_run
from driftline.domain.streams import Stream
from driftline.drift import DriftSettings
from driftline.monitors import FeatureMonitor, ModelMonitor, Monitors
from driftline.store.answer import MOST_CLASSES, Parts, read_parts
from driftline.store.checked import find_broken, find_unseen
from driftline.store.invalid import read_invalid
from driftline.store.monitored import follow_monitors
from driftline.store.predictions import Filter, read_predictions
from driftline.store.profiles import read_hours
from driftline.store.trace import trace
from driftline.wire.values import text_value
from tests.support.landing import put
from tests.support.traffic import START_S
from tests.support.training import WAIVED

HOUR = START_S // 3600


def counted(landing, model):
    """Return the one hour of a model."""
    stream = Stream(model, "3", "production")
    (profile,) = read_hours(landing.client, stream, first_hour=HOUR, end_hour=HOUR + 1).profiles
    return profile


def put_all(landing, model, *events):
    return put(landing, [{"event_time": START_S, **event} for event in events], model_name=model)


def test_outputs_probabilities_and_times_are_counted_under_names_of_their_own(landing):
    put_all(
        landing,
        "whole",
        {"prediction": {"price": 12.5, "gate": "C4", "prediction.number": None}, "latency_us": 1500},
        {
            "prediction": {"price": 10.5, "gate": "C5"},
            "probabilities": {"a": 0.25, "b": 0.75},
            "compute_us": 7,
        },
        {"features": {"prediction.outputs.price": 3.0}, "prediction": 0.5},
    )
    found = counted(landing, "whole")
    assert {name: (one.minimum, one.maximum) for name, one in found.numeric.items() if one.counts.size} == {
        "prediction.outputs.price": (10.5, 12.5),
        "prediction.number": (0.5, 0.5),
        "prediction.latency_us": (1500.0, 1500.0),
        "prediction.compute_us": (7.0, 7.0),
        "prediction.probabilities.a": (0.25, 0.25),
        "prediction.probabilities.b": (0.75, 0.75),
        "prediction.confidence": (0.75, 0.75),
        "prediction.entropy": (pytest.approx(-0.25 * math.log(0.25) - 0.75 * math.log(0.75)),) * 2,
        "feature:prediction.outputs.price": (3.0, 3.0),
    }
    assert found.categorical["prediction.outputs.gate"].counts == {"C4": 1, "C5": 1}
    assert found.numeric["prediction.outputs.prediction.number"].nulls == 1


@pytest.mark.parametrize("classes", [MOST_CLASSES, MOST_CLASSES + 1])
def test_of_many_classes_only_confidence_and_entropy_are_counted(landing, classes):
    shares = {f"c{place}": 1 / classes for place in range(classes)}
    put_all(landing, f"classes {classes}", {"probabilities": shares})
    found = counted(landing, f"classes {classes}").numeric
    by_class = sum(name.startswith("prediction.probabilities.") for name in found)
    assert by_class == (classes if classes <= MOST_CLASSES else 0)
    assert found["prediction.confidence"].maximum == pytest.approx(1 / classes)
    assert found["prediction.entropy"].maximum == pytest.approx(math.log(classes))


def test_statements_name_only_what_there_is(landing):
    put_all(landing, "plain", {"features": {"x": 1.0}, "prediction": 0.5})
    assert read_parts(landing.client, "model_name = 'plain'", {}) == Parts(*[False] * 6)


NUMBERS = (7, 7.5, -3, True, 2.0**60, 0.1)


def test_a_number_becomes_a_category_where_the_file_says_so_and_back(landing):
    put_all(
        landing,
        "stores",
        *({"features": {"store_id": number}} for number in NUMBERS),
        {"features": {"store_id": math.nan}},
        {"features": {"store_id": "A"}},
    )
    assert counted(landing, "stores").numeric["store_id"].counts.sum() == len(NUMBERS)
    follow(landing, "stores", {"store_*": FeatureMonitor(kind="categorical")})
    found = counted(landing, "stores")
    assert found.categorical["store_id"].counts == dict.fromkeys([*map(text_value, NUMBERS), "A"], 1)
    assert found.categorical["store_id"].nulls == 1
    assert "store_id" not in found.numeric
    wanted = Filter(feature="store_id", kind="categorical", value="7.5")
    rows = read_predictions(landing.client, Stream("stores", "3", "production"), wanted, limit=9)
    assert [row.value for row in rows] == ["7.5"]
    follow(landing, "stores", {})
    assert counted(landing, "stores").numeric["store_id"].counts.sum() == len(NUMBERS)


def follow(landing, model, features):
    entries = {model: ModelMonitor(settings=DriftSettings(), features=features)}
    follow_monitors(landing.client, Monitors(ModelMonitor(settings=DriftSettings()), entries))
    landing.land()


def test_what_a_run_says_holds_for_whoever_serves_it_unless_the_file_says_otherwise(landing):
    rows = {"store_id": [7, 12] * 500}
    register_training_run(
        "r",
        model_name="ran",
        model_version="3",
        log=landing.log,
        waive=WAIVED,
        reference=rows,
        categorical=["store_id"],
    )
    event_id, stray = put_all(landing, "ran", {"features": {"store_id": 7}}, {"features": {"store_id": 13}})
    assert counted(landing, "ran").categorical["store_id"].counts == {"7": 1, "13": 1}
    found = {(one.feature, one.reason) for one in read_invalid(landing.client, model_name="ran")}
    assert ("store_id", "not_allowed") in found
    assert ("store_id", "type") not in found
    known, other = (trace(landing.client, each)["prediction"] for each in (event_id, stray))
    assert "store_id" not in find_broken(landing.client, known)
    assert find_broken(landing.client, other)["store_id"] == "not_allowed"
    assert find_unseen(landing.client, other) == {"store_id": "the reference never held this value"}
    follow(landing, "ran", {"store_id": FeatureMonitor(kind="numeric")})
    assert counted(landing, "ran").numeric["store_id"].counts.sum() == 2


def test_outputs_are_answers_and_are_checked_as_features_are(landing):
    register_training_run(
        "r",
        model_name="checked",
        model_version="3",
        log=landing.log,
        waive=WAIVED,
        reference={"x": [1.0] * 1000},
        reference_predictions={"price": [10.0, 12.0] * 500, "gate": ["C4", "C5"] * 500},
    )
    ids = put_all(
        landing,
        "checked",
        {"features": {"x": 1.0}, "prediction": {"price": 11.0, "gate": "C4"}},
        {"features": {"x": 1.0}, "prediction": {"price": 99.0, "gate": "C9"}},
        {"features": {"x": 1.0}},
    )
    found = {
        (one.feature, one.reason): one.count for one in read_invalid(landing.client, model_name="checked")
    }
    assert found == {
        ("prediction.outputs.price", "above_training_range"): 1,
        ("prediction.outputs.gate", "not_allowed"): 1,
        ("prediction", "no_prediction"): 1,
    }
    broken = [find_broken(landing.client, trace(landing.client, each)["prediction"]) for each in ids]
    assert broken == [
        {},
        {"prediction.outputs.price": "above_training_range", "prediction.outputs.gate": "not_allowed"},
        {"prediction": "no_prediction"},
    ]


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("prediction.outputs.price", 12.5),
        ("prediction.outputs.gate", "C4"),
        ("prediction.probabilities.a", 0.25),
        ("prediction.confidence", 0.75),
        ("prediction.latency_us", 1500.0),
    ],
)
def test_predictions_are_found_by_parts_of_their_answers(landing, feature, expected):
    stream = Stream("found", "3", "production")
    if not read_predictions(landing.client, stream, Filter(), limit=1):
        answer = {"price": 12.5, "gate": "C4"}
        shares = {"a": 0.25, "b": 0.75}
        put_all(landing, "found", {"prediction": answer, "probabilities": shares, "latency_us": 1500}, {})
    wanted = Filter(feature=feature, value=str(expected))
    assert [row.value for row in read_predictions(landing.client, stream, wanted, limit=5)] == [expected]
