"""The event schemas, found, parsed once and known by name and by fingerprint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from driftline.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREDICTION: Final = "PredictionEvent"
OUTCOME: Final = "OutcomeEvent"
TRAINING_RUN: Final = "TrainingRunEvent"
SESSION: Final = "SessionBeat"
MODEL_REGISTRY: Final = "ModelRegistryEvent"
DEAD_LETTER: Final = "DeadLetter"

PREDICTIONS_TOPIC: Final = "driftline.predictions"
OUTCOMES_TOPIC: Final = "driftline.outcomes"
TRAINING_RUNS_TOPIC: Final = "driftline.training-runs"
SESSIONS_TOPIC: Final = "driftline.sessions"
MODEL_REGISTRY_TOPIC: Final = "driftline.model-registry"
DEAD_LETTERS_TOPIC: Final = "driftline.dead-letters"

TOPIC_BY_EVENT: Final[Mapping[str, str]] = MappingProxyType(
    {
        PREDICTION: PREDICTIONS_TOPIC,
        OUTCOME: OUTCOMES_TOPIC,
        TRAINING_RUN: TRAINING_RUNS_TOPIC,
        SESSION: SESSIONS_TOPIC,
        MODEL_REGISTRY: MODEL_REGISTRY_TOPIC,
        DEAD_LETTER: DEAD_LETTERS_TOPIC,
    }
)
"""Which topic carries which event."""

TOPICS: Final = tuple(TOPIC_BY_EVENT.values())
"""Every topic, in no order that matters."""


KEPT_TOPICS: Final = frozenset({MODEL_REGISTRY_TOPIC})
"""Topics that are read from their beginning for as long as they are used: nothing of them may be deleted."""


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
    path = schema_folder("avro") / f"{name}.avsc"
    if name not in TOPIC_BY_EVENT:
        raise KeyError(name)
    return parse_event_schema(path.read_text(encoding="utf-8"))


def parse_event_schema(text: str) -> EventSchema:
    """Return a schema of one of the events, of whatever release.

    Args:
        text: as JSON.

    Raises:
        WireError: ``unknown_schema``: it is no schema, or of no event.
    """
    try:
        document = json.loads(text)
        name = str(document["name"]).rpartition(".")[2]
        # fastavro gives the digits of the little-endian bytes, which is the order on the wire.
        crc = bytes.fromhex(fingerprint(to_parsing_canonical_form(document), "CRC-64-AVRO"))
        return EventSchema(name, TOPIC_BY_EVENT[name], text, parse_schema(document), crc)
    except Exception as error:  # fastavro raises whatever its parts raise on garbage.
        raise WireError("unknown_schema", f"no event's schema: {error!r}") from error


def known_schemas(folder: Path) -> Mapping[bytes, EventSchema]:
    """Return each schema in a folder and below by its fingerprint; ``earlier/`` has other releases'."""
    schemas = [parse_event_schema(path.read_text(encoding="utf-8")) for path in folder.rglob("*.avsc")]
    return MappingProxyType({schema.fingerprint: schema for schema in schemas})


@cache
def _schema_by_fingerprint() -> Mapping[bytes, EventSchema]:
    own = {schema.fingerprint: schema for schema in map(event_schema, TOPIC_BY_EVENT)}
    return {**known_schemas(schema_folder("avro")), **own}


def schema_of_fingerprint(crc: bytes) -> EventSchema | None:
    """Return the schema with that fingerprint, of this release or an earlier one; None: of neither."""
    return _schema_by_fingerprint().get(crc)
