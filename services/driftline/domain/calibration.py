"""What replaying a stream's own past says of the verdicts on it: false pages and delays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftline.domain.verdicts import Feature, Kind

HORIZON_HOURS = 7 * 24
"""A shift that is not found by then counts as not found."""


@dataclass(frozen=True, slots=True)
class FalsePages:
    """How often something paged that nobody had injected.

    Args:
        name: of the feature; empty: the model, of which one incident may name several features.
        kind: of the feature; None: the model.
        pages: how many; what follows within the quiet hours belongs to the incident before.
        known: pages besides, over hours that were left out.
        hours: that were judged, without those left out.
    """

    name: str
    kind: Kind | None
    pages: int
    known: int
    hours: int

    @property
    def per_1000_hours(self) -> float:
        """Pages in 1000 hours; NaN where none was judged."""
        return 1000 * self.pages / self.hours if self.hours else math.nan


@dataclass(frozen=True, slots=True)
class Delays:
    """Hours until a shift of one feature paged.

    Args:
        feature: which.
        shift: its name.
        hours: by date at which it was injected, ascending; None: not found within the horizon. Dates at which
            the feature paged by itself are left out.
        dates: how many were tried.
    """

    feature: Feature
    shift: str
    hours: tuple[int | None, ...]
    dates: int

    @property
    def missed(self) -> int:
        """How often it was not found."""
        return self.hours.count(None)

    def quantile(self, share: float) -> int | None:
        """Return the delay that this share of the dates keeps to; None: not found by then, or never tried."""
        known = sorted(math.inf if each is None else each for each in self.hours)
        if not known:
            return None
        delay = known[max(math.ceil(share * len(known)) - 1, 0)]
        return None if math.isinf(delay) else int(delay)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a stream's own past says of the verdicts on it.

    Args:
        first_hour: the first that was judged.
        end_hour: the hour after the last.
        budget_hours: at most one false page is promised in so many hours.
        model: false pages of the model.
        features: of each feature, by name.
        dates: hours at which shifts were injected.
        delays: by feature and shift.
    """

    first_hour: int
    end_hour: int
    budget_hours: float
    model: FalsePages
    features: tuple[FalsePages, ...]
    dates: tuple[int, ...]
    delays: tuple[Delays, ...]
