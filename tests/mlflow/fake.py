"""An MLflow in this process, for what a real one does rarely: it loses things, refuses, answers oddly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from driftline.mlflow.errors import ArtifactError
from driftline.mlflow.seen import SeenLoggedModel, SeenModel, SeenRun, SeenVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.mlflow.source import Place

URL = "http://mlflow:5000"
CREATED_MS = 1_767_225_600_000
FILES = {
    "MLmodel": b"flavors:\n  python_function:\n    python_version: 3.12.1\nmlflow_version: 3.17.2\n",
    "requirements.txt": b"scikit-learn==1.7.0\n",
    "model.pkl": b"weights",
}


@dataclass
class FakeMlflow:
    """What it holds may be changed at any time; ``error`` is raised by whatever is asked."""

    url: str = URL
    registered: dict[str, SeenModel] = field(default_factory=dict)
    given: list[SeenVersion] = field(default_factory=list)
    runs: dict[str, SeenRun] = field(default_factory=dict)
    logged: dict[str, SeenLoggedModel] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    error: Exception | None = None
    broken: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def add(self, model: str, version: str, run_id: str | None = None, **fields: Any) -> SeenVersion:
        """Register a version, with its run and maybe its model."""
        run_id = f"run-{model[:20]}-{version}" if run_id is None else run_id
        self.registered.setdefault(model, SeenModel(model, {}))
        if run_id:
            run = SeenRun(
                run_id=run_id,
                artifact_uri=f"mlflow-artifacts:/1/{run_id}",
                parameters={"depth": "3"},
                metrics={"auc": 0.9},
                tags={"mlflow.source.git.commit": "f00d"},
            )
            self.runs.setdefault(run_id, run)
        one = SeenVersion(
            model_name=model,
            version=version,
            run_id=run_id,
            source=f"mlflow-artifacts:/1/{run_id}/model",
            created_ms=CREATED_MS,
            user="ann",
            tags={},
        )
        self.given.append(replace(one, **fields))
        return self.given[-1]

    def name(self, model: str, **aliases: str) -> None:
        """Move aliases; one that names nothing is taken away."""
        known = {**self.registered[model].aliases, **aliases}
        self.registered[model] = SeenModel(
            model, {name: version for name, version in known.items() if version}
        )

    def delete(self, model: str, version: str) -> None:
        self.given = [each for each in self.given if (each.model_name, each.version) != (model, version)]

    def models(self) -> Sequence[SeenModel]:
        self._ask("models")
        return list(self.registered.values())

    def versions(self) -> Sequence[SeenVersion]:
        self._ask("versions")
        return list(self.given)

    def run(self, run_id: str) -> SeenRun | None:
        self._ask(run_id)
        return self.runs.get(run_id)

    def logged_model(self, model_id: str) -> SeenLoggedModel | None:
        self._ask(model_id)
        return self.logged.get(model_id)

    def files(self, place: Place) -> Mapping[str, int]:
        self._ask(f"files of {place.uri}")
        return {name: len(content) for name, content in self.kept.items()}

    def content(self, place: Place, path: str) -> Iterator[bytes]:
        self._ask(f"{place.uri}/{path}")
        if path in self.broken:
            raise ArtifactError(f"{path}: status 500")
        yield self.kept[path][:3]
        yield self.kept[path][3:]

    def read_description(self, text: str) -> Mapping[str, Any]:
        return YAML(typ="safe").load(text) or {}

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
