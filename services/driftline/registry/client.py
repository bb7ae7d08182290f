"""The registry as everybody finds it: in the topic of the log, which is small and read from its beginning.

Reading takes no store and no service of driftline's, and joins no group: a process that serves a model, and
one that registers it, need the log alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from driftline.errors import DriftlineError, LogError, NotFoundError
from driftline.log import Record
from driftline.log.appending import append_patiently
from driftline.log.schemas import WriterSchemas
from driftline.registry.events import decode_event
from driftline.registry.fold import fold, listed
from driftline.wire import MODEL_REGISTRY_TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.log import EventLog
    from driftline.registry.events import RegistryEvent
    from driftline.registry.state import ModelState, Refusal

TIMEOUT_S = 60.0
"""How long to try again where the log does not take an event."""

_RETRY_S = 0.2


class RefusedEventError(DriftlineError):
    """What was decided does not count, since it does not fit what stands before it in the log.

    Args:
        refusal: why.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Registry:
    """The registry of one log, as far as it was read. For one thread at a time.

    Args:
        log: an open log.
        sleep: waits so many seconds.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._sleep = sleep
        self._monotonic = monotonic
        self._scan = log.scan(MODEL_REGISTRY_TOPIC)
        self._schema_of = WriterSchemas(log)
        self._events: dict[str, list[RegistryEvent]] = {}
        self._states: dict[str, ModelState] = {}

    def read(self) -> Mapping[str, ModelState]:
        """Return the state of each model, by everything that stands in the log by now. Blocks for the log.

        Raises:
            LogError: the log can't be used now.
        """
        touched = set()
        for batch in self._scan.read():
            for value in batch.values:
                event = decode_event(value, self._schema_of)
                if event is not None:
                    self._events.setdefault(event.model_name, []).append(event)
                    touched.add(event.model_name)
        for name in touched:
            self._states.update(fold(self._events[name]))
        return dict(sorted(self._states.items()))

    def model(self, name: str) -> ModelState:
        """Return the state of one model.

        Raises:
            NotFoundError: nothing was ever registered for it.
            LogError: as ``read``.
        """
        return known_model(self.read(), name)

    def submit(self, event: RegistryEvent, *, timeout_s: float = TIMEOUT_S) -> ModelState:
        """Append an event, look what became of it, and return its model's state, with it applied.

        Raises:
            RefusedEventError: it does not count; the message says why, and who was faster.
            LogError: the log does not take it in time, or does not give it back.
        """
        record = Record(MODEL_REGISTRY_TOPIC, event.model_name.encode(), event.encode())
        with self._log.without_spill() as target:
            append_patiently(
                target, record, timeout_s=timeout_s, sleep=self._sleep, monotonic=self._monotonic
            )
        end_s = self._monotonic() + timeout_s
        while True:
            state = self.read().get(event.model_name)
            if state is not None and event.event_id in state.seen:
                break
            if self._monotonic() > end_s:
                raise LogError(
                    f"the log took an event of {event.model_name} and did not give it back within "
                    f"{timeout_s:.0f} s; 'driftline models history' will say whether it counts"
                )
            self._sleep(_RETRY_S)
        if refusal := state.refusals.get(event.event_id):
            raise RefusedEventError(refusal)
        return state

    def close(self) -> None:
        """Let go of the log; leave it open."""
        self._scan.close()


def known_model(states: Mapping[str, ModelState], name: str) -> ModelState:
    """Return the state of a model.

    Raises:
        NotFoundError: nothing was ever registered for it; the message names what there is.
    """
    if name not in states:
        raise NotFoundError(f"no model {name!r} is registered; {listed(states, name)}")
    return states[name]
