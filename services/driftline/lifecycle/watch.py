"""Asking again and again whether models are to be trained again: those that a file of monitors enables."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from driftline.domain.retraining import WHYS
from driftline.domain.streams import PRODUCTION
from driftline.errors import DriftlineError
from driftline.failing import Failing
from driftline.lifecycle.executors import TrainingError
from driftline.lifecycle.metrics import ASKED, BLOCKED, DECISIONS, FAILURES
from driftline.lifecycle.retrain import run_retraining
from driftline.lifecycle.trigger import TriggerSettings
from driftline.store.ready import ask
from driftline.store.registry import read_registry

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from driftline.domain.retraining import RetrainDecision
    from driftline.health import Pulse
    from driftline.lifecycle.retrain import Asked
    from driftline.metrics import Metrics
    from driftline.monitors import Monitors
    from driftline.monitors.model import S
    from driftline.store.connect import Store
    from driftline.store.connection import Connection

INTERVAL_S: Final = 3600.0
"""A cause has to have lasted for hours."""

_STEP_S = 5.0
_logger = logging.getLogger(__name__)


class RetrainWatch:
    """Asks about every registered model that may be trained again. One that fails stops no other.

    Args:
        store: which.
        monitors: which models may be, and when.
        metrics: with `RETRAIN_METRICS`.
        pulse: of the loop.
        author: who asks.
        interval_s: how often.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        store: Store,
        monitors: Monitors[S],
        *,
        metrics: Metrics,
        pulse: Pulse,
        author: str,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settings_of: Callable[[str], TriggerSettings] = lambda name: TriggerSettings(
            **monitors.of(name).retrain
        )
        self._metrics = metrics
        self._pulse = pulse
        self._author = author
        self._interval_s = interval_s
        self._clock = clock
        self._monotonic = monotonic
        self._blocked: dict[tuple[str, ...], float] = {}
        self._failing = Failing[str](
            "asking about", logger=_logger, monotonic=monotonic, is_general=lambda _: False
        )

    def run(self, stop: threading.Event) -> None:
        """Ask until the event is set."""
        while not stop.is_set():
            self.look()
            end_s = self._monotonic() + self._interval_s
            while self._monotonic() < end_s and not stop.wait(min(_STEP_S, self._interval_s)):
                self._pulse.beat()

    def look(self) -> None:
        """Ask once about each model."""
        try:
            with self._pulse.busy():
                for name in ask(self._store, lambda found: list(read_registry(found)), use="write"):
                    with self._failing.apart(name, model_name=name):
                        self._look_at(name)
                    if name in self._failing.known:
                        self._metrics.count(FAILURES, model_name=name)
        except Exception as error:
            self._pulse.fail(error)
            foreseen = isinstance(error, DriftlineError)
            _logger.warning("no model could be asked about: %s", error, exc_info=not foreseen)
            return
        self._pulse.succeed(warning=self._failing.described())

    def _look_at(self, model_name: str) -> None:
        """Ask about one model.

        Raises:
            TrainingError: it is to be trained, and what was to train it could not be called or run.
        """
        settings = self._settings_of(model_name)
        if not settings.enabled:
            return
        now = datetime.fromtimestamp(self._clock(), UTC)

        def decide(connection: Connection) -> Asked:
            return run_retraining(
                connection, model_name, settings, environment=PRODUCTION, now=now, author=self._author
            )

        asked = ask(self._store, decide, use="write")
        self._count(asked.decision, now)
        if asked.problem:
            raise TrainingError(asked.problem)

    def _count(self, decision: RetrainDecision, now: datetime) -> None:
        self._metrics.count(DECISIONS, model_name=decision.model_name, action=decision.action)
        self._metrics.set(ASKED, now.timestamp(), model_name=decision.model_name)
        self._blocked = {key: held for key, held in self._blocked.items() if key[0] != decision.model_name}
        refusing = [why.code for why in decision.reasons if WHYS[why.code][0] == "refuse"]
        if decision.cause_since is not None and refusing:
            since_s = (now - decision.cause_since).total_seconds()
            self._blocked[decision.model_name, refusing[0]] = since_s
        self._metrics.replace(BLOCKED, self._blocked)
