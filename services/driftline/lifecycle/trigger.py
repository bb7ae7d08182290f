"""Whether a model is to be trained again: a pure function of what is known. It refuses where it is not safe.

Training cures two things: a model that got worse by truths that are mature, and a change of the world that
somebody accepted, or that lasted until it counts as accepted. It cures no broken feed: a model that learns
from one is worse than the one that it replaces, and hides the fault.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from driftline.backoff import Backoff
from driftline.domain.retraining import WHYS, RetrainDecision, Why

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from driftline.domain.retraining import Action, Cause

APPROVAL_HOLDS: Final = timedelta(days=3)
"""An approval that was not used for so long is none any more."""

BUDGET_PERIOD: Final = timedelta(days=30)
_LONGEST_BACKOFF_S = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSettings:
    """When a model may be trained again by itself; ``retrain`` of a file of monitors sets them.

    Args:
        enabled: whether it may at all.
        window_hours: no fault may lie within so many hours.
        lasting_hours: the cause has lasted for so long.
        cooldown_hours: so long after it was trained it is not again.
        monthly_budget: so often in 30 days at most.
        minimum_labels: so many mature truths of its newest week.
        backoff_hours: so long after a failed gate; twice as long after each further one.
        approval: whether a person has to approve it.
        webhook: what is called to have it trained; empty: nothing is.
        webhook_secret_file: holds the secret that calls are signed with; empty: there is none.
        command: what is run to have it trained; empty: nothing is.
    """

    enabled: bool = False
    window_hours: int = 168
    lasting_hours: int = 24
    cooldown_hours: int = 168
    monthly_budget: int = 4
    minimum_labels: int = 1000
    backoff_hours: int = 24
    approval: bool = False
    webhook: str = ""
    webhook_secret_file: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a model when it is decided.

    Args:
        now: the time, UTC.
        drops: metrics that surely fell on mature truths, each with by how much.
        accepted: changes that are the new normal since a time and that no training has seen, by incident.
        faults: incidents in the window that are faults.
        unacknowledged: incidents in the window that nobody has acknowledged.
        incomplete: hours in the window of which too little arrived, in words; empty: none.
        invalid: likewise, hours with invalid values.
        mature_labels: mature truths of the newest final week.
        drop_since: when a drop was seen first that has been seen ever since; None: it is new, or none.
        in_flight: the run or request that is under way; empty: none is.
        last_started: when the last training began; None: none has.
        started: how many began in the last 30 days.
        failed_gates: how many candidates in a row failed the gate.
        last_failed: when the last one did; None: none did.
        stopped: who stopped it, when and why; empty: nobody did.
        approved: when somebody approved it last; None: nobody did since the last training.
    """

    now: datetime
    drops: Sequence[tuple[str, float]] = ()
    accepted: Sequence[tuple[str, datetime]] = ()
    faults: Sequence[str] = ()
    unacknowledged: Sequence[str] = ()
    incomplete: Sequence[str] = ()
    invalid: Sequence[str] = ()
    mature_labels: int = 0
    drop_since: datetime | None = None
    in_flight: str = ""
    last_started: datetime | None = None
    started: int = 0
    failed_gates: int = 0
    last_failed: datetime | None = None
    stopped: str = ""
    approved: datetime | None = None

    def as_plain(self) -> dict[str, Any]:
        """Return them as JSON can hold them."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def decide(
    facts: Facts,
    settings: TriggerSettings,
    *,
    decision_id: str,
    model_name: str,
    environment: str,
    decided_by: str,
) -> RetrainDecision:
    """Return whether a model is to be trained again, with every reason that there is against it.

    Args:
        facts: what is known.
        settings: what the team allows.
        decision_id: identity of the decision.
        model_name: which model.
        environment: where it serves.
        decided_by: who asks.
    """
    cause, since = cause_of(facts)
    reasons = [*_harm(facts, settings), *_needless(cause, facts), *_early(cause, since, facts, settings)]
    if not reasons and settings.approval and not _is_approved(since, facts):
        reasons = [Why("approval", "'driftline retrain approve' does")]
    kinds = {WHYS[why.code][0] for why in reasons}
    action: Action = "refuse" if "refuse" in kinds else "wait" if kinds else "retrain"
    return RetrainDecision(
        decision_id=decision_id,
        model_name=model_name,
        environment=environment,
        decided_at=facts.now,
        action=action,
        cause=cause,
        cause_since=since,
        reasons=tuple(reasons),
        facts=facts.as_plain(),
        decided_by=decided_by,
    )


def cause_of(facts: Facts) -> tuple[Cause, datetime | None]:
    """Return what training would cure, and since when that is."""
    if facts.drops:
        return "performance_drop", facts.drop_since or facts.now
    if facts.accepted:
        return "accepted_drift", min(at for _, at in facts.accepted)
    return "", None


def _harm(facts: Facts, settings: TriggerSettings) -> Iterator[Why]:
    """Yield why the data of the window would teach something false, or nobody wants it."""
    if not settings.enabled:
        yield Why("stopped", "retrain.enabled is false in the file of monitors")
    if facts.stopped:
        yield Why("stopped", facts.stopped)
    yield from (Why("upstream_fault", each) for each in facts.faults)
    yield from (Why("unacknowledged_incident", each) for each in facts.unacknowledged)
    yield from (Why("incomplete_hours", each) for each in facts.incomplete)
    yield from (Why("invalid_values", each) for each in facts.invalid)


def _needless(cause: Cause, facts: Facts) -> Iterator[Why]:
    if not cause:
        yield Why(
            "no_cause", "no metric fell on mature truths, and no change was accepted since the last training"
        )
    elif facts.in_flight:
        yield Why("in_flight", facts.in_flight)


def _early(cause: Cause, since: datetime | None, facts: Facts, settings: TriggerSettings) -> Iterator[Why]:
    if not cause or since is None:
        return
    lasting = timedelta(hours=settings.lasting_hours)
    if facts.now - since < lasting:
        yield Why(
            "too_new", f"{cause} since {since:%Y-%m-%d %H:%M}; it has to last {settings.lasting_hours} h"
        )
    if facts.mature_labels < settings.minimum_labels:
        yield Why("too_few_labels", f"{facts.mature_labels} of {settings.minimum_labels}")
    cooldown = timedelta(hours=settings.cooldown_hours)
    if facts.last_started is not None and facts.now - facts.last_started < cooldown:
        until = facts.last_started + cooldown
        yield Why(
            "cooldown", f"trained at {facts.last_started:%Y-%m-%d %H:%M}; again from {until:%Y-%m-%d %H:%M}"
        )
    if facts.started >= settings.monthly_budget:
        yield Why(
            "budget", f"trained {facts.started} times in 30 days; {settings.monthly_budget} are allowed"
        )
    if facts.failed_gates and facts.last_failed is not None:
        backoff = Backoff(
            settings.backoff_hours * 3600.0, max(_LONGEST_BACKOFF_S, settings.backoff_hours * 3600.0)
        )
        until = facts.last_failed + timedelta(seconds=backoff.wait_s(facts.failed_gates))
        if facts.now < until:
            yield Why("failed_gate", f"{facts.failed_gates} in a row; again from {until:%Y-%m-%d %H:%M}")


def _is_approved(since: datetime | None, facts: Facts) -> bool:
    """Return whether somebody approved what there is now: not an earlier cause, and not long ago."""
    given = facts.approved
    return given is not None and since is not None and given >= since and facts.now - given <= APPROVAL_HOLDS


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
