"""Closing all loggers when SIGTERM ends the process."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from driftline.forks import when_forked

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_MARGIN_S = 1.0
_NONE = -1


def close_when_terminated(close: Callable[[], None], timeout_s: float) -> None:
    """Have SIGTERM call ``close`` before it kills, where it would kill at once.

    Does nothing where the signal is handled or ignored already, and on threads that can't set a handler. A
    forked child has the default again, until this is called there.

    Args:
        close: called on a thread of its own.
        timeout_s: how long it takes at most, seconds; a second later the process dies anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if _is_default():
        ending = _Ending(close, timeout_s)
        with suppress(ValueError):  # Not the main interpreter.
            signal.signal(signal.SIGTERM, ending)
            if _is_worker():
                _fork_guard.watch(ending)


def _is_default() -> bool:
    """Return whether the signal would kill at once: a server in C may handle it, and Python does not know."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return False
    with suppress(ImportError, AttributeError):  # Of another Python.
        import ctypes  # noqa: PLC0415 - only loggers need it, not everybody who imports this.

        ask = ctypes.pythonapi.PyOS_getsig
        ask.restype = ctypes.c_void_p
        return not ask(ctypes.c_int(signal.SIGTERM))
    return True


def _is_worker() -> bool:
    """Return whether multiprocessing made this process: a pool ends its workers by the signal."""
    process: Any = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


class _Ending:
    """Handles the signal without waiting for anything.

    The signal interrupts the main thread anywhere, where it may hold any lock, so that it has to go on. Other
    threads close and kill; they are begun without ``threading``, whose own lock may be held as well.
    """

    def __init__(self, close: Callable[[], None], timeout_s: float) -> None:
        self._close = close
        self._timeout_s = timeout_s
        self._begun = _thread.allocate_lock()

    def __call__(self, number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # A second one kills at once.
        self.begin()

    def begin(self) -> None:
        """Begin to end, unless that was begun before."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            for work in (self._close, lambda: time.sleep(self._timeout_s + _MARGIN_S)):
                _thread.start_new_thread(_kill_after, (work,))
        except RuntimeError:  # No thread is left.
            _kill()

    def read(self, pipe: int) -> None:
        """Wait until the signal's number comes through a pipe."""
        while number := os.read(pipe, 1):
            if number[0] == signal.SIGTERM:
                self.begin()


def _kill_after(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        _kill()


def _kill() -> None:
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        # ``signal.signal`` is for the main thread, which may never come to it.
        import ctypes  # noqa: PLC0415 - rarely needed.

        ctypes.pythonapi.PyOS_setsig(ctypes.c_int(signal.SIGTERM), ctypes.c_void_p(None))
    os.kill(os.getpid(), signal.SIGTERM)


class _ForkGuard:
    """Gives a child the default handler, and lets workers of multiprocessing receive the signal.

    Python forgets a signal that comes amid a fork, and runs no handler where the main thread is about to
    wait for a semaphore, as a pool's workers do most of the time: the pool would wait for such a worker for
    ever. But it writes each signal's number to a descriptor at once, from where another thread reads it.
    """

    def __init__(self) -> None:
        self._held: _Ending | None = None
        self._is_watching = False

    def watch(self, ending: _Ending) -> None:
        """Have another thread read the numbers of signals, unless someone else reads them."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        others = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        if others == _NONE:
            with suppress(RuntimeError):  # No thread is left: there is the handler.
                _thread.start_new_thread(ending.read, (reader,))
                self._is_watching = True
        if not self._is_watching:
            signal.set_wakeup_fd(others)
            os.close(reader)
            os.close(writer)

    def hold(self) -> None:
        """Leave the signal alone."""
        handler = signal.getsignal(signal.SIGTERM)
        if isinstance(handler, _Ending):
            self._held = handler
            self._set(signal.SIG_DFL)

    def release(self) -> None:
        """Handle it again, in the parent."""
        if self._held is not None:
            self._set(self._held)
            self._held = None

    def forget(self) -> None:
        """Leave it alone, in the child, also where it was not the main thread that forked."""
        if self._held is not None:
            self._set(signal.SIG_DFL)
            self._held = None
        if self._is_watching:
            self._is_watching = False
            signal.set_wakeup_fd(_NONE)

    def _set(self, handler: _Ending | signal.Handlers) -> None:
        with suppress(ValueError):  # Not the main thread.
            signal.signal(signal.SIGTERM, handler)


_fork_guard = _ForkGuard()
when_forked(_fork_guard.forget, before=_fork_guard.hold, in_parent=_fork_guard.release)
