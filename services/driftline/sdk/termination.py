"""What SIGTERM does to a process that logs."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_MARGIN_S = 1.0


def close_when_terminated(close: Callable[[], None], timeout_s: float) -> None:
    """Have SIGTERM call ``close`` before it kills, where it would kill at once.

    Does nothing where the signal is handled or ignored already, and on threads that can't set a handler.

    Args:
        close: called on a thread of its own.
        timeout_s: how long it takes at most, seconds; a second later the process dies anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, signal.SIG_DFL)  # A second one kills at once.
        _run_in_time(close, timeout_s + _MARGIN_S)
        os.kill(os.getpid(), number)

    with suppress(ValueError):  # Not the main interpreter.
        signal.signal(signal.SIGTERM, handle)


def _run_in_time(work: Callable[[], None], timeout_s: float) -> None:
    """Call, and wait for its end, but not longer than that.

    The main thread stands wherever the signal met it and may hold any lock. So another thread works, which
    may wait for such a lock, and is begun without ``threading``, whose own lock may be held as well.
    """
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            work()
        finally:
            done.release()

    with suppress(RuntimeError):  # No thread is left: there is nothing to wait for.
        _thread.start_new_thread(run, ())
        done.acquire(timeout=timeout_s)
