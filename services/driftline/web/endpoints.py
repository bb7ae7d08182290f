"""The endpoints behind each address."""

from __future__ import annotations

import hashlib
import logging
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import HTMLResponse, Response

from driftline.web.pages import PAGES, PageRequest
from driftline.web.render import STYLE, Renderer
from driftline.web.runbooks import runbook_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from driftline.metrics import Metrics
    from driftline.store import Store
    from driftline.web.pages import Page

_logger = logging.getLogger(__name__)

# Pages show names that came from outside: nothing in them may run as a script or load anything.
_POLICY = "Content-Security-Policy"
_HEADERS = {
    _POLICY: "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_SUBMITTING = {_POLICY: _HEADERS[_POLICY].replace("form-action 'none'", "form-action 'self'")}


class Endpoints:
    """The endpoints. They are plain functions, so that each runs in a thread and may wait for the store.

    Args:
        store: what the pages show. Each request has a connection of its own.
        metrics: of this process.
        clock: the time in seconds since the Unix epoch; only for ages.
    """

    def __init__(self, store: Store, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._store = store
        self._metrics = metrics
        self._style = STYLE.read_bytes()
        self._runbooks = runbook_folder()
        self._renderer = Renderer(
            clock=clock,
            style_version=hashlib.sha256(self._style).hexdigest()[:12],
            links=[(page.label, page.address()) for page in PAGES if page.label],
        )

    def page(self, page: Page) -> Callable[[Request], Response]:
        """Return the endpoint of a page."""

        def answer(request: Request) -> Response:
            with ExitStack() as stack:
                connection = cache(lambda: stack.enter_context(self._store.connect(patient=True)))
                wanted = PageRequest(
                    request.path_params["names"], request.query_params, connection, self._runbooks
                )
                shown = page.show(wanted)
            response = self._render(f"{page.name}.html", status=shown.status, **shown.values)
            if page.submits:
                response.headers.update(_SUBMITTING)
            return response

        return answer

    def metrics(self, request: Request) -> Response:
        """The process's metrics, for Prometheus."""
        del request
        return Response(self._metrics.expose(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def style(self, request: Request) -> Response:
        """The style sheet; its address names its version, so that it can be kept for good."""
        del request
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(self._style, media_type="text/css", headers=headers)

    def no_page(self, request: Request, error: Exception) -> Response:
        """Answer an address that no route has."""
        del request, error
        return self._render("error.html", status=404, title="Not found", message="there is no such page")

    def not_found(self, request: Request, error: Exception) -> Response:
        """Answer for a model or feature that the store does not know."""
        del request
        return self._render("error.html", status=404, title="Not found", message=str(error))

    def store_unavailable(self, request: Request, error: Exception) -> Response:
        """Answer while the store is unavailable."""
        _logger.warning("%s could not be shown: %s", request.url.path, error)
        return self._render(
            "error.html", status=503, title="The store does not answer", message=str(error).partition("\n")[0]
        )

    def failed(self, request: Request, error: Exception) -> Response:
        """Answer after an internal error; the server logs the error itself."""
        del request, error
        message = "this page failed; the log of this process says why"
        return self._render("error.html", status=500, title="Failed", message=message)

    def _render(self, template: str, *, status: int = 200, **values: object) -> Response:
        return HTMLResponse(self._renderer.render(template, **values), status_code=status, headers=_HEADERS)
