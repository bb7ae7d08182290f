"""The ground truth of a prediction: which of the outcomes that were logged of it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is known of one prediction's outcome at a moment.

    Args:
        number: the truth as a number; None: it is none.
        label: the truth as a label; None: it is none. Both None: it is not known.
        acted_on: whether somebody acted on the prediction, so that what came true is not what would have.
        outcomes: outcomes that had landed of it.
        first_landed: when the first of them with a truth landed, UTC; None: none has.
        first_observed: when a truth was observed first, UTC; None: none was.
    """

    number: float | None
    label: str | None
    acted_on: bool
    outcomes: int
    first_landed: datetime | None
    first_observed: datetime | None

    @property
    def actual(self) -> float | str | None:
        """The truth, a number where it is one; None: it is not known."""
        return self.label if self.number is None else self.number

    @property
    def is_known(self) -> bool:
        """Whether there is a truth, whatever it is worth."""
        return self.number is not None or self.label is not None
