"""Records that no lander can land, of every kind, each counted once the log has taken it."""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING

from driftline.errors import LogError
from driftline.log import Record, open_log
from driftline.wire import (
    OUTCOMES_TOPIC,
    PREDICTION,
    PREDICTIONS_TOPIC,
    SESSION,
    encode_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_TICK_S = 0.5


def _prediction(run: str = "r") -> bytes:
    names = {"model_name": "poison", "model_version": "1", "training_run_id": run, "session_id": "nobody"}
    own = {
        "event_id": str(uuid.uuid4()),
        "event_time": 1_769_860_800_000_000,
        "sequence": 1,
        "environment": "production",
    }
    return encode_record(PREDICTION, {**names, **own})


def _heartbeat() -> bytes:
    names = {
        "session_id": "nobody",
        "model_name": "poison",
        "model_version": "1",
        "environment": "production",
    }
    return encode_record(SESSION, {**names, "beat_time": 1, "last_sequence": 0, "last_outcome_sequence": 0})


KINDS: dict[str, Callable[[], Record]] = {
    "no frame": lambda: Record(PREDICTIONS_TOPIC, os.urandom(8), b"x" + os.urandom(60)),
    "no bytes": lambda: Record(PREDICTIONS_TOPIC, os.urandom(8), b""),
    "unknown schema": lambda: Record(PREDICTIONS_TOPIC, os.urandom(8), b"\xc3\x01" + bytes(8) + b"abc"),
    "cut short": lambda: Record(PREDICTIONS_TOPIC, os.urandom(8), _prediction()[:-9]),
    "no training run": lambda: Record(PREDICTIONS_TOPIC, os.urandom(8), _prediction(run="")),
    "another event": lambda: Record(PREDICTIONS_TOPIC, os.urandom(8), _heartbeat()),
    "garbage among outcomes": lambda: Record(OUTCOMES_TOPIC, os.urandom(8), b"\xc3" + os.urandom(30)),
}


class Poison:
    """Appends poison at a steady rate, on a thread.

    Args:
        log_url: where to.
        rate: records a second.
        seed: of the choice among kinds.
    """

    def __init__(self, log_url: str, rate: float, seed: int) -> None:
        self.appended: Counter[str] = Counter()
        self._log = open_log(log_url)
        self._rate = rate
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poison", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        writer = self._log.writer()
        while not self._stop.wait(_TICK_S):
            kinds = self._random.choices(list(KINDS), k=max(1, round(self._rate * _TICK_S)))
            records = [KINDS[kind]() for kind in kinds]
            while True:
                try:
                    writer.append(records)
                    break
                except LogError:  # The broker is away and the disk is full: the same records, once more.
                    time.sleep(_TICK_S)
            self.appended.update(kinds)
        writer.close()

    def stop(self) -> None:
        """Append no more; returns when all of it is in the log or in the spill."""
        self._stop.set()
        self._thread.join()
        self._log.close()
