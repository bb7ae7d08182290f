"""Follows an MLflow: looks every so often, and at once where it hints that there is something."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from driftline.backoff import Backoff
from driftline.errors import DriftlineError
from driftline.mlflow.metrics import COPIED, FAILING, FAILURES, FOLLOWED

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from driftline.health import Pulse
    from driftline.metrics import Metrics
    from driftline.mlflow.sync import Problem, Sync, Synchronised
    from driftline.mlflow.webhook import Hints

INTERVAL_S: Final = 30.0
DEEP_INTERVAL_S: Final = 600.0
"""How often to ask for each run that was copied, too."""

_HINT_S = 0.25
_BACKOFF = Backoff(first_s=1.0, last_s=60.0)
_MOST_SERIES = 100
_logger = logging.getLogger(__name__)


class Follower:
    """Looks at an MLflow again and again. For one thread.

    Args:
        sync: looks once.
        metrics: a process's metrics, with those of ``MLFLOW_METRICS``.
        pulse: shows the health endpoints that looking goes on.
        hints: that there is something to look at.
        interval_s: how long to wait between looks.
        deep_interval_s: how often to ask for each run that was copied, too.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        sync: Sync,
        *,
        metrics: Metrics,
        pulse: Pulse,
        hints: Hints,
        interval_s: float = INTERVAL_S,
        deep_interval_s: float = DEEP_INTERVAL_S,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sync = sync
        self._metrics = metrics
        self._pulse = pulse
        self._hints = hints
        self._interval_s = interval_s
        self._deep_interval_s = deep_interval_s
        self._clock = clock
        self._monotonic = monotonic
        self._deep_due_s = monotonic()
        self._failures = 0
        self._known: dict[Problem, int] = {}
        self._gone: frozenset[tuple[str, str]] = frozenset()
        metrics.set(FOLLOWED, clock())

    def run(self, stop: threading.Event) -> None:
        """Look until the event is set."""
        while not stop.is_set():
            wait_s = self.look()
            end_s = self._monotonic() + wait_s
            # What fails is not tried faster for hints, of which a server that comes up may give many.
            while self._monotonic() < end_s and not stop.wait(_HINT_S):
                self._pulse.beat()
                if not self._failures and self._hints.take():
                    break

    def look(self) -> float:
        """Look once, and return how long to wait before the next look, seconds."""
        self._hints.take()  # Whatever it hinted at is seen now.
        began_s, deep = self._clock(), self._monotonic() >= self._deep_due_s
        try:
            with self._pulse.busy():
                done = self._sync.run(deep=deep)
        except DriftlineError as error:
            self._failures += 1
            wait_s = max(_BACKOFF.wait_s(self._failures), min(self._interval_s, _BACKOFF.last_s) / 2)
            self._metrics.count(FAILURES)
            self._pulse.fail(error)
            _logger.warning(
                "MLflow was not copied, attempt %d; again in %.0f s: %s", self._failures, wait_s, error
            )
            return wait_s
        if self._failures:
            _logger.info("MLflow is copied again")
        self._failures = 0
        if deep:
            self._deep_due_s = self._monotonic() + self._deep_interval_s
        self._metrics.set(FOLLOWED, began_s)
        self._report(done)
        return self._interval_s

    def _report(self, done: Synchronised) -> None:
        """Log and count what was copied; what goes on being wrong is logged once."""
        for what, copied in (("version", done.new), ("revision", done.changed), ("decision", done.moved)):
            self._metrics.count(COPIED, len(copied), what=what)
        for what, pairs in (("registered", done.new), ("a new revision", done.changed)):
            for model_name, version in pairs:
                _logger.info("%s version %s: %s", model_name, version, what)
        for text in done.moved:
            _logger.info("%s", text)
        for model_name, version in sorted(set(done.gone) - self._gone):
            _logger.info("%s version %s is gone from MLflow, and stays here", model_name, version)
        self._gone = frozenset(done.gone)
        self._known = {problem: self._known.get(problem, 0) + 1 for problem in done.problems}
        for problem, attempts in self._known.items():
            if attempts == 1:
                _logger.warning("not copied: %s", problem)
        series = {(each.model_name, each.what): float(attempts) for each, attempts in self._known.items()}
        self._metrics.replace(FAILING, dict(list(series.items())[:_MOST_SERIES]))
        first = f"{len(done.problems)} not copied, such as {done.problems[0]}" if done.problems else ""
        self._pulse.succeed(warning=first)
