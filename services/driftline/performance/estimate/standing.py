"""How a version is likely to stand today: what is estimated of the newest day whose truths are not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.domain.hours import hour_of
from driftline.performance.drops import WATCHED, drop_of
from driftline.performance.timeline import read_timeline
from driftline.store.performance import Asked, read_performance_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.streams import Stream
    from driftline.performance.drops import Standing
    from driftline.performance.estimate.reading import Estimate
    from driftline.store.connection import Connection

_DAYS: Final = 45
"""Of so many days estimates are compared with what they came to."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """How one metric of one stream is likely to stand.

    Args:
        metric: its name.
        estimate: of the newest day.
        drop: how much worse that is than the newest final week, in the metric's unit, where that is sure and
            not small; else 0.
    """

    metric: str
    estimate: Estimate
    drop: float


def outlooks_of(
    connection: Connection, stream: Stream, standings: Sequence[Standing], *, now_s: float
) -> Sequence[Outlook]:
    """Return how the watched metrics of a stream are likely to stand; none: nothing is estimated.

    Args:
        connection: to the store.
        stream: which.
        standings: how it stands by its truths; none: too few are there.
        now_s: the time now, seconds since the epoch.
    """
    models = read_performance_models(connection, stream.environment)
    if stream.model_name not in models:
        return []
    end = hour_of(models[stream.model_name][1]) + 1
    asked = Asked(
        model_name=stream.model_name,
        environment=stream.environment,
        model_version=stream.model_version,
        since=max(end - _DAYS * 24, 0),
        until=end,
        hours=24,
        shift=end,
    )
    timeline = read_timeline(connection, asked, now_s=now_s)
    open_periods = [each for each in timeline.periods if not each.is_final and each.estimates]
    if timeline.task is None or not open_periods:
        return []
    newest = max(open_periods, key=lambda each: each.start)
    past = {each.metric: each.recent for each in standings}
    return [
        Outlook(name, estimate, drop_of(name, estimate.measured, past.get(name)))
        for name in WATCHED[timeline.task.kind]
        if (estimate := newest.estimates.get(name)) is not None
    ]
