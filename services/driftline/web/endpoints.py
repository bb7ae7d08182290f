"""The endpoints behind each address."""

from __future__ import annotations

import hashlib
import logging
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import HTMLResponse, Response

from driftline.web.pages import PAGES, PageRequest, incident_content
from driftline.web.render import SCRIPT, STYLE, Renderer
from driftline.web.runbooks import runbook_folder
from driftline.web.ticket import write_ticket
from driftline.web.views.incident import view_incident

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from driftline.metrics import Metrics
    from driftline.store import Store
    from driftline.web.acting import Forms
    from driftline.web.pages import Page

_logger = logging.getLogger(__name__)

# Pages show names that came from outside: nothing in them may run as a script or load anything. The one
# script is a file of ours.
_POLICY = "Content-Security-Policy"
_HEADERS = {
    _POLICY: "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_SUBMITTING = {_POLICY: _HEADERS[_POLICY].replace("form-action 'none'", "form-action 'self'")}
# Of a page without a referrer a browser does not say where its form comes from, not even to its own host.
_ACTING = {**_SUBMITTING, "Referrer-Policy": "same-origin"}
# Of files whose address names their version.
_FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}

REFRESH_S = 15
"""So often a page that is open asks for what its content is by then, where its content moves."""


class Endpoints:
    """The endpoints. They are plain functions, so that each runs in a thread and may wait for the store.

    Args:
        store: what the pages show. Each request has a connection of its own.
        metrics: of this process.
        clock: the time in seconds since the Unix epoch; only for ages.
        forms: for acknowledging incidents; None: the pages only show.
    """

    def __init__(
        self, store: Store, metrics: Metrics, clock: Callable[[], float], forms: Forms | None = None
    ) -> None:
        self._store = store
        self._forms = forms
        self._metrics = metrics
        self._style, self._script = STYLE.read_bytes(), SCRIPT.read_bytes()
        self._runbooks = runbook_folder()
        self._renderer = Renderer(
            clock=clock,
            style_version=_version(self._style),
            script_version=_version(self._script),
            links=[(page.label, page.address()) for page in PAGES if page.label],
        )

    def page(self, page: Page) -> Callable[[Request], Response]:
        """Return the endpoint of a page."""

        def answer(request: Request) -> Response:
            with ExitStack() as stack:
                connection = cache(lambda: stack.enter_context(self._store.connect(patient=True)))
                wanted = PageRequest(
                    request.path_params["names"],
                    request.query_params,
                    connection,
                    self._runbooks,
                    request.headers,
                    self._forms,
                )
                shown = page.show(wanted)
            refresh_s = REFRESH_S if page.moves else 0
            response = self._render(
                f"{page.name}.html", status=shown.status, refresh_s=refresh_s, **shown.values
            )
            if page.submits or shown.acts:
                response.headers.update(_ACTING if shown.acts else _SUBMITTING)
            return response

        return answer

    def form_again(self, request: Request, fields: Mapping[str, str], why: str, status: int) -> Response:
        """Show an incident's page with its form as it was filled in, and why it was not taken."""
        with self._store.connect(patient=True) as connection:
            view = view_incident(connection, request.path_params["names"][0])
        form = self._forms.returned(view.known, request.headers, fields, why) if self._forms else None
        shown = incident_content(view, form)
        response = self._render("incident.html", status=status, **shown.values)
        response.headers.update(_ACTING)
        return response

    def ticket(self, request: Request) -> Response:
        """An incident in Markdown, for a ticket."""
        with self._store.connect(patient=True) as connection:
            view = view_incident(connection, request.path_params["names"][0])
        text = write_ticket(view, str(request.base_url).rstrip("/"))
        return Response(text, media_type="text/markdown", headers=_HEADERS)

    def refused(self, status: int, title: str, message: str) -> Response:
        """Answer what is not done."""
        return self._render("error.html", status=status, title=title, message=message)

    def metrics(self, request: Request) -> Response:
        """The process's metrics, for Prometheus."""
        del request
        return Response(self._metrics.expose(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def style(self, request: Request) -> Response:
        """The style sheet."""
        del request
        return Response(self._style, media_type="text/css", headers=_FOR_GOOD)

    def script(self, request: Request) -> Response:
        """The pages' script."""
        del request
        return Response(self._script, media_type="text/javascript", headers=_FOR_GOOD)

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


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
