"""What was declared to be in production, over a period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from driftline.domain.streams import PRODUCTION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from driftline.registry.state import ModelState, Move


@dataclass(frozen=True, slots=True)
class Declared:
    """What was declared from one moment to another.

    Args:
        version: that was in production; empty: none was.
        since: from when on.
        until: to when, exclusive.
        decided: the decision; None: nothing had been decided yet.
    """

    version: str
    since: datetime
    until: datetime
    decided: Move | None


def declared_periods(
    state: ModelState, since: datetime, until: datetime, environment: str = PRODUCTION
) -> Sequence[Declared]:
    """Return what was declared in [since, until), in the order of time, without gaps."""
    moves = state.production_moves(environment)
    turns = sorted({move.event.event_time for move in moves if since < move.event.event_time < until})
    starts = [since, *turns]
    found: list[Declared] = []
    for start, end in zip(starts, [*turns, until], strict=True):
        move = state.declared(start, environment)
        version = move.production_after if move else ""
        if found and found[-1].decided == move:  # A fast clock's decision that another one has overtaken.
            found[-1] = Declared(version, found[-1].since, end, move)
        else:
            found.append(Declared(version, start, end, move))
    return found


def was_declared(
    state: ModelState, version: str, first: datetime, last: datetime, environment: str = PRODUCTION
) -> bool:
    """Return whether a version was declared at any moment in [first, last]."""
    until = last + timedelta(microseconds=1)
    return version in {each.version for each in declared_periods(state, first, until, environment)}
