"""Events that were set aside: they are in the store and in the ledger, and in no profile or no verdict.

*future* and *old* ones are known by their time and by when they landed (0001_predictions.sql); *late* ones
are of hours more than five weeks behind what had been judged when they landed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.domain.streams import Stream
from driftline.store.hours import KEYS, MODEL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from driftline.store.connection import Connection

LATE_HOURS = 5 * 7 * 24
"""Events that are later than this change no verdict."""

REASONS = ("future", "old", "late")

_STREAMS = "{streams:Array(Tuple(String, String, String))}"
_CHOSEN = f"({MODEL} AND (empty({_STREAMS}) OR ({KEYS}) IN {_STREAMS}))"
_LATE = f"""
SELECT d.model_name, d.model_version, d.environment, sum(d.counted - least(d.counted, j.rows))
FROM
(
    SELECT {KEYS}, hour, counted FROM derived_hours FINAL WHERE counted > 0 AND {_CHOSEN}
) AS d
INNER JOIN
(
    SELECT {KEYS}, max(hour) AS newest FROM judged_hours WHERE {_CHOSEN} GROUP BY {KEYS}
) AS n USING ({KEYS})
LEFT JOIN (SELECT {KEYS}, hour, rows FROM judged_hours FINAL WHERE {_CHOSEN}) AS j USING ({KEYS}, hour)
WHERE d.hour < n.newest - INTERVAL {LATE_HOURS} HOUR
GROUP BY d.model_name, d.model_version, d.environment
"""
_BY_TIME = f"""
SELECT {KEYS}, sum(future), sum(old) FROM derived_hours FINAL
WHERE {MODEL}
GROUP BY {KEYS} HAVING sum(future) + sum(old) > 0
"""


def read_late(
    connection: Connection, streams: Collection[Stream] = (), *, model_name: str = ""
) -> Mapping[Stream, int]:
    """Return how many events of each stream were too late for any verdict; streams without any are left out.

    Args:
        connection: to the store.
        streams: of these alone; none: of all.
        model_name: of this model only; '': of all.
    """
    bound = {"streams": [tuple(stream) for stream in streams], "model": model_name}
    rows = connection.rows(_LATE, parameters=bound, settings={"join_use_nulls": 0})
    return {Stream(*names): int(late) for *names, late in rows if late}


def read_set_aside(connection: Connection, *, model_name: str = "") -> Mapping[Stream, Mapping[str, int]]:
    """Return how many derived events were set aside, by stream and reason; reasons without any are left out.

    Args:
        connection: to the store.
        model_name: of this model only; '': of all.
    """
    rows = connection.rows(_BY_TIME, parameters={"model": model_name})
    found = {Stream(*row[:3]): {"future": int(row[3]), "old": int(row[4])} for row in rows}
    for stream, late in read_late(connection, model_name=model_name).items():
        found.setdefault(stream, {})["late"] = late
    return {
        stream: {name: count for name, count in reasons.items() if count} for stream, reasons in found.items()
    }
