"""Being another process than a moment ago: after ``os.fork``, and after a fork that Python knows nothing of.

Servers written in C, such as uWSGI, fork without Python, so that what was registered for a fork never runs.
Whoever is called next has to notice it. Asking for the process id each time is a call of the system, which
would cost a logger some percent; so a page of memory is asked that the kernel wipes in each forked child
(``MADV_WIPEONFORK``, Linux 4.14), and the process id only where there is none.
"""

from __future__ import annotations

import mmap
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_MADV_WIPEONFORK = 18


class Mark(Protocol):
    """Its item 0 is true in the process that set it, and false in one that was forked off since."""

    def __getitem__(self, place: int, /) -> int: ...

    def __setitem__(self, place: int, value: int, /) -> None: ...


class _ProcessIdMark:
    """A mark for systems that wipe no memory."""

    def __init__(self) -> None:
        self._process_id = -1

    def __getitem__(self, _: int, /) -> int:
        return self._process_id == os.getpid()

    def __setitem__(self, _: int, __: int, /) -> None:
        self._process_id = os.getpid()


def _mark() -> Mark:
    with suppress(OSError, ValueError, AttributeError):  # Another system, or an older kernel.
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_MADV_WIPEONFORK)
        return page
    return _ProcessIdMark()


is_noticed: Final = _mark()
"""Item 0 is false in a forked child until ``notice_fork`` was called there, unless Python made the fork."""

is_noticed[0] = 1


class _Noticing:
    """Runs the hooks in a child, once, whoever notices the fork first."""

    def __init__(self) -> None:
        self.hooks: list[Callable[[], None]] = []
        self._lock = threading.RLock()
        self._is_running = False

    def notice(self) -> None:
        if is_noticed[0]:
            return
        with self._lock:  # Of several threads none goes on before all is done.
            if not is_noticed[0] and not self._is_running:
                self._is_running = True  # A signal handler that logs may come in between.
                try:
                    self.run()
                finally:
                    self._is_running = False

    def begin_anew(self) -> None:
        self._lock = threading.RLock()  # The parent's may be held by a thread that is not here.
        self.run()

    def run(self) -> None:
        for hook in self.hooks:
            hook()
        is_noticed[0] = 1


_noticing = _Noticing()
os.register_at_fork(after_in_child=_noticing.begin_anew)


def when_forked(
    hook: Callable[[], None],
    *,
    before: Callable[[], None] | None = None,
    in_parent: Callable[[], None] | None = None,
) -> None:
    """Have functions called around each fork of this process, for as long as it lives.

    Args:
        hook: called in the child, before any other of its code; or, where Python knows nothing of the
            fork, once that is noticed. Must neither raise nor wait.
        before: called in the parent, before a fork that Python makes.
        in_parent: called in the parent, after such a fork.
    """
    _noticing.hooks.append(hook)
    if before is not None:
        os.register_at_fork(before=before)
    if in_parent is not None:
        os.register_at_fork(after_in_parent=in_parent)


def notice_fork() -> None:
    """Call what is to be called in a forked child, if this is one of which Python knows nothing."""
    _noticing.notice()
