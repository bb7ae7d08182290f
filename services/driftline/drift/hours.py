"""Hours of a stream as they are judged, and how much of each is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.verdicts import Feature, Reference
    from driftline.profiles import HourProfile


WHOLE = ""
"""The segment that is the whole traffic."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How much of an hour is there.

    Args:
        rows: that landed.
        missing: events of this hour that the ledger misses.
    """

    rows: int = 0
    missing: float = 0.0

    @property
    def completeness(self) -> float:
        """The share of the hour's events that arrived; 1 where there were none."""
        sent = self.rows + self.missing
        return self.rows / sent if sent else 1.0


@dataclass(frozen=True, slots=True)
class StreamHour:
    """One hour of a stream.

    Args:
        hour: hours since the Unix epoch, UTC.
        arrived: how much of it is there.
        profiles: by segment; that of the whole traffic is always there.
        elsewhere: events of the model's other versions in the same environment.
    """

    hour: int
    arrived: Arrival
    profiles: Mapping[str, HourProfile]
    elsewhere: float = 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """One window, whatever its features say.

    Args:
        reference: what it is compared with.
        scale_hours: its length.
        end: the hour after its last.
        rows: prediction events in it.
        completeness: the share of its events that arrived.
        covered: whether the judge knows hours as old as its first.
        segment: of which part of the traffic; empty: of all of it.
        features: what its hours carried, hour by hour.
        remark: what the calendar says of its hours, with what stands before it in a sentence; empty: nothing.
    """

    reference: Reference
    scale_hours: int
    end: int
    rows: int
    completeness: float
    covered: bool
    segment: str
    features: Sequence[tuple[Feature, ...]] = ()
    remark: str = ""

    def carries(self, feature: Feature) -> bool:
        """Return whether any of its hours carried a feature."""
        return any(feature in hour for hour in self.features)
