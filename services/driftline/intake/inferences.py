"""What an inference server logged of a request and its response, as predictions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from driftline.domain.streams import PRODUCTION
from driftline.errors import DriftlineError, WireError
from driftline.intake.items import Stream, own_event_id
from driftline.intake.payloads import request_rows, response_rows
from driftline.registry.client import Registry
from driftline.sdk.logger import PredictionLogger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.intake.pairs import Pair
    from driftline.log import EventLog

UNKNOWN: Final = "unknown"
"""The training run of a version that nobody registered."""

_MOST_LOGGERS = 256
_LOOK_S = 30.0
_CLOSE_S = 5.0
_ENDPOINTS: Mapping[str, str] = MappingProxyType({"": PRODUCTION, "default": PRODUCTION, "canary": "canary"})


@dataclass(frozen=True, slots=True)
class Address:
    """What the address that a server logs to says of its model, beside what the server says.

    Args:
        model_name: empty: the inference service's name.
        model_version: empty: what the response says.
        training_run_id: empty: the one that registered the version.
        environment: empty: what the endpoint says.
        features: names of columns that have none.
        classes: names of columns of probabilities that have none.
    """

    model_name: str = ""
    model_version: str = ""
    training_run_id: str = ""
    environment: str = ""
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


def predictions_of(pair: Pair, address: Address) -> Sequence[Mapping[str, Any]]:
    """Return the arguments of ``log`` for each row of a request and its response.

    Raises:
        WireError: ``payload``: they are of no protocol that is known, or differ in their rows.
    """
    rows = request_rows(pair.request.body, address.features)
    answers = response_rows(pair.response.body, address.classes)
    if len(rows) != len(answers):
        raise WireError("payload", f"{len(rows)} rows, and answers for {len(answers)}")
    first = pair.request
    return [
        {
            "features": row,
            **answer,
            "request_id": first.request_id,
            "trace_id": first.trace_id or pair.response.trace_id,
            "event_time": first.time,
            "event_id": own_event_id(address.model_name or first.model_name, f"{first.key}/{place}"),
        }
        for place, (row, answer) in enumerate(zip(rows, answers, strict=True))
    ]


class Inferences:
    """Logs predictions of whatever models there are. Safe to use from several threads.

    Args:
        log: where to.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        monotonic: a clock in seconds.
    """

    def __init__(self, log: EventLog, *, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._loggers: OrderedDict[Stream, PredictionLogger] = OrderedDict()
        self._registry = Registry(log)
        self._runs: Mapping[tuple[str, str], str] = {}
        self._look_at_s = float("-inf")

    def log(self, pair: Pair, address: Address) -> int:
        """Log what a request was answered with; return how many predictions were accepted.

        Raises:
            DriftlineError: it can't be understood, its version is not known, or may not be logged.
        """
        arguments = predictions_of(pair, address)
        logger = self._logger(self._stream(pair, address))
        return sum(logger.log(**each) is not None for each in arguments)

    def _stream(self, pair: Pair, address: Address) -> Stream:
        body = pair.response.body
        own = body.get("model_version") if isinstance(body, Mapping) else None
        model_name, version = address.model_name or pair.request.model_name, address.model_version or own
        if not version or not isinstance(version, str):
            raise WireError("no_version", f"{model_name}: give model_version in the logger's address")
        run = address.training_run_id or self._run_of(model_name, version)
        environment = address.environment or _ENDPOINTS.get(pair.request.endpoint, pair.request.endpoint)
        return Stream(model_name, version, run, environment)

    def _run_of(self, model_name: str, version: str) -> str:
        """Return the run that registered a version."""
        with self._lock:
            if self._monotonic() >= self._look_at_s:
                self._look_at_s = self._monotonic() + _LOOK_S
                try:
                    states = self._registry.read()
                except DriftlineError:
                    states = {}  # What is known already stands, until the log can be read.
                known = {
                    (name, version.name): version.training_run_id
                    for name, state in states.items()
                    for version in state.versions.values()
                }
                self._runs = {**self._runs, **known}
            return self._runs.get((model_name, version), UNKNOWN)

    def _logger(self, stream: Stream) -> PredictionLogger:
        with self._lock:
            logger = self._loggers.get(stream)
            if logger is None:
                logger = self._loggers[stream] = PredictionLogger(
                    model_name=stream.model_name,
                    model_version=stream.model_version,
                    training_run_id=stream.training_run_id,
                    environment=stream.environment,
                    log=self._log,
                    clock=self._clock,
                )
            self._loggers.move_to_end(stream)
            left = self._loggers.popitem(last=False)[1] if len(self._loggers) > _MOST_LOGGERS else None
        if left is not None:
            left.close(_CLOSE_S)
        return logger

    def close(self) -> None:
        """Append what is left. Blocks."""
        with self._lock:
            loggers = list(self._loggers.values())
            self._loggers.clear()
        for logger in loggers:
            logger.close(_CLOSE_S)
        self._registry.close()
