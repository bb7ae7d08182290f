"""The files of a version: the digest of each, and what those say that rebuild its environment."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from driftline.mlflow.errors import ArtifactError
from driftline.mlflow.seen import column_types
from driftline.registry.runs import ArtifactFile
from driftline.sdk.artifacts import MAX_FILES
from driftline.sdk.environments import TrainingEnvironment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.mlflow.source import Place, Source

LIMIT_BYTES: Final = 2 << 30
"""Of larger models no file is read but those that describe it: a version must not hold up all others."""

_DESCRIPTION = "MLmodel"
_ENVIRONMENTS = (("requirements.txt", "requirements"), ("conda.yaml", "conda"))
"""Files that rebuild an environment, the one to take first first."""

_MOST_TEXT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What the files of a version say.

    Args:
        files: all of them, with their digests; none: they could not be read.
        environment: what rebuilds the environment; None: no file says it.
        runtime: the versions of Python and MLflow that the model was logged with.
        features: type by feature; empty: the model was logged without a signature.
        unread: why digests or texts are missing; empty: none is.
    """

    files: Sequence[ArtifactFile] = ()
    environment: TrainingEnvironment | None = None
    runtime: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, str] = field(default_factory=dict)
    unread: str = ""


def read_model_files(source: Source, place: Place | None, *, limit_bytes: int = LIMIT_BYTES) -> ModelFiles:
    """Return what can be read of a version's files. Blocks until all are read, and keeps none.

    Args:
        source: which MLflow.
        place: where they lie; None: not known.
        limit_bytes: how much to read at most.

    Raises:
        MlflowAwayError: MLflow does not answer.
    """
    if place is None:
        return ModelFiles(unread="MLflow does not say where they lie")
    try:
        sizes = source.files(place)
    except ArtifactError as error:
        return ModelFiles(unread=str(error))
    if not sizes:
        return ModelFiles(unread=f"there are none at {place.uri}")
    unread = _too_much(sizes, limit_bytes)
    wanted = {_DESCRIPTION, *(name for name, _ in _ENVIRONMENTS)}
    files: list[ArtifactFile] = []
    texts: dict[str, str] = {}
    for path, size in sorted(sizes.items()):
        is_text = path in wanted and size <= _MOST_TEXT_BYTES
        if not is_text and unread:
            continue
        try:
            digest, read_bytes, text = _read(source, place, path, keep=is_text)
        except ArtifactError as error:
            unread = unread or str(error)
            continue
        files.append(ArtifactFile(path, digest, read_bytes))
        if is_text:
            texts[path] = text
    found = _Described(source, texts)
    whole = [] if unread else files
    return ModelFiles(whole, found.environment(), found.runtime(), found.features(), unread)


def _too_much(sizes: Mapping[str, int], limit_bytes: int) -> str:
    """Return why not all files are read; empty: they are."""
    total = sum(sizes.values())
    if total > limit_bytes:
        return f"they have {total:,} bytes, and at most {limit_bytes:,} are read"
    if len(sizes) > MAX_FILES:
        return f"there are {len(sizes):,}, and at most {MAX_FILES:,} are read"
    return ""


def _read(source: Source, place: Place, path: str, *, keep: bool) -> tuple[str, int, str]:
    """Return a file's digest, its size and, where it is to be kept, what it says."""
    digest, size = hashlib.sha256(), 0
    kept: list[bytes] = []
    for piece in source.content(place, path):
        digest.update(piece)
        size += len(piece)
        if keep:
            kept.append(piece)
    return digest.hexdigest(), size, b"".join(kept).decode("utf-8", "replace")


class _Described:
    """What the texts among the files say.

    Args:
        source: reads descriptions.
        texts: by path.
    """

    def __init__(self, source: Source, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._model = source.read_description(texts[_DESCRIPTION]) if _DESCRIPTION in texts else {}

    def environment(self) -> TrainingEnvironment | None:
        for name, kind in _ENVIRONMENTS:
            if self._texts.get(name, "").strip():
                return TrainingEnvironment(kind, self._texts[name])
        return None

    def runtime(self) -> Mapping[str, str]:
        flavors = _mapping(self._model.get("flavors"))
        python = _mapping(flavors.get("python_function")).get("python_version")
        found = {"python": python, "mlflow": self._model.get("mlflow_version")}
        return {name: str(value) for name, value in found.items() if value}

    def features(self) -> Mapping[str, str]:
        inputs: Any = _mapping(self._model.get("signature")).get("inputs")
        try:
            return column_types(json.loads(inputs)) if isinstance(inputs, str) else {}
        except ValueError:
            return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if hasattr(value, "keys") else {}
