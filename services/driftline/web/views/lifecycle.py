"""From incidents back to training: what was decided about a model, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.errors import NotFoundError
from driftline.store.gates import read_gates
from driftline.store.pipelines import read_run_lines
from driftline.store.registry import read_registry
from driftline.store.retraining import read_decisions
from driftline.store.snapshots import read_snapshot_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.retraining import RetrainDecision
    from driftline.domain.snapshots import SnapshotLine
    from driftline.store.connection import Connection
    from driftline.store.gates import GateLine
    from driftline.store.pipelines import RunLine

_MOST = 50


@dataclass(frozen=True, slots=True)
class LifecycleView:
    """One model's way back to training; each list has the newest first, 50 at most.

    Args:
        name: the model.
        decisions: about training it again.
        gates: comparisons of candidates with production.
        runs: of its pipeline.
        snapshots: its training sets.
    """

    name: str
    decisions: Sequence[RetrainDecision]
    gates: Sequence[GateLine]
    runs: Sequence[RunLine]
    snapshots: Sequence[SnapshotLine]


def view_lifecycle(connection: Connection, model_name: str) -> LifecycleView:
    """Return what was decided about a model, and what came of it.

    Raises:
        NotFoundError: nothing was, and the model is not registered.
    """
    view = LifecycleView(
        model_name,
        read_decisions(connection, model_name=model_name, limit=_MOST),
        read_gates(connection, model_name, limit=_MOST),
        read_run_lines(connection, model_name, limit=_MOST),
        read_snapshot_lines(connection, model_name=model_name, limit=_MOST),
    )
    is_empty = not (view.decisions or view.gates or view.runs or view.snapshots)
    if is_empty and model_name not in read_registry(connection, model_name):
        raise NotFoundError(f"nothing was decided about training {model_name!r}, and it is not registered")
    return view
