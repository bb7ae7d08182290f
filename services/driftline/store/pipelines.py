"""Runs of pipelines: who has claimed one, and what came of its steps; only ever added to."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from driftline.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.store.connection import Connection

_ATTEMPTS = 5
_NO_STEPS = frozenset({"end", "alive"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Somebody runs a pipeline, or goes on with a run that was left.

    Args:
        model_name: whose pipeline.
        number: of the run, from 1.
        attempt: at it, from 1.
        run_id: the training run that it makes.
        claimed_by: host and process, and what tells two of one process apart.
        claimed_at: when, by the store's clock; None: it is being written.
        decision_id: of the trigger; empty: a person ran it.
        environment: where the model serves.
        definition: the pipeline as it was when the run began, as JSON.
    """

    model_name: str
    number: int
    attempt: int
    run_id: str
    claimed_by: str
    claimed_at: datetime | None = None
    decision_id: str = ""
    environment: str = ""
    definition: str = ""


@dataclass(frozen=True, slots=True)
class StepLine:
    """What came of a step.

    Args:
        model_name: whose pipeline.
        run_id: of which run.
        step: its name.
        state: ``done``, ``failed``, ``held`` or ``alive``.
        attempt: that wrote it.
        detail: what it made.
        written_at: when, by the store's clock; None: it is being written.
    """

    model_name: str
    run_id: str
    step: str
    state: str
    attempt: int
    detail: Mapping[str, Any]
    written_at: datetime | None = None


_CLAIM_NAMES = [field.name for field in dataclasses.fields(Claim)]
_CLAIM_WRITTEN = [name for name in _CLAIM_NAMES if name != "claimed_at"]
_STEP_NAMES = [field.name for field in dataclasses.fields(StepLine)]
_STEP_WRITTEN = [name for name in _STEP_NAMES if name != "written_at"]


@dataclass(frozen=True, slots=True)
class RunLine:
    """How far a run has come.

    Args:
        claim: of its last attempt.
        step: that was looked at last; empty: none was.
        state: what came of the run where it ended, else of the step; ``begun`` before the first one.
        why: for a person; empty: there is nothing more.
    """

    claim: Claim
    step: str
    state: str
    why: str


def read_run_lines(connection: Connection, model_name: str = "", *, limit: int = 100) -> Sequence[RunLine]:
    """Return how far runs have come, the newest first."""
    found = []
    for claim in read_claims(connection, model_name, limit=limit):
        steps = read_steps(connection, claim.model_name, claim.run_id)
        looked_at = [line for name, line in steps.items() if name not in _NO_STEPS]
        last = max(looked_at, key=lambda line: str(line.written_at), default=None)
        ended = steps.get("end")
        state = ended.state if ended else last.state if last else "begun"
        why = str(last.detail.get("reason", "")) if last else ""
        found.append(RunLine(claim, last.step if last else "", state, why))
    return found


def add_claim(connection: Connection, claim: Claim) -> bool:
    """Write a claim; return whether the run is this one's, and not another's who claimed it at once.

    Two that claim the same attempt at the same run write under the same token: the engine takes one of them.
    A token alone can lie, where the engine was killed between noting it and writing: then the next is tried.
    """
    row = [getattr(claim, name) for name in _CLAIM_WRITTEN]
    for attempt in range(_ATTEMPTS):
        token = f"{claim.model_name} {claim.number} {claim.attempt} {attempt}"
        settings = {"insert_deduplicate": 1, "insert_deduplication_token": token}
        connection.insert("pipeline_claims", [row], column_names=_CLAIM_WRITTEN, settings=settings)
        held = connection.rows(
            "SELECT claimed_by FROM pipeline_claims WHERE model_name = {model:String} "
            "AND number = {number:UInt32} AND attempt = {attempt:UInt32} "
            "ORDER BY claimed_at, claimed_by LIMIT 1",
            {"model": claim.model_name, "number": claim.number, "attempt": claim.attempt},
        )
        if held:
            return bool(held[0][0] == claim.claimed_by)
    raise StoreError(f"the store takes run {claim.number} of {claim.model_name} and does not hold it")


def read_claims(connection: Connection, model_name: str = "", *, limit: int = 1000) -> Sequence[Claim]:
    """Return the claims of a model, or of all, the newest first: of each run the last attempt."""
    names = ", ".join(_CLAIM_NAMES)
    rows = connection.named_rows(
        f"SELECT {names} FROM pipeline_claims WHERE {{model:String}} = '' OR model_name = {{model:String}} "
        "ORDER BY number DESC, attempt DESC, claimed_at LIMIT 1 BY model_name, number LIMIT {limit:UInt32}",
        {"model": model_name, "limit": limit},
    )
    return [Claim(**{**row, "claimed_at": row["claimed_at"].replace(tzinfo=UTC)}) for row in rows]


def write_step(connection: Connection, line: StepLine) -> None:
    """Write what came of a step."""
    values = {name: getattr(line, name) for name in _STEP_WRITTEN}
    values["detail"] = json.dumps(dict(line.detail))
    connection.insert("pipeline_steps", [list(values.values())], column_names=_STEP_WRITTEN)


def read_steps(connection: Connection, model_name: str, run_id: str) -> Mapping[str, StepLine]:
    """Return what came of a run's steps, by name; of each the newest."""
    rows = connection.named_rows(
        f"SELECT {', '.join(_STEP_NAMES)} FROM pipeline_steps "
        "WHERE model_name = {model:String} AND run_id = {run:String} ORDER BY written_at",
        {"model": model_name, "run": run_id},
    )
    return {str(row["step"]): _step(row) for row in rows}


def _step(row: Mapping[str, Any]) -> StepLine:
    written = row["written_at"].replace(tzinfo=UTC)
    return StepLine(**{**row, "detail": json.loads(row["detail"]), "written_at": written})
