"""One lander at a time for a local log: between intent and commit, a second one would land the same range."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

_LOCK_FILE = "lander.lock"


class Turn:
    """The right to land a log. The system takes it back when the process ends, however it ends.

    Args:
        log_url: of the log. Only a local one has a lock; elsewhere the log itself gives out its partitions.
    """

    def __init__(self, log_url: str) -> None:
        # A URL of brokers need not be one that Python takes apart.
        is_local = log_url.startswith("file:")
        self._folder = Path(unquote(urlsplit(log_url).path)) if is_local else None
        self._lock: IO[bytes] | None = None

    def take(self) -> bool:
        """Return whether it is this lander's turn, from now on until `release`. Does not block.

        Should somebody have deleted the lock file, or its folder, the next that asks has the turn.
        """
        if self._folder is None:
            return True
        if self._lock is not None:
            if _is_there(self._folder / _LOCK_FILE, self._lock):
                return True
            self.release()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self._folder / _LOCK_FILE).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        """Let another lander go on."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _is_there(path: Path, lock: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(lock.fileno()))
    except FileNotFoundError:
        return False
