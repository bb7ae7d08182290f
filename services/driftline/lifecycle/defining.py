"""From what somebody asks for to a definition that stands: mature, and without hours that would mislead."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from driftline.domain.hours import hour_of, hour_time
from driftline.domain.snapshots import Definition, LeftOut, Split
from driftline.domain.streams import PRODUCTION, Stream
from driftline.errors import SettingError
from driftline.performance.delay import delays_of
from driftline.performance.timeline import read_recent_delays
from driftline.store.incidents import read_incidents
from driftline.store.invalid import read_invalid_hours
from driftline.store.ledger import Ledger, read_rows_by_hour
from driftline.store.performance import Asked, Moment
from driftline.store.snapshots import read_served_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from driftline.domain.incidents import Incident
    from driftline.domain.snapshots import Reason, SplitKind
    from driftline.store.connection import Connection

LEAST_COMPLETENESS: Final = 0.95
"""An hour of which a smaller share of its events arrived is left out; as windows are judged by default."""

MOST_INVALID: Final = 0.01
"""An hour with more invalid values, by prediction, is left out."""


class TooEarlyError(SettingError):
    """Nothing that is wanted is there, or old enough: later it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks for.

    Args:
        model_name: whose predictions.
        model_version: of this version only; empty: of all.
        environment: where they were made.
        since: of this time or later, UTC.
        until: before this time, UTC; None: up to where nearly all truths are known.
        as_of: by what had landed then, UTC.
        maturity: predictions are so old at least; None: as old as it takes until nearly all truths are known.
        label_age: only what was known so long after its prediction; None: whatever is known.
        split: how rows are divided: ``none``, ``time`` or ``entity``.
        test_share: of the period, or of the entities, that is tested on.
        named: hours that a person leaves out besides.
        least_completeness: an hour of which less arrived is left out.
        most_invalid: an hour with more invalid values by prediction is left out.
    """

    model_name: str
    model_version: str = ""
    environment: str = PRODUCTION
    since: datetime
    until: datetime | None = None
    as_of: datetime
    maturity: timedelta | None = None
    label_age: timedelta | None = None
    split: SplitKind = "time"
    test_share: float = 0.2
    named: tuple[LeftOut, ...] = ()
    least_completeness: float = LEAST_COMPLETENESS
    most_invalid: float = MOST_INVALID


def define(connection: Connection, wanted: Wanted) -> Definition:
    """Return the definition of what is wanted, as incidents, the ledger and invalid values stand now.

    Its period begins and ends with hours that have predictions, so that a share of it is one of them.

    Raises:
        TooEarlyError: nobody can tell how long truths take, or nothing is there that is old enough.
    """
    mature_until = _mature_until(connection, wanted)
    until = mature_until if wanted.until is None else min(wanted.until, mature_until)
    if until <= wanted.since:
        raise TooEarlyError(
            f"of {wanted.model_name} nothing since {wanted.since:%Y-%m-%dT%H:%M} is mature as of "
            f"{wanted.as_of:%Y-%m-%dT%H:%M}: truths are known up to predictions of {until:%Y-%m-%dT%H:%M}; "
            "begin earlier, or name another maturity"
        )
    span = read_served_hours(
        connection,
        wanted.model_name,
        wanted.environment,
        since=wanted.since,
        until=until,
        as_of=wanted.as_of,
    )
    if span is None:
        raise TooEarlyError(
            f"{wanted.model_name} predicted nothing in {wanted.environment} from "
            f"{wanted.since:%Y-%m-%dT%H:%M} until {until:%Y-%m-%dT%H:%M}"
        )
    since, until = max(wanted.since, hour_time(span[0])), min(until, hour_time(span[1]))
    return Definition(
        model_name=wanted.model_name,
        model_version=wanted.model_version,
        environment=wanted.environment,
        since=since,
        until=until,
        as_of=wanted.as_of,
        maturity=wanted.maturity or timedelta(0),
        label_age=wanted.label_age,
        split=split_of(wanted.split, wanted.test_share, since, until),
        left_out=(
            *wanted.named,
            *incident_hours(connection, wanted, span),
            *incomplete_hours(connection, wanted, span),
            *invalid_hours(connection, wanted, span),
        ),
    )


def split_of(kind: SplitKind, share: float, since: datetime, until: datetime) -> Split:
    """Return a split; one by time falls on a full hour."""
    if kind == "time":
        hours = (until - since).total_seconds() / 3600
        return Split("time", 0.0, hour_time(hour_of(since + timedelta(hours=hours * (1 - share)))))
    return Split("entity", share) if kind == "entity" else Split()


def _mature_until(connection: Connection, wanted: Wanted) -> datetime:
    """Return before when predictions are mature, on a full hour."""
    if wanted.maturity is not None:
        return hour_time(hour_of(wanted.as_of - wanted.maturity))
    asked = Asked(model_name=wanted.model_name, environment=wanted.environment)
    as_of_s = wanted.as_of.timestamp()
    hours = read_recent_delays(connection, asked, now_s=as_of_s, moment=Moment(wanted.as_of))
    delays = delays_of(hours, now_s=as_of_s)
    if math.isinf(delays.coverage.maturity_s):
        raise TooEarlyError(
            f"nobody can tell yet how long truths of {wanted.model_name} take: too few are old; name it "
            "(--maturity 14d)"
        )
    horizon_s = min(as_of_s, delays.horizon_s)
    return hour_time(hour_of(datetime.fromtimestamp(horizon_s - delays.coverage.maturity_s, UTC)))


def incident_hours(connection: Connection, wanted: Wanted, span: tuple[int, int]) -> Sequence[LeftOut]:
    """Return the hours of incidents that nobody called a false page or the new normal."""
    found = []
    for incident in read_incidents(connection, model_name=wanted.model_name):
        first, end = max(incident.since, span[0]), min(incident.last, span[1])
        if is_a_fault(incident) and _concerns(incident.stream, wanted) and first < end:
            called = "a fault" if incident.acknowledged == "real" else "not acknowledged"
            detail = f"incident {incident.incident_id} ({called}): {incident.headline}"
            found.append(LeftOut(first, end, "incident", detail))
    return sorted(found, key=lambda each: (each.first_hour, each.detail))


def is_a_fault(incident: Incident) -> bool:
    """Return whether an incident's hours may be broken: it is real, or nobody has acknowledged it."""
    return incident.state not in {"withdrawn", "accepted"} and incident.acknowledged in {None, "real"}


def incomplete_hours(connection: Connection, wanted: Wanted, span: tuple[int, int]) -> Sequence[LeftOut]:
    """Return the hours of which too little arrived, by the ledger."""
    missing, rows = missing_by_hour(connection, wanted, span)
    thin = {
        hour: missing[hour] / (missing[hour] + rows.get(hour, 0))
        for hour in missing
        if missing[hour] > 0
        and rows.get(hour, 0) / (missing[hour] + rows.get(hour, 0)) < wanted.least_completeness
    }
    return list(_runs(thin, "incomplete", lambda share: f"of its predictions {share:.0%} are missing"))


def missing_by_hour(
    connection: Connection, wanted: Wanted, span: tuple[int, int]
) -> tuple[Mapping[int, float], Mapping[int, int]]:
    """Return how many predictions are missing, and how many are there, by hour in a span."""
    ledger = Ledger(connection)
    missing: dict[int, float] = defaultdict(float)
    rows: dict[int, int] = defaultdict(int)
    for line in ledger.lines():
        stream = Stream(line.model_name, line.model_version, line.environment)
        if stream.model_name != wanted.model_name or not _concerns(stream, wanted):
            continue
        for hour, count in ledger.missing(stream, since_hour=span[0]).items():
            if span[0] <= hour < span[1]:
                missing[hour] += count
        for hour, held in read_rows_by_hour(connection, stream, first_hour=span[0], end_hour=span[1]).items():
            rows[hour] += held
    return missing, rows


def invalid_hours(connection: Connection, wanted: Wanted, span: tuple[int, int]) -> Sequence[LeftOut]:
    """Return the hours with too many invalid values."""
    found = read_invalid_hours(
        connection, wanted.model_name, wanted.environment, first_hour=span[0], end_hour=span[1]
    )
    bad = {
        hour: count / max(rows, 1)
        for hour, (count, rows) in found.items()
        if count > wanted.most_invalid * rows
    }
    return list(_runs(bad, "invalid", lambda share: f"{share:.2g} invalid values by prediction"))


def _runs(hours: Mapping[int, float], reason: Reason, detail: Callable[[float], str]) -> Iterator[LeftOut]:
    """Yield hours that follow each other as one, with the worst of them."""
    for run in _consecutive(sorted(hours)):
        yield LeftOut(run[0], run[-1] + 1, reason, detail(max(hours[hour] for hour in run)))


def _consecutive(hours: Iterable[int]) -> Iterator[Sequence[int]]:
    gathered: list[int] = []
    for hour in hours:
        if gathered and hour != gathered[-1] + 1:
            yield gathered
            gathered = []
        gathered.append(hour)
    if gathered:
        yield gathered


def _concerns(stream: Stream, wanted: Wanted) -> bool:
    is_version = wanted.model_version in ("", stream.model_version)
    return is_version and stream.environment == wanted.environment
