"""The event schemas, found, parsed once and known by name and by fingerprint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

if TYPE_CHECKING:
    from collections.abc import Mapping

PREDICTION: Final = "PredictionEvent"
OUTCOME: Final = "OutcomeEvent"
TRAINING_RUN: Final = "TrainingRunEvent"
SESSION: Final = "SessionBeat"
DEAD_LETTER: Final = "DeadLetter"

PREDICTIONS_TOPIC: Final = "driftline.predictions"
OUTCOMES_TOPIC: Final = "driftline.outcomes"
TRAINING_RUNS_TOPIC: Final = "driftline.training-runs"
SESSIONS_TOPIC: Final = "driftline.sessions"
DEAD_LETTERS_TOPIC: Final = "driftline.dead-letters"

TOPIC_BY_EVENT: Final[Mapping[str, str]] = MappingProxyType(
    {
        PREDICTION: PREDICTIONS_TOPIC,
        OUTCOME: OUTCOMES_TOPIC,
        TRAINING_RUN: TRAINING_RUNS_TOPIC,
        SESSION: SESSIONS_TOPIC,
        DEAD_LETTER: DEAD_LETTERS_TOPIC,
    }
)
"""Which topic carries which event."""

TOPICS: Final = tuple(TOPIC_BY_EVENT.values())
"""Every topic, in no order that matters."""


@dataclass(frozen=True, slots=True)
class EventSchema:
    """One event's schema.

    Args:
        name: such as ``PredictionEvent``.
        topic: where events of this schema go.
        text: the schema file's text, as published.
        parsed: what fastavro wants.
        fingerprint: CRC-64-AVRO of the parsing canonical form, 8 bytes, little-endian.
    """

    name: str
    topic: str
    text: str
    parsed: Any
    fingerprint: bytes


def schema_folder(kind: Literal["avro", "clickhouse"]) -> Path:
    """Return the folder of the schemas: inside the installed package, else at the top of a checkout.

    Raises:
        FileNotFoundError: neither is there: the installation is broken.
    """
    package = Path(__file__).resolve().parents[1]
    candidates = (package / "schemas" / kind, package.parents[1] / "schemas" / kind)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"no schemas of kind {kind!r} in {candidates[0]} or {candidates[1]}")


@cache
def event_schema(name: str) -> EventSchema:
    """Return the schema of an event by its name.

    Raises:
        KeyError: there is no such event.
    """
    topic = TOPIC_BY_EVENT[name]
    text = (schema_folder("avro") / f"{name}.avsc").read_text(encoding="utf-8")
    document = json.loads(text)
    # fastavro gives the digits of the little-endian bytes, which is the order on the wire.
    crc = bytes.fromhex(fingerprint(to_parsing_canonical_form(document), "CRC-64-AVRO"))
    return EventSchema(name, topic, text, parse_schema(document), crc)


@cache
def _schema_by_fingerprint() -> Mapping[bytes, EventSchema]:
    schemas = map(event_schema, TOPIC_BY_EVENT)
    return MappingProxyType({schema.fingerprint: schema for schema in schemas})


def schema_of_fingerprint(crc: bytes) -> EventSchema | None:
    """Return this release's schema with that fingerprint, or None: then it must be asked for elsewhere."""
    return _schema_by_fingerprint().get(crc)
