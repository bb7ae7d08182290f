"""One client of the soak: logs predictions at a steady rate until it is asked to end, and keeps a journal.

The journal is what the books are compared with: a line every quarter of a second, with what the session had
accepted and what the log had taken by then; a last one when it ended in order.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

from driftline import PredictionLogger

TICK_S = 0.02
_JOURNAL_S = 0.25
_CLOSE_S = 60.0
_CITIES = ("Ankara", "Bergen", "Cork", "Dakar")


def event(number: int) -> dict[str, Any]:
    """Return the arguments of ``log`` for one event: six numbers, two categories, a null now and then."""
    return {
        "features": {
            "amount": (number % 97) * 1.5 - 3.5,
            "age": None if number % 11 == 0 else float(number % 61),
            "distance": float(number * 7919 % 1009),
            "speed": float("nan") if number % 13 == 0 else (number % 31) / 7,
            "load": (number * 31 % 256) / 255,
            "humidity": float(number % 100),
            "city": _CITIES[number % 4],
            "colour": None if number % 5 == 0 else f"c{number % 40}",
        },
        "prediction": (number % 1000) / 1000,
        "label": "yes" if number % 4 == 0 else "no",
    }


def main() -> None:
    """Log until SIGTERM, then close and say how it ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--journal", type=Path, required=True)
    options = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    logger = PredictionLogger(
        model_name="soak",
        model_version=options.version,
        training_run_id=f"run-{options.version}",
        log=options.log,
        heartbeat_interval_s=1.0,
        queue_bytes=32 << 20,
    )
    with options.journal.open("a", encoding="utf-8") as journal:

        def note(*, is_final: bool) -> None:
            stats = logger.stats()
            line = {
                "session": logger.session_id,
                "accepted": stats.accepted,
                "appended": stats.appended,
                "dropped": dict(stats.dropped),
                "abandoned": dict(stats.abandoned),
                "final": is_final,
            }
            journal.write(json.dumps(line) + "\n")
            journal.flush()

        _log_steadily(logger, options.rate, stop, lambda: note(is_final=False))
        logger.close(timeout=_CLOSE_S)
        note(is_final=True)


def _log_steadily(logger: PredictionLogger, rate: float, stop: threading.Event, note: Any) -> None:
    began_s = time.monotonic()
    next_note_s = began_s
    number = 0
    while not stop.is_set():
        now_s = time.monotonic()
        behind = int((now_s - began_s) * rate) - number
        if behind > rate:  # It was stopped for a while: the load is steady, not made up for.
            began_s, behind = now_s - number / rate, 0
        for _ in range(behind):
            event_id = logger.log(**event(number))
            if number % 10 == 0 and event_id is not None:
                logger.log_outcome(event_id, actual=float(number % 2))
            number += 1
        if now_s >= next_note_s:
            note()
            next_note_s = now_s + _JOURNAL_S
        stop.wait(TICK_S)


if __name__ == "__main__":
    main()
