"""Health of a service: whether it lives, for whoever restarts it, and whether it can work, for whoever waits.

``/healthz`` looks at the process alone, so that a store which is away gets no service restarted for it;
``/readyz`` at what the service needs besides. Both name their checks and answer 200, or 503 where one fails.
What fails alone (one stream of many) is a warning of ``/readyz``, which stays 200: the others are served.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from driftline.errors import DriftlineError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    Check = Callable[[], object]
    """Raises what is wrong; what it returns does not matter."""

STALL_S = 300.0
"""A loop that says nothing for so long hangs: what it asks of a store or a log gives up sooner."""


class Pulse:
    """The pulse of one loop, felt whenever the loop got a step further. For several threads.

    Args:
        what: the loop's name.
        monotonic: a clock in seconds.
        stall_s: how long it may take between two steps.
    """

    def __init__(self, what: str, monotonic: Callable[[], float], *, stall_s: float = STALL_S) -> None:
        self._what = what
        self._monotonic = monotonic
        self._stall_s = stall_s
        self._lock = threading.Lock()
        self._beaten_s = monotonic()
        self._is_busy = False
        self._failure: str | None = None
        self._warning = ""

    def beat(self) -> None:
        """Say that the loop got further."""
        with self._lock:
            self._beaten_s = self._monotonic()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Do something that takes as long as it takes, and does not count as hanging."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False
            self.beat()

    def succeed(self, *, warning: str = "") -> None:
        """Say that what the loop is there for was done, or that there was nothing to do.

        Args:
            warning: what could not be done of it, while the rest goes on; empty: nothing.
        """
        self._failure, self._warning = None, warning

    @property
    def warning(self) -> str:
        """What the loop could not do, while the rest goes on; empty: nothing."""
        return self._warning

    def fail(self, error: Exception) -> None:
        """Say that what the loop is there for could not be done, and will be tried again."""
        self._failure = str(error).partition("\n")[0] or type(error).__name__

    def check_work(self) -> None:
        """Check that the last attempt succeeded.

        Raises:
            DriftlineError: it failed.
        """
        if failure := self._failure:
            raise DriftlineError(f"the {self._what} tried last in vain: {failure}")

    def check(self) -> None:
        """Check that the loop gets further.

        Raises:
            DriftlineError: it hangs.
        """
        with self._lock:
            silent_s = self._monotonic() - self._beaten_s
        if silent_s > self._stall_s and not self._is_busy:
            raise DriftlineError(
                f"the {self._what} got no further for {silent_s:.0f} s; restart this process"
            )


def keep_on(
    step: Callable[[], float],
    stop: threading.Event,
    *,
    what: str,
    pulse: Pulse,
    logger: logging.Logger,
    start_over: Callable[[], object],
    failed: Callable[[], object] = lambda: None,
    rest_s: float = 1.0,
) -> None:
    """Do one step after another until ``stop`` is set. What fails, foreseen or not, is tried again.

    Args:
        step: does what there is to do, says so to the pulse, and returns how long to rest, seconds.
        stop: ends it, between two steps.
        what: the step does, for the log: ``judging``.
        pulse: of the loop; feels each step, and shows a failure.
        logger: where failures are described, those that nobody foresaw with their traceback.
        start_over: called before the step after one that failed, to connect anew and forget what was known:
            an embedded store may have another owner by then.
        failed: called for each failure, to count it.
        rest_s: how long to wait after a failure, seconds.
    """
    has_failed = False
    while not stop.is_set():
        pulse.beat()
        try:
            if has_failed:
                start_over()
            gap_s = step()
            has_failed = False
        except Exception as error:
            has_failed, gap_s = True, rest_s
            pulse.fail(error)
            failed()
            logger.warning(
                *("%s failed, trying again: %s", what, error),
                extra={"error": type(error).__name__},
                exc_info=not isinstance(error, DriftlineError),
            )
        if gap_s > 0:
            stop.wait(gap_s)


class Health:
    """What is checked of one service.

    Args:
        alive: checks of the process, by name.
        ready: checks of what it needs, by name; each may block for as long as what it asks gives up after.
        pulses: of its loops, by name, whose warnings are reported beside what is ready.
    """

    def __init__(
        self,
        *,
        alive: Mapping[str, Check] | None = None,
        ready: Mapping[str, Check] | None = None,
        pulses: Mapping[str, Pulse] | None = None,
    ) -> None:
        self._alive = dict(alive or {})
        self._ready = dict(ready or {})
        self._pulses = dict(pulses or {})

    def routes(self) -> list[Route]:
        """Return what serves ``/healthz`` and ``/readyz``."""
        return [Route("/healthz", self._answer_alive), Route("/readyz", self._answer_ready)]

    def _answer_alive(self, request: Request) -> Response:
        del request
        return _answer(self._alive)

    def _answer_ready(self, request: Request) -> Response:
        del request
        warnings = [f"{name}: {pulse.warning}" for name, pulse in self._pulses.items() if pulse.warning]
        return _answer(self._alive | self._ready, warnings)


def _answer(checks: Mapping[str, Check], warnings: Sequence[str] = ()) -> Response:
    problems_of = {name: _problem(check) for name, check in checks.items()}
    problems = [f"{name}: {problem}" for name, problem in problems_of.items() if problem]
    return JSONResponse(
        {
            "status": "unavailable" if problems else "ok",
            "checks": {name: "failed" if problem else "ok" for name, problem in problems_of.items()},
            "problems": problems,
            **({"warnings": warnings} if warnings else {}),
        },
        status_code=503 if problems else 200,
        headers={"Cache-Control": "no-store"},
    )


def _problem(check: Check) -> str:
    """Return what is wrong, in a line; empty: nothing."""
    try:
        check()
    except DriftlineError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  whatever it is, this service can't do its work
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return ""
