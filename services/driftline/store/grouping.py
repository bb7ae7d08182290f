"""Which hours one statement counts together."""

from __future__ import annotations

import zlib
from collections import defaultdict
from typing import TYPE_CHECKING, Final, Protocol

from driftline.store.hours import nameable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.domain.streams import HourKey
    from driftline.store.recipes import Recipes

MOST_HOURS: Final = 2_000
"""So many hours one statement takes."""


class Counted(Protocol):
    """What there is of an hour."""

    @property
    def rows(self) -> int:
        """How many rows."""
        ...


def by_segments(hours: Iterable[HourKey], recipes: Recipes) -> Sequence[Sequence[HourKey]]:
    """Return hours apart that are counted in other segments, or other categories, each group in their order.

    Models that are counted in segments, or say what is a category, have a group of their own; all others
    share one.
    """
    groups: dict[int, list[HourKey]] = defaultdict(list)
    for each in hours:
        model = each.stream.model_name
        is_apart = recipes.segments_of(model) or recipes.categories_of(model)
        groups[zlib.crc32(model.encode()) if is_apart else -1].append(each)
    return list(groups.values())


def batches(
    hours: Iterable[HourKey], rows: Mapping[HourKey, Counted], most_rows: int
) -> Sequence[Sequence[HourKey]]:
    """Return hours in groups that one statement each can take, in their order.

    Args:
        hours: of models that are counted in the same segments.
        rows: of each hour.
        most_rows: of a group, unless a single hour has more.
    """
    groups: list[list[HourKey]] = []
    for named in nameable(hours):
        groups.append([])
        held = 0
        for each in named:
            is_full = held + rows[each].rows > most_rows or len(groups[-1]) >= MOST_HOURS
            if groups[-1] and is_full:
                groups.append([])
                held = 0
            groups[-1].append(each)
            held += rows[each].rows
    return groups
