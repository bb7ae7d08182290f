"""The access log: who looked at single predictions, and who exported them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.domain.access import MOST_TEXT, Access
from driftline.domain.hours import utc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from driftline.store.connection import Connection

_COLUMNS = ("who", "known_by", "how", "asked", "model_name", "event_id", "rows")
_READ = f"""
SELECT at, {", ".join(_COLUMNS)} FROM access_log
WHERE at >= fromUnixTimestamp64Milli({{since_ms:Int64}}, 'UTC')
    AND ({{who:String}} = '' OR position(who, {{who:String}}) > 0)
    AND ({{model:String}} = '' OR model_name = {{model:String}})
    AND ({{event:String}} = '' OR event_id = {{event:String}})
ORDER BY at DESC LIMIT {{limit:UInt32}}
"""


def write_accesses(connection: Connection, accesses: Sequence[Access]) -> None:
    """Write looks at predictions, in one block; the store says when they were."""
    rows = [
        [value[:MOST_TEXT] if isinstance(value := getattr(each, name), str) else value for name in _COLUMNS]
        for each in accesses
    ]
    connection.insert("access_log", rows, column_names=_COLUMNS)


def read_accesses(
    connection: Connection,
    *,
    since: datetime | None = None,
    who: str = "",
    model_name: str = "",
    event_id: str = "",
    limit: int = 1000,
) -> Sequence[Access]:
    """Return looks at predictions, the newest first.

    Args:
        connection: to the store.
        since: at this time or later.
        who: by those whose name holds this; empty: by all.
        model_name: at predictions of this model; empty: of all.
        event_id: at this prediction; empty: at all.
        limit: so many at most.
    """
    since_ms = int(since.timestamp() * 1000) if since else 0
    bound = {"since_ms": since_ms, "who": who, "model": model_name, "event": event_id, "limit": limit}
    return [
        Access(at=utc(at), **dict(zip(_COLUMNS, fields, strict=True)))
        for at, *fields in connection.rows(_READ, bound)
    ]
