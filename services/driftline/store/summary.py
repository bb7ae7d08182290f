"""A store in short: how far it has come, what it holds, and all that pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from driftline.domain.hours import utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Situation:
    """How far serving has come in the store.

    Args:
        landed: predictions.
        hours: from the first of them on that have closed, those without any between them included.
        judged: of these.
    """

    landed: int
    hours: int
    judged: int


def read_situation(connection: Connection) -> Situation:
    """Return how far serving has come. Reads little, since it is asked often."""
    landed, first, closed = connection.rows(
        "SELECT count(), min(hour), arraySort(groupUniqArray(hour))[-2] FROM "
        "(SELECT intDiv(toUnixTimestamp(predictions.hour), 3600) AS hour FROM predictions "
        "WHERE environment = 'production')"
    )[0]
    judged = connection.rows("SELECT intDiv(toUnixTimestamp(max(hour)), 3600) FROM judged_hours")
    hours, done = ((hour + 1 - first if hour else 0) for hour in (closed, judged[0][0]))
    return Situation(landed, hours, done)


@dataclass(frozen=True, slots=True)
class PageVerdict:
    """One stored verdict that pages. Times are UTC."""

    feature: str
    reference: str
    window_end: datetime
    scale_hours: int
    channel: str
    reason: str
    rank: int
    episode_id: str


def read_page_verdicts(connection: Connection) -> Sequence[PageVerdict]:
    """Return all verdicts that page, in the order of their windows' ends; on the whole traffic first."""
    rows = connection.rows(
        "SELECT feature, reference, window_end, scale_hours, ifNull(channel, ''), reason, ifNull(rank, 0), "
        "ifNull(episode_id, '') FROM drift_verdicts WHERE verdict = 'page' "
        "ORDER BY window_end, segment != '', rank, scale_hours, feature, reference, segment"
    )
    return [PageVerdict(row[0], row[1], utc(row[2]), *row[3:]) for row in rows]


def read_judged_windows(connection: Connection) -> tuple[datetime | None, datetime | None]:
    """Return when the first and the last window ended that had a reference, in UTC; None without any."""
    rows = connection.rows(
        "SELECT count(), min(window_end), max(window_end) FROM drift_verdicts "
        "WHERE reference = 'production' AND verdict IN ('ok', 'warn', 'page')"
    )
    count, first, last = rows[0]
    return (utc(first), utc(last)) if count else (None, None)


def count_verdicts(connection: Connection) -> Mapping[str, int]:
    """Return how many verdicts there are by name."""
    rows = connection.rows("SELECT verdict, count() FROM drift_verdicts GROUP BY verdict ORDER BY verdict")
    return {name: int(count) for name, count in rows}


def count_rows(connection: Connection, table: Literal["outcomes", "dead_letters"]) -> int:
    """Return how many different rows a table holds."""
    return int(connection.rows(f"SELECT count() FROM {table} FINAL")[0][0])
