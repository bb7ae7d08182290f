"""Who owns an embedded store: a lock that the system takes back, and a file that says how to reach the owner.

Neither is trusted to stay: files are deleted and garbled by hand, under a process that goes on.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Self

from driftline.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

ENGINE_FOLDER = "engine"
"""What a store's folder has in it once there is a store."""

_OWNER_FILE = "owner.json"
_LOCK_FILE = "owner.lock"
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Owner:
    """How an owner is reached.

    Args:
        host: always this one.
        port: of its gateway.
        user: whom to ask as.
        token: stands for the password; may do all that the gateway lets anybody do.
        reader_token: likewise, and may only read.
        process_id: of the owner.
    """

    host: str
    port: int
    user: str
    token: str
    reader_token: str
    process_id: int


class Ownership:
    """The lock on a store's folder, for as long as this process holds it.

    Args:
        folder: the store's.
        lock: its lock file, locked.
    """

    def __init__(self, folder: Path, lock: IO[bytes]) -> None:
        self.folder = folder
        self._lock = lock
        self._owner: Owner | None = None
        self._ended = threading.Event()

    @classmethod
    def take(cls, folder: Path) -> Self | None:
        """Return the ownership of a folder; None: another process has it.

        Raises:
            OSError: the folder can't be written to.
        """
        lock = _locked(folder)
        return None if lock is None else cls(folder, lock)

    def announce(self, owner: Owner, *, looks_after: bool = True) -> None:
        """Write how this owner is reached, and go on writing it while somebody deletes or garbles the file.

        Args:
            owner: what is written.
            looks_after: whether a thread calls `heal` now and then; else the caller does.

        Raises:
            OSError: the file can't be written.
        """
        self._owner = owner
        _write_private(self.folder / _OWNER_FILE, json.dumps(asdict(owner)))
        if not looks_after:
            return
        threading.Thread(target=self._keep_announcing, name="store-owner", daemon=True).start()

    def check(self) -> None:
        """Check that the folder is the one that was taken.

        Raises:
            StoreError: it was deleted, or another is in its place.
        """
        if not self._is_held():
            raise StoreError(
                f"the store in {self.folder} was deleted, or replaced, while this process had it open: "
                "restart the process. What had landed there is gone; what the log still has, "
                "`driftline land --from-start` lands again"
            )

    def release(self) -> None:
        """Let the next owner in."""
        self._ended.set()
        if self._owner is not None and self._is_held():
            with suppress(OSError):
                (self.folder / _OWNER_FILE).unlink()
        self._lock.close()

    def _is_held(self) -> bool:
        try:
            return os.path.samestat((self.folder / _LOCK_FILE).stat(), os.fstat(self._lock.fileno()))
        except (OSError, ValueError):
            return False

    def _keep_announcing(self) -> None:
        while not self._ended.wait(_LOOK_S):
            with suppress(OSError):
                self.heal()

    def heal(self) -> None:
        """Lock anew where only the lock file is gone, and write the owner file anew where it differs."""
        if not (self.folder / _LOCK_FILE).exists() and (self.folder / ENGINE_FOLDER).is_dir():
            again = _locked(self.folder)
            if again is not None:
                self._lock.close()
                self._lock = again
        if self._is_held() and self._owner is not None and read_owner(self.folder) != self._owner:
            _write_private(self.folder / _OWNER_FILE, json.dumps(asdict(self._owner)))


def read_owner(folder: Path) -> Owner | None:
    """Return what a folder's owner wrote of itself; None: nothing, or nothing that can be read."""
    try:
        written = json.loads((folder / _OWNER_FILE).read_bytes())
        owner = Owner(**written)
    except (OSError, ValueError, TypeError):
        return None
    kinds = {name: type(value) for name, value in asdict(owner).items()}
    wanted = {"host": str, "port": int, "user": str, "token": str, "reader_token": str, "process_id": int}
    return owner if kinds == wanted else None


def is_there(folder: Path) -> bool:
    """Return whether a folder holds a store, or a process that is just making one."""
    if (folder / ENGINE_FOLDER).is_dir():
        return True
    try:
        ownership = Ownership.take(folder) if (folder / _LOCK_FILE).exists() else None
    except OSError:
        return False
    if ownership is not None:
        ownership.release()
        return False
    return (folder / _LOCK_FILE).exists()


def _locked(folder: Path) -> IO[bytes] | None:
    """Return the lock file, locked until it is closed; None: another process has it."""
    lock = (folder / _LOCK_FILE).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its user can read, at once."""
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    draft.replace(path)
