"""Where records wait, on disk, that the cluster does not take now.

A spill is a folder of its own under a root that all processes of the host share. Who forwards it holds the
lock on its lock file; when that process is gone, however it ended, the lock is free, and whoever finds
the folder then adopts it.

What may have been sent is noted in the spill itself. On a full disk nothing can be noted, and nothing would
ever be forwarded. So a file says from the beginning that everything is noted, and is removed, which takes no
room, when that no longer holds: then forwarding goes on without notes, and whoever adopts such a spill
takes every record for one that may have been sent.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from driftline.errors import LogError, LogFullError
from driftline.forks import when_forked
from driftline.log.base import Record
from driftline.log.database import FILE_NAME, LocalLogSettings, was_damaged
from driftline.log.local import LocalLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.log.base import Batch

SPILL_TOPIC: Final = "driftline.spill"

_GROUP = "forward"
_LOCK_NAME = "owner.lock"
_NOTED_NAME = "noted"
_OTHERS_AGE_S = 1.0
_RUN_RECORDS = 2_000
_RUN_BYTES = 1 << 20
_ABANDONED_S = 3_600.0

_logger = logging.getLogger("driftline.log.kafka")


@dataclass(frozen=True, slots=True)
class SpillSettings:
    """Where records may wait.

    Args:
        root: folder of the spills, made when it is not there.
        max_bytes: bound of all spills under the root together, but for the last moment's.
        max_age_s: while the oldest record waits longer than this, a spill takes no more, seconds.
    """

    root: Path
    max_bytes: int
    max_age_s: float


@dataclass(frozen=True, slots=True)
class SpilledRun:
    """Records that are next to be forwarded.

    Args:
        records: with ``may_repeat`` where they may have been sent already.
        batch: the range that they are in the spill.
    """

    records: list[Record]
    batch: Batch


class Spill:
    """One spill, owned by this process. ``put`` and the rest may be called by two threads.

    Args:
        settings: where it is, and its bounds.
        folder: its own.
        lock: descriptor of its lock file, locked.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
    """

    def __init__(
        self, settings: SpillSettings, folder: Path, lock: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self.folder = folder
        self._lock = lock
        self._clock = clock
        self._log = LocalLog(LocalLogSettings(folder, max_bytes=settings.max_bytes), clock=clock)
        self._writer = self._log.writer()
        self._reader = self._log.reader(_GROUP)
        self._oldest_s: float | None = None
        self._is_noted = (folder / _NOTED_NAME).exists()
        self._was_unnoted = not self._is_noted
        self._next_offset: int | None = None
        self._others = (0.0, 0)
        self._closing = threading.Lock()
        _fork_guard.spills.add(self)

    @classmethod
    def create(cls, settings: SpillSettings, clock: Callable[[], float] = time.time) -> Self:
        """Return a new spill.

        Raises:
            LogError: the folder can't be made.
        """
        name = uuid4().hex
        draft = settings.root / f".new-{name}"
        try:
            draft.mkdir(mode=0o700, parents=True)
            (draft / _LOCK_NAME).touch(mode=0o600)
            (draft / _NOTED_NAME).touch(mode=0o600)
            lock = _lock(draft / _LOCK_NAME)
            # Only now it is to be seen, so that nobody takes it for an orphan.
            folder = draft.rename(settings.root / name)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise LogError(f"spill folder {draft}: it can't be made: {error.strerror}") from error
        assert lock is not None  # noqa: S101 - nobody else knows the name.
        return cls(settings, folder, lock, clock)

    @classmethod
    def adopt(
        cls, settings: SpillSettings, folder: Path, clock: Callable[[], float] = time.time
    ) -> Self | None:
        """Return a spill whose owner is gone; None if that lives, or another process adopts it.

        Raises:
            LogError: the folder can't be used.
        """
        try:
            lock = _lock(folder / _LOCK_NAME)
        except FileNotFoundError:  # Forwarded meanwhile.
            return None
        except OSError as error:
            raise LogError(f"spill folder {folder}: it can't be adopted: {error.strerror}") from error
        return None if lock is None else cls(settings, folder, lock, clock)

    def put(self, records: Sequence[Record], *, may_use_reserve: bool = False) -> None:
        """Keep all records or none; they survive this process.

        Raises:
            LogFullError: the spills are at their bound, or the oldest record here waits too long, or the
                disk is full.
            LogError: the disk refuses.
        """
        now_s = self._clock()
        if self._oldest_s is not None and now_s - self._oldest_s > self._settings.max_age_s:
            raise LogFullError(
                f"{self.folder}: records wait here for {now_s - self._oldest_s:,.0f} s, more than "
                f"spill_age_s={self._settings.max_age_s:,.0f}; it takes no more"
            )
        others = self._others_bytes()
        if others and others + self._log.used_bytes() + _size(records) > self._settings.max_bytes:
            raise LogFullError(
                f"{self._settings.root}: the spills of this host are at spill_bytes="
                f"{self._settings.max_bytes:,}"
            )
        # A record's topic goes into its key: one topic for all keeps them in order.
        self._writer.append(
            [Record(SPILL_TOPIC, _packed_key(record), record.value) for record in records],
            may_use_reserve=may_use_reserve,
        )
        if self._oldest_s is None:
            self._oldest_s = now_s

    def put_first(self, records: Sequence[Record]) -> SpilledRun:
        """Keep the first records, which are being sent already, and return them as a run.

        Raises:
            LogFullError: as ``put``.
            LogError: as ``put``.
        """
        self.put(records)
        run = self._fetch(len(records), 1 << 40)
        assert run is not None  # noqa: S101 - they were put a moment ago.
        return run

    def take(self) -> SpilledRun | None:
        """Return what is to be forwarded next; None: nothing. The same again until it is ``done``.

        It is noted durably that it may be sent from now on.

        Raises:
            LogError: the disk refuses.
        """
        run = self._fetch(_RUN_RECORDS, _RUN_BYTES)
        if run is not None and self._is_noted and not run.batch.repeated:
            try:
                self._reader.intend(run.batch)
            except LogFullError:
                self._stop_noting(run.batch.first_offset)
        return run

    def done(self, run: SpilledRun) -> None:
        """Note that a run was delivered.

        Raises:
            LogError: the disk refuses.
        """
        end = run.batch.last_offset + 1
        if self._is_noted:
            try:
                self._reader.commit(run.batch)
            except LogFullError:
                self._stop_noting(end)
        else:
            self._next_offset = end
        if not self.waiting():
            self._oldest_s = None

    def waiting(self) -> int:
        """Return how many records wait; 0 after it was closed.

        Raises:
            LogError: the disk refuses.
        """
        with self._closing:  # A reader that was closed would open the file again, and make it anew.
            if self._lock < 0:
                return 0
            lag = self._reader.lag().get(SPILL_TOPIC, 0)
            return lag if self._next_offset is None else lag + self._position() - self._next_offset

    def close(self) -> None:
        """Let go of it; remove it if nothing waits in it. Closing twice is allowed."""
        is_empty = False
        with suppress(LogError):
            is_empty = not self.waiting()
        with self._closing:
            lock, self._lock = self._lock, -1
            if lock < 0:
                return
            self._log.close()
        if is_empty:
            with suppress(OSError):
                gone = self.folder.rename(self._settings.root / f".gone-{self.folder.name}")
                shutil.rmtree(gone, ignore_errors=True)
        os.close(lock)

    def discard(self) -> None:
        """Let go of a spill that nothing was put into, and remove it, whatever the disk says."""
        with self._closing:
            lock, self._lock = self._lock, -1
            self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(lock)

    def _stop_noting(self, next_offset: int) -> None:
        """Go on without notes from an offset on.

        Raises:
            LogError: the disk refuses even that.
        """
        try:
            (self.folder / _NOTED_NAME).unlink(missing_ok=True)
        except OSError as error:
            raise LogError(f"{self.folder}: {error.strerror}") from error
        self._is_noted = False
        self._next_offset = next_offset
        message = "%s: the disk is full; forwarding goes on without notes"
        context = {"folder": str(self.folder)}
        _logger.warning(message, self.folder, extra=context)

    def _position(self) -> int:
        return self._reader.positions().get((SPILL_TOPIC, 0), 0)

    def begin_anew(self) -> None:
        """Let go, in a forked child, of the parent's lock, which would outlive the parent here."""
        self._closing = threading.Lock()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _fetch(self, max_records: int, max_bytes: int) -> SpilledRun | None:
        if self._is_noted:
            batch = self._reader.fetch(SPILL_TOPIC, max_records=max_records, max_bytes=max_bytes)
        else:
            if self._next_offset is None:
                self._next_offset = self._position()
            bounds = {"max_records": max_records, "max_bytes": max_bytes}
            batch = self._reader.read(SPILL_TOPIC, self._next_offset, **bounds)
        if batch is None:
            self._oldest_s = None
            return None
        if batch.timestamps_ms:
            self._oldest_s = batch.timestamps_ms[0] / 1000
        # A log that was damaged may have forgotten how far it had been forwarded.
        may_repeat = batch.repeated or self._was_unnoted or was_damaged(self.folder)
        records = [
            _unpacked(key, value, may_repeat=may_repeat)
            for key, value in zip(batch.keys, batch.values, strict=True)
        ]
        return SpilledRun(records, batch)

    def _others_bytes(self) -> int:
        """Return what the other spills take, as it was a moment ago."""
        now_s = self._clock()
        if not self._others[0] - _OTHERS_AGE_S <= now_s < self._others[0]:
            folders = (folder for folder in spill_folders(self._settings.root) if folder != self.folder)
            self._others = now_s + _OTHERS_AGE_S, sum(map(_disk_bytes, folders))
        return self._others[1]


def spill_folders(root: Path) -> list[Path]:
    """Return the folders of all spills, whoever owns them; the longest abandoned first."""
    try:
        with os.scandir(root) as entries:
            found = [(entry.stat().st_mtime, Path(entry.path)) for entry in entries if _is_spill(entry)]
    except OSError:  # Not there yet, or gone meanwhile.
        return []
    return [folder for _, folder in sorted(found)]


def sweep(root: Path) -> None:
    """Remove what processes left that were killed while they made or removed a spill. Nothing is in there."""
    with suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            is_rest = entry.name.startswith((".new-", ".gone-"))
            if is_rest and time.time() - entry.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_spill(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and Path(entry.path, _LOCK_NAME).exists()


def _lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock; None when another one does.

    Raises:
        OSError: the file can't be opened, or is gone.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        # flock belongs to the descriptor, so that two owners in one process exclude each other, too. A fork
        # would share it: see ``_ForkGuard``.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except BlockingIOError:
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _disk_bytes(folder: Path) -> int:
    """Return what a spill takes, with what has not been moved from its WAL into its file yet."""
    size = 0
    for suffix in ("", "-wal"):
        with suppress(OSError):
            size += (folder / f"{FILE_NAME}{suffix}").stat().st_size
    return size


def _size(records: Sequence[Record]) -> int:
    return sum(len(record.key) + len(record.value) for record in records)


def _packed_key(record: Record) -> bytes:
    return b"%d%s\0%s" % (record.may_repeat, record.topic.encode(), record.key)


def _unpacked(key: bytes, value: bytes, *, may_repeat: bool) -> Record:
    topic, _, rest = key.partition(b"\0")
    return Record(topic[1:].decode(), rest, value, may_repeat or topic[:1] == b"1")


class _ForkGuard:
    """What a fork needs to know of the spills of this process."""

    def __init__(self) -> None:
        self.spills: weakref.WeakSet[Spill] = weakref.WeakSet()

    def forget(self) -> None:
        """Let go, in the child, of the parent's locks."""
        for spill in list(self.spills):
            spill.begin_anew()


_fork_guard = _ForkGuard()
when_forked(_fork_guard.forget)
