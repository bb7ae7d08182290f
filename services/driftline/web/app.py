"""The web application: routes, and what happens when something is not there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.exceptions import ClickHouseError
from starlette.applications import Starlette
from starlette.routing import Route

from driftline.errors import DriftlineError, NotFoundError
from driftline.health import Health
from driftline.store.ready import check_store
from driftline.web.endpoints import Endpoints
from driftline.web.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.metrics import Metrics
    from driftline.store import Store


class NameRoute(Route):
    """A route whose last part may hold any character, also a line feed, at which others end."""

    def __init__(self, path: str, endpoint: Callable[..., Any]) -> None:
        super().__init__(path, endpoint)
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)


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
    pages, shared = Endpoints(store, metrics, clock), Gate()
    return Starlette(
        routes=[
            Route("/", shared(pages.fleet)),
            NameRoute("/models/{rest:path}", shared(pages.model)),
            NameRoute("/incidents/{incident:path}", shared(pages.incident)),
            NameRoute("/predictions/{event:path}", shared(pages.prediction)),
            Route("/runbooks", shared(pages.runbooks)),
            NameRoute("/runbooks/{alert:path}", shared(pages.runbook)),
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
