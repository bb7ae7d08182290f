"""Planned events: what people say is going to make traffic unlike ordinary traffic."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

from driftline.domain.calendars import PlannedEvent
from driftline.domain.hours import utc
from driftline.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from driftline.store.connection import Connection

_NAMES = [field.name for field in dataclasses.fields(PlannedEvent)]
_COLUMNS = ["event_id", *_NAMES, "given_at", "is_removed"]


def event_id_of(event: PlannedEvent) -> str:
    """Return the id of an event: the same for the same name, model and times."""
    parts = (event.name, event.model_name, event.since.isoformat(), event.until.isoformat())
    text = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=6).hexdigest()


def write_planned_event(
    connection: Connection, event: PlannedEvent, *, given_at: datetime, is_removed: bool = False
) -> str:
    """Add an event, or take it back; return its id. Again changes nothing.

    Raises:
        StoreError: the store did not take it.
    """
    event_id = event_id_of(event)
    row = [event_id, *(getattr(event, name) for name in _NAMES), given_at, is_removed]
    connection.insert("planned_events", [row], column_names=_COLUMNS)
    return event_id


def read_planned_events(connection: Connection) -> Mapping[str, PlannedEvent]:
    """Return all events that stand, by id, the earliest first."""
    rows = connection.rows(
        f"SELECT event_id, {', '.join(_NAMES)} FROM planned_events FINAL WHERE NOT is_removed "
        "ORDER BY since, event_id"
    )
    return {
        event_id: PlannedEvent(name, utc(since), utc(until), model_name, given_by)
        for event_id, name, since, until, model_name, given_by in rows
    }


def find_planned_event(connection: Connection, event_id: str) -> PlannedEvent:
    """Return the event with an id, or with the only id that begins so.

    Raises:
        NotFoundError: there is no such event, or there are several.
    """
    found = [
        each
        for known, each in read_planned_events(connection).items()
        if event_id and known.startswith(event_id)
    ]
    if len(found) != 1:
        many = "several planned events begin with" if found else "there is no planned event"
        raise NotFoundError(f"{many} {event_id!r}; `driftline events list` lists those that there are")
    return found[0]
