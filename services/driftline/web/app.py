"""The web application: its routes, and the answers for what is not found or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import Match, Route

from driftline.errors import DriftlineError, NotFoundError
from driftline.health import Health
from driftline.store.ready import check_store
from driftline.web.access import AccessLog
from driftline.web.endpoints import Endpoints
from driftline.web.gate import Gate
from driftline.web.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Scope

    from driftline.metrics import Metrics
    from driftline.store import Store
    from driftline.web.pages import Page


class PageRoute(Route):
    """The route of a page. It matches the raw address, in which a quoted slash does not separate segments.

    Args:
        page: which page.
        endpoint: what answers a request.
    """

    def __init__(self, page: Page, endpoint: Callable[..., Any]) -> None:
        super().__init__(page.address.pattern, endpoint, name=page.name)
        self._address = page.address

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a request is for this page, with the names in its address."""
        is_http = scope["type"] == "http"
        names = self._address.names(scope["raw_path"].decode("ascii")) if is_http else None
        if names is None:
            return Match.NONE, {}
        is_allowed = not self.methods or scope["method"] in self.methods
        found = {"endpoint": self.endpoint, "path_params": {"names": names}}
        return Match.FULL if is_allowed else Match.PARTIAL, found


def create_app(
    store: Store,
    metrics: Metrics,
    *,
    clock: Callable[[], float],
    health: Health | None = None,
    user_header: str = "",
) -> Starlette:
    """Return the web pages of a store, with `/metrics`, `/healthz` and `/readyz`.

    Args:
        store: what the pages show. Each request has a connection of its own.
        metrics: of this process.
        clock: the time in seconds since the Unix epoch; only for the age of the newest window.
        health: of this process; default: it is ready while the store is.
        user_header: of requests, which a proxy sets to who asks, for the access log.
    """
    endpoints, gate = Endpoints(store, metrics, clock), Gate()
    log = AccessLog(store, metrics, user_header)
    return Starlette(
        routes=[
            *(PageRoute(page, log.around(page, gate(page.name, endpoints.page(page)))) for page in PAGES),
            Route("/metrics", endpoints.metrics),
            *(health or store_health(store)).routes(),
            Route("/style.css", endpoints.style),
        ],
        exception_handlers={
            404: endpoints.no_page,
            NotFoundError: endpoints.not_found,
            DriftlineError: endpoints.store_unavailable,
            Exception: endpoints.failed,
        },
    )


def store_health(store: Store) -> Health:
    """Return the health of a process that needs nothing but a store."""
    return Health(ready={"store": lambda: check_store(store)})
