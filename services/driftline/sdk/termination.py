"""What SIGTERM does to a process that logs."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_MARGIN_S = 1.0


def close_when_terminated(close: Callable[[], None], timeout_s: float) -> None:
    """Have SIGTERM call ``close`` before it kills, where it would kill at once.

    Does nothing where the signal is handled or ignored already, on threads that can't set a handler, and in
    the workers of multiprocessing: a pool ends them by this signal, and waits for them, while their main
    thread may be about to wait for a lock, where no handler of Python's is ever run. A forked child has the
    default again.

    Args:
        close: called on a thread of its own.
        timeout_s: how long it takes at most, seconds; a second later the process dies anyway.
    """
    if threading.current_thread() is not threading.main_thread() or _is_worker():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        with suppress(ValueError):  # Not the main interpreter.
            signal.signal(signal.SIGTERM, _Ending(close, timeout_s))


def _is_worker() -> bool:
    """Say whether this process was made by multiprocessing, and ends as that sees fit."""
    process: Any = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


class _Ending:
    """Handles the signal without waiting for anything.

    The main thread stands wherever the signal met it and may hold any lock, so that it has to go on. Other
    threads close and kill; they are begun without ``threading``, whose own lock may be held as well.
    """

    def __init__(self, close: Callable[[], None], timeout_s: float) -> None:
        self._close = close
        self._timeout_s = timeout_s

    def __call__(self, number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # A second one kills at once.
        works = (self._close, lambda: time.sleep(self._timeout_s + _MARGIN_S))
        try:
            for work in works:
                _thread.start_new_thread(_kill_after, (work, number))
        except RuntimeError:  # No thread is left.
            os.kill(os.getpid(), number)


def _kill_after(work: Callable[[], None], number: int) -> None:
    try:
        work()
    finally:
        os.kill(os.getpid(), number)


def _set(handler: _Ending | signal.Handlers) -> None:
    with suppress(ValueError):  # Not the main thread.
        signal.signal(signal.SIGTERM, handler)


class _ForkGuard:
    """Lets a child begin with the default: there Python forgets a signal that comes amid the fork."""

    def __init__(self) -> None:
        self._held: _Ending | None = None

    def hold(self) -> None:
        """Leave the signal alone."""
        handler = signal.getsignal(signal.SIGTERM)
        if isinstance(handler, _Ending):
            self._held = handler
            _set(signal.SIG_DFL)

    def release(self) -> None:
        """Handle it again, in the parent."""
        if self._held is not None:
            _set(self._held)
            self._held = None

    def forget(self) -> None:
        """Leave it alone, in the child, also where it was not the main thread that forked."""
        if self._held is not None:
            _set(signal.SIG_DFL)
            self._held = None


_fork_guard = _ForkGuard()
os.register_at_fork(
    before=_fork_guard.hold, after_in_parent=_fork_guard.release, after_in_child=_fork_guard.forget
)
