"""What is decided about a model's versions, as it stands on the wire."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from driftline.domain.streams import PRODUCTION
from driftline.errors import WireError
from driftline.wire import MODEL_REGISTRY, decode_as, encode_record, split_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.wire import EventSchema, SchemaRef

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What an event decides."""

    VERSION = "version"
    STAGE = "stage"
    ROLLBACK = "rollback"
    ALIAS = "alias"


class Stage(StrEnum):
    """What a version is in an environment, from the first to the last."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    CANARY = "canary"
    PRODUCTION = "production"
    ARCHIVED = "archived"


STAGES = tuple(map(str, Stage))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEvent:
    """One event; the fields are documented in ``schemas/avro/ModelRegistryEvent.avsc``.

    ``kind`` and ``stage`` are texts: other writers may write what this release does not know.
    """

    event_id: str
    event_time: datetime
    model_name: str
    kind: str
    model_version: str = ""
    training_run_id: str = ""
    artifact_uri: str | None = None
    artifact_sha256: str | None = None
    environment: str = PRODUCTION
    stage: str = ""
    alias: str = ""
    expected_head: str = ""
    written_by: str = ""
    reason: str = ""
    origin: str = ""
    origin_sha256: str | None = None
    project: str = ""

    def encode(self) -> bytes:
        """Return the event as a record of the log.

        Raises:
            WireError: a text can't be encoded.
        """
        event: dict[str, Any] = asdict(self)
        micros = (self.event_time - _EPOCH) // timedelta(microseconds=1)
        return encode_record(MODEL_REGISTRY, {**event, "event_time": micros})


def decode_event(record: bytes, schema_of: Callable[[SchemaRef], EventSchema | None]) -> RegistryEvent | None:
    """Return the event that a record holds; None if it holds none, which the lander sets aside as well.

    Args:
        record: as it stands in the log.
        schema_of: finds the schema that wrote it.

    Raises:
        LogError: the schema registry is away.
    """
    try:
        ref, datum = split_frame(record)
        schema = schema_of(ref)
        if schema is None or schema.name != MODEL_REGISTRY:
            return None
        fields = decode_as(schema, datum)
        # A later release may have more fields: all readers are to come to the same state by those they share.
        known = {name: value for name, value in fields.items() if name in RegistryEvent.__slots__}
        return RegistryEvent(**{**known, "event_id": str(fields["event_id"])})
    except (WireError, TypeError, KeyError):  # A field is missing without which it decides nothing.
        return None
