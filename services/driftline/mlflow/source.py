"""Where models are copied from: an MLflow, however it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from driftline.mlflow.seen import SeenLoggedModel, SeenModel, SeenRun, SeenVersion


class Keeper(StrEnum):
    """What keeps a model's files, and so how they are asked for."""

    LOGGED_MODEL = "logged_model"
    RUN = "run"
    PROXY = "proxy"
    STORAGE = "storage"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of a version lie.

    Args:
        keeper: what keeps them.
        owner: the logged model, the run, or the address in a storage that MLflow stands in front of.
        folder: below the owner; empty: all of it is the model.
        uri: the place as MLflow writes it.
    """

    keeper: Keeper
    owner: str
    folder: str
    uri: str


class Source(Protocol):
    """An MLflow. For one thread at a time. What is gone there is None.

    Each method raises MlflowAwayError where MLflow does not answer or lets nobody in, and MlflowError where
    it refuses; those of files raise ArtifactError where MLflow answers, and the files can't be read.
    """

    @property
    def url(self) -> str:
        """Where it is; without secrets."""
        ...

    def models(self) -> Sequence[SeenModel]:
        """Return all registered models."""
        ...

    def versions(self) -> Sequence[SeenVersion]:
        """Return the versions of all registered models, the oldest of each first."""
        ...

    def run(self, run_id: str) -> SeenRun | None:
        """Return a run; one that is deleted, too, as long as MLflow keeps it."""
        ...

    def logged_model(self, model_id: str) -> SeenLoggedModel | None:
        """Return a logged model."""
        ...

    def files(self, place: Place) -> Mapping[str, int]:
        """Return the size of each file of a place, by its path there."""
        ...

    def content(self, place: Place, path: str) -> Iterator[bytes]:
        """Yield what a file holds, in pieces."""
        ...

    def read_description(self, text: str) -> Mapping[str, Any]:
        """Return what a model's description (``MLmodel``) says; empty where it is none."""
        ...


def place_of(
    version: SeenVersion, run: SeenRun | None, logged: SeenLoggedModel | None, url: str
) -> Place | None:
    """Return where a version's files lie; None: MLflow does not say.

    Args:
        version: the version.
        run: that made it; None: not known.
        logged: the logged model that it is; None: it is none.
        url: of the MLflow, for places that it gives without naming itself.
    """
    if logged is not None:
        uri = absolute(logged.artifact_uri or f"models:/{logged.model_id}", url)
        return Place(Keeper.LOGGED_MODEL, logged.model_id, "", uri)
    if not version.source:
        return None
    uri, root = absolute(version.source, url), run.artifact_uri.rstrip("/") if run else ""
    if run and root and (version.source == root or version.source.startswith(f"{root}/")):
        return Place(Keeper.RUN, run.run_id, version.source[len(root) :].strip("/"), uri)
    prefix = f"runs:/{run.run_id}/" if run else ""
    if run and version.source.startswith(prefix):
        return Place(Keeper.RUN, run.run_id, version.source[len(prefix) :].strip("/"), uri)
    parts = urlsplit(version.source)
    if parts.scheme == "mlflow-artifacts":
        return Place(Keeper.PROXY, parts.path.strip("/"), "", uri)
    return Place(Keeper.STORAGE, version.source, "", uri)


def absolute(uri: str, url: str) -> str:
    """Return an address that names the MLflow which it is an address of."""
    if uri.startswith("mlflow-artifacts:/") and not uri.startswith("mlflow-artifacts://"):
        return f"mlflow-artifacts://{urlsplit(url).netloc}{uri.removeprefix('mlflow-artifacts:')}"
    return uri
