"""Numbers that change when something comes that a verdict may depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from driftline.domain.hours import HOUR_S
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
    "planned_events",
    *RECIPE_TABLES,
)


_HEARTBEATS = f"""
SELECT {KEYS}, groupBitXor(cityHash64(session_id, newest, last)),
    intDiv(toUnixTimestamp(max(newest)) - {_TO_LAND_S}, 3600),
    toUnixTimestamp(maxIf(newest, NOT ended)), toUnixTimestamp(maxIf(newest, ended))
FROM
(
    SELECT {KEYS}, session_id, max(beat_time) AS newest, max(last_sequence) AS last, max(final) AS ended
    FROM sessions GROUP BY {KEYS}, session_id
)
GROUP BY {KEYS}
"""


def read_landing_signs(connection: Connection) -> Mapping[str, int]:
    """Return by table a number that changes when something comes to judge by. Reads no rows."""
    return read_signs(connection, _SIGN_TABLES)


class Heartbeats(NamedTuple):
    """What the sessions of a stream reported last.

    Args:
        sign: a number that changes when one of them reports how far it is.
        until_hour: hours before it, since the Unix epoch, are over by the newest report: what was logged in
            them has had ten minutes to land.
        going_on_s: when a session that has not ended reported last, seconds since the Unix epoch; 0: none.
        ended_s: when one that has ended in order did.
    """

    sign: int
    until_hour: int
    going_on_s: int = 0
    ended_s: int = 0

    def has_ended(self, hour: int) -> bool:
        """Return whether all sessions that reported in an hour or later have ended in order."""
        return self.ended_s >= hour * HOUR_S > self.going_on_s


def read_heartbeats(connection: Connection) -> Mapping[Stream, Heartbeats]:
    """Return what the sessions of each stream reported last."""
    rows = connection.rows(_HEARTBEATS)
    return {
        Stream(*names): Heartbeats(sign, int(until), int(going_on), int(ended))
        for *names, sign, until, going_on, ended in rows
    }
