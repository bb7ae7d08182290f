"""A training run as it was registered, and what rebuilds it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


CATEGORICAL: Final = "categorical"
"""Type of a feature whose values name something, whatever they were logged as."""


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """One file of an artifact.

    Args:
        path: below the artifact; empty: the artifact is this file.
        sha256: its digest, 64 hexadecimal digits.
        bytes: its size; 0: not known.
    """

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class RunData:
    """Data of a run: what it is called, where it lies, and what tells whether it is the same."""

    name: str
    uri: str
    fingerprint: str | None
    rows: int | None
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One revision of a training run; the fields are documented in ``schemas/avro/TrainingRunEvent.avsc``.

    ``revision`` counts from 1: a run that is registered again with the same content has no other.
    """

    training_run_id: str
    model_name: str
    model_version: str
    registered_time: datetime
    registered_by: str
    artifact_uri: str | None
    artifacts: Sequence[ArtifactFile]
    git_commit: str | None
    git_branch: str | None
    git_remote: str | None
    git_dirty: bool | None
    git_changes_sha256: str | None
    git_changes: str | None
    environment_kind: str
    environment_sha256: str | None
    environment_text: str | None
    data_uri: str | None
    data_fingerprint: str | None
    data_references: Sequence[RunData]
    reference_rows: int
    reference_session_id: str
    runtime: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    cost: Mapping[str, float]
    features: Mapping[str, str]
    tags: Mapping[str, str]
    waived: Mapping[str, str]
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """Part of rebuilding a run.

    Args:
        name: code, environment, data or artifact.
        commands: for a shell, in order; a line that begins with ``#`` says what no command can do.
    """

    name: str
    commands: Sequence[str]


_FETCH = {
    "s3": "aws s3 cp --recursive {uri} {place}",
    "gs": "gcloud storage cp --recursive {uri} {place}",
    "http": "curl --fail --location --output {place} {uri}",
    "https": "curl --fail --location --output {place} {uri}",
}
MLFLOW_SERVER: Final = "mlflow.server"
"""The tag that says which MLflow a run was copied from."""

_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")


def rebuild_steps(run: Run) -> Sequence[Step]:
    """Return what checks out a run's code, rebuilds its environment, fetches its data and artifact."""
    return [
        Step("code", _code(run)),
        Step("environment", _environment(run)),
        Step("data", _data(run)),
        Step("artifact", _artifact(run)),
    ]


def _code(run: Run) -> Sequence[str]:
    if run.git_commit is None:
        return [_missing(run, "code")]
    commit = shlex.quote(run.git_commit)
    remote = shlex.quote(run.git_remote) if run.git_remote else "REPOSITORY"
    commands = [f"git clone {remote} code && git -C code checkout {commit}"]
    if not run.git_remote:
        commands.insert(0, "# the work tree had no remote: put the repository in place of REPOSITORY")
    if run.git_changes is not None:
        commands.append(f"{_show(run)} --print changes | git -C code apply")
    elif run.git_dirty:
        digest = f" (sha256 {run.git_changes_sha256})" if run.git_changes_sha256 else ""
        commands.append(
            f"# the work tree had changes that were not kept{digest}: the commit is not all of it"
        )
    elif run.git_dirty is None:
        commands.append("# whether the work tree had changes is not known")
    return commands


def _environment(run: Run) -> Sequence[str]:
    python = ".".join(run.runtime.get("python", "").split(".")[:2])
    venv = f"python{python} -m venv env"
    kept = f"{_show(run)} --print environment"
    match run.environment_kind:
        case "packages" | "requirements":
            return [f"{kept} > requirements.txt", f"{venv} && env/bin/pip install -r requirements.txt"]
        case "conda":
            return [f"{kept} > environment.yml", "conda env create --prefix env --file environment.yml"]
        case "dockerfile":
            return [f"{kept} > Dockerfile", "docker build --file Dockerfile code"]
        case "lock":
            tool = "# install it with the tool that wrote it, such as uv sync --frozen or poetry install"
            return [f"{kept} > environment.lock", tool]
        case _:
            return [_missing(run, "environment")]


def _data(run: Run) -> Sequence[str]:
    commands: list[str] = []
    for each in run.data_references:
        # Code that reads it may go by the suffix.
        suffix = PurePosixPath(urlsplit(each.uri).path).suffix if "://" in each.uri else ""
        commands += _fetched(each.uri, f"data-{each.name}{suffix}", each.fingerprint)
    return commands or [_missing(run, "data")]


def _artifact(run: Run) -> Sequence[str]:
    if run.artifact_uri is None:
        return [_missing(run, "artifact")]
    is_one = [file.path for file in run.artifacts] == [""]
    fingerprint = f"sha256:{run.artifacts[0].sha256}" if is_one else None
    if run.artifact_uri.startswith("mlflow-artifacts:"):
        commands = _from_mlflow(run.artifact_uri, run.tags.get(MLFLOW_SERVER, ""))
    else:
        commands = _fetched(run.artifact_uri, "artifact", fingerprint)
    for file in () if is_one else run.artifacts:
        commands.append(f"echo {shlex.quote(f'{file.sha256}  artifact/{file.path}')} | sha256sum --check")
    return commands


def _fetched(uri: str, place: str, fingerprint: str | None) -> list[str]:
    """Return what fetches something, and looks whether it is the same; what can't be fetched is named."""
    parts = urlsplit(uri)
    to = shlex.quote(place)
    if parts.scheme == "file":
        commands = [f"cp -r {shlex.quote(unquote(parts.path))} {to}"]
    elif parts.scheme in _FETCH:
        commands = [_FETCH[parts.scheme].format(uri=shlex.quote(uri), place=to)]
    else:
        commands = [f"# {place}: {_one_line(uri)}"]
    digest = _SHA256.fullmatch(fingerprint or "")
    if digest and parts.scheme in {"file", "http", "https"}:
        check = f"echo {shlex.quote(f'{digest[1]}  {place}')} | sha256sum --check"
        commands.append(check if parts.scheme != "file" else _file_or_folder(to, digest[1], check))
    elif fingerprint:
        commands.append(f"# its fingerprint is {_one_line(fingerprint)}")
    return commands


def _file_or_folder(place: str, digest: str, check: str) -> str:
    """Return what compares a digest with that of a file, or of the list of a folder's files."""
    files = f"cd {place} && find . -type f -printf '%P\\n' | tr / '\\001' | LC_ALL=C sort | tr '\\001' /"
    listed = f"{files} | xargs -d '\\n' sha256sum | sha256sum"
    return f'if [ -d {place} ]; then [ "$({listed})" = "{digest}  -" ]; else {check}; fi'


def _from_mlflow(uri: str, server: str) -> list[str]:
    """Return what fetches an artifact that an MLflow stands in front of, with MLflow's own client."""
    last = shlex.quote(f"fetched/{unquote(urlsplit(uri).path).rstrip('/').rpartition('/')[2]}")
    client = f"MLFLOW_TRACKING_URI={shlex.quote(server)} mlflow artifacts download"
    return [f"{client} --artifact-uri {shlex.quote(uri)} --dst-path fetched && mv {last} artifact"]


def _missing(run: Run, name: str) -> str:
    reason = run.waived.get(name)
    return f"# the run says nothing of its {name}{f': {_one_line(reason)}' if reason else ''}"


def _show(run: Run) -> str:
    names = f"{shlex.quote(run.training_run_id)} --model {shlex.quote(run.model_name)}"
    return f"driftline runs show {names} --revision {run.revision}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
