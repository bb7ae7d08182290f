"""Numbers that change when something comes that a verdict may depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.domain.streams import Stream
from driftline.store.hours import KEYS, read_signs
from driftline.store.recipes import RECIPE_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.store.connection import Connection

_SIGN_TABLES = (
    "derived_hours",
    "sessions",
    "dead_letters",
    "training_runs",
    "registry_events",
    "acknowledgements",
    *RECIPE_TABLES,
)


def read_landing_signs(connection: Connection) -> Mapping[str, int]:
    """Return by table a number that changes when something comes to judge by. Reads no rows."""
    return read_signs(connection, _SIGN_TABLES)


def read_heartbeat_signs(connection: Connection) -> Mapping[Stream, int]:
    """Return a number by stream that changes when one of its sessions reports how far it is."""
    rows = connection.rows(
        f"SELECT {KEYS}, groupBitXor(cityHash64(session_id, beat_time, last_sequence)) "
        f"FROM sessions GROUP BY {KEYS}"
    )
    return {Stream(*names): sign for *names, sign in rows}
