"""What the registry says, beside what answers: exported where the two differ."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from driftline.drift.service.metrics import UNDECLARED, UNREGISTERED_VERSION
from driftline.registry.policy import Handling, Policy
from driftline.store.answered import count_predictions, read_undeclared
from driftline.store.hours import read_signs
from driftline.store.registry import read_registry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

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


class DeclaredExport:
    """Exports which served versions nobody registered, and which sessions answer with an undeclared one.

    Models that did not move, and of which nothing was found, are not asked about again. For one thread.

    Args:
        metrics: of this process.
        policy: versions that it only flags are not exported.
    """

    def __init__(self, metrics: Metrics, policy: Policy | None = None) -> None:
        self._metrics = metrics
        self._policy = policy or Policy()
        self._signs: Mapping[str, int] | None = None
        self._states: Mapping[str, ModelState] = {}
        self._heads: dict[str, Mapping[str, str]] = {}
        self._undeclared: dict[str, dict[tuple[str, ...], float]] = {}
        self._unregistered: dict[Stream, tuple[int, int]] = {}

    def refresh(
        self,
        connection: Connection,
        served: Sequence[Stream],
        since: Mapping[Stream, int],
        moved: Collection[str],
    ) -> bool:
        """Read and export; return whether something was found that ends by itself, while nothing lands.

        Args:
            connection: to the store.
            served: streams to be exported.
            since: of each, the first hour that counts, hours since the Unix epoch.
            moved: the names of models of which something landed since the last call.
        """
        signs = read_signs(connection, ("registry_events",))
        if signs != self._signs:
            self._states, self._signs = read_registry(connection), signs
        states = self._states
        unregistered = [
            stream
            for stream in served
            if not _is_known(stream, states)
            and self._policy.handling(stream.environment) is not Handling.FLAG
        ]
        self._count_unregistered(connection, unregistered, since, moved)
        models = {stream.model_name for stream in served}
        self._undeclared = {name: found for name, found in self._undeclared.items() if name in models}
        for name in sorted(models & states.keys()):
            if name in moved or self._undeclared.get(name) or self._heads.get(name) != states[name].heads:
                self._undeclared[name] = _undeclared(connection, states[name])
                self._heads[name] = states[name].heads
        found = {labels: events for each in self._undeclared.values() for labels, events in each.items()}
        self._metrics.replace(UNDECLARED, found)
        return bool(found)

    @property
    def projects(self) -> Mapping[str, str]:
        """The project of each registered model; empty: it is in none."""
        return {name: state.project for name, state in self._states.items()}

    def _count_unregistered(
        self,
        connection: Connection,
        streams: Sequence[Stream],
        since: Mapping[Stream, int],
        moved: Collection[str],
    ) -> None:
        counts: dict[Stream, tuple[int, int]] = {}
        for stream in streams:
            known = self._unregistered.get(stream)
            if known is None or known[0] != since[stream] or stream.model_name in moved:
                known = since[stream], count_predictions(connection, stream, since_hour=since[stream])
            counts[stream] = known
        self._unregistered = counts
        series: Counter[tuple[str, ...]] = Counter()
        for stream, (_, events) in counts.items():
            series[stream.model_name, stream.model_version] += events
        self._metrics.replace(UNREGISTERED_VERSION, {names: float(count) for names, count in series.items()})


def _is_known(stream: Stream, states: Mapping[str, ModelState]) -> bool:
    state = states.get(stream.model_name)
    return state is not None and stream.model_version in state.versions


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
