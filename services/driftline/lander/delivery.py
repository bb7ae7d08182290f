"""What is to be done with a range of the log, from what is known of it. Pure: nothing here asks or writes.

========  ==============================================  ===================================================
a range   that is                                         so
========  ==============================================  ===================================================
follows   just behind what this lander landed last        none of it is in the table: insert it, ask nothing
intended  begun before, by whomever, and not committed    ask how far the table reaches; up to there, ask
                                                          which offsets it holds, insert those that it lacks,
                                                          and ask again until none is missing
astray    the first of a partition after a start or a     the same
          change of hands, or the group was set back
========  ==============================================  ===================================================

When a range lands at all is `freshness`'s to say, and `repeats` looks for single records that a client may
have appended twice: their copies stand under other offsets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from driftline.log import Batch

ATTEMPTS = 20
"""An attempt fails when the engine is killed in the middle of it, at one of a few system calls."""


class Recurrence(Enum):
    """How a range comes to a lander: for the first time, or how it comes again."""

    FOLLOWS = "follows"
    INTENDED = "intended"
    ASTRAY = "astray"


class Action(Enum):
    """What to do next with a range, or with a piece of it."""

    INSERT = "insert"
    """None of it can be there."""
    COMPLETE = "complete"
    """Some of it may be there: ask, and insert what is missing."""
    NOTHING = "nothing"
    """All of it is there."""
    GIVE_UP = "give_up"
    """The store takes it again and again, and does not hold it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one lander is with one partition, by what it has seen itself.

    Args:
        next_offset: just behind what it landed last; None: not known, or a batch is under way.
        unsure_below: below this offset the table may hold rows that this lander did not put in.
    """

    next_offset: int | None = None
    unsure_below: int = 0

    def recurrence(self, batch: Batch) -> Recurrence:
        """Return how a range comes."""
        if batch.repeated:
            return Recurrence.INTENDED
        return Recurrence.FOLLOWS if self.next_offset == batch.first_offset else Recurrence.ASTRAY

    def begun(self) -> Progress:
        """Return the progress while a range is under way: should it fail, what comes next does not follow."""
        return replace(self, next_offset=None)

    def reaching(self, batch: Batch, end: int) -> Progress:
        """Return the progress once it is known behind which offset the table holds nothing.

        Args:
            batch: the range that does not just follow.
            end: that offset; 0 where the table holds nothing of the range's beginning or behind it.
        """
        return _unsure(self, max(end, batch.first_offset) + 1)

    def action(self, batch: Batch) -> Action:
        """Return what to do with a range: insert it, or complete what may be there."""
        return Action.COMPLETE if batch.first_offset < self.unsure_below else Action.INSERT

    def landed(self, batch: Batch, *, is_new: bool) -> Progress:
        """Return the progress once a range has landed.

        Args:
            batch: the range.
            is_new: whether any row was put in. While none is, the next range is as unsure: the first rows
                that the table lacks may be of an insert that the engine remembers without holding it, and
                whose intent was given up.
        """
        ahead = replace(self, next_offset=batch.last_offset + 1)
        return ahead if is_new else _unsure(ahead, batch.last_offset + 2)


def _unsure(progress: Progress, below: int) -> Progress:
    return replace(progress, unsure_below=max(below, progress.unsure_below))


@dataclass(frozen=True, slots=True)
class Attempt:
    """The next insert of a piece that may be there in part.

    Args:
        action: `COMPLETE`, `NOTHING` or `GIVE_UP`.
        number: of the attempt, from 0: each has a token of its own, since the engine may remember the token
            of the one before without holding its rows.
        missing: offsets to be inserted, rising.
    """

    action: Action
    number: int
    missing: Sequence[int]


def next_attempt(offsets: Sequence[int], held: Container[int], number: int) -> Attempt:
    """Return what to do with a piece after the table was asked.

    Args:
        offsets: of its records, rising.
        held: offsets that the table holds now.
        number: how many attempts were made; all of them were answered before the table was asked.
    """
    missing = [offset for offset in offsets if offset not in held]
    if not missing:
        return Attempt(Action.NOTHING, number, missing)
    return Attempt(Action.COMPLETE if number < ATTEMPTS else Action.GIVE_UP, number, missing)
