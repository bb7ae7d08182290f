"""What the registry says, beside what answers: exported where the two differ."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from driftline.drift.service.metrics import UNDECLARED, UNREGISTERED_VERSION
from driftline.store.answered import count_predictions, read_undeclared
from driftline.store.registry import read_registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.streams import Stream
    from driftline.metrics import Metrics
    from driftline.registry.state import ModelState
    from driftline.store.connection import Connection

GRACE: Final = timedelta(minutes=2)
"""For so long after a decision the version before it may answer: services look, and load a model."""

LANDED_MINUTES: Final = 15
"""What landed so long ago says nothing of what answers now."""

MOST_SESSIONS: Final = 20
"""Of each model and environment; one session that goes on is enough to look."""


def export_declared(
    metrics: Metrics, connection: Connection, served: Sequence[Stream], since: Mapping[Stream, int]
) -> None:
    """Export which served versions nobody registered, and which sessions answer with an undeclared one.

    Args:
        metrics: of this process.
        connection: to the store.
        served: streams to be exported.
        since: of each, the first hour that counts, hours since the Unix epoch.
    """
    states = read_registry(connection)
    unregistered: dict[tuple[str, ...], float] = {}
    for stream in served:
        state = states.get(stream.model_name)
        if state is None or stream.model_version not in state.versions:
            names = (stream.model_name, stream.model_version)
            events = count_predictions(connection, stream, since_hour=since[stream])
            unregistered[names] = unregistered.get(names, 0.0) + events
    metrics.replace(UNREGISTERED_VERSION, unregistered)
    models = {stream.model_name for stream in served}
    undeclared: dict[tuple[str, ...], float] = {}
    for state in states.values():
        if state.model_name in models:
            undeclared |= _undeclared(connection, state)
    metrics.replace(UNDECLARED, undeclared)


def _undeclared(connection: Connection, state: ModelState) -> dict[tuple[str, ...], float]:
    """Return what answers a model's requests and is not declared, by the metric's labels."""
    found: dict[tuple[str, ...], float] = {}
    for environment in state.environments:
        moves = state.production_moves(environment)
        if not moves:
            continue
        declared = moves[-1].production_after
        for each in read_undeclared(
            connection,
            state.model_name,
            environment=environment,
            declared=declared,
            after=moves[-1].event.event_time + GRACE,
            minutes=LANDED_MINUTES,
            most=MOST_SESSIONS,
        ):
            labels = (
                state.model_name,
                each.version,
                environment,
                declared or "none",
                each.host,
                each.session_id,
            )
            found[labels] = float(each.events)
    return found
