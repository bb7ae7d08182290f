"""The wire contract: events, their schemas, their encoding and the frames around them."""

from driftline.wire.arrays import NumberColumn, TextColumn
from driftline.wire.bounds import (
    MAX_COUNT,
    MAX_EVENT_BYTES,
    MAX_NAME_BYTES,
    MAX_NAME_LENGTH,
    MAX_RECORD_BYTES,
    MAX_TEXT_BYTES,
)
from driftline.wire.codec import (
    decode_as,
    decode_datum,
    decode_record,
    encode_datum,
    encode_record,
    event_header,
)
from driftline.wire.events import EventEncoder, OpenRecord, SessionFields, close_record
from driftline.wire.framing import SchemaRef, frame_header, split_frame
from driftline.wire.identifiers import new_id
from driftline.wire.reasons import Reason, Remark, ValueRefusedError
from driftline.wire.rows import Column, OpenRows, entries
from driftline.wire.schemas import (
    DEAD_LETTER,
    DEAD_LETTERS_TOPIC,
    OUTCOME,
    OUTCOMES_TOPIC,
    PREDICTION,
    PREDICTIONS_TOPIC,
    SESSION,
    SESSIONS_TOPIC,
    TOPIC_BY_EVENT,
    TOPICS,
    TRAINING_RUN,
    TRAINING_RUNS_TOPIC,
    EventSchema,
    event_schema,
    parse_event_schema,
    schema_folder,
    schema_of_fingerprint,
)
from driftline.wire.table import PredictionTable, TableEncoder

__all__ = [
    "DEAD_LETTER",
    "DEAD_LETTERS_TOPIC",
    "MAX_COUNT",
    "MAX_EVENT_BYTES",
    "MAX_NAME_BYTES",
    "MAX_NAME_LENGTH",
    "MAX_RECORD_BYTES",
    "MAX_TEXT_BYTES",
    "OUTCOME",
    "OUTCOMES_TOPIC",
    "PREDICTION",
    "PREDICTIONS_TOPIC",
    "SESSION",
    "SESSIONS_TOPIC",
    "TOPICS",
    "TOPIC_BY_EVENT",
    "TRAINING_RUN",
    "TRAINING_RUNS_TOPIC",
    "Column",
    "EventEncoder",
    "EventSchema",
    "NumberColumn",
    "OpenRecord",
    "OpenRows",
    "PredictionTable",
    "Reason",
    "Remark",
    "SchemaRef",
    "SessionFields",
    "TableEncoder",
    "TextColumn",
    "ValueRefusedError",
    "close_record",
    "decode_as",
    "decode_datum",
    "decode_record",
    "encode_datum",
    "encode_record",
    "entries",
    "event_header",
    "event_schema",
    "frame_header",
    "new_id",
    "parse_event_schema",
    "schema_folder",
    "schema_of_fingerprint",
    "split_frame",
]
