"""Which versions of a model in fact answered, when: from the predictions themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from driftline.domain.hours import utc
from driftline.store.hours import STREAM, stream_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection

# What the table is sorted by, but for the version, of which a model has few at a time: a look at those hours.
_ANSWERED = """
SELECT model_version, {slice} AS slice, count(), min(event_time), max(event_time)
FROM predictions
WHERE model_name = {{model:String}} AND environment = {{environment:String}} AND set_aside = ''
    AND hour >= toStartOfHour({{since:DateTime64(6, 'UTC')}}) AND hour <= {{until:DateTime64(6, 'UTC')}}
    AND event_time >= {{since:DateTime64(6, 'UTC')}} AND event_time < {{until:DateTime64(6, 'UTC')}}
GROUP BY model_version, slice ORDER BY slice, model_version
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """Predictions that one version made in a slice of time. Times are in UTC.

    Args:
        version: which.
        hour: the hour of its predictions; of a question about a whole period: the period's begin.
        events: how many.
        first: event time of the first of them.
        last: of the last.
    """

    version: str
    hour: datetime
    events: int
    first: datetime
    last: datetime


def read_answered(
    connection: Connection,
    model_name: str,
    since: datetime,
    until: datetime,
    *,
    environment: str,
    by_hour: bool = True,
) -> Sequence[Answered]:
    """Return which versions answered in [since, until), by event time, and how often.

    Args:
        connection: to the store.
        model_name: whose.
        since: aware.
        until: aware.
        environment: that the predictions were logged for.
        by_hour: whether each hour is counted by itself, or the period as a whole.
    """
    bound: dict[str, Any] = {
        "model": model_name,
        "environment": environment,
        "since": since.astimezone(UTC).replace(tzinfo=None),
        "until": until.astimezone(UTC).replace(tzinfo=None),
    }
    query = _ANSWERED.format(slice="hour" if by_hour else "toDateTime({since:DateTime64(6, 'UTC')}, 'UTC')")
    rows = connection.rows(query, bound)
    return [
        Answered(version, utc(hour), events, utc(first), utc(last))
        for version, hour, events, first, last in rows
    ]


# What landed lately is asked for by when it landed, so that no answer is older than that, whatever time its
# events tell; and by event time from the decision on.
_UNDECLARED = """
SELECT
    model_version, toString(session_id) AS session, count() AS events, max(event_time) AS newest,
    any(seen.host) AS host
FROM predictions
LEFT JOIN
(
    SELECT session_id, anyLast(host) AS host FROM sessions
    WHERE model_name = {model:String} AND environment = {environment:String} GROUP BY session_id
) AS seen
    ON predictions.session_id = seen.session_id
WHERE model_name = {model:String} AND environment = {environment:String} AND set_aside = ''
    AND model_version != {declared:String}
    AND landed_at >= now64(3) - INTERVAL {minutes:UInt32} MINUTE
    AND hour >= toStartOfHour({after:DateTime64(6, 'UTC')}) AND event_time > {after:DateTime64(6, 'UTC')}
GROUP BY model_version, session ORDER BY events DESC, session LIMIT {most:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Undeclared:
    """A session whose version answers and is not the one that was declared.

    Args:
        version: that answers.
        session_id: which session.
        host: where it runs; empty: not known.
        events: how many of its predictions landed lately.
        newest: event time of the newest of them, in UTC.
    """

    version: str
    session_id: str
    host: str
    events: int
    newest: datetime


def read_undeclared(
    connection: Connection,
    model_name: str,
    *,
    environment: str,
    declared: str,
    after: datetime,
    minutes: int,
    most: int,
) -> Sequence[Undeclared]:
    """Return the sessions that answered after a decision with another version than it declared.

    Args:
        connection: to the store.
        model_name: whose.
        environment: that the predictions were logged for.
        declared: the version that is in production there; empty: none.
        after: of predictions made after this time only; aware.
        minutes: of what landed in so many last minutes only.
        most: so many sessions at most, those with most predictions.
    """
    bound: dict[str, Any] = {
        "model": model_name,
        "environment": environment,
        "declared": declared,
        "after": after.astimezone(UTC).replace(tzinfo=None),
        "minutes": minutes,
        "most": most,
    }
    rows = connection.rows(_UNDECLARED, bound)
    return [
        Undeclared(version, session, host, events, utc(newest))
        for version, session, events, newest, host in rows
    ]


def count_predictions(connection: Connection, stream: Stream, *, since_hour: int) -> int:
    """Return how many predictions of a stream have landed of an hour or later, since the Unix epoch, UTC."""
    query = (
        f"SELECT count() FROM predictions WHERE {STREAM} "
        "AND hour >= toDateTime({since:UInt32} * 3600, 'UTC')"
    )
    return int(connection.rows(query, {**stream_parameters(stream), "since": since_hour})[0][0])


def read_delay_s(connection: Connection, stream: Stream, hour: int) -> int | None:
    """Return how long after its time the quickest event of a stream's hour landed, in seconds.

    Args:
        connection: to the store.
        stream: whose events.
        hour: hours since the Unix epoch; where it has no event, None is returned.
    """
    query = (
        f"SELECT min(dateDiff('second', event_time, landed_at)), count() FROM predictions WHERE {STREAM} "
        "AND hour = toDateTime({hour:UInt32} * 3600, 'UTC')"
    )
    ((delay_s, events),) = connection.rows(query, {**stream_parameters(stream), "hour": hour})
    return int(delay_s) if events else None


_NEWEST = """
SELECT max(newest) FROM
(
    SELECT max(hour) AS newest FROM derived_hours
    WHERE model_name = {model:String} AND environment = {environment:String}
    UNION ALL
    SELECT max(hour) FROM predictions
    WHERE model_name = {model:String} AND environment = {environment:String}
        AND landed_at >= now() - INTERVAL 10 MINUTE
)
"""


def newest_answer(connection: Connection, model_name: str, environment: str) -> int | None:
    """Return the newest hour in which a model answered, since the Unix epoch, UTC; None: it never did."""
    bound = {"model": model_name, "environment": environment}
    newest = utc(connection.rows(_NEWEST, bound)[0][0])
    return int(newest.timestamp()) // 3600 if newest.timestamp() else None
