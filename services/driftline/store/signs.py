"""Numbers that change when something comes that a verdict may depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from driftline.domain.streams import Stream
from driftline.store.hours import KEYS, read_signs
from driftline.store.recipes import RECIPE_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.store.connection import Connection

_TO_LAND_S = 600

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


class Heartbeats(NamedTuple):
    """What the sessions of a stream reported last.

    Args:
        sign: a number that changes when one of them reports how far it is.
        until_hour: hours before it, since the Unix epoch, are over by the newest report: what was logged in
            them has had ten minutes to land.
    """

    sign: int
    until_hour: int


def read_heartbeats(connection: Connection) -> Mapping[Stream, Heartbeats]:
    """Return what the sessions of each stream reported last."""
    rows = connection.rows(
        f"SELECT {KEYS}, groupBitXor(cityHash64(session_id, beat_time, last_sequence)), "
        f"intDiv(toUnixTimestamp(max(beat_time)) - {_TO_LAND_S}, 3600) "
        f"FROM sessions GROUP BY {KEYS}"
    )
    return {Stream(*names): Heartbeats(sign, int(until)) for *names, sign, until in rows}
