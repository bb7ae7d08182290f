"""The steps of a pipeline. Each may be done again, whatever came of it before: nothing is there twice."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar
from uuid import NAMESPACE_URL, uuid5

from driftline.domain.snapshots import TEST, Definition
from driftline.errors import DriftlineError, NotFoundError, SettingError
from driftline.lifecycle.archive import create_snapshot, fetch_snapshot
from driftline.lifecycle.defining import TooEarlyError, Wanted, define
from driftline.lifecycle.gating import Comparison, report_as_markdown, run_gate
from driftline.lifecycle.keeping import line_of
from driftline.lifecycle.manifest import Manifest
from driftline.lifecycle.overlap import Learned, learned_of
from driftline.lifecycle.place import Location
from driftline.lifecycle.scores import read_scores
from driftline.registry.client import RefusedEventError, Registry
from driftline.registry.decisions import Author, give_stage
from driftline.registry.events import Stage
from driftline.sdk.training import register_training_run
from driftline.store.gates import write_gate
from driftline.store.runs import read_revisions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.lifecycle.pipeline_file import Pipeline
    from driftline.log import EventLog
    from driftline.registry.state import ModelState
    from driftline.store.connection import Connection

T = TypeVar("T")
State: TypeAlias = Literal["done", "failed", "held"]
Details: TypeAlias = "Mapping[str, Mapping[str, Any]]"

SCORES: Final = "scores.csv"
_HEARTBEAT_S = 30.0
_TAIL = 1000


class StepFailedError(DriftlineError):
    """A step can't be done, now or ever: the run ends there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the steps of a run work with.

    Args:
        pipeline: what the file says.
        run_id: of the run, and of the training run that it makes.
        folder: of the file: commands run there.
        work: a folder of this attempt alone: what an earlier one left may still be writing to its own.
        log: the event log.
        ask: answers a question with a connection to the store.
        author: who runs it.
        alive: is called now and then while a command runs.
        settled: returns as of when what landed is all visible.
        clock: the time now, seconds since 1970.
    """

    pipeline: Pipeline
    run_id: str
    folder: Path
    work: Path
    log: EventLog
    ask: Callable[[Callable[[Connection], Any]], Any]
    author: str
    alive: Callable[[], None]
    settled: Callable[[Connection], datetime]
    clock: Callable[[], float]

    def now(self) -> datetime:
        """Return the time, UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def state(self) -> ModelState | None:
        """Return what the registry says of the model; None: nothing yet."""
        with closing(Registry(self.log)) as registry:
            return registry.read().get(self.pipeline.model)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step.

    Args:
        state: ``done``; ``held``: it may be done later; ``failed``: the run ends.
        detail: what it made.
    """

    state: State
    detail: Mapping[str, Any]


def define_step(tools: Tools, _: Details) -> Outcome:
    """Fix which rows are learned from, which version serves now, and by which decision."""
    pipeline, state = tools.pipeline, tools.state()

    def wanted(connection: Connection) -> Definition:
        as_of = tools.settled(connection)
        data = pipeline.data
        return define(
            connection,
            Wanted(
                model_name=pipeline.model,
                environment=pipeline.environment,
                since=as_of - data.window,
                as_of=as_of,
                maturity=data.maturity,
                label_age=data.label_age,
                split=data.split,
                test_share=data.test_share,
            ),
        )

    definition: Definition = tools.ask(wanted)
    return Outcome(
        "done",
        {
            "definition": definition.as_plain(),
            "production": (state.in_production(pipeline.environment) or "") if state else "",
            "head": state.heads.get(pipeline.environment, "") if state else "",
        },
    )


def snapshot_step(tools: Tools, details: Details) -> Outcome:
    """Make the snapshot. Its files are named by what they hold, so that again nothing new is written."""
    definition = Definition.from_plain(details["define"]["definition"])
    location = Location.at(tools.pipeline.snapshots)

    def make(connection: Connection) -> Manifest:
        settled = tools.settled(connection)
        return create_snapshot(connection, definition, location, author=tools.author, settled=settled)

    manifest: Manifest = tools.ask(make)
    return Outcome("done", {"uri": manifest.uri, "snapshot_id": manifest.snapshot_id, "rows": manifest.rows})


def train_step(tools: Tools, details: Details) -> Outcome:
    """Run the commands that train and score, in a folder that is made anew."""
    manifest = Manifest.read(details["snapshot"]["uri"])
    shutil.rmtree(tools.work, ignore_errors=True)
    tools.work.mkdir(parents=True)
    fetch_snapshot(manifest, tools.work / "data")
    train = tools.pipeline.train
    _run(tools, "train", train.command)
    if not (tools.work / train.artifact).exists():
        raise StepFailedError(f"train.command ended well and left no {train.artifact} in DRIFTLINE_WORK")
    if train.score is not None:
        _run(tools, "score", train.score)
        if not (tools.work / SCORES).is_file():
            raise StepFailedError("train.score ended well and left nothing at DRIFTLINE_SCORES")
    return Outcome("done", {"work": str(tools.work)})


def _work(details: Details) -> Path:
    """Return the folder of the attempt that trained."""
    return Path(details["train"]["work"])


def register_step(tools: Tools, details: Details) -> Outcome:
    """Register the run and its version. The same run again has the same version."""
    manifest, train = Manifest.read(details["snapshot"]["uri"]), tools.pipeline.train
    columns = manifest.plain["columns"]
    features = {
        name.partition(".")[2]: str(kind)
        for name, kind in columns.items()
        if name.startswith(("numeric.", "categorical."))
    }
    uri = train.artifact_uri
    run = register_training_run(
        tools.run_id,
        model_name=tools.pipeline.model,
        log=tools.log,
        artifact=_work(details) / train.artifact,
        artifact_uri=None if uri is None else uri.replace("{run}", tools.run_id),
        data=manifest.reference(),
        parameters=train.parameters,
        features=features,
        tags={"pipeline": tools.run_id},
        registered_by=tools.author,
        clock=tools.clock,
    )
    return Outcome("done", {"version": run.model_version})


def shadow_step(tools: Tools, details: Details) -> Outcome:
    """Have the candidate answer beside production, where no command scores it."""
    if tools.pipeline.train.score is not None:
        return Outcome("done", {"head": details["define"]["head"]})
    return Outcome("done", {"head": _decide(tools, details, Stage.SHADOW, details["define"]["head"])})


def gate_step(tools: Tools, details: Details) -> Outcome:
    """Compare the candidate with the version that served when the run began."""
    candidate, production = details["register"]["version"], details["define"]["production"]
    if not production:
        return Outcome("done", {"decision": "pass", "reason": "nothing is in production to compare it with"})
    scored = tools.pipeline.train.score is not None

    def compare(connection: Connection) -> Outcome:
        state = tools.state()
        if state is None or production not in state.versions:
            raise StepFailedError(f"version {production} is not registered any more")
        definition, part = _compared_rows(connection, tools, details, state)
        learned = [
            Learned(candidate, [Definition.from_plain(details["define"]["definition"])], tools.now()),
            _learned(connection, state, production),
        ]
        asked = Comparison(
            candidate=candidate,
            production=production,
            definition=replace(definition, model_version=production),
            part=part,
            learned=learned,
            features=_features(details),
            scores=read_scores(_work(details) / SCORES) if scored else None,
        )
        rules = tools.pipeline.gate.rules()
        report = run_gate(connection, asked, rules, report_id=tools.run_id, now=tools.now())
        write_gate(connection, line_of(report))
        (_work(details) / "gate.md").write_text(report_as_markdown(report), encoding="utf-8")
        verdict = report.verdict
        detail = {"decision": verdict.decision, "reason": verdict.reason, "rows": verdict.rows}
        if verdict.decision == "hold":
            return Outcome("failed" if scored else "held", detail)
        return Outcome("done" if verdict.decision == "pass" else "failed", detail)

    try:
        outcome: Outcome = tools.ask(compare)
    except TooEarlyError as error:
        return Outcome("held", {"reason": str(error)})
    return outcome


def _compared_rows(
    connection: Connection, tools: Tools, details: Details, state: ModelState
) -> tuple[Definition, str]:
    """Return the rows to compare on: those kept for the test, or those of the candidate's time in shadow."""
    if tools.pipeline.train.score is not None:
        return Definition.from_plain(details["define"]["definition"]), TEST
    wanted = Wanted(
        model_name=tools.pipeline.model,
        environment=tools.pipeline.environment,
        since=state.versions[details["register"]["version"]].registered_at,
        as_of=tools.settled(connection),
        maturity=tools.pipeline.data.maturity,
        split="none",
    )
    return define(connection, wanted), ""


def _features(details: Details) -> list[str]:
    columns = Manifest.read(details["snapshot"]["uri"]).plain["columns"]
    kinds = ("numeric.", "categorical.")
    return sorted(name.partition(".")[2] for name in columns if name.startswith(kinds))


def _learned(connection: Connection, state: ModelState, version: str) -> Learned:
    known = state.versions[version]
    revisions = read_revisions(connection, state.model_name, known.training_run_id)
    return (
        learned_of(revisions[-1], known.registered_at)
        if revisions
        else Learned(version, [], known.registered_at)
    )


def promote_step(tools: Tools, details: Details) -> Outcome:
    """Give the candidate its stage, if nothing was decided since the run began."""
    if tools.pipeline.promote == "never":
        return Outcome("done", {"stage": "candidate", "event_id": ""})
    stage = Stage(tools.pipeline.promote)
    return Outcome(
        "done", {"stage": stage, "event_id": _decide(tools, details, stage, details["shadow"]["head"])}
    )


def _decide(tools: Tools, details: Details, stage: Stage, head: str) -> str:
    """Give the candidate a stage; return the decision's id, which is the same each time.

    Raises:
        StepFailedError: something was decided meanwhile.
        LogError: the log does not take it.
    """
    version, environment = details["register"]["version"], tools.pipeline.environment
    event_id = str(uuid5(NAMESPACE_URL, f"driftline:{tools.pipeline.model}:{tools.run_id}:{stage}"))
    with closing(Registry(tools.log)) as registry:
        state = registry.model(tools.pipeline.model)
        if event_id not in state.seen:
            reason = details.get("gate", {}).get("reason", "to be compared with production")
            event = give_stage(
                state,
                version,
                stage,
                author=Author(tools.author, clock=tools.clock),
                reason=f"run {tools.run_id}: {reason}",
                environment=environment,
            )
            try:
                registry.submit(replace(event, event_id=event_id, expected_head=head))
            except RefusedEventError as error:
                raise StepFailedError(f"version {version} is not made {stage}: {error}") from error
        elif refusal := state.refusals.get(event_id):
            raise StepFailedError(f"version {version} is not made {stage}: {refusal.message}")
    return event_id


def _run(tools: Tools, name: str, command: str) -> None:
    """Run a command of the pipeline to its end; what it prints is kept in the work folder.

    Raises:
        StepFailedError: it fails.
    """
    variables = {
        "DRIFTLINE_RUN": tools.run_id,
        "DRIFTLINE_MODEL": tools.pipeline.model,
        "DRIFTLINE_DATA": str(tools.work / "data"),
        "DRIFTLINE_WORK": str(tools.work),
        "DRIFTLINE_SCORES": str(tools.work / SCORES),
    }
    output = tools.work / f"{name}.log"
    with output.open("wb") as file:
        try:
            process = subprocess.Popen(  # noqa: S603  the team's own, from its pipeline
                shlex.split(command),
                cwd=tools.folder,
                env={**os.environ, **variables},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        except (OSError, ValueError) as error:
            raise StepFailedError(f"train.{name}: {command!r} can't be run: {error}") from error
        status = _wait(process, tools)
    if status:
        tail = output.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip()
        raise StepFailedError(f"train.{name} ended with status {status}, see {output}: {tail}")


def _wait(process: subprocess.Popen[bytes], tools: Tools) -> int:
    try:
        while True:
            try:
                return process.wait(_HEARTBEAT_S)
            except subprocess.TimeoutExpired:
                tools.alive()
    except BaseException:
        process.kill()
        process.wait()
        raise


STEPS: Final[Mapping[str, Callable[[Tools, Details], Outcome]]] = {
    "define": define_step,
    "snapshot": snapshot_step,
    "train": train_step,
    "register": register_step,
    "shadow": shadow_step,
    "gate": gate_step,
    "promote": promote_step,
}
"""The steps of a run, in their order."""

PERMANENT: Final = (StepFailedError, SettingError, NotFoundError)
"""What ends a run: trying again would come to the same."""
