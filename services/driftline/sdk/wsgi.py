"""A middleware for every WSGI framework, Flask and Django among them; none is imported."""

from __future__ import annotations

import time
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Self

from driftline.sdk.asgi import REQUEST_ID_HEADER
from driftline.sdk.request import RequestContext, current_request, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextvars import Context

    App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class DriftlineWSGIMiddleware:
    """Gives each prediction that is logged within a request its latency, trace id and request id.

    As ``DriftlineMiddleware``. An answer that is streamed is made within the request, too, piece by piece,
    and closed as the server closes it.

    Args:
        app: the application; of Flask ``app.wsgi_app``.
        request_id_header: header that holds the request's id, as a proxy in front sets it.
        tags: segments of all predictions.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        app: App,
        *,
        request_id_header: str = REQUEST_ID_HEADER,
        tags: Mapping[str, Any] | None = None,
        monotonic: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.app = app
        self._request_id = f"HTTP_{request_id_header.upper().replace('-', '_')}"
        self._tags = tags
        self._monotonic = monotonic

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Return the application's answer."""
        context = copy_context()
        context.run(current_request.set, self._context(environ))
        answer = context.run(self.app, environ, start_response)
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(answer, (list, tuple)) or (isinstance(wrapper, type) and isinstance(answer, wrapper)):
            return answer  # It is all there; servers send it at once, or let the system do it.
        return _Pieces(context, answer)

    def _context(self, environ: Mapping[str, Any]) -> RequestContext:
        return RequestContext(
            request_id=environ.get(self._request_id) or None,
            trace_id=trace_of(environ.get("HTTP_TRACEPARENT", "")),
            tags=self._tags,
            monotonic=self._monotonic,
        )


class _Pieces:
    """An answer whose pieces are made within the request, whenever the server asks for them.

    Args:
        context: of the request.
        answer: of the application.
    """

    def __init__(self, context: Context, answer: Iterable[bytes]) -> None:
        self._context = context
        self._answer = answer
        self._pieces: Iterator[bytes] | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._pieces is None:
            self._pieces = self._context.run(iter, self._answer)
        return self._context.run(next, self._pieces)

    def close(self) -> None:
        """Close what the application answered with."""
        close = getattr(self._answer, "close", None)
        if close is not None:
            self._context.run(close)
