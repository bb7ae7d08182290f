"""The web application: routes, and what happens when something is not there."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from driftline.errors import DriftlineError, NotFoundError
from driftline.health import Health
from driftline.store.ready import check_store
from driftline.web.addresses import parse_path
from driftline.web.period import parse_days
from driftline.web.render import Renderer
from driftline.web.views.feature import view_feature
from driftline.web.views.models import Choice, view_model, view_models
from driftline.web.words import parse_iso

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from driftline.metrics import Metrics
    from driftline.store import Store

_logger = logging.getLogger(__name__)

_STYLE = Path(__file__).parent / "templates" / "style.css"
_REFERENCES = ("production", "training")

# Pages carry names that came from outside: whatever they hold, nothing of it may run or load.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def create_app(
    store: Store, metrics: Metrics, *, clock: Callable[[], float], health: Health | None = None
) -> Starlette:
    """Return the web pages of a store, with `/metrics`, `/healthz` and `/readyz`.

    Args:
        store: what is shown. Each request has a client of its own.
        metrics: of this process.
        clock: the time in seconds since the Unix epoch; it only tells how old the newest window is.
        health: of this process; default: it is ready while the store is.
    """
    pages = _Pages(store, metrics, clock)
    return Starlette(
        routes=[
            Route("/", pages.models),
            Route("/models/{rest:path}", pages.model),
            Route("/metrics", pages.metrics),
            *(health or store_health(store)).routes(),
            Route("/style.css", pages.style),
        ],
        exception_handlers={
            404: pages.no_page,
            NotFoundError: pages.not_found,
            DriftlineError: pages.store_away,
            ClickHouseError: pages.store_away,
            Exception: pages.failed,
        },
    )


def store_health(store: Store) -> Health:
    """Return the health of a process that needs nothing but a store."""
    return Health(ready={"store": lambda: check_store(store)})


class _Pages:
    """The endpoints. They are plain functions, so that each runs in a thread and may wait for the store."""

    def __init__(self, store: Store, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._store = store
        self._metrics = metrics
        style = _STYLE.read_bytes()
        self._style = style
        self._renderer = Renderer(clock=clock, style_version=hashlib.sha256(style).hexdigest()[:12])

    def models(self, request: Request) -> Response:
        """All models, those that drifted first."""
        choice = _choice(request)
        client = self._store.client()
        try:
            views = view_models(client, choice)
        finally:
            client.close()
        return self._page("models.html", views=views, choice=choice)

    def model(self, request: Request) -> Response:
        """One model, or one of its features."""
        address = parse_path(request.scope["raw_path"].decode("ascii"))
        if address is None:
            raise NotFoundError("there is no such page")
        choice = _choice(request)
        client = self._store.client()
        try:
            if address.feature is None:
                view, versions = view_model(client, address.model, choice)
                return self._page("model.html", view=view, versions=versions, choice=choice)
            at = parse_iso(request.query_params.get("at", ""))
            feature = view_feature(client, address.model, address.feature, choice, at=at)
            return self._page("feature.html", view=feature, choice=choice)
        finally:
            client.close()

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
        return self._page("error.html", status=404, title="Not found", message="there is no such page")

    def not_found(self, request: Request, error: Exception) -> Response:
        """Answer for a model or feature that the store does not know."""
        del request
        return self._page("error.html", status=404, title="Not found", message=str(error))

    def store_away(self, request: Request, error: Exception) -> Response:
        """Answer while the store does not."""
        _logger.warning("%s could not be shown: %s", request.url.path, error)
        return self._page(
            "error.html", status=503, title="The store does not answer", message=str(error).partition("\n")[0]
        )

    def failed(self, request: Request, error: Exception) -> Response:
        """Answer where we are at fault; the server logs the error itself."""
        del request, error
        message = "this page failed; the log of this process says why"
        return self._page("error.html", status=500, title="Failed", message=message)

    def _page(self, template: str, *, status: int = 200, **values: object) -> Response:
        return HTMLResponse(self._renderer.render(template, **values), status_code=status, headers=_HEADERS)


def _choice(request: Request) -> Choice:
    query = request.query_params
    reference = query.get("reference", "production")
    return Choice(
        days=parse_days(query.get("days")),
        version=query.get("version"),
        environment=query.get("environment"),
        reference=reference if reference in _REFERENCES else "production",
    )
