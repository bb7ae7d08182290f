"""Which records of a refused block are likely to be the bad ones, so that they need not be searched for.

Bisection inserts a block again and again: with one bad record in a hundred that is slower than the events
come. Here each record is decoded once, in Python. A guess, no verdict: what is suspected is inserted alone,
so that the engine decides in the end, and what is bad for a reason not known here is found by bisection.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from driftline.errors import WireError
from driftline.wire import decode_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.wire import EventSchema

_NOT_EMPTY = (
    "session_id",
    "model_name",
    "model_version",
    "training_run_id",
    "environment",
)
_FIRST, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def suspects(schema: EventSchema, datums: Sequence[bytes]) -> list[int]:
    """Return the places of datums that the engine will hardly take, rising.

    Args:
        schema: that wrote them.
        datums: without frames.
    """
    return [place for place, datum in enumerate(datums) if _is_suspect(schema, datum)]


def _is_suspect(schema: EventSchema, datum: bytes) -> bool:
    try:
        event = decode_as(schema, datum)
    except WireError:
        return True
    return (
        any(event.get(name) == "" for name in _NOT_EMPTY)
        or ("observed_time" in event and _is_strange(event["observed_time"]))
        or ("event_id" in event and not _is_uuid(event["event_id"]))
        or event.get("sequence", 1) <= 0
        or "" in event.get("numeric_features", ())
        or "" in event.get("categorical_features", ())
        or "" in event.get("numeric_outputs", ())
        or "" in event.get("categorical_outputs", ())
    )


def _is_strange(time: Any) -> bool:
    return not (isinstance(time, datetime) and _FIRST <= time < _END)


def _is_uuid(text: Any) -> bool:
    try:
        uuid.UUID(str(text))
    except ValueError:
        return False
    return True
