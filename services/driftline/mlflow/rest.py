"""An MLflow tracking server, asked by its REST API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit

import urllib3
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from urllib3.exceptions import HTTPError

from driftline.mlflow.credentials import PASSWORD, TOKEN, USERNAME
from driftline.mlflow.errors import ArtifactError, MlflowAwayError, MlflowError
from driftline.mlflow.seen import read_logged_model, read_model, read_run, read_version, version_order
from driftline.mlflow.source import Keeper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.mlflow.credentials import Server
    from driftline.mlflow.seen import SeenLoggedModel, SeenModel, SeenRun, SeenVersion
    from driftline.mlflow.source import Place

TIMEOUT_S: Final = 30.0
"""How long an answer may take to begin, and to go on."""

_API = "/api/2.0/mlflow"
_PAGE = 1_000
_MOST_PAGES = 10_000
_PIECE = 1 << 20
_SHOWN = 300
_GONE = "RESOURCE_DOES_NOT_EXIST"


class RestSource:
    """A tracking server. Methods as in ``Source``.

    Args:
        server: which, and who asks it.
        timeout_s: how long to wait for it.
    """

    def __init__(self, server: Server, *, timeout_s: float = TIMEOUT_S) -> None:
        self._server = server
        self._headers = urllib3.make_headers(
            basic_auth=f"{server.user}:{server.password}" if server.user and not server.token else None,
            user_agent="driftline",
        )
        if server.token:
            self._headers["authorization"] = f"Bearer {server.token}"
        certificates: dict[str, Any] = {"cert_reqs": "CERT_NONE"} if server.is_insecure else {}
        if server.ca_file and not server.is_insecure:
            certificates["ca_certs"] = server.ca_file
        retries = urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504))
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(timeout_s), retries=retries, headers=self._headers, **certificates
        )

    @property
    def url(self) -> str:
        """Where it is; without secrets."""
        return self._server.url

    def models(self) -> Sequence[SeenModel]:
        """Return all registered models."""
        path = f"{_API}/registered-models/search"
        return [read_model(each) for each in self._pages(path, "registered_models", {})]

    def versions(self) -> Sequence[SeenVersion]:
        """Return the versions of all registered models, the oldest of each first."""
        found = self._pages(f"{_API}/model-versions/search", "model_versions", {})
        return sorted((read_version(each) for each in found), key=version_order)

    def run(self, run_id: str) -> SeenRun | None:
        """Return a run; one that is deleted, too, as long as MLflow keeps it."""
        answer = self._ask(f"{_API}/runs/get", {"run_id": run_id})
        return None if answer is None else read_run(answer.get("run"))

    def logged_model(self, model_id: str) -> SeenLoggedModel | None:
        """Return a logged model."""
        answer = self._ask(f"{_API}/logged-models/{quote(model_id, safe='')}", {})
        return None if answer is None else read_logged_model(answer.get("model"))

    def files(self, place: Place) -> Mapping[str, int]:
        """Return the size of each file of a place, by its path there."""
        if place.keeper is Keeper.STORAGE:
            folder = _local(place)
            files = [folder] if folder.is_file() else sorted(folder.rglob("*"))
            return {_below(each, folder): each.stat().st_size for each in files if each.is_file()}
        sizes: dict[str, int] = {}
        folders = [place.folder]
        while folders:
            folder_path = folders.pop()
            for each in self._listed(place, folder_path):
                path = str(each.get("path") or "")
                if place.keeper is Keeper.PROXY:  # It names them from the folder on, others from the top.
                    path = "/".join(filter(None, (folder_path, path)))
                if each.get("is_dir"):
                    folders.append(path)
                else:
                    sizes[path[len(place.folder) :].lstrip("/")] = int(each.get("file_size") or 0)
        return sizes

    def content(self, place: Place, path: str) -> Iterator[bytes]:
        """Yield what a file holds, in pieces."""
        if place.keeper is Keeper.STORAGE:
            yield from _pieces(_local(place) / path if path else _local(place))
            return
        whole = "/".join(filter(None, (place.folder, path)))
        address, fields = {
            Keeper.LOGGED_MODEL: (
                f"/ajax-api/2.0/mlflow/logged-models/{quote(place.owner, safe='')}/artifacts/files",
                {"artifact_file_path": whole},
            ),
            Keeper.RUN: ("/get-artifact", {"run_uuid": place.owner, "path": whole}),
            Keeper.PROXY: (
                f"/api/2.0/mlflow-artifacts/artifacts/{quote('/'.join(filter(None, (place.owner, whole))))}",
                {},
            ),
        }[place.keeper]
        answer = self._request(address, fields, preload=False)
        try:
            if answer.status != 200:
                raise ArtifactError(f"{whole}: {_reason(answer.status, answer.read(_PIECE))}")
            yield from answer.stream(_PIECE)
        except HTTPError as error:
            raise ArtifactError(f"{whole}: {error}") from error
        finally:
            answer.release_conn()

    def read_description(self, text: str) -> Mapping[str, Any]:
        """Return what a model's description (``MLmodel``) says; empty where it is none."""
        try:
            found = YAML(typ="safe", pure=True).load(text)
        except (YAMLError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _listed(self, place: Place, folder: str) -> Sequence[Mapping[str, Any]]:
        """Return what lies in one folder of a place.

        Raises:
            ArtifactError: MLflow can't list it.
        """
        model = f"{_API}/logged-models/{quote(place.owner, safe='')}/artifacts/directories"
        address, fields = {
            Keeper.LOGGED_MODEL: (model, {"artifact_directory_path": folder}),
            Keeper.RUN: (f"{_API}/artifacts/list", {"run_id": place.owner, "path": folder}),
            Keeper.PROXY: (
                "/api/2.0/mlflow-artifacts/artifacts",
                {"path": "/".join(filter(None, (place.owner, folder)))},
            ),
        }[place.keeper]
        try:
            return list(self._pages(address, "files", {key: value for key, value in fields.items() if value}))
        except MlflowAwayError:
            raise
        except MlflowError as error:
            raise ArtifactError(str(error)) from error

    def _pages(self, path: str, name: str, fields: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """Yield what stands under a name in all pages of an answer."""
        token = ""
        for _ in range(_MOST_PAGES):
            paging = {"page_token": token} if token else {}
            bound = {"max_results": str(_PAGE)} if name != "files" else {}
            answer = self._ask(path, {**fields, **bound, **paging})
            if answer is None:
                raise MlflowError(f"{self.url} has no {path}; is it an MLflow of version 2 or 3?")
            listed = answer.get(name, [])
            if not isinstance(listed, list):
                raise MlflowError(f"{self.url}{path} answered no list of {name}")
            yield from (each for each in listed if isinstance(each, dict))
            following = answer.get("next_page_token")
            if not following or following == token:
                return
            token = str(following)

    def _ask(self, path: str, fields: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Return an answer; None: what is asked for is gone.

        Raises:
            MlflowAwayError: MLflow does not answer, or lets nobody in.
            MlflowError: it refuses, or answers what is no JSON.
        """
        answer = self._request(path, fields)
        if answer.status == 200:
            try:
                found = json.loads(answer.data)
            except ValueError:
                found = None
            if isinstance(found, dict):
                return found
            raise MlflowError(f"{self.url}{path} answered no JSON; is {self.url} an MLflow?")
        if answer.status == 404 and _code(answer.data) == _GONE:
            return None
        raise MlflowError(f"{self.url}{path}: {_reason(answer.status, answer.data)}")

    def _request(self, path: str, fields: Mapping[str, str], *, preload: bool = True) -> Any:
        try:
            answer = self._pool.request(
                "GET", f"{self.url}{path}", fields=dict(fields), preload_content=preload, redirect=False
            )
        except HTTPError as error:
            raise MlflowAwayError(f"{self.url} does not answer: {_cause(error)}") from error
        if answer.status == 401:
            answer.drain_conn()
            given = "these credentials" if "authorization" in self._headers else "no credentials"
            raise MlflowAwayError(
                f"{self.url} lets nobody in with {given}: set {TOKEN}, or {USERNAME} and {PASSWORD}, as for "
                "MLflow's own client, of somebody who may read all models"
            )
        return answer


def _below(file: Path, folder: Path) -> str:
    return "" if file == folder else file.relative_to(folder).as_posix()


def _local(place: Place) -> Path:
    """Return a place on this host.

    Raises:
        ArtifactError: it is elsewhere, or not there.
    """
    parts = urlsplit(place.owner)
    path = Path(unquote(parts.path) if parts.scheme == "file" else place.owner)
    if parts.scheme not in {"", "file"} or not path.exists():
        raise ArtifactError(f"{place.uri} can't be read from here, and MLflow does not stand in front of it")
    return path


def _pieces(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            while piece := opened.read(_PIECE):
                yield piece
    except OSError as error:
        raise ArtifactError(f"{file}: {error.strerror}") from error


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body).get("error_code", ""))
    except (ValueError, AttributeError):
        return ""


def _reason(status: int, body: bytes) -> str:
    """Return why a server refuses, in a line."""
    try:
        text = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        text = body.decode("utf-8", "replace")
    line = " ".join(text.split())
    return f"status {status}: {line[:_SHOWN]}" if line else f"status {status}"


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split())[:_SHOWN]
