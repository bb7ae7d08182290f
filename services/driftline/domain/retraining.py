"""Training a model again: what was decided about it, and why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Action: TypeAlias = Literal["retrain", "wait", "refuse"]
Cause: TypeAlias = Literal["performance_drop", "accepted_drift", ""]

WHYS: Final[Mapping[str, tuple[Action, str]]] = {
    "stopped": ("refuse", "somebody stopped it, or the monitors file does not allow it"),
    "upstream_fault": ("refuse", "an incident that is a fault lies in the window"),
    "unacknowledged_incident": ("refuse", "an incident in the window is not acknowledged yet"),
    "incomplete_hours": ("refuse", "of hours in the window too little has arrived"),
    "invalid_values": ("refuse", "hours in the window have invalid values"),
    "no_cause": ("refuse", "nothing has happened that training could cure"),
    "too_few_labels": ("wait", "too few truths are mature"),
    "too_new": ("wait", "the cause has not lasted long enough"),
    "in_flight": ("wait", "it is being trained"),
    "cooldown": ("wait", "it was trained a short time ago"),
    "budget": ("wait", "it was trained often enough in 30 days"),
    "failed_gate": ("wait", "what was trained last did not pass the gate"),
    "approval": ("wait", "a person has to approve it"),
}
"""Why a model is not trained again: what follows, and what it means."""


@dataclass(frozen=True, slots=True)
class Why:
    """One reason why not.

    Args:
        code: of `WHYS`.
        detail: for a person: which incident, how many hours.
    """

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainDecision:
    """What was decided about training a model again.

    Args:
        decision_id: its own; of one that starts training, also the key by which that happens once.
        model_name: which model.
        environment: where it serves.
        decided_at: when, UTC.
        action: ``retrain``; ``wait``: later, perhaps; ``refuse``: training would cure nothing, or do harm.
        cause: what speaks for it; empty: nothing.
        cause_since: since when, UTC; None: there is no cause.
        reasons: all that speaks against it; of ``retrain``: none.
        facts: what it was decided by.
        decided_by: who asked.
    """

    decision_id: str
    model_name: str
    environment: str
    decided_at: datetime
    action: Action
    cause: Cause
    cause_since: datetime | None
    reasons: tuple[Why, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    decided_by: str = ""


@dataclass(frozen=True, slots=True)
class Permission:
    """What somebody allows or stops.

    Args:
        model_name: of which model; empty: of every model.
        given_at: when, UTC.
        permission: ``approve``, ``stop`` or ``allow``.
        given_by: who.
        reason: why.
    """

    model_name: str
    given_at: datetime
    permission: str
    given_by: str
    reason: str
