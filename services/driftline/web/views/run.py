"""One training run: everything that was registered of it, and the commands that rebuild it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.errors import NotFoundError
from driftline.registry.runs import rebuild_steps
from driftline.store.lineage import RUN, find_predictions
from driftline.store.registry import read_registry
from driftline.store.runs import read_revisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.registry.events import Stage
    from driftline.registry.runs import Run, Step
    from driftline.store.connection import Connection
    from driftline.store.lineage import FoundStream


@dataclass(frozen=True, slots=True)
class RunView:
    """One training run.

    Args:
        run: as it was registered last.
        revisions: all of them, the oldest first.
        stage: of its version in production's environment; None: nobody registered the version.
        steps: how it is rebuilt.
        streams: the predictions that its version answered.
    """

    run: Run
    revisions: Sequence[Run]
    stage: Stage | None
    steps: Sequence[Step]
    streams: Sequence[FoundStream]


def view_run(connection: Connection, model_name: str, training_run_id: str) -> RunView:
    """Return one training run.

    Raises:
        NotFoundError: it was never registered for this model.
    """
    revisions = read_revisions(connection, model_name, training_run_id)
    if not revisions:
        raise NotFoundError(f"no run {training_run_id!r} of {model_name!r} is registered")
    run = revisions[-1]
    state = read_registry(connection, model_name).get(model_name)
    found = find_predictions(connection, RUN, training_run_id, model_name=model_name, limit=1)
    return RunView(
        run=run,
        revisions=revisions,
        stage=state.stage(run.model_version) if state and run.model_version in state.versions else None,
        steps=rebuild_steps(run),
        streams=found.streams,
    )
