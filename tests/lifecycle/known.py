"""What a snapshot has to hold, found by looking at every row that landed; and snapshots that peek.

Times are minutes since the period's beginning. A prediction is as old as its event time says, and at the
latest when it landed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HOUR = 60


@dataclass(frozen=True)
class Made:
    """A prediction: which, when it was made, and when it landed."""

    event: int
    at: int
    landed: int

    @property
    def counted(self) -> int:
        return min(self.at, self.landed)


@dataclass(frozen=True)
class Outcome:
    """An outcome: its place in the log, of which prediction, what it says, when it was seen and landed."""

    place: int
    event: int
    actual: float | None
    revision: int
    acted_on: bool | None
    observed: int
    landed: int

    @property
    def order(self) -> tuple[int, int, int]:
        return self.revision, self.observed, self.place


@dataclass(frozen=True)
class Wanted:
    """As of when, how old predictions are at least, and how late truths may be (None: however late)."""

    as_of: int
    maturity: int
    label_age: int | None


Held = tuple[str, float | None]


def honest(made: Sequence[Made], outcomes: Sequence[Outcome], wanted: Wanted) -> Mapping[int, Held]:
    """Return what became of each prediction that had landed, and its truth where it is taken."""
    return _held(_landed(made, wanted), _landed(outcomes, wanted), wanted)


def peeking_at_predictions(made, outcomes, wanted):
    """As `honest`, but it sees predictions that landed later."""
    return _held(made, _landed(outcomes, wanted), wanted)


def peeking_at_outcomes(made, outcomes, wanted):
    """As `honest`, but of predictions of which no truth had landed it sees one that did later."""
    known = {each.event for each in _landed(outcomes, wanted)}
    seen = [each for each in outcomes if each.event not in known or each.landed <= wanted.as_of]
    return _held(_landed(made, wanted), seen, wanted)


def peeking_at_corrections(made, outcomes, wanted):
    """As `honest`, but of predictions of which a truth had landed it sees those that landed later."""
    known = {each.event for each in _landed(outcomes, wanted)}
    return _held(_landed(made, wanted), [each for each in outcomes if each.event in known], wanted)


def _landed(rows, wanted):
    return [each for each in rows if each.landed <= wanted.as_of]


def _held(made: Sequence[Made], outcomes: Sequence[Outcome], wanted: Wanted) -> Mapping[int, Held]:
    return {
        each.event: _became(each, [one for one in outcomes if one.event == each.event], wanted)
        for each in made
        if 0 <= each.counted < wanted.as_of
    }


def _became(made: Made, outcomes: Sequence[Outcome], wanted: Wanted) -> Held:
    if made.counted + wanted.maturity > wanted.as_of:
        return "too_young", None
    acting = [each for each in outcomes if each.acted_on is not None]
    if acting and max(acting, key=lambda each: each.order).acted_on:
        return "acted_on", None
    telling = [each for each in outcomes if each.actual is not None]
    if not telling:
        return "no_truth", None
    # What was logged long after it happened was known when it was seen; else when that landed.
    is_late = made.landed > made.counted + _HOUR
    known = min(each.observed if is_late else each.landed for each in telling)
    if wanted.label_age is not None and known - made.counted > wanted.label_age:
        return "known_too_late", None
    return "taken", max(telling, key=lambda each: each.order).actual
