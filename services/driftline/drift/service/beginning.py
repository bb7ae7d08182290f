"""Where a stream begins, and how far a model is: single stray events decide nothing of it."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from driftline.store.set_aside import LATE_HOURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.store.profiles import StreamSpan

PAUSE_HOURS = 7 * 24
"""Before an hour that is further from the next one a stream did something else, or nothing."""

_FOLLOWING = 24
_SPARSE = 0.1
_STRAY_SHARE = 0.01


def newest_hour(spans: Iterable[StreamSpan]) -> int:
    """Return the newest hour of a model: those before it have closed.

    A single hour that is five weeks or more ahead of all others is not believed until there is another: an
    event of today closes no hour of a year that is being replayed.

    Args:
        spans: of the model's streams; at least one.
    """
    hours = sorted({hour for span in spans for hour in (span.before_hour, span.last_hour)})
    newest, before = hours[-1], hours[-2] if len(hours) > 1 else hours[-1]
    return before if newest - before > LATE_HOURS else newest


def first_to_judge(rows: Mapping[int, int]) -> int:
    """Return the hour from which on a stream is judged; the strays before it are not.

    Args:
        rows: of its hours, ascending; not empty.
    """
    total = sum(rows.values())
    for part in _parts(list(rows), LATE_HOURS):
        if sum(rows[hour] for hour in part) > _STRAY_SHARE * total:
            return part[0]
    return next(iter(rows))


def begins(rows: Mapping[int, int], as_of: int) -> int:
    """Return since when a stream has gone on as it does at an hour: before that it has no history of its own.

    Args:
        rows: of its hours, ascending, some of those behind ``as_of`` among them.
        as_of: hours since the Unix epoch, UTC.
    """
    parts = _parts(list(rows), PAUSE_HOURS)
    part = next((part for part in parts if part[-1] >= as_of), parts[-1] if parts else [as_of])
    for place, hour in enumerate(part):
        following = [rows[each] for each in part[place + 1 : place + 1 + _FOLLOWING]]
        if not following or rows.get(hour, 0) >= _SPARSE * median(following):
            return hour
    return part[0]


def _parts(hours: Sequence[int], gap: int) -> Sequence[Sequence[int]]:
    """Return ascending hours in parts that are further apart than a gap."""
    parts: list[list[int]] = []
    for hour in hours:
        if not parts or hour - parts[-1][-1] > gap:
            parts.append([])
        parts[-1].append(hour)
    return parts
