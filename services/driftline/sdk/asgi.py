"""A middleware for every ASGI framework, FastAPI, Starlette and Litestar among them; none is imported."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from driftline.sdk.request import RequestContext, current_request, trace_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST_ID_HEADER: Final = "x-request-id"
_TRACEPARENT = b"traceparent"


class DriftlineMiddleware:
    """Gives each prediction that is logged within a request its latency, trace id and request id.

    Predictions are logged as before, by ``log``, ``log_batch`` or a model that was wrapped. The latency is
    the time from when the request came in here to when the prediction was logged. Bodies, streams, what is
    sent and what is raised go by untouched, and so do websockets and the lifespan.

    Args:
        app: the application.
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
        self._request_id = request_id_header.lower().encode()
        self._tags = tags
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token = current_request.set(self._context(scope))
        try:
            await self.app(scope, receive, send)
        finally:
            current_request.reset(token)

    def _context(self, scope: Scope) -> RequestContext:
        request_id = trace_id = None
        for name, value in scope.get("headers") or ():
            if name == _TRACEPARENT:
                trace_id = trace_of(value.decode("latin-1"))
            elif name == self._request_id:
                request_id = value.decode("latin-1") or None
        return RequestContext(
            request_id=request_id, trace_id=trace_id, tags=self._tags, monotonic=self._monotonic
        )
