"""Up to when all that was logged has landed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftline.store.connection import Connection

# One that ended an hour ago lands nothing any more: its partitions are others' by now.
_LANDED_UNTIL = """
SELECT toUnixTimestamp64Milli(min(landed_until)) / 1000, count() FROM landing_progress FINAL
WHERE landed_until >= (SELECT max(landed_until) FROM landing_progress) - INTERVAL 1 HOUR
"""


def write_landed_until(connection: Connection, lander: str, until_s: float) -> None:
    """Note up to when all that a lander's log held has landed, seconds since the Unix epoch.

    Raises:
        StoreError: the store did not take it.
    """
    row = [lander, datetime.fromtimestamp(until_s, UTC)]
    connection.insert("landing_progress", [row], column_names=["lander", "landed_until"])


def read_landed_until(connection: Connection) -> float:
    """Return up to when all that was logged has landed, seconds since the Unix epoch; 0: nobody knows."""
    ((until_s, landers),) = connection.rows(_LANDED_UNTIL)
    return float(until_s) if landers else 0.0
