"""Writers of several releases, with a registry or without, land side by side."""

from __future__ import annotations

import json
import uuid

import pytest

from driftline.errors import LogError
from driftline.log import Record
from driftline.log.schemas import WriterSchemas
from driftline.wire import (
    PREDICTION,
    PREDICTIONS_TOPIC,
    SchemaRef,
    encode_record,
    event_schema,
    parse_event_schema,
)
from driftline.wire.codec import decode_as
from driftline.wire.schemas import known_schemas, schema_folder
from tests.lander.records import NOON_US, record


def document():
    return json.loads(event_schema(PREDICTION).text)


def older():
    """Return the schema of a release that did not know tags, times and outputs yet."""
    schema = document()
    unknown = {
        "tags",
        "latency_us",
        "compute_us",
        "numeric_outputs",
        "categorical_outputs",
        "missing_outputs",
    }
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in unknown]
    return json.dumps(schema)


def newer():
    """Return the schema of a release that knows two things more, one of them in the middle."""
    schema = document()
    schema["fields"].insert(3, {"name": "shard", "type": "int", "default": 0})
    schema["fields"].append({"name": "notes", "type": {"type": "array", "items": "string"}, "default": []})
    return json.dumps(schema)


class FakeLog:
    """A log whose registry is a dict; None: it is away."""

    def __init__(self, texts):
        self.texts = texts
        self.asked = []

    def writer_schema(self, schema_id):
        self.asked.append(schema_id)
        if self.texts is None:
            raise LogError("the registry is away")
        return self.texts.get(schema_id)


def test_an_older_and_a_newer_writer_land_in_one_batch(landing, monkeypatch):
    texts = {1: older(), 2: event_schema(PREDICTION).text, 3: newer()}
    monkeypatch.setattr(landing.log, "writer_schema", texts.get)
    landing.log.writer().append(
        [
            record(1, texts[1], 1),
            record(2, texts[2], 2, tags={"region": "eu"}),
            record(3, texts[3], 3, shard=9, notes=["later"], tags={"region": "us"}),
            record(1, texts[1], 4),
        ]
    )
    landing.lander.run_until_idle()
    rows = landing.client.rows(
        "SELECT sequence, numeric_features['x'], tags['region'] FROM predictions ORDER BY sequence"
    )
    assert rows == [(1, 1.5, ""), (2, 3.0, "eu"), (3, 4.5, "us"), (4, 6.0, "")]
    assert landing.count("dead_letters") == 0


def test_a_schema_that_no_registry_knows_makes_a_dead_letter(landing):
    text = event_schema(PREDICTION).text
    landing.log.writer().append([record(7, text, 1), Record(PREDICTIONS_TOPIC, b"", b"\0\0\0\0\x08garbage")])
    landing.lander.run_until_idle()
    dead_letters = landing.client.rows("SELECT reason, offset FROM dead_letters FINAL ORDER BY offset")
    assert dead_letters == [("unknown_schema", 0), ("unknown_schema", 1)]


def test_while_the_registry_is_away_nothing_is_a_dead_letter(landing, monkeypatch):
    def away(_schema_id):
        raise LogError("the registry is away")

    text = event_schema(PREDICTION).text
    landing.log.writer().append([record(7, text, 1)])
    with monkeypatch.context() as patched:
        patched.setattr(landing.log, "writer_schema", away)
        with pytest.raises(LogError):
            landing.lander.land_once()
    assert landing.count("dead_letters") == 0
    monkeypatch.setattr(landing.log, "writer_schema", {7: text}.get)
    landing.lander.run_until_idle()
    assert landing.client.rows("SELECT count() FROM predictions") == [(1,)]


def test_the_registry_is_asked_once_for_an_id():
    log = FakeLog({5: event_schema(PREDICTION).text})
    schemas = WriterSchemas(log)
    assert [schemas(SchemaRef(schema_id=5)).name for _ in range(3)] == [PREDICTION] * 3
    assert [schemas(SchemaRef(schema_id=6)) for _ in range(3)] == [None] * 3
    assert log.asked == [5, 6]


@pytest.mark.parametrize("text", ["", "[]", '{"type": "record", "name": "Order", "fields": []}', '"string"'])
def test_a_schema_of_something_else_is_none_of_ours(text):
    assert WriterSchemas(FakeLog({1: text}))(SchemaRef(schema_id=1)) is None


def test_the_schemas_of_earlier_releases_are_known_by_their_fingerprint(tmp_path):
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "PredictionEvent-1.avsc").write_text(older())
    (tmp_path / "PredictionEvent.avsc").write_text(event_schema(PREDICTION).text)
    known = known_schemas(tmp_path)
    old = parse_event_schema(older())
    assert set(known) == {old.fingerprint, event_schema(PREDICTION).fingerprint}
    assert "tags" not in decode_as(known[old.fingerprint], record(0, older(), 1).value[5:])
    assert known_schemas(schema_folder("avro")).keys() >= {event_schema(PREDICTION).fingerprint}
    assert encode_record(PREDICTION, {**_whole(), "sequence": 1})[2:10] in known


def _whole():
    names = {"model_name": "m", "model_version": "1", "training_run_id": "r", "session_id": "s"}
    return {**names, "event_id": str(uuid.UUID(int=1)), "event_time": NOON_US, "environment": "production"}
