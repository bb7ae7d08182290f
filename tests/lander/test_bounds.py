"""What is larger than anything of its kind becomes a dead letter, whoever wrote it; all else lands."""

from __future__ import annotations

import itertools
import json
import re
import uuid

import pytest

from driftline.lander.blocks import END_MARK, end_mark
from driftline.log import Record
from driftline.wire import (
    MAX_COUNT,
    MAX_NAME_BYTES,
    MAX_RECORD_BYTES,
    MAX_TEXT_BYTES,
    OUTCOME,
    OUTCOMES_TOPIC,
    PREDICTION,
    PREDICTIONS_TOPIC,
    SESSION,
    SESSIONS_TOPIC,
    encode_record,
    schema_folder,
)
from driftline.wire.bounds import MAX_OUTPUTS
from tests.support.landing import Landing
from tests.support.running import Place

TIME_US = 1_769_860_800_000_000
NAME, TEXT = "n" * (MAX_NAME_BYTES + 1), "t" * (MAX_TEXT_BYTES + 1)
NAMES = {"model_name": "m", "model_version": "1", "environment": "production", "session_id": "s"}
SOUND = {
    PREDICTION: {
        **NAMES,
        "event_id": "01890000-0000-7000-8000-000000000001",
        "event_time": TIME_US,
        "training_run_id": "r",
        "sequence": 1,
    },
    OUTCOME: {
        "model_name": "m",
        "session_id": "s",
        "event_id": "01890000-0000-7000-8000-000000000001",
        "observed_time": TIME_US,
        "sequence": 1,
        "actual_number": 1.0,
    },
    SESSION: {**NAMES, "beat_time": TIME_US, "last_sequence": 1, "last_outcome_sequence": 1},
}
TOPICS = {PREDICTION: PREDICTIONS_TOPIC, OUTCOME: OUTCOMES_TOPIC, SESSION: SESSIONS_TOPIC}
TABLES = {PREDICTION: "predictions", OUTCOME: "outcomes", SESSION: "sessions"}
LARGEST = {
    PREDICTION: {
        "model_name": NAME[1:],
        "sequence": MAX_COUNT,
        "numeric_features": {NAME[1:]: 1.0},
        "categorical_features": {"c": TEXT[1:]},
        "tags": {NAME[1:]: TEXT[1:]},
        "prediction_label": TEXT[1:],
    },
    OUTCOME: {"sequence": MAX_COUNT, "actual_label": TEXT[1:]},
    SESSION: {"last_sequence": MAX_COUNT, "dropped": {NAME[1:]: MAX_COUNT}},
}
COUNTED = ("dropped", "dropped_outcomes", "abandoned", "unencodable", "rounded")
TOO_LARGE = [
    *((PREDICTION, {name: NAME}, "violates_names_bounded") for name in (*NAMES, "training_run_id")),
    (PREDICTION, {"sequence": MAX_COUNT + 1}, "violates_sequence_bounded"),
    (PREDICTION, {"sequence": 2**62}, "violates_sequence_bounded"),
    *(
        (PREDICTION, {field: value}, "violates_feature_names_bounded")
        for field, value in {
            "numeric_features": {NAME: 1.0},
            "categorical_features": {NAME: "x"},
            "missing_features": [NAME],
            "tags": {NAME: "x"},
            "class_probabilities": {NAME: 1.0},
            "numeric_outputs": {NAME: 1.0},
            "categorical_outputs": {NAME: "x"},
            "missing_outputs": [NAME],
        }.items()
    ),
    *(
        (PREDICTION, {field: value}, "violates_texts_bounded")
        for field, value in {
            "categorical_features": {"c": TEXT},
            "tags": {"t": TEXT},
            "categorical_outputs": {"o": TEXT},
            "prediction_label": TEXT,
            "entity_id": TEXT,
            "request_id": TEXT,
            "trace_id": TEXT,
        }.items()
    ),
    (PREDICTION, {"missing_features": ["n" * 1_000] * 1_100}, "too_large"),
    *((OUTCOME, {name: NAME}, "violates_names_bounded") for name in ("model_name", "session_id")),
    (OUTCOME, {"sequence": 2**62}, "violates_sequence_bounded"),
    (OUTCOME, {"actual_label": TEXT}, "violates_texts_bounded"),
    (OUTCOME, {"categorical_actuals": {"o": TEXT}}, "violates_texts_bounded"),
    (OUTCOME, {"numeric_actuals": {NAME: 1.0}}, "violates_outputs_bounded"),
    (PREDICTION, {"missing_outputs": [str(place) for place in range(257)]}, "violates_outputs_bounded"),
    (PREDICTION, {"numeric_outputs": {"": 1.0}}, "violates_output_names_given"),
    *((SESSION, {name: NAME}, "violates_names_bounded") for name in (*NAMES, "host", "client")),
    *((SESSION, {counted: {NAME: 1}}, "violates_names_bounded") for counted in COUNTED),
    (SESSION, {"last_sequence": 2**62}, "violates_counts_bounded"),
    (SESSION, {"dropped": {"closed": 2**62}}, "violates_counts_bounded"),
]


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """One store for all: what a test adds to it is distinguished by what was there."""
    opened = Landing(Place(tmp_path_factory.mktemp("bounds")))
    yield opened
    opened.close()


def land(landing, event, *changes, rest=b""):
    """Land records of an event with changes, the last one with bytes left over.

    Return why those were refused that were, and how many landed.
    """
    before = standing(landing, event)
    values = [encode_record(event, SOUND[event] | change) for change in changes]
    values[-1] += rest
    landing.log.writer().append([Record(TOPICS[event], b"", value) for value in values])
    landing.lander.run_until_idle()
    reasons, rows = standing(landing, event)
    return reasons[len(before[0]) :], rows - before[1]


def standing(landing, event):
    dead_letters = "SELECT reason FROM dead_letters FINAL WHERE topic = {topic:String} ORDER BY offset"
    reasons = landing.client.rows(dead_letters, parameters={"topic": TOPICS[event]})
    rows = landing.client.rows(f"SELECT count() FROM {TABLES[event]}")[0][0]
    return [row[0] for row in reasons], rows


NUMBERS = itertools.count(1)


def other():
    """Return what makes a record another one."""
    number = next(NUMBERS)
    return {"session_id": f"other {number}", "event_id": str(uuid.UUID(int=number))}


@pytest.mark.parametrize(("event", "change", "reason"), TOO_LARGE)
def test_what_is_too_large_is_a_dead_letter_and_what_stands_beside_it_lands(landing, event, change, reason):
    assert land(landing, event, other(), change, other()) == ([reason], 2)


@pytest.mark.parametrize("event", SOUND)
def test_the_largest_that_is_allowed_lands(landing, event):
    assert land(landing, event, LARGEST[event]) == ([], 1)


@pytest.mark.parametrize("event", SOUND)
@pytest.mark.parametrize("rest", [b"\0", b"rest", None], ids=["a zero", "text", "another record's datum"])
def test_bytes_that_are_left_over_are_not_passed_over(landing, event, rest):
    """Two records in one: the second would be lost silently."""
    rest = encode_record(event, SOUND[event] | other())[10:] if rest is None else rest
    assert land(landing, event, other(), other(), rest=rest) == (["undecodable"], 1)


IDENTIFIERS = {"event_id"}
"""Texts whose form is checked, which bounds them."""


@pytest.mark.parametrize("event", SOUND)
def test_each_text_of_the_wire_has_been_too_large_once(event):
    """A new field of the wire is in this file's list, or anybody can fill the store with it."""
    (path,) = schema_folder("avro").glob(f"{event}.avsc")
    fields = json.loads(path.read_text())["fields"]
    texts = {field["name"] for field in fields if re.search('"(string|map)"', json.dumps(field["type"]))}
    tried = {name for of, change, _ in TOO_LARGE if of == event for name in change}
    assert texts - tried - IDENTIFIERS == set()


def test_the_tables_have_the_bounds_of_the_wire():
    text = "".join(path.read_text() for path in schema_folder("clickhouse").glob("000[134]_*.sql"))
    bounds = {int(number) for number in re.findall(r"<= (\d+)", text)}
    assert bounds == {MAX_NAME_BYTES, MAX_TEXT_BYTES, MAX_COUNT, MAX_OUTPUTS}
    assert f"CHECK bitShiftRight(record_end, 24) = {END_MARK}" in text
    assert f"record_end Int64 DEFAULT {end_mark(1 << 30)}" in text
    assert MAX_RECORD_BYTES > MAX_TEXT_BYTES
