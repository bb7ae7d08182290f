"""What is counted of how predictions came true: by period, from derived hours, or as of an earlier time.

A period's counts are the sum of those of its hours, so a year costs what its hours are, and not its rows.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from driftline.domain.streams import PRODUCTION, Stream
from driftline.store.derive_performance import bound, counted
from driftline.store.hours import DERIVING, HOUR, KEYS
from driftline.store.outcomes import FOREVER
from driftline.store.performance_hours import visible_performance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from driftline.store.connection import Connection

SUMS: Final = (
    "proper log_loss log_loss_squared brier brier_squared error_over_squared numbers error error_absolute "
    "error_squared error_fourth error_relative error_relative_squared"
).split()
"""The columns that are plain sums."""

BY_BIN: Final = SUMS[SUMS.index("numbers") :]
"""The sums that are also kept by bin of the score, where truths are numbers."""

_SUMMED = ", ".join(f"sum({name})" for name in SUMS)
_ERRORS = ", ".join(f"errors.{place + 1}" for place in range(len(BY_BIN) + 1))
_PERIODS = f"""
SELECT
    {KEYS}, period * {{hours:UInt32}} + {{shift:UInt32}} AS start, kind, status, decision, truth,
    sum(count), sum(outcomes), sum(replayed), sumMap(bins, counts, scores), sumMap(delays, delay_counts),
    [{_SUMMED}], max(error_largest), groupArrayArray(moments), sumMap({_ERRORS})
FROM
(
    SELECT *, intDiv({HOUR} - {{shift:UInt32}}, {{hours:UInt32}}) AS period FROM (%s)
)
GROUP BY {KEYS}, period, kind, status, decision, truth
ORDER BY {KEYS}, start, kind, status, decision, truth
"""
_CHOSEN = """
model_name = {model:String} AND environment = {environment:String}
AND ({version:String} = '' OR model_version = {version:String})
AND hour >= fromUnixTimestamp({since:Int64} * 3600) AND hour < fromUnixTimestamp({until:Int64} * 3600)
"""
_DERIVED = f"""
SELECT * FROM performance_counts
WHERE {_CHOSEN} AND segment = {{segment:String}} AND {visible_performance(_CHOSEN)}
"""
_DELAYS = f"""
SELECT {HOUR} AS at, status, truth, sum(count), sum(replayed), sumMap(delays, delay_counts)
FROM (%s) WHERE kind = 'answer' GROUP BY at, status, truth ORDER BY at
"""
_MODELS = """
SELECT model_name, min(hour), max(hour) FROM performance_hours FINAL
WHERE environment = {environment:String} GROUP BY model_name ORDER BY model_name
"""
_SERVED = f"""
SELECT {KEYS} FROM performance_hours WHERE environment = '{PRODUCTION}'
GROUP BY {KEYS}
HAVING max(hour) >= (SELECT max(hour) FROM performance_hours WHERE environment = '{PRODUCTION}')
    - INTERVAL 7 DAY
ORDER BY {KEYS}
"""
_SEGMENTS = f"""
SELECT DISTINCT segment FROM performance_counts
WHERE {_CHOSEN} AND segment != '' AND {visible_performance(_CHOSEN)} ORDER BY segment
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a model's performance.

    Args:
        model_name: the model.
        environment: where it served.
        model_version: of this version only; empty: of all.
        segment: of this part of the traffic, ``key=value``; empty: of the whole.
        since: the first hour, counted from the Unix epoch.
        until: the hour behind the last.
        hours: of a period.
        shift: the hour at which a period begins, counted from the epoch's.
    """

    model_name: str
    environment: str = PRODUCTION
    model_version: str = ""
    segment: str = ""
    since: int = 0
    until: int = 1 << 31
    hours: int = 168
    shift: int = 96

    def bound(self) -> dict[str, Any]:
        """Return the parameters of the queries."""
        return {
            "model": self.model_name,
            "environment": self.environment,
            "version": self.model_version,
            "segment": self.segment,
            "since": self.since,
            "until": min(self.until, (1 << 32) // 3600 - 1),
            "hours": self.hours,
            "shift": self.shift % self.hours,
        }


@dataclass(frozen=True, slots=True)
class HourDelays:
    """Predictions of an hour with the same truth, and how long that took.

    Args:
        hour: counted from the Unix epoch.
        status: ``known``, ``unknown`` or ``acted_on``.
        truth: the label that came true, or ``0`` or ``1``; empty: a number, or not known.
        count: predictions.
        replayed: of them, those that landed long after their time.
        delays: places of delays, ascending, and counts.
    """

    hour: int
    status: str
    truth: str
    count: int
    replayed: int
    delays: tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedGroup:
    """Predictions of one period with the same answer and truth; see the table `performance_counts`.

    Args:
        kind: ``answer``, ``class`` or ``chosen``.
        status: ``known``, ``unknown`` or ``acted_on``.
        decision: the predicted label, or the class; empty: none.
        truth: the label that came true, or ``0`` or ``1``; empty: a number, or not known.
        count: predictions.
        outcomes: that landed of them.
        replayed: of them, those that landed long after their time.
        scores: bins, ascending, counts and sums of scores. Three of the same length.
        delays: places, ascending, and counts. Two of the same length.
        sums: as `SUMS` names them.
        largest: the largest absolute error.
        moments: of truths that are numbers: how many, mean, and sum of squares about it.
        errors: of truths that are other numbers than 0 and 1: bins of scores, ascending, and sums as `BY_BIN`
            names them. Eight of the same length.
    """

    kind: str
    status: str
    decision: str
    truth: str
    count: int
    outcomes: int
    replayed: int
    scores: tuple[Sequence[int], Sequence[int], Sequence[float]]
    delays: tuple[Sequence[int], Sequence[int]]
    sums: Sequence[float]
    largest: float
    moments: Sequence[tuple[int, float, float]]
    errors: Sequence[Sequence[float]]


_GROUP = tuple(field.name for field in fields(CountedGroup))
"""What a row holds behind its stream and period, in this order."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in the past, whose view is asked for.

    Args:
        as_of: by what had landed at that time, by the store's clock.
        age: by what was known so long after each prediction at most; None: no matter.
    """

    as_of: datetime = FOREVER
    age: timedelta | None = None


def read_counted(
    connection: Connection, asked: Asked, moment: Moment | None = None
) -> Mapping[tuple[Stream, int], Sequence[CountedGroup]]:
    """Return what is counted by stream and period, the oldest first; a period is named by its first hour.

    Args:
        connection: to the store.
        asked: for what.
        moment: as of when. None: now, from what is derived; else from the raw rows, which costs as much as
            deriving their hours.
    """
    source, parameters = _source(asked, moment)
    return _read(connection, _PERIODS % source, parameters)


def read_delays(connection: Connection, asked: Asked, moment: Moment | None = None) -> Sequence[HourDelays]:
    """Return how long truths took, by hour and truth, of all that `asked` chooses; as `read_counted`."""
    source, parameters = _source(asked, moment)
    rows = connection.rows(_DELAYS % source, parameters=parameters, settings=dict(DERIVING))
    return [HourDelays(int(row[0]), row[1], row[2], row[3], row[4], row[5]) for row in rows]


def _source(asked: Asked, moment: Moment | None) -> tuple[str, dict[str, Any]]:
    if moment is None:
        return _DERIVED, asked.bound()
    segments = [asked.segment] if asked.segment else []
    query = f"SELECT * FROM ({counted(_CHOSEN)}) WHERE segment = {{segment:String}}"
    return query, {**bound(segments, as_of=moment.as_of, age=moment.age), **asked.bound()}


def _read(
    connection: Connection, query: str, parameters: Mapping[str, Any]
) -> Mapping[tuple[Stream, int], Sequence[CountedGroup]]:
    found: dict[tuple[Stream, int], list[CountedGroup]] = defaultdict(list)
    for row in connection.rows(query, parameters=dict(parameters), settings=dict(DERIVING)):
        group = CountedGroup(**dict(zip(_GROUP, row[4:], strict=True)))
        found[Stream(*row[:3]), int(row[3])].append(group)
    return found


def read_performance_models(
    connection: Connection, environment: str = PRODUCTION
) -> Mapping[str, tuple[datetime, datetime]]:
    """Return the models of which performance is counted, with the first and the last hour that is."""
    rows = connection.rows(_MODELS, parameters={"environment": environment})
    return {str(name): (first.replace(tzinfo=UTC), last.replace(tzinfo=UTC)) for name, first, last in rows}


def read_performance_streams(connection: Connection) -> Sequence[Stream]:
    """Return the streams in production of which the last week up to the newest hour of all has any."""
    return [Stream(*row) for row in connection.rows(_SERVED)]


def read_counted_segments(connection: Connection, asked: Asked) -> Sequence[str]:
    """Return the segments that a model's performance is counted in, ascending."""
    return [str(row[0]) for row in connection.rows(_SEGMENTS, parameters=asked.bound())]
