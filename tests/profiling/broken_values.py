"""Events with values that break rules."""

from __future__ import annotations

import math

import pytest

from driftline import register_training_run
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.traffic import START_S
from tests.support.training import WAIVED

ROWS = 1200


CITIES = ("Ankara", "Bergen", "Cork")


# What is done to an event, and what is counted for it.
WHOLE = {
    "amount as text": ({"amount": "12"}, {}, ("amount", "type")),
    "city as number": ({"city": 3.0}, {}, ("city", "type")),
    "amount NaN": ({"amount": math.nan}, {}, ("amount", "not_finite")),
    "amount infinite": ({"amount": -math.inf}, {}, ("amount", "not_finite")),
    "amount low": ({"amount": -5.1}, {}, ("amount", "below_training_range")),
    "amount high": ({"amount": 15.1}, {}, ("amount", "above_training_range")),
    "amount at the lower limit": ({"amount": -5.0}, {}, None),
    "amount at the upper limit": ({"amount": 15.0}, {}, None),
    "another city": ({"city": "Oslo"}, {}, ("city", "not_allowed")),
    "no amount": ({"amount": None}, {}, ("amount", "missing")),
    "no city": ({"city": None}, {}, ("city", "missing")),
    "no age, as in the reference": ({"age": None}, {}, None),
    "no ratio, as in the reference": ({"ratio": math.nan}, {}, None),
    "another feature": ({"colour": "red"}, {}, ("colour", "unknown_feature")),
    "another feature without a value": ({"weight": None}, {}, ("weight", "unknown_feature")),
    "a score too high": ({}, {"prediction": 1.6}, ("prediction.number", "above_training_range")),
    "a score that is none": ({}, {"prediction": math.nan}, ("prediction.number", "not_finite")),
    "another label": ({}, {"label": "maybe"}, ("prediction.label", "not_allowed")),
    "no answer": ({}, {"prediction": None, "label": None}, ("prediction", "no_prediction")),
    "half an answer": ({}, {"prediction": None}, None),
    "probable": ({}, {"probabilities": {"a": 0.5, "b": 0.4995}}, None),
    "improbable": (
        {},
        {"probabilities": {"a": 1.5, "b": -0.5}},
        ("prediction.probabilities", "probability_range"),
    ),
    "too improbable": (
        {},
        {"probabilities": {"a": 0.5, "b": 0.4}},
        ("prediction.probability_sum", "probability_sum"),
    ),
    "in time": ({}, {"latency_us": 0, "compute_us": 7}, None),
}


KINDS = (*WHOLE, "absent", "all well")


def event(number, scale=1.0):
    """Return the arguments of ``log``, and what they break."""
    arguments = {
        "features": {
            "amount": number % 11 * scale,
            "age": float(number % 61),
            "ratio": 0.5,
            "city": CITIES[number % 3],
        },
        "prediction": float(number % 2),
        "label": "yes" if number % 2 else "no",
        "event_time": START_S + number * 60.0,
    }
    kind = KINDS[number % len(KINDS)]
    if kind == "absent":
        del arguments["features"]["city"]
        return arguments, ("city", "absent")
    features, answer, broken = WHOLE.get(kind, ({}, {}, None))
    arguments["features"] |= features
    return arguments | answer, broken


def register(landing, model, version="3", scale=1.0):
    register_training_run(
        f"{model}-{version}",
        model_name=model,
        model_version=version,
        waive=WAIVED,
        log=landing.log,
        reference={
            "amount": [number % 11 * scale for number in range(ROWS)],
            "age": [None if number % 7 == 0 else float(number % 61) for number in range(ROWS)],
            "ratio": [math.nan if number % 5 == 0 else 0.5 for number in range(ROWS)],
            "city": [CITIES[number % 3] for number in range(ROWS)],
        },
        reference_predictions=[float(number % 2) for number in range(ROWS)],
        reference_labels=["yes" if number % 2 else "no" for number in range(ROWS)],
    )
    landing.land()


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    opened = Landing(Place(tmp_path_factory.mktemp("invalid")))
    yield opened
    opened.close()
