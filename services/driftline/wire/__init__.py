"""The wire contract: events, their schemas, their encoding and the frames around them."""

from driftline.wire.codec import (
    decode_as,
    decode_datum,
    decode_record,
    encode_datum,
    encode_record,
    event_header,
)
from driftline.wire.events import MAX_EVENT_BYTES, EventEncoder, OpenRecord, SessionFields
from driftline.wire.framing import SchemaRef, frame_header, split_frame
from driftline.wire.identifiers import RANDOM_BITS, new_id, uuid7
from driftline.wire.reasons import Reason, ValueRefusedError
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
    schema_folder,
    schema_of_fingerprint,
)

__all__ = [
    "DEAD_LETTER",
    "DEAD_LETTERS_TOPIC",
    "MAX_EVENT_BYTES",
    "OUTCOME",
    "OUTCOMES_TOPIC",
    "PREDICTION",
    "PREDICTIONS_TOPIC",
    "RANDOM_BITS",
    "SESSION",
    "SESSIONS_TOPIC",
    "TOPICS",
    "TOPIC_BY_EVENT",
    "TRAINING_RUN",
    "TRAINING_RUNS_TOPIC",
    "EventEncoder",
    "EventSchema",
    "OpenRecord",
    "Reason",
    "SchemaRef",
    "SessionFields",
    "ValueRefusedError",
    "decode_as",
    "decode_datum",
    "decode_record",
    "encode_datum",
    "encode_record",
    "event_header",
    "event_schema",
    "frame_header",
    "new_id",
    "schema_folder",
    "schema_of_fingerprint",
    "split_frame",
    "uuid7",
]
