"""An MLflow asked by its own client, where that is installed: whatever store it is pointed at.

Nothing here is imported unless somebody asks for it.
"""

from __future__ import annotations

import json
import logging
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from driftline.errors import SettingError
from driftline.mlflow.credentials import without_secret
from driftline.mlflow.errors import ArtifactError, MlflowAwayError, MlflowError
from driftline.mlflow.seen import read_logged_model, read_model, read_run, read_version, version_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from driftline.mlflow.seen import SeenLoggedModel, SeenModel, SeenRun, SeenVersion
    from driftline.mlflow.source import Place

_PAGE: Final = 200
_PIECE = 1 << 20
_GONE = "RESOURCE_DOES_NOT_EXIST"
_logger = logging.getLogger("driftline.mlflow")


def open_client(uri: str) -> ClientSource:
    """Return what MLflow's client finds at an address.

    Raises:
        SettingError: MLflow is not installed here.
    """
    try:
        from mlflow import MlflowClient  # noqa: PLC0415  only this needs an MLflow
    except ImportError as error:
        raise SettingError(
            f"{without_secret(uri)!r} is read by MLflow's own client, which is not here: install it, or "
            "have MLflow serve its store (mlflow server --backend-store-uri ...) and give http://HOST:PORT"
        ) from error
    return source_of(MlflowClient(tracking_uri=uri, registry_uri=uri))


def source_of(client: Any) -> ClientSource:
    """Return what a client of MLflow is pointed at."""
    return ClientSource(client, without_secret(str(getattr(client, "tracking_uri", ""))).rstrip("/"))


class ClientSource:
    """What MLflow's client is pointed at. Methods as in ``Source``.

    Args:
        client: an ``mlflow.MlflowClient``.
        url: where it is pointed; without secrets.
    """

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    @property
    def url(self) -> str:
        """Where it is; without secrets."""
        return self._url

    def models(self) -> Sequence[SeenModel]:
        """Return all registered models."""
        return [read_model(each) for each in self._pages(self._client.search_registered_models)]

    def versions(self) -> Sequence[SeenVersion]:
        """Return the versions of all registered models, the oldest of each first."""
        return self._versions("")

    def versions_of_run(self, run_id: str) -> Sequence[SeenVersion]:
        """Return the versions that a run made."""
        return self._versions(f"run_id='{run_id}'")

    def _versions(self, wanted: str) -> Sequence[SeenVersion]:
        def search(**paging: Any) -> Any:
            return self._client.search_model_versions(wanted, **paging)

        return sorted((read_version(each) for each in self._pages(search)), key=version_order)

    def run(self, run_id: str) -> SeenRun | None:
        """Return a run; one that is deleted, too, as long as MLflow keeps it."""
        answer = self._ask(partial(self._client.get_run, run_id))
        return None if answer is None else read_run(_json(answer))

    def logged_model(self, model_id: str) -> SeenLoggedModel | None:
        """Return a logged model."""
        answer = self._ask(partial(self._client.get_logged_model, model_id))
        return None if answer is None else read_logged_model(_json(answer))

    def files(self, place: Place) -> Mapping[str, int]:
        """Return the size of each file of a place, by its path there."""
        from mlflow.artifacts import list_artifacts  # noqa: PLC0415  nobody else needs an MLflow

        root = _address(place)
        sizes: dict[str, int] = {}
        folders = [""]
        while folders:
            folder = folders.pop()
            listed = self._artifact(partial(list_artifacts, artifact_uri=_below(root, folder)))
            for each in listed or ():
                # It names them from somewhere above; the name alone is the same for all stores.
                path = "/".join(filter(None, (folder, each.path.rstrip("/").rpartition("/")[2])))
                if each.is_dir:
                    folders.append(path)
                elif path != folder:
                    sizes[path] = int(each.file_size or 0)
        return sizes

    def content(self, place: Place, path: str) -> Iterator[bytes]:
        """Yield what a file holds, in pieces."""
        from mlflow.artifacts import download_artifacts  # noqa: PLC0415  as above

        with tempfile.TemporaryDirectory(prefix="driftline-mlflow-") as scratch:
            uri = _below(_address(place), path)
            file = self._artifact(partial(download_artifacts, artifact_uri=uri, dst_path=scratch))
            if file is None:
                raise ArtifactError(f"{uri} is gone")
            with Path(file).open("rb") as opened:
                while piece := opened.read(_PIECE):
                    yield piece

    def read_description(self, text: str) -> Mapping[str, Any]:
        """Return what a model's description (``MLmodel``) says; empty where it is none."""
        from mlflow.models import Model  # noqa: PLC0415  as above

        with tempfile.TemporaryDirectory(prefix="driftline-mlflow-") as scratch:
            (Path(scratch) / "MLmodel").write_text(text, encoding="utf-8")
            try:
                return dict(Model.load(scratch).to_dict())
            except Exception as error:  # noqa: BLE001  it raises whatever it stumbles upon
                _logger.info("a model's description can't be read: %s", error)
                return {}

    def _pages(self, search: Callable[..., Any]) -> Iterator[Mapping[str, Any]]:
        token = None
        while True:
            page = self._ask(partial(search, max_results=_PAGE, page_token=token))
            yield from (_json(each) for each in page or ())
            token = getattr(page, "token", None)
            if not token:
                return

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Return an answer; None: what is asked for is gone.

        Raises:
            MlflowAwayError: MLflow does not answer, or lets nobody in.
            MlflowError: it refuses.
        """
        try:
            return question()
        except Exception as error:  # its client raises whatever its store does
            code = getattr(error, "error_code", "")
            if code == _GONE:
                return None
            line = " ".join(str(error).split())[:300]
            if code in {"UNAUTHENTICATED", "TEMPORARILY_UNAVAILABLE"} or not code:
                raise MlflowAwayError(f"{self._url} does not answer: {line}") from error
            raise MlflowError(f"{self._url}: {line}") from error

    def _artifact(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except Exception as error:  # as above
            raise ArtifactError(" ".join(str(error).split())[:300]) from error


def _address(place: Place) -> str:
    return place.uri.rstrip("/")


def _below(root: str, path: str) -> str:
    return f"{root}/{path}" if path else root


def _json(entity: Any) -> Mapping[str, Any]:
    """Return what MLflow's client gave as its REST API would have given it."""
    from mlflow.utils.proto_json_utils import message_to_json  # noqa: PLC0415  as above

    found = json.loads(message_to_json(entity.to_proto()))
    return found if isinstance(found, dict) else {}
