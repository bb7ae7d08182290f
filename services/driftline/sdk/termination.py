"""Closing all loggers when SIGTERM ends the process."""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.forks import when_forked

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_MARGIN_S = 1.0
_LOOK_S = 0.02
_NONE = -1
_STATUS = Path("/proc/thread-self/status")
"""Says which signals wait for a thread; only Linux has it."""


def close_when_terminated(close: Callable[[], None], timeout_s: float) -> None:
    """Have SIGTERM call ``close`` before it kills.

    Where it would kill at once, this handles it. Where someone else handles it, they go on doing so, and only
    where they let it kill in the end, as uvicorn does by raising it again, that waits for ``close``. Does
    nothing where the signal is ignored, or handled in C, and on threads that can't set a handler. A forked
    child has the default again, until this is called there.

    Args:
        close: called on a thread of its own.
        timeout_s: how long it takes at most, seconds; a second later the process dies anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    handler = signal.getsignal(signal.SIGTERM)
    if _is_default():
        ending = _Ending(close, timeout_s)
        with suppress(ValueError):  # Not the main interpreter.
            signal.signal(signal.SIGTERM, ending)
            if _is_worker():
                _fork_guard.watch(ending)
    elif callable(handler) and not isinstance(handler, (_Ending, _Following)) and _STATUS.exists():
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, _Following(handler, close))


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


class _Following:
    """Handles the signal as someone else does who was there first.

    A server that ends in order may restore the default then, and raise the signal again to die of it. Until
    the loggers are closed that one has to wait: it is blocked on the main thread, which goes on, and comes to
    its end by itself or is killed by another thread. From outside the signal still reaches other threads.
    """

    def __init__(self, handler: Callable[[int, FrameType | None], Any], close: Callable[[], None]) -> None:
        self._handler = handler
        self._close = close
        self._has_begun = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self._has_begun:
            self._has_begun = True
            with suppress(RuntimeError):  # No thread is left: it is as if we were not there.
                _thread.start_new_thread(self._wait, (threading.get_native_id(),))
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
                atexit.register(self._end)
        self._handler(number, frame)

    def _wait(self, main_thread: int) -> None:
        """Close and kill as soon as the signal waits for the main thread."""
        status = Path(f"/proc/self/task/{main_thread}/status")
        with suppress(OSError):
            while not _is_pending(status.read_text()):
                time.sleep(_LOOK_S)
            self._close()
            _kill()

    def _end(self) -> None:
        """Close, and let the main thread die of the signal if it waits; before what else runs at exit."""
        self._close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _is_pending(status: str) -> bool:
    """Return whether SIGTERM waits for a thread, by its status (proc_pid_status(5))."""
    pending = status.partition("SigPnd:")[2].split(maxsplit=1)[0]
    return bool(int(pending, 16) >> (signal.SIGTERM - 1) & 1)


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
        if isinstance(signal.getsignal(signal.SIGTERM), _Following):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def _set(self, handler: _Ending | signal.Handlers) -> None:
        with suppress(ValueError):  # Not the main thread.
            signal.signal(signal.SIGTERM, handler)


_fork_guard = _ForkGuard()
when_forked(_fork_guard.forget, before=_fork_guard.hold, in_parent=_fork_guard.release)
