"""Whether a version got worse: its newest final week against the four weeks before, or the version before.

Only predictions of which nearly all truths are known are compared, so that no delay looks like a drop. A drop
has to be surely more than nothing and not small. It is looked at again and again, and weeks overlap: so what
is sure is so at four standard errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from driftline.performance.business_value import BUSINESS_VALUE
from driftline.performance.delay import delays_of
from driftline.performance.intervals import Z
from driftline.performance.tally import add_up, group_of
from driftline.performance.task import LOWER_IS_BETTER, Kind, task_of
from driftline.performance.timeline import read_recent_delays
from driftline.store.business_values import read_business_value
from driftline.store.performance import Asked, read_counted, read_counted_segments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.streams import Stream
    from driftline.performance.intervals import Measured
    from driftline.performance.tally import Group
    from driftline.store.connection import Connection

RECENT_HOURS: Final = 168
PAST_HOURS: Final = 4 * 168

WATCHED: Final[Mapping[Kind, Sequence[str]]] = {
    "binary": ("roc_auc", "brier_score"),
    "multiclass": ("accuracy",),
    "regression": ("mae",),
}
"""What may drop, beside what answers are worth, where a file of monitors says that."""

_SURE = 4.0
_SMALLEST = 0.05
"""Of what the metric was, or of what a share was short of perfect: less is no drop that matters."""

_ENOUGH = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """How one metric of one stream stands.

    Args:
        metric: its name.
        recent: of the newest final week.
        past: what it is compared with; None: there is nothing to compare with yet.
        against: the version that `past` is of; empty: none.
        drop: how much worse it is, in the metric's unit, where that is sure and not small; else 0.
    """

    metric: str
    recent: Measured
    past: Measured | None
    against: str
    drop: float


def standings_of(
    connection: Connection, stream: Stream, *, now_s: float, segment: str = ""
) -> Sequence[Standing]:
    """Return how the watched metrics of a stream stand; none: too little of it is final.

    Args:
        connection: to the store.
        stream: which.
        now_s: the time now, seconds since the epoch.
        segment: of this part of the traffic; empty: of the whole.
    """
    asked = Asked(
        model_name=stream.model_name,
        environment=stream.environment,
        model_version=stream.model_version,
        segment=segment,
    )
    hours = read_recent_delays(connection, asked, now_s=now_s)
    delays = delays_of(hours, now_s=now_s)
    mature = [each.hour for each in hours if each.status == "known" and delays.is_mature(each.hour)]
    if not mature:
        return []
    end = max(mature) + 1
    recent = _groups(connection, asked, end - RECENT_HOURS, end)
    past, against = _groups(connection, asked, end - RECENT_HOURS - PAST_HOURS, end - RECENT_HOURS), stream
    if _known(past) < _ENOUGH:
        past, against = _version_before(connection, stream, end, segment)
    task = task_of([*recent, *past])
    if task is None or _known(recent) < _ENOUGH:
        return []
    task = replace(task, business_value=read_business_value(connection, stream.model_name))
    now, before = task.measure(recent), task.measure(past) if _known(past) >= _ENOUGH else {}
    return [
        Standing(
            name,
            now[name],
            before.get(name),
            against.model_version if name in before else "",
            drop_of(name, now[name], before.get(name)),
        )
        for name in (*WATCHED[task.kind], BUSINESS_VALUE)
        if name in now and now[name].value is not None
    ]


def drops_by_segment(
    connection: Connection, stream: Stream, *, now_s: float
) -> Mapping[str, Sequence[Standing]]:
    """Return how each part of a stream's traffic stands, by its segment; where it fell, drives a drop of all.

    A drop of one part need not show in the whole, so each is looked at by itself.

    Args:
        connection: to the store.
        stream: which.
        now_s: the time now, seconds since the epoch.
    """
    asked = Asked(
        model_name=stream.model_name, environment=stream.environment, model_version=stream.model_version
    )
    return {
        segment: standings_of(connection, stream, now_s=now_s, segment=segment)
        for segment in read_counted_segments(connection, asked)
    }


def _groups(connection: Connection, asked: Asked, since: int, until: int) -> Sequence[Group]:
    chosen = replace(asked, since=max(since, 0), until=until, hours=max(until - since, 1), shift=since)
    found = read_counted(connection, chosen)
    return add_up([group_of(each) for own in found.values() for each in own])


def _known(groups: Sequence[Group]) -> float:
    return sum(each.count for each in groups if each.kind == "answer" and each.status == "known")


def _version_before(
    connection: Connection, stream: Stream, end: int, segment: str
) -> tuple[Sequence[Group], Stream]:
    """Return what is known of the version that served last before a stream's own past, and which that is."""
    since = max(end - RECENT_HOURS - PAST_HOURS, 0)
    asked = Asked(
        model_name=stream.model_name,
        environment=stream.environment,
        segment=segment,
        since=since,
        until=end,
        hours=24,
        shift=since,
    )
    days: dict[Stream, list[int]] = {}
    found = read_counted(connection, asked)
    for own, start in found:
        days.setdefault(own, []).append(start)
    first = min(days.get(stream, [end]))
    others = {own: starts for own, starts in days.items() if own != stream and min(starts) < first}
    if not others:
        return [], stream
    before = max(others, key=lambda own: max(others[own]))
    groups = [group_of(each) for (own, _), counted in found.items() if own == before for each in counted]
    return add_up(groups), before


def drop_of(name: str, now: Measured, before: Measured | None) -> float:
    """Return how much worse a metric is, in its unit, where that is sure and not small; else 0.

    Args:
        name: of the metric.
        now: as it is.
        before: as it was; None: not known.
    """
    if before is None or now.value is None or before.value is None:
        return 0.0
    worse = now.value - before.value if name in LOWER_IS_BETTER else before.value - now.value
    error = math.hypot(_error(now), _error(before))
    if name == BUSINESS_VALUE:
        to_lose = abs(before.value)
    else:
        to_lose = before.value if name in LOWER_IS_BETTER else 1 - before.value
    least = _SMALLEST * to_lose
    return worse if worse > max(_SURE * error, least) else 0.0


def _error(measured: Measured) -> float:
    if measured.low is None or measured.high is None:
        return math.inf
    return (measured.high - measured.low) / (2 * Z)
