"""Appending what has to be in the log before its caller goes on."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from driftline.errors import LogError, LogFullError

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.log.base import EventLog, Record

_RETRY_S = 0.2


def append_patiently(
    log: EventLog,
    record: Record,
    *,
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Append one record, trying again for a while: a cluster may be choosing a new leader. Blocks until then.

    Args:
        log: one without a spill, so that what it took is where everybody reads it.
        record: what to append; where an attempt failed after all, it may be there twice.
        timeout_s: how long to try, seconds.
        sleep: waits so many seconds.
        monotonic: a clock in seconds.

    Raises:
        LogError: the log does not take it in time, or is full.
    """
    end_s = monotonic() + timeout_s
    with closing(log.writer()) as writer:
        while True:
            try:
                writer.append([record])
            except LogFullError:
                raise
            except LogError:
                if monotonic() + _RETRY_S > end_s:
                    raise
                sleep(_RETRY_S)
            else:
                return
