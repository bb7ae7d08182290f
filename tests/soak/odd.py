"""Events that are all right to send, and odd: each kind by a session of its own, and none of them is lost.

Their model names and times are nobody's idea of sensible; that must cost neither them nor the other models.
"""

from __future__ import annotations

import enum
import random
import threading
import time
import uuid
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from driftline import PredictionLogger
from driftline.log import open_log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TICK_S = 0.25
_CLOSE_S = 120.0
_DAY_S = 86_400.0


class _Colour(enum.Enum):
    RED = 1


def _at(time_s: float) -> dict[str, Any]:
    return {"features": {"amount": 1.0}, "event_time": time_s}


def _now() -> float:
    return time.time()


KINDS: Mapping[str, Callable[[int], dict[str, Any]]] = MappingProxyType(
    {
        "60 days ahead": lambda number: _at(_now() + 60 * _DAY_S + number),
        "in 2099": lambda number: _at(datetime(2099, 12, 31, tzinfo=UTC).timestamp() - number),
        "epoch zero": lambda _number: _at(0.0),
        "in January 1970": lambda number: _at(_DAY_S * (number % 30) + 1.0),
        "five years ago": lambda number: _at(_now() - 5 * 365 * _DAY_S + number),
        "names of ours": lambda number: {
            "features": {name: float(number) for name in ("prediction", "prediction.number", "(joint)", "")},
            "prediction": 0.5,
        },
        "names with controls": lambda number: {
            "features": {"a\nb": 1.0, "\x1b[31m": float(number), "\u202eabc": "x", "quote'\"`\\": 2.0},
            "tags": {"region\n": "a=b", "": "empty"},
        },
        "types that change": lambda number: {"features": {"amount": float(number) if number % 2 else "many"}},
        "values of every type": lambda number: {
            "features": {
                "when": datetime.now(UTC),
                "day": date(2026, 1, 31),
                "took": timedelta(seconds=number),
                "money": Decimal("0.1"),
                "id": uuid.UUID(int=number),
                "hash": 2**63 + number,
                "colour": _Colour.RED,
                "list": [1, 2, number],
                "none": None,
                "nan": float("nan"),
                "huge": 10**400,
            }
        },
    }
)
MODELS = MappingProxyType({kind: f"odd {kind}\n\u202e'\"{{}}%2F/" for kind in KINDS})
"""The name of each kind's model: names are as odd as the rest."""


class Odd:
    """Logs odd events at a steady rate, on a thread.

    Args:
        log_url: where to.
        rate: events a second, of all kinds together.
        seed: of the choice among kinds.
    """

    def __init__(self, log_url: str, rate: float, seed: int) -> None:
        self.accepted: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._rate = rate
        self._log = open_log(log_url)
        self._loggers = {
            kind: PredictionLogger(
                model_name=MODELS[kind],
                model_version="1",
                training_run_id="odd",
                log=self._log,
                heartbeat_interval_s=1.0,
            )
            for kind in KINDS
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="odd", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(_TICK_S):
            for kind in self._random.choices(list(KINDS), k=max(1, round(self._rate * _TICK_S))):
                number += 1
                self._loggers[kind].log(**KINDS[kind](number))

    def stop(self) -> None:
        """Log no more; returns when the log has taken all of it, and `accepted` says how many of each."""
        self._stop.set()
        self._thread.join()
        for kind, logger in self._loggers.items():
            logger.close(timeout=_CLOSE_S)
            stats = logger.stats()
            self.accepted[kind] = stats.accepted + sum(stats.dropped.values())
        self._log.close()
