"""Incidents: what pages somebody, and what the engineer on call decides about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.domain.verdicts import Feature, Kind, Reference

if TYPE_CHECKING:
    from driftline.domain.channels import Channel

DEFAULT_QUIET_HOURS = 24
"""An incident is over once so many hours were judged without a page of it, unless a monitor says else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What pages for one feature, in one part of the traffic, against one reference.

    The evidence is that of its surest window. Hours count from the Unix epoch, UTC.

    Args:
        segment: of which part of the traffic, as `key=value`; empty: of all of it.
        feature: its name.
        kind: numeric or categorical.
        reference: what the windows were compared with.
        channel: the proportion that moved most.
        effect: observed - expected.
        expected: the share that the reference leads to expect.
        observed: the share that was seen.
        z: how surely; None: the feature is stuck, which needs no test.
        scale_hours: the length of the surest window.
        since: the first hour of its shortest windows that page.
        detected: when the window that paged first ended.
        last: when the last window that pages ended.
        episode_ids: of the episodes that its verdicts name, the earliest first.
        accepted_at: when it had lasted long enough to be the new normal; None before.
    """

    segment: str
    feature: str
    kind: Kind
    reference: Reference
    channel: Channel | None
    effect: float
    expected: float
    observed: float
    z: float | None
    scale_hours: int
    since: int
    detected: int
    last: int
    episode_ids: tuple[str, ...]
    accepted_at: int | None = None

    @property
    def feature_key(self) -> Feature:
        """The feature by name and kind."""
        return Feature(self.feature, self.kind)


@dataclass(frozen=True, slots=True)
class AcknowledgementMeaning:
    """What an acknowledgement may say of an incident.

    Args:
        name: in commands and in the store.
        meaning: what it is, and what follows.
        brief: what it is, in a few characters.
        heading: what stands before the incident's id where it was acknowledged so.
    """

    name: str
    meaning: str
    brief: str
    heading: str


MEANINGS = {
    each.name: each
    for each in (
        AcknowledgementMeaning(
            "real",
            "a fault: it counts as confirmed, and its hours stay out of the reference",
            "a fault",
            "Confirmed: a fault, incident",
        ),
        AcknowledgementMeaning(
            "noise",
            "a false page: it counts against the budget, and its hours are reference again",
            "a false page",
            "Called a false page:",
        ),
        AcknowledgementMeaning(
            "accept",
            "the new normal: what came before it is no reference any more",
            "the new normal",
            "Accepted as the new normal, incident",
        ),
    )
}
"""What an acknowledgement may say, by name: the one table, which commands, incidents and the store follow."""
