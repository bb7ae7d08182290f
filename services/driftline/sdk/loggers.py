"""The loggers of this process: flushed together, and each with a session of its own in a forked child."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from driftline.forks import when_forked
from driftline.wire import PREDICTIONS_TOPIC, Remark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.log import EventLog
    from driftline.sdk.logger import PredictionLogger

known_loggers: weakref.WeakSet[PredictionLogger] = weakref.WeakSet()


def flush_loggers(log: EventLog, timeout: float) -> bool:
    """Flush all loggers of this process that were made with this open log; return whether it took everything.

    Args:
        log: the very object that the loggers were made with.
        timeout: how long to wait at most for each of them, seconds.
    """
    known = list(known_loggers)
    theirs = [each for each in known if each._settings.log is log]  # noqa: SLF001 - see below
    return [logger.flush(timeout) for logger in theirs].count(False) == 0


def leave_out(logger: PredictionLogger, name: str, detail: str) -> None:
    """Count a value that no event can hold; warn once for each name."""
    logger._own_session().remark(Remark.UNENCODABLE, name, detail)  # noqa: SLF001 - as below


def refuse(logger: PredictionLogger, error: Exception) -> None:
    """Count a prediction that could not be logged as dropped; warn once."""
    logger._own_session().refuse_for(PREDICTIONS_TOPIC, error)  # noqa: SLF001 - as below


def arrive(
    make: Callable[..., PredictionLogger], arguments: Mapping[str, Any], is_closed: bool
) -> PredictionLogger:
    """Make a logger that another process sent.

    Args:
        make: the class.
        arguments: of its constructor.
        is_closed: whether it had been closed.
    """
    logger = make(**arguments)
    if is_closed:
        logger.close()
    return logger


def _forget_sessions() -> None:
    for logger in list(known_loggers):
        logger._forget_session()  # noqa: SLF001 - the hook is part of the logger.


when_forked(_forget_sessions)
