"""Forwarding what waits in spills to the cluster."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from driftline.errors import LogError, LogMovedError
from driftline.log.kafka.sender import Sender
from driftline.log.kafka.spill import Spill, SpillSettings, spill_folders, sweep
from driftline.wire.registry import Registry

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from driftline.log.kafka.delivery import Delivery
    from driftline.log.kafka.settings import KafkaSettings
    from driftline.log.kafka.spill import SpilledRun

_STEP_S = 0.2
_FIRST_PAUSE_S = 0.1
_LAST_PAUSE_S = 5.0

_logger = logging.getLogger("driftline.log.kafka")


class Progress(Enum):
    """What a step of forwarding came to."""

    MOVED = "moved"
    """Records were delivered."""
    WAITING = "waiting"
    """They are on their way."""
    STALLED = "stalled"
    """They were refused for now, or the disk can't be used."""
    EMPTY = "empty"
    """Nothing waits any more."""


class Forwarding:
    """Sends one spill's records to the cluster, in order. For one thread.

    Args:
        spill: owned by this process.
        sender: used by nobody else meanwhile.
        run: what is being sent already, if anything is.
        delivery: how far that is.
    """

    def __init__(
        self,
        spill: Spill,
        sender: Sender,
        run: SpilledRun | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        self.spill = spill
        self.forwarded = 0
        self.error = ""
        self._sender = sender
        self._run = run
        self._delivery = delivery

    def step(self, timeout_s: float = _STEP_S) -> Progress:
        """Send the next run, or wait for the one that is on its way. Blocks for about ``timeout_s``."""
        try:
            return self._step(timeout_s)
        except LogMovedError as error:  # The file was malformed, and set aside: what was in it is reported.
            _logger.warning("%s", error)
            self._run = self._delivery = None
            return Progress.STALLED
        except LogError as error:
            self.error = str(error)
            return Progress.STALLED

    def _step(self, timeout_s: float) -> Progress:
        if self._run is None:
            self._run = self.spill.take()
            if self._run is None:
                return Progress.EMPTY
        if self._delivery is None:
            records = self._run.records
            repeated = next((record for record in records if record.may_repeat), None)
            if repeated is not None and not self._sender.has_settled(repeated.topic):
                time.sleep(min(timeout_s, 0.1))
                return Progress.WAITING
            self._delivery = self._sender.send(records)
        elif self._delivery.is_stalled:
            self._sender.retry(self._delivery)
        if self._sender.wait(self._delivery, timeout_s):
            self.spill.done(self._run)
            self.forwarded += len(self._run.records)
            self._run = self._delivery = None
            return Progress.MOVED
        if self._delivery.is_stalled:
            self.error = self._delivery.error
            return Progress.STALLED
        return Progress.WAITING


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What became of the spills under a root.

    Args:
        records: how many were forwarded.
        owned: folders that living processes forward themselves.
        left: folders that are still to be forwarded, since it was stopped before.
        error: why, as far as it is known.
    """

    records: int
    owned: list[Path]
    left: list[Path]
    error: str = ""


def has_orphans(settings: KafkaSettings) -> bool:
    """Return whether there are spills whose owner is gone."""
    found = spill_settings(settings)
    for folder in spill_folders(found.root) if found else ():
        spill = _adopted(found, folder) if found else None
        if spill is not None:
            spill.close()
            return True
    return False


def forward_orphans(settings: KafkaSettings, stop: threading.Event) -> Forwarded:
    """Forward the spills of processes that are gone, one by one, until ``stop`` is set.

    While the cluster is away, waits for it.
    """
    found = spill_settings(settings)
    if found is None:
        return Forwarded(0, [], [])
    sweep(found.root)
    sender = open_sender(settings)
    records = 0
    error = ""
    owned: list[Path] = []
    left: list[Path] = []
    try:
        for folder in spill_folders(found.root):
            spill = None if stop.is_set() else _adopted(found, folder)
            if spill is None:
                (left if stop.is_set() else owned).append(folder)
                continue
            forwarding = Forwarding(spill, sender)
            values, context = (folder, spill.waiting()), {"folder": str(folder)}
            _logger.info("%s: its process is gone; %d records are forwarded", *values, extra=context)
            try:
                if not _run_until_empty(forwarding, stop):
                    left.append(folder)
                    error = forwarding.error
            finally:
                records += forwarding.forwarded
                spill.close()
    finally:
        sender.close()
    return Forwarded(records, [folder for folder in owned if folder.exists()], left, error)


def open_sender(settings: KafkaSettings) -> Sender:
    """Return a sender, with the schema registry if there is one."""
    return Sender(settings, open_registry(settings))


def open_registry(settings: KafkaSettings) -> Registry | None:
    """Return the schema registry, which is asked when it is needed; None: there is none."""
    if not settings.registry:
        return None
    return Registry(settings.registry, settings.registry_options, topic_prefix=settings.topic_prefix)


def spill_settings(settings: KafkaSettings) -> SpillSettings | None:
    """Return where records may wait; None: nowhere."""
    if settings.spill is None:
        return None
    return SpillSettings(settings.spill, settings.spill_bytes, settings.spill_age_s)


def _adopted(settings: SpillSettings, folder: Path) -> Spill | None:
    try:
        return Spill.adopt(settings, folder)
    except LogError as error:
        _logger.warning("%s", error)
        return None


def _run_until_empty(forwarding: Forwarding, stop: threading.Event) -> bool:
    """Forward until nothing is left; return False if ``stop`` was set before."""
    pause_s = _FIRST_PAUSE_S
    while not stop.is_set():
        progress = forwarding.step()
        if progress is Progress.EMPTY:
            return True
        if progress is Progress.MOVED:
            pause_s = _FIRST_PAUSE_S
        elif progress is Progress.STALLED:
            folder = forwarding.spill.folder
            context = {"folder": str(folder)}
            _logger.warning("%s: forwarding waits: %s", folder, forwarding.error, extra=context)
            stop.wait(pause_s)
            pause_s = min(_LAST_PAUSE_S, pause_s * 2)
    return False
