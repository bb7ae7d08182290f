"""The web application: its routes, and the answers for what is not found or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import Match, Route

from driftline.errors import DriftlineError, NotFoundError
from driftline.health import Health
from driftline.store.ready import check_store
from driftline.web.access import AccessLog
from driftline.web.acknowledge import Acknowledging
from driftline.web.acting import Forms
from driftline.web.addresses import acknowledge_path, ticket_path
from driftline.web.endpoints import Endpoints
from driftline.web.gate import Gate
from driftline.web.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Scope

    from driftline.metrics import Metrics
    from driftline.store import Store
    from driftline.web.acting import Acting
    from driftline.web.addresses import Address
    from driftline.web.pages import Page


class NamedRoute(Route):
    """The route of an address with names in it. A quoted slash in the raw address separates no segments.

    Args:
        address: which.
        endpoint: what answers a request.
        name: of the route.
        method: that is answered.
    """

    def __init__(
        self, address: Address, endpoint: Callable[..., Any], *, name: str, method: str = "GET"
    ) -> None:
        super().__init__(address.pattern + address.suffix, endpoint, name=name, methods=[method])
        self._address = address

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a request is for this address, with the names in its address."""
        is_http = scope["type"] == "http"
        names = self._address.names(scope["raw_path"].decode("ascii")) if is_http else None
        if names is None:
            return Match.NONE, {}
        is_allowed = not self.methods or scope["method"] in self.methods
        found = {"endpoint": self.endpoint, "path_params": {"names": names}}
        return Match.FULL if is_allowed else Match.PARTIAL, found


class PageRoute(NamedRoute):
    """The route of a page.

    Args:
        page: which page.
        endpoint: what answers a request.
    """

    def __init__(self, page: Page, endpoint: Callable[..., Any]) -> None:
        super().__init__(page.address, endpoint, name=page.name)


def create_app(
    store: Store,
    metrics: Metrics,
    *,
    clock: Callable[[], float],
    health: Health | None = None,
    user_header: str = "",
    acting: Acting | None = None,
) -> Starlette:
    """Return the web pages of a store, with `/metrics`, `/healthz` and `/readyz`.

    Args:
        store: what the pages show. Each request has a connection of its own.
        metrics: of this process.
        clock: the time in seconds since the Unix epoch: for the age of the newest window, and of an
            acknowledgement.
        health: of this process; default: it is ready while the store is.
        user_header: of requests, which a proxy sets to who asks, for the access log.
        acting: who may acknowledge incidents from their pages; None: nobody.
    """
    forms = Forms(acting, clock) if acting else None
    endpoints, gate = Endpoints(store, metrics, clock, forms), Gate()
    log, varies = AccessLog(store, metrics, user_header), acting.varies if acting else ()

    def page_route(page: Page) -> PageRoute:
        made = gate(page.name, endpoints.page(page), varies if page.name == "incident" else ())
        return PageRoute(page, log.around(page, made))

    ticket = gate("ticket", endpoints.ticket, ("host", "x-forwarded-proto"))
    routes = [NamedRoute(ticket_path, ticket, name="ticket")]
    if acting and forms:
        taking = Acknowledging(
            acting,
            forms,
            acting.store or store,
            show_again=endpoints.form_again,
            refuse=endpoints.refused,
            clock=clock,
        )
        routes.append(NamedRoute(acknowledge_path, taking.answer, name="acknowledge", method="POST"))
    return Starlette(
        routes=[
            *routes,
            *(page_route(page) for page in PAGES),
            Route("/metrics", endpoints.metrics),
            *(health or store_health(store)).routes(),
            Route("/style.css", endpoints.style),
            Route("/page.js", endpoints.script),
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
