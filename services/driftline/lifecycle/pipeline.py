"""Running a pipeline: one run of a model at a time, step by step, going on where an earlier attempt ended."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from uuid import uuid4

from driftline.errors import DriftlineError
from driftline.lifecycle.archive import settled_time
from driftline.lifecycle.steps import PERMANENT, STEPS, Outcome, Tools
from driftline.store.chain import read_store_ms
from driftline.store.pipelines import Claim, StepLine, add_claim, read_claims, read_steps, write_step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from driftline.lifecycle.pipeline_file import Pipeline
    from driftline.log import EventLog
    from driftline.store.connection import Connection

END: Final = "end"
ALIVE: Final = "alive"

LEASE: Final = timedelta(minutes=15)
"""A run on another host of which nothing was written for so long was left."""

Result: TypeAlias = Literal["done", "failed", "held", "busy"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How far a run has come.

    Args:
        state: ``done``; ``failed``: it ended; ``held``: run it again later; ``busy``: another one runs it.
        run_id: which.
        number: of the run, from 1.
        step: the last one that was looked at.
        why: for a person.
        details: what each step made.
    """

    state: Result
    run_id: str
    number: int
    step: str
    why: str
    details: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Who runs a pipeline.

    Args:
        pipeline: what the file says.
        folder: of the file.
        log: the event log.
        ask: answers a question with a connection to the store.
        author: who.
        is_left: whether the process of a claim on this host is gone.
        after: is called behind each step, before and after it is written; for tests of crashes.
        settled: returns as of when what landed is all visible.
        decision_id: of the trigger; empty: a person runs it.
        clock: the time now, seconds since 1970.
    """

    pipeline: Pipeline
    folder: Path
    log: EventLog
    ask: Callable[[Callable[[Connection], Any]], Any]
    author: str
    is_left: Callable[[Claim], bool]
    after: Callable[[str], object] = str
    settled: Callable[[Connection], datetime] = settled_time
    decision_id: str = ""
    clock: Callable[[], float] = time.time

    def run(self) -> RunResult:
        """Run the pipeline, or go on with the run that was left. Blocks to its end.

        Raises:
            DriftlineError: the store or the log is away: run it again.
        """
        if (carried_out := self._carried_out()) is not None:
            return carried_out
        claim = self._claim()
        if claim is None:
            return self._busy()
        tools = Tools(
            pipeline=self.pipeline,
            run_id=claim.run_id,
            folder=self.folder,
            work=self.folder / ".driftline" / claim.run_id / str(claim.attempt),
            log=self.log,
            ask=self.ask,
            author=self.author,
            settled=self.settled,
            clock=self.clock,
            alive=lambda: self._write(claim, ALIVE, Outcome("done", {})),
        )
        done = {name: line.detail for name, line in self._steps(claim).items() if line.state == "done"}
        for name, step in STEPS.items():
            if name in done:
                continue
            try:
                outcome = step(tools, done)
            except PERMANENT as error:
                outcome = Outcome("failed", {"reason": str(error)})
            self.after(name)
            self._write(claim, name, outcome)
            self.after(f"{name} written")
            if outcome.state != "done":
                return self._stopped(claim, name, outcome, done)
            done[name] = outcome.detail
        self._write(claim, END, Outcome("done", {}))
        why = f"version {done['register']['version']} is {done['promote']['stage']}"
        return RunResult("done", claim.run_id, claim.number, "promote", why, done)

    def plan(self) -> RunResult:
        """Return how far the run has come that would go on, or a new one; nothing is written."""
        last = self._last()
        if last is None or END in self._steps(last):
            number = last.number + 1 if last else 1
            return RunResult("held", "", number, next(iter(STEPS)), "a new run would begin", {})
        steps = self._steps(last)
        done = {name: line.detail for name, line in steps.items() if line.state == "done" and name in STEPS}
        step = next((name for name in STEPS if name not in done), END)
        if not self._is_left(last):
            return RunResult("busy", last.run_id, last.number, step, f"{last.claimed_by} runs it", done)
        return RunResult("held", last.run_id, last.number, step, f"it would go on with {step}", done)

    def _stopped(
        self, claim: Claim, name: str, outcome: Outcome, done: Mapping[str, Mapping[str, Any]]
    ) -> RunResult:
        why = str(outcome.detail.get("reason", ""))
        if outcome.state == "failed":
            self._write(claim, END, Outcome("failed", {"step": name, "reason": why}))
        return RunResult(outcome.state, claim.run_id, claim.number, name, why, done)

    def _carried_out(self) -> RunResult | None:
        """Return the run that a decision of the trigger has led to, if that has ended."""
        if not self.decision_id:
            return None
        claims = self.ask(lambda connection: read_claims(connection, self.pipeline.model))
        for claim in claims:
            if claim.decision_id == self.decision_id and (end := self._steps(claim).get(END)) is not None:
                state: Result = "done" if end.state == "done" else "failed"
                why = str(end.detail.get("reason") or "this decision was carried out before")
                return RunResult(state, claim.run_id, claim.number, END, why, {})
        return None

    def _claim(self) -> Claim | None:
        """Return the claim of a new run, or of one that was left; None: another process has it."""
        last = self._last()
        is_open = last is not None and END not in self._steps(last)
        if last is not None and is_open and not self._is_left(last):
            return None
        going_on = last if is_open else None
        claim = Claim(
            model_name=self.pipeline.model,
            number=going_on.number if going_on else (last.number if last else 0) + 1,
            attempt=going_on.attempt + 1 if going_on else 1,
            run_id=going_on.run_id if going_on else f"{self.pipeline.model}-{uuid4().hex[:12]}",
            claimed_by=claimant(),
            decision_id=going_on.decision_id if going_on else self.decision_id,
            environment=self.pipeline.environment,
            definition=self.pipeline.model_dump_json(),
        )
        return claim if self.ask(lambda connection: add_claim(connection, claim)) else None

    def _busy(self) -> RunResult:
        last = self._last()
        if last is None:
            raise DriftlineError(f"another process claimed a run of {self.pipeline.model} and it is gone")
        why = f"run {last.number} is under way, by {last.claimed_by}"
        return RunResult("busy", last.run_id, last.number, "", why, {})

    def _last(self) -> Claim | None:
        found = self.ask(lambda connection: read_claims(connection, self.pipeline.model, limit=1))
        return found[0] if found else None

    def _steps(self, claim: Claim) -> Mapping[str, StepLine]:
        steps: Mapping[str, StepLine] = self.ask(
            lambda connection: read_steps(connection, claim.model_name, claim.run_id)
        )
        return steps

    def _is_left(self, claim: Claim) -> bool:
        """Return whether nobody goes on with a run: it holds, its process is gone, or it is silent."""
        steps = self._steps(claim)
        newest = max(steps.values(), key=lambda line: str(line.written_at), default=None)
        if newest is not None and newest.state == "held" and newest.attempt == claim.attempt:
            return True
        if claim.claimed_by.partition(" ")[0] == socket.gethostname():
            return self.is_left(claim)
        times = [claim.claimed_at, *(line.written_at for line in steps.values())]
        now_s = self.ask(read_store_ms) / 1000
        quiet_s: float = now_s - max(at.timestamp() for at in times if at)
        return quiet_s > LEASE.total_seconds()

    def _write(self, claim: Claim, step: str, outcome: Outcome) -> None:
        line = StepLine(claim.model_name, claim.run_id, step, outcome.state, claim.attempt, outcome.detail)
        self.ask(lambda connection: write_step(connection, line))


def claimant() -> str:
    """Return who claims: host, process, when the process began, and what tells two of one process apart."""
    return f"{socket.gethostname()} {os.getpid()} {_began(os.getpid())} {uuid4().hex[:8]}"


def process_is_gone(claim: Claim) -> bool:
    """Return whether the process of a claim on this host is gone; another one may bear its number by now."""
    _, number, began, _ = claim.claimed_by.split(" ")
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return began != _began(int(number))


def _began(number: int) -> str:
    """Return when a process began, as the system counts it; where it does not say, always the same."""
    try:
        text = Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except OSError:
        return "0"
    return text.rpartition(")")[2].split()[19]
