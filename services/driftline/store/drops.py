"""What sessions dropped: predictions that were refused, or given up, and values that were left out of them.

Sessions report it in their heartbeats, in total since they began; nothing of it has landed, so that without
this a model of which everything is dropped would be unknown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from driftline.domain.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.store.connection import Connection

OTHER_VALUES: Final = "(others)"
"""The name under which values of those features are counted that have too few to be kept apart."""

MOST_VALUES: Final = 100
"""So many features of a stream are kept apart, those with most first."""

# Each hour's share of what a session dropped: what it had reported by then, less what it had before.
_BY_HOUR = """
SELECT model_name, model_version, environment, at, sum(grown)
FROM
(
    SELECT
        toString(model_name) AS model_name, toString(model_version) AS model_version,
        toString(environment) AS environment, intDiv(toUnixTimestamp(hour), 3600) AS at,
        max(top) OVER till - max(top) OVER before AS grown
    FROM
    (
        SELECT session_id, model_name, model_version, environment, hour, max(dropped) AS top
        FROM session_drops
        WHERE {model:String} = '' OR (model_name, model_version, environment)
            = ({model:String}, {version:String}, {environment:String})
        GROUP BY session_id, model_name, model_version, environment, hour
    )
    WINDOW
        till AS (
            PARTITION BY session_id, model_name, model_version, environment ORDER BY hour
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ),
        before AS (
            PARTITION BY session_id, model_name, model_version, environment ORDER BY hour
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
)
GROUP BY model_name, model_version, environment, at HAVING sum(grown) > 0
"""

_TOTALS = """
SELECT
    toString(model_name) AS model, toString(model_version) AS version, toString(environment) AS place,
    sumMap(dropped) AS refused, sumMap(abandoned) AS given_up, sumMap(unencodable) AS left_out,
    sumMap(rounded) AS inexact, max(beat_time) AS newest,
    newest >= now() - INTERVAL 24 HOUR AS is_recent
FROM sessions FINAL
WHERE ({model:String} = '' OR model_name = {model:String})
    AND length(dropped) + length(abandoned) + length(unencodable) + length(rounded) > 0
GROUP BY model, version, place ORDER BY model, version, place
"""


@dataclass(frozen=True, slots=True)
class Drops:
    """What sessions of a stream dropped since the beginning.

    Args:
        stream: whose.
        dropped: predictions that were refused or given up, by reason.
        unencodable: values that were left out of predictions, by feature or argument.
        rounded: numbers that no double equals, likewise.
        newest: when a session last reported so, by its own clock.
        is_recent: whether that is less than a day ago.
    """

    stream: Stream
    dropped: Mapping[str, int]
    unencodable: Mapping[str, int]
    rounded: Mapping[str, int]
    newest: datetime
    is_recent: bool


def read_drops(connection: Connection, *, model_name: str = "") -> Sequence[Drops]:
    """Return what was dropped of streams that dropped anything; of one model only, where it is named."""
    rows = connection.rows(_TOTALS, parameters={"model": model_name})
    found = []
    for model, version, place, refused, given_up, left_out, inexact, newest, is_recent in rows:
        stream = Stream(model, version, place)
        dropped: Mapping[str, int] = Counter(refused) + Counter(given_up)
        reported = newest.replace(tzinfo=UTC), bool(is_recent)
        found.append(Drops(stream, dropped, _most(left_out), _most(inexact), *reported))
    return found


def read_drops_by_hour(
    connection: Connection, stream: Stream | None = None
) -> Mapping[Stream, Mapping[int, int]]:
    """Return how many predictions were refused in which hour (since the Unix epoch, UTC).

    By when the sessions reported it: what is refused has no time of its own.

    Args:
        connection: to the store.
        stream: of this one only.
    """
    model, version, environment = stream or ("", "", "")
    bound = {"model": model, "version": version, "environment": environment}
    found: dict[Stream, dict[int, int]] = {}
    for *names, hour, refused in connection.rows(_BY_HOUR, parameters=bound):
        found.setdefault(Stream(*names), {})[hour] = refused
    return found


def _most(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Return the largest counts, and the others as one."""
    names = sorted(counts, key=lambda name: (name == OTHER_VALUES, -counts[name], name))
    most = {name: counts[name] for name in names[:MOST_VALUES]}
    if others := sum(counts[name] for name in names[MOST_VALUES:]):
        most[OTHER_VALUES] = most.get(OTHER_VALUES, 0) + others
    return most
