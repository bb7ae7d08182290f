"""A stand-in of Grafana's HTTP API, as its documentation and Grafana 11 have it.

Where they differ, it does what Grafana does: an existing uid that is posted without its version is a version
mismatch (412), and what is provisioned from files can't be saved (400).
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route

from driftline.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

TOKENS = {"token-of-a-viewer": "Viewer", "token-of-an-editor": "Editor", "token-of-an-admin": "Admin"}
_RANK = ("Viewer", "Editor", "Admin")


@dataclass
class FakeGrafana:
    """What a Grafana holds. Its methods are what people do there by hand."""

    url: str = ""
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    folder_of: dict[str, str] = field(default_factory=dict)
    messages: dict[str, list[str]] = field(default_factory=dict)
    provisioned: set[str] = field(default_factory=set)
    writes: list[str] = field(default_factory=list)
    before_save: Callable[[str], None] | None = None

    def edit(self, uid: str, **changes: Any) -> None:
        """Change a dashboard as a person does in the browser."""
        self.save({**self.dashboards[uid], **changes}, self.folder_of[uid], "")

    def save(self, dashboard: dict[str, Any], folder_uid: str, message: str) -> dict[str, Any]:
        uid = dashboard["uid"]
        known = self.dashboards.get(uid)
        number = len(self.dashboards) + 1 if known is None else known["id"]
        version = 1 if known is None else known["version"] + 1
        self.dashboards[uid] = {**copy.deepcopy(dashboard), "id": number, "version": version}
        self.folder_of[uid] = folder_uid
        self.messages.setdefault(uid, []).insert(0, message)
        return {"id": number, "uid": uid, "status": "success", "version": version, "url": f"/d/{uid}"}


@contextmanager
def serving_grafana(path: str = "") -> Iterator[FakeGrafana]:
    """Serve a Grafana that holds nothing, below a path; its ``url`` says where."""
    fake = FakeGrafana()
    routes = Mount("/api", routes=_routes(fake))
    app = Starlette(routes=[Mount(path, routes=[routes])] if path else [routes])
    server = WebServer(app, "127.0.0.1", 0)
    server.start()
    fake.url = server.url + path
    yield fake
    server.stop()


@contextmanager
def serving_page(text: str, status: int = 200) -> Iterator[str]:
    """Serve one page of HTML at every address, as a login page or a proxy does; yield its URL."""

    async def answer(_: Request) -> Response:
        return HTMLResponse(text, status)

    server = WebServer(Starlette(routes=[Route("/{rest:path}", answer, methods=_ALL)]), "127.0.0.1", 0)
    server.start()
    yield server.url
    server.stop()


_ALL = ["GET", "POST", "PUT"]


def _routes(fake: FakeGrafana) -> list[Route]:
    def route(path: str, method: str, role: str, action: str, answer: Callable[..., Any]) -> Route:
        async def guarded(request: Request) -> Response:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if given not in TOKENS:
                return _answer(401, "Invalid API key")
            if _RANK.index(TOKENS[given]) < _RANK.index(role):
                refusal = "You'll need additional permissions to perform this action. Permissions needed: "
                return _answer(403, refusal + action, accessErrorId="ACE0", title="Access denied")
            body = await request.json() if method != "GET" else None
            if body is not None:
                fake.writes.append(f"{method} {path}")
            return answer(fake, request.path_params.get("uid", ""), body)

        return Route(path, guarded, methods=[method])

    return [
        route("/folders/{uid}", "GET", "Viewer", "folders:read", _get_folder),
        route("/folders", "POST", "Editor", "folders:create", _create_folder),
        route("/datasources/uid/{uid}", "GET", "Admin", "datasources:read", _get_source),
        route("/datasources", "POST", "Admin", "datasources:create", _create_source),
        route("/datasources/uid/{uid}", "PUT", "Admin", "datasources:write", _update_source),
        route("/dashboards/uid/{uid}", "GET", "Viewer", "dashboards:read", _get_dashboard),
        route("/dashboards/uid/{uid}/versions", "GET", "Editor", "dashboards:write", _get_versions),
        route("/dashboards/db", "POST", "Editor", "dashboards:write", _save_dashboard),
    ]


def _answer(code: int, message: str, **more: Any) -> Response:
    return JSONResponse({"message": message, **more}, code)


def _get_folder(fake: FakeGrafana, uid: str, _: None) -> Response:
    known = fake.folders.get(uid)
    return JSONResponse(known) if known else _answer(404, "folder not found", status="not-found")


def _create_folder(fake: FakeGrafana, _: str, body: dict[str, Any]) -> Response:
    if not body.get("title"):
        return _answer(400, "folder title cannot be empty")
    if body["uid"] in fake.folders or any(
        folder["title"] == body["title"] for folder in fake.folders.values()
    ):
        return _answer(409, "a folder with the same name already exists in the current location")
    fake.folders[body["uid"]] = {"id": len(fake.folders) + 1, **body, "version": 1}
    return JSONResponse(fake.folders[body["uid"]])


def _get_source(fake: FakeGrafana, uid: str, _: None) -> Response:
    if uid not in fake.sources:
        return _answer(404, "Data source not found")
    return JSONResponse({**fake.sources[uid], "secureJsonFields": dict.fromkeys(fake.secrets[uid], True)})


def _create_source(fake: FakeGrafana, _: str, body: dict[str, Any]) -> Response:
    if any(source["name"] == body["name"] for source in fake.sources.values()):
        return _answer(409, "data source with the same name already exists")
    return _put_source(fake, body, 1, "Datasource added")


def _update_source(fake: FakeGrafana, uid: str, body: dict[str, Any]) -> Response:
    known = fake.sources.get(uid)
    if known is None:
        return _answer(404, "Data source not found")
    if known["readOnly"]:
        return _answer(403, "Cannot update read-only data source")
    return _put_source(fake, body, known["version"] + 1, "Datasource updated")


def _put_source(fake: FakeGrafana, body: dict[str, Any], version: int, message: str) -> Response:
    uid = body["uid"]
    fake.secrets.setdefault(uid, {}).update(body.pop("secureJsonData", {}))
    given = {"id": 1, "orgId": 1, "isDefault": False, "basicAuth": False, "url": "", "readOnly": False}
    fake.sources[uid] = {**given, **body, "version": version}
    return JSONResponse({"datasource": fake.sources[uid], "message": message, "name": body["name"]})


def _get_dashboard(fake: FakeGrafana, uid: str, _: None) -> Response:
    if uid not in fake.dashboards:
        return _answer(404, "Dashboard not found", traceID="")
    meta = {"folderUid": fake.folder_of[uid], "provisioned": uid in fake.provisioned, "slug": uid}
    return JSONResponse({"dashboard": fake.dashboards[uid], "meta": meta})


def _get_versions(fake: FakeGrafana, uid: str, _: None) -> Response:
    newest = len(fake.messages.get(uid, ()))
    versions = [
        {"version": newest - place, "message": text} for place, text in enumerate(fake.messages.get(uid, ()))
    ]
    return JSONResponse({"continueToken": "", "versions": versions[:1]})


def _save_dashboard(fake: FakeGrafana, _: str, body: dict[str, Any]) -> Response:
    dashboard = body["dashboard"]
    uid = dashboard["uid"]
    if fake.before_save is not None:
        fake.before_save(uid)
    if not dashboard.get("title"):
        return _answer(400, "Dashboard title cannot be empty", status="empty-name")
    if body["folderUid"] and body["folderUid"] not in fake.folders:
        return _answer(400, "folder not found")
    known = fake.dashboards.get(uid)
    if known is not None and uid in fake.provisioned:
        return _answer(400, "Cannot save provisioned dashboard")
    if known is not None and not body["overwrite"] and dashboard.get("version") != known["version"]:
        return _answer(412, "The dashboard has been changed by someone else", status="version-mismatch")
    return JSONResponse(fake.save(dashboard, body["folderUid"], body["message"]))
