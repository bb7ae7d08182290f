"""Asking whether a model is to be trained again, keeping the answer, and having it trained once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from driftline.domain.retraining import Why
from driftline.lifecycle.executors import TrainingError, execute
from driftline.lifecycle.facts import Subject, read_facts, subject_of
from driftline.lifecycle.trigger import decide
from driftline.store.pipelines import StepLine, read_steps, write_step
from driftline.store.retraining import read_decisions, start_training, write_decision

if TYPE_CHECKING:
    from datetime import datetime

    from driftline.domain.retraining import Action, RetrainDecision
    from driftline.lifecycle.executors import Calling
    from driftline.lifecycle.trigger import TriggerSettings
    from driftline.store.connection import Connection

REQUEST: Final = "request"
"""The step of a decision that says whether it was carried out."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking.

    Args:
        decision: what was decided.
        done: what was called or run, for a person; empty: nothing had to be.
        problem: why it was not carried out; empty: it was, or nothing had to be.
    """

    decision: RetrainDecision
    done: str = ""
    problem: str = ""


def plan_retraining(
    connection: Connection,
    model_name: str,
    settings: TriggerSettings,
    *,
    environment: str,
    now: datetime,
    author: str,
) -> RetrainDecision:
    """Return what would be decided now; nothing is written.

    Args:
        connection: to the store.
        model_name: which model.
        settings: what the team allows.
        environment: where it serves.
        now: the time, UTC.
        author: who asks.
    """
    subject = subject_of(connection, model_name, environment)
    facts = read_facts(connection, subject, settings, now=now)
    return decide(
        facts,
        settings,
        decision_id=_next_id(connection, subject),
        model_name=model_name,
        environment=environment,
        decided_by=author,
    )


def run_retraining(
    connection: Connection,
    model_name: str,
    settings: TriggerSettings,
    *,
    environment: str,
    now: datetime,
    author: str,
    calling: Calling | None = None,
) -> Asked:
    """Decide, keep the decision, and have the model trained where that is decided.

    Two that ask at once have it trained once. A request that was not carried out, since a process died or
    nobody answered, is carried out now, under the same key.

    Args:
        connection: to the store.
        model_name: which model.
        settings: what the team allows.
        environment: where it serves.
        now: the time, UTC.
        author: who asks.
        calling: how webhooks are called.
    """
    planned = plan_retraining(
        connection, model_name, settings, environment=environment, now=now, author=author
    )
    if planned.action == "retrain":
        if start_training(connection, planned):
            return _carry_out(connection, planned, settings, calling)
        reason = Why("in_flight", f"another trigger started {planned.decision_id} at the same time")
        planned = _instead(planned, (reason,))
    elif _is_in_flight(planned) and (left := _not_carried_out(connection, planned)) is not None:
        return _carry_out(connection, left, settings, calling)
    kept = _instead(planned, planned.reasons)
    write_decision(connection, kept)
    return Asked(kept)


def _is_in_flight(decision: RetrainDecision) -> bool:
    """Return whether a training is under way, and nobody has stopped the model since."""
    codes = {why.code for why in decision.reasons}
    return "in_flight" in codes and "stopped" not in codes


def _instead(decision: RetrainDecision, reasons: tuple[Why, ...]) -> RetrainDecision:
    """Return a decision not to train, under an id of its own: numbers are for trainings."""
    action: Action = "wait" if decision.action == "retrain" else decision.action
    return replace(decision, decision_id=uuid4().hex, action=action, reasons=reasons)


def _next_id(connection: Connection, subject: Subject) -> str:
    """Return the id of the next training: whoever starts it at the same time has the same."""
    started = read_decisions(
        connection, model_name=subject.model_name, environment=subject.environment, action="retrain"
    )
    number = len({each.decision_id for each in started}) + 1
    key = f"{subject.model_name}\0{subject.environment}\0{number}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _not_carried_out(connection: Connection, planned: RetrainDecision) -> RetrainDecision | None:
    """Return the last decision to train, if nobody was asked to yet."""
    started = read_decisions(
        connection,
        model_name=planned.model_name,
        environment=planned.environment,
        action="retrain",
        limit=1,
    )
    if not started:
        return None
    step = read_steps(connection, planned.model_name, started[0].decision_id).get(REQUEST)
    return None if step is not None and step.state == "done" else started[0]


def _carry_out(
    connection: Connection, decision: RetrainDecision, settings: TriggerSettings, calling: Calling | None
) -> Asked:
    try:
        done, problem = execute(decision, settings, calling), ""
    except TrainingError as error:
        done, problem = "", str(error)
    line = StepLine(
        decision.model_name,
        decision.decision_id,
        REQUEST,
        "failed" if problem else "done",
        1,
        {"what": problem or done},
    )
    write_step(connection, line)
    return Asked(decision, done, problem)
