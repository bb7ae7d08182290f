"""What was decided about a model before its newest hour: which version serves, and whether to train again."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_time
from driftline.domain.retraining import RetrainDecision, Why
from driftline.domain.snapshots import SnapshotLine
from driftline.store.gates import GateLine, write_gate
from driftline.store.pipelines import Claim, StepLine, add_claim, write_step
from driftline.store.retraining import write_decision
from driftline.store.snapshots import write_snapshot_line

if TYPE_CHECKING:
    from driftline.store.connection import Connection


def write_decisions(client: Connection, end: int) -> None:
    """Register two versions, and put 3 into production 100 hours before the end; one more is refused."""
    names = ["log_offset", "event_id", "event_time", "model_name", "kind", "model_version", "training_run_id"]
    names += ["environment", "stage", "expected_head", "written_by", "reason"]
    heads = ["", str(uuid.UUID(int=2)), ""]
    decided = [
        ("version", "2", "run-2", "", end - 2000, "trainer", "", ""),
        ("version", "3", "run-7f3a", "", end - 1000, "trainer", "", ""),
        ("stage", "2", "", "production", end - 900, "ann", "it is the first", heads[0]),
        ("stage", "3", "", "production", end - 100, "ann", "<b>better</b>", heads[1]),
        ("stage", "2", "", "production", end - 99, "bob", "mine", heads[2]),
    ]
    rows = [
        [
            *(place, uuid.UUID(int=place), hour_time(hour), "flight-delay", kind, version, run),
            *("production", stage, head, by, why),
        ]
        for place, (kind, version, run, stage, hour, by, why, head) in enumerate(decided)
    ]
    client.insert("registry_events", rows, column_names=names)


def write_training(client: Connection, end: int) -> None:
    """Refuse to train twice, train once, and stop at the gate."""
    since = hour_time(end - 60)
    why = (Why("upstream_fault", "a1b2c3: <b>temp</b> rose"), Why("incomplete_hours", "40% are missing"))
    refused = RetrainDecision(
        decision_id="d1",
        model_name="flight-delay",
        environment="production",
        decided_at=hour_time(end - 50),
        action="refuse",
        cause="performance_drop",
        cause_since=since,
        reasons=why,
        decided_by="timer",
    )
    write_decision(client, refused)
    later = hour_time(end - 5)
    write_decision(client, replace(refused, decision_id="d2", decided_at=later, action="retrain", reasons=()))
    model, run_id = "flight-delay", "flight-delay-run"
    claim = Claim(
        model_name=model, number=1, attempt=1, run_id=run_id, claimed_by="host 1 0 x", decision_id="d2"
    )
    add_claim(client, claim)
    write_step(client, StepLine(model, run_id, "train", "done", 1, {}))
    write_step(client, StepLine(model, run_id, "gate", "failed", 1, {"reason": "roc_auc fell"}))
    gate = ("g1", "flight-delay", "4", "3", hour_time(end - 4), "fail", "roc_auc fell", 5000, "{}")
    write_gate(client, GateLine(*gate))
    line = SnapshotLine(
        snapshot_id="5e7" * 10,
        label="winter",
        model_name="flight-delay",
        uri="s3://sets/manifests/m.json",
        manifest_sha256="0" * 64,
        rows=12_345,
        row_hash="1" * 64,
        since=hour_time(end - 900),
        until=since,
        as_of=since,
        split="time",
        made_by="ann",
    )
    write_snapshot_line(client, line)
