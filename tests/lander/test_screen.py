"""Suspicion falls on what the engine refuses, and on nothing that it takes."""

from __future__ import annotations

import pytest

from driftline.lander.screen import suspects
from driftline.wire import OUTCOME, PREDICTION, encode_datum, event_schema

NOON_US = 1_769_860_800_000_000


def prediction(**changes) -> bytes:
    names = {"model_name": "m", "model_version": "1", "training_run_id": "r", "session_id": "s"}
    own = {"event_id": "01890000-0000-7000-8000-000000000001", "event_time": NOON_US, "sequence": 1}
    return encode_datum(PREDICTION, {**names, **own, "environment": "production", **changes})


BAD = {
    "no bytes": b"",
    "cut short": prediction()[:-3],
    "bytes left over": prediction() + b"\0",
    "time that no calendar holds": prediction(event_time=2**62),
    "no name": prediction(model_name=""),
    "no session": prediction(session_id=""),
    "no number": prediction(sequence=0),
    "no uuid": prediction(event_id="42"),
    "feature without a name": prediction(numeric_features={"": 1.0}),
}


@pytest.mark.parametrize("datum", BAD.values(), ids=BAD)
def test_a_bad_datum_is_suspected(datum):
    assert suspects(event_schema(PREDICTION), [prediction(), datum, prediction()]) == [1]


def test_good_events_of_each_kind_are_not():
    truth = {"event_id": "01890000-0000-7000-8000-000000000001", "observed_time": NOON_US, "sequence": 1}
    names = {"model_name": "m", "session_id": "s", "actual_number": 1.0}
    assert suspects(event_schema(PREDICTION), [prediction()] * 3) == []
    assert suspects(event_schema(OUTCOME), [encode_datum(OUTCOME, {**truth, **names})]) == []
