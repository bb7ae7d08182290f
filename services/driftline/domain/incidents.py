"""Incidents: what pages somebody, and what the engineer on call decides about it."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_QUIET_HOURS = 24
"""An incident is over once so many hours were judged without a page, unless its model's monitor says else."""


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
            "Confirmed: a fault, page",
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
            "Accepted as the new normal, page",
        ),
    )
}
"""What an acknowledgement may say, by name: the one table, which commands, pages and the store follow."""
