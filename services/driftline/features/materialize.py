"""Materializing: from the history to the online back end, by arrival, so that what comes late is not missed.

What is looked for is what became visible since the last time: rows that arrived since, and rows whose time,
or from when on they could be known, has come since. A back end takes no row that is older than what it has.
So whatever is repeated changes nothing, and how far it got is written last: killed at any point, the next
time does what is left.

An insert that began early may become visible late, behind newer ones. So it is counted how many rows had
arrived up to the last place; where there are more now, everything is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.features.online.base import OnlineRow, Progress, ViewKey
from driftline.store.feature_values import Change, Place, count_arrived, read_changed, read_store_us

if TYPE_CHECKING:
    from driftline.features.definitions import FeatureView
    from driftline.features.online.base import OnlineStore
    from driftline.store.connection import Connection

_PIECE_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Materialized:
    """What one materialization did.

    Args:
        view: the view's name.
        entities: of how many entities a row was handed to the back end.
        is_whole: whether everything was looked at, and not only what came since.
        until_us: as of when, microseconds since 1970.
    """

    view: str
    entities: int
    is_whole: bool
    until_us: int


def materialize(
    connection: Connection,
    online: OnlineStore,
    view: FeatureView,
    *,
    now_us: int | None = None,
    piece_rows: int = _PIECE_ROWS,
) -> Materialized:
    """Bring a view's newest rows online; doing it again brings what came since.

    Args:
        connection: to the store.
        online: the back end.
        view: which view.
        now_us: as of when, microseconds since 1970; None: the store's time.
        piece_rows: so many entities are read at once.

    Raises:
        StoreError: the store can't be asked.
        OnlineError: the back end can't be used.
    """
    place, key = Place(view.name, view.computation), ViewKey(view.name, view.computation)
    until_us = read_store_us(connection) if now_us is None else now_us
    progress = online.progress(key)
    arrived = count_arrived(connection, place, progress.arrival)
    if arrived.counted != progress.counted:
        progress = Progress()
    # Counted before it is read: what becomes visible in between is looked at once more, not missed.
    counted = count_arrived(connection, place, arrived.newest).counted
    change = Change(
        since_arrival=progress.arrival,
        until_arrival=arrived.newest,
        since_us=progress.until_us,
        until_us=until_us,
    )
    entities = 0
    for rows in read_changed(connection, place, change, piece_rows=piece_rows):
        online.put(
            key, [OnlineRow(row.entity, row.event_us, row.arrival, row.numbers, row.texts) for row in rows]
        )
        entities += len(rows)
    online.set_progress(key, Progress(arrived.newest, max(until_us, progress.until_us), counted))
    return Materialized(view.name, entities, progress.arrival == 0, until_us)
