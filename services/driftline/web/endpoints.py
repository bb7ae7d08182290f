"""What each address answers."""

from __future__ import annotations

import hashlib
import logging
from contextlib import closing
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import HTMLResponse, Response

from driftline.errors import NotFoundError
from driftline.web.addresses import parse_name, parse_path
from driftline.web.period import parse_days
from driftline.web.render import STYLE, Renderer
from driftline.web.runbooks import list_runbooks, read_runbook, runbook_folder
from driftline.web.views.explorer import view_explorer
from driftline.web.views.feature import view_feature
from driftline.web.views.fleet import view_fleet
from driftline.web.views.incident import view_incident
from driftline.web.views.model import view_model
from driftline.web.views.prediction import view_prediction
from driftline.web.views.streams import Choice
from driftline.web.words import parse_iso

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client
    from starlette.requests import Request

    from driftline.metrics import Metrics
    from driftline.store import Store

_logger = logging.getLogger(__name__)

_REFERENCES = ("production", "training")

# Pages carry names that came from outside: whatever they hold, nothing of it may run or load.
_POLICY = "Content-Security-Policy"
_HEADERS = {
    _POLICY: "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Endpoints:
    """The endpoints. They are plain functions, so that each runs in a thread and may wait for the store.

    Args:
        store: what is shown. Each request has a client of its own.
        metrics: of this process.
        clock: the time in seconds since the Unix epoch; it only tells how old something is.
    """

    def __init__(self, store: Store, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._store = store
        self._metrics = metrics
        self._style = STYLE.read_bytes()
        self._runbooks = runbook_folder()
        self._renderer = Renderer(clock=clock, style_version=hashlib.sha256(self._style).hexdigest()[:12])

    def _client(self) -> Client:
        """Return a client for one request; pages can wait, and landing goes first."""
        client = self._store.client()
        for name, value in self._store.patient_settings.items():
            client.set_client_setting(name, value)
        return client

    def fleet(self, request: Request) -> Response:
        """All models, those that drifted first."""
        choice = _choice(request)
        with closing(self._client()) as client:
            return self._page("fleet.html", view=view_fleet(client, choice), choice=choice)

    def model(self, request: Request) -> Response:
        """One model, one of its features, or its predictions."""
        address = parse_path(_raw_path(request))
        if address is None:
            raise NotFoundError("there is no such page")
        with closing(self._client()) as client:
            if address.explores:
                found = view_explorer(client, address.model, request.query_params)
                answer = self._page("explorer.html", status=400 if found.problems else 200, view=found)
                answer.headers[_POLICY] = _HEADERS[_POLICY].replace(
                    "form-action 'none'", "form-action 'self'"
                )
                return answer
            if address.feature is not None:
                return self._feature(client, request, address.model, address.feature)
            choice = _choice(request)
            view, versions = view_model(client, address.model, choice)
            return self._page("model.html", view=view, versions=versions, choice=choice)

    def _feature(self, client: Client, request: Request, model: str, feature: str) -> Response:
        choice = _choice(request)
        at = parse_iso(request.query_params.get("at", ""))
        kind = request.query_params.get("kind", "")
        view = view_feature(client, model, feature, choice, at=at, kind=kind)
        return self._page("feature.html", view=view, choice=choice)

    def incident(self, request: Request) -> Response:
        """The story of one incident."""
        incident_id = _name(request)
        with closing(self._client()) as client:
            return self._page("incident.html", view=view_incident(client, incident_id))

    def prediction(self, request: Request) -> Response:
        """One prediction, back to its training run."""
        event_id = _name(request)
        with closing(self._client()) as client:
            return self._page("prediction.html", view=view_prediction(client, event_id))

    def runbooks(self, request: Request) -> Response:
        """All runbooks."""
        del request
        return self._page("runbooks.html", names=list_runbooks(self._runbooks))

    def runbook(self, request: Request) -> Response:
        """One runbook."""
        return self._page("runbook.html", view=read_runbook(self._runbooks, _name(request)))

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


def _raw_path(request: Request) -> str:
    return str(request.scope["raw_path"].decode("ascii"))


def _name(request: Request) -> str:
    """Return the one name in an address."""
    name = parse_name(_raw_path(request))
    if name is None:
        raise NotFoundError("there is no such page")
    return name
