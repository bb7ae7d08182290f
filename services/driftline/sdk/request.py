"""What is known of the request that is being answered: whatever is logged within it has that, too.

A request is a context of ``contextvars``: tasks and threads that an ASGI framework starts for it inherit it.
"""

from __future__ import annotations

import re
import sys
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

MOST_EVENT_IDS: Final = 10_000
"""So many ids of what was logged does a request remember: one that streams for days logs without end."""

_traceparent = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
).fullmatch


class RequestContext:
    """One request, or another piece of work, within which predictions are logged.

    Args:
        request_id: of the request; None: not known.
        trace_id: W3C trace id; None: that of OpenTelemetry's current span, where there is one.
        entity_id: what all of its predictions are about; None: not known.
        tags: segments of all of its predictions.
        monotonic: a clock in seconds; the request begins when this is made.
    """

    __slots__ = ("_began_s", "_event_ids", "_monotonic", "_tags", "entity_id", "request_id", "trace_id")

    def __init__(
        self,
        *,
        request_id: Any = None,
        trace_id: Any = None,
        entity_id: Any = None,
        tags: Mapping[str, Any] | None = None,
        monotonic: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.request_id = request_id
        self.trace_id = trace_id
        self.entity_id = entity_id
        self._tags = tags
        self._monotonic = monotonic
        self._began_s = monotonic()
        self._event_ids: list[str] = []

    @property
    def event_ids(self) -> Sequence[str]:
        """The ids of the predictions that were logged so far, in their order; of the first 10,000."""
        return tuple(self._event_ids)

    @property
    def latency_us(self) -> float:
        """How long ago the request began, microseconds."""
        return (self._monotonic() - self._began_s) * 1e6

    def note(self, event_ids: Iterable[str | None]) -> None:
        """Note predictions that were logged within the request; None: one that was dropped."""
        room = MOST_EVENT_IDS - len(self._event_ids)
        self._event_ids += [event_id for event_id in event_ids if event_id is not None][:room]

    def noted(self, event_id: str) -> str:
        """Note a prediction that was logged within the request, and return its id."""
        self.note([event_id])
        return event_id

    def completed(
        self, entity_id: Any, request_id: Any, trace_id: Any, tags: Any, latency_us: Any
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Return these arguments of ``log``, those that were not given by what is known of the request."""
        own = self.values()
        return (
            own["entity_id"] if entity_id is None else entity_id,
            own["request_id"] if request_id is None else request_id,
            own["trace_id"] if trace_id is None else trace_id,
            self.merged(tags),
            own["latency_us"] if latency_us is None else latency_us,
        )

    def values(self) -> dict[str, Any]:
        """Return what is known by now, by the name of the argument of ``log``; None: not known."""
        return {
            "entity_id": self.entity_id,
            "request_id": self.request_id,
            "trace_id": _open_trace() if self.trace_id is None else self.trace_id,
            "latency_us": self.latency_us,
        }

    def merged(self, tags: Any) -> Any:
        """Return the request's tags and those given, which win."""
        if not self._tags or not hasattr(type(tags), "items"):
            return self._tags if tags is None and self._tags else tags
        return dict(chain(self._tags.items(), tags.items()))


current_request: Final[ContextVar[RequestContext | None]] = ContextVar("driftline_request", default=None)
"""The request that is being answered; None: there is none."""


@contextmanager
def request_context(
    *,
    request_id: Any = None,
    trace_id: Any = None,
    entity_id: Any = None,
    tags: Mapping[str, Any] | None = None,
) -> Iterator[RequestContext]:
    """Have whatever is logged within the block know to what it belongs; yields that.

    For tasks, consumers and servers that no middleware of driftline serves. What is given to ``log`` itself
    wins. A block within another one knows nothing of it.

    Args:
        request_id: of the request, the task or the message.
        trace_id: W3C trace id: 32 hexadecimal digits, or a whole ``traceparent``.
        entity_id: what all predictions within are about.
        tags: segments of all predictions within.
    """
    trace = trace_of(trace_id) or trace_id if isinstance(trace_id, str) else trace_id
    request = RequestContext(request_id=request_id, trace_id=trace, entity_id=entity_id, tags=tags)
    token = current_request.set(request)
    try:
        yield request
    finally:
        current_request.reset(token)


def trace_of(traceparent: str) -> str | None:
    """Return the trace id of a W3C ``traceparent``; None: it is none, or says that nothing is traced."""
    found = _traceparent(traceparent.strip())
    return found[1] if found else None


def note_logged(event_ids: list[str | None]) -> list[str | None]:
    """Note predictions in the current request, if there is one, and return their ids."""
    request = current_request.get()
    if request is not None:
        request.note(event_ids)
    return event_ids


def _open_trace() -> int | None:
    """Return the trace id of OpenTelemetry's current span; None: there is none, or nobody imported it."""
    api = sys.modules.get("opentelemetry.trace")
    with suppress(Exception):  # Whatever it does, the prediction is logged.
        return (api and api.get_current_span().get_span_context().trace_id) or None
    return None
