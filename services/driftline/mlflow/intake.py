"""From what MLflow says of a version to a training run: all of it is copied, what is missing is waived."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.mlflow.credentials import without_secret
from driftline.mlflow.seen import DELETED
from driftline.registry.runs import MLFLOW_SERVER
from driftline.sdk.artifacts import Artifact
from driftline.wire import MAX_NAME_LENGTH, TRAINING_RUN, encode_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.mlflow.files import ModelFiles
    from driftline.mlflow.seen import SeenDataset, SeenLoggedModel, SeenRun, SeenVersion
    from driftline.mlflow.source import Place

MAX_EVENT_BYTES: Final = 900_000
"""A broker takes records of a million bytes, unless it was set up to take others."""

_COMMIT, _BRANCH, _REMOTE = (
    ("mlflow.source.git.commit", "mlflow.git.commit"),
    ("mlflow.source.git.branch", "mlflow.git.branch"),
    ("mlflow.source.git.repoURL", "mlflow.git.repo_url"),
)
_DIRTY, _DIFF = "mlflow.git.dirty", "mlflow.git.diff"


@dataclass(frozen=True, slots=True)
class Subject:
    """A version with all that MLflow says around it.

    Args:
        version: the version.
        run: that made it; None: none is named, or it is gone.
        logged: the logged model that it is; None: none is named, or it is gone.
    """

    version: SeenVersion
    run: SeenRun | None = None
    logged: SeenLoggedModel | None = None

    @property
    def named_run_id(self) -> str:
        """The run that MLflow names; empty: none."""
        return self.version.run_id or (self.logged.run_id if self.logged else "")

    @property
    def run_id(self) -> str:
        """The run that made it; of a version without one, a name that no other has."""
        return self.named_run_id or f"mlflow/{self.version.model_name}/{self.version.version}"

    @property
    def is_poor(self) -> bool:
        """Whether MLflow names a run or a logged model, and has it no more."""
        no_run = bool(self.named_run_id) and self.run is None
        return no_run or (bool(self.version.logged_model_id) and self.logged is None)

    @property
    def author(self) -> str:
        """Who registered it."""
        run_user = self.run.user or self.run.tags.get("mlflow.user", "") if self.run else ""
        who = self.version.user or run_user
        return f"{who} in MLflow" if who else "somebody in MLflow"

    def digest(self, *, is_whole: bool) -> str:
        """Return a digest of what MLflow says, but for what moves without the version being another one.

        Args:
            is_whole: whether its files could be read; one whose files could not is looked at again.
        """
        content = asdict(self)
        for name in ("stage", "status"):
            del content["version"][name]
        if content["run"] is not None:
            del content["run"]["lifecycle"]
        text = json.dumps([content, is_whole], sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Intake:
    """A version as it is registered.

    Args:
        record: its training run, encoded.
        artifact: where its files lie, with their digests.
        waived: what the run does not say, and why.
        notes: what MLflow says and the run does not, and why.
    """

    record: bytes
    artifact: Artifact
    waived: Mapping[str, str]
    notes: Sequence[str]


def take_in(
    subject: Subject,
    *,
    files: ModelFiles,
    place: Place | None,
    url: str,
    more: Mapping[str, Any] | None = None,
) -> Intake:
    """Return a version as it is registered.

    Args:
        subject: the version, with all that MLflow says around it.
        files: what its files say.
        place: where they lie; None: not known.
        url: of the MLflow.
        more: fields of the run that somebody knows besides; where MLflow knows one, too, MLflow's counts.
    """
    notes: list[str] = []
    artifact = Artifact(place.uri if place else None, files.files)
    event = {
        "training_run_id": subject.run_id,
        "model_name": subject.version.model_name,
        "model_version": subject.version.version,
        "registered_time": subject.version.created_ms * 1000,
        "registered_by": subject.author,
        "artifact_uri": artifact.uri,
        "artifacts": [
            {"path": each.path, "sha256": each.sha256, "bytes": each.bytes} for each in files.files
        ],
        "runtime": dict(files.runtime),
        "features": _named(files.features, "feature", notes),
        **_code(subject),
        **_environment(files),
        **_data(subject),
        **_measures(subject, url, notes),
    }
    event |= _gaps(event, more or {})
    event["waived"] = _waived(subject, files, event)
    if files.unread:
        notes.append(f"no digests of its files: {files.unread}")
    return Intake(_fitted(event, notes), artifact, event["waived"], notes)


def _gaps(event: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known besides and MLflow does not say; of another commit, nothing of the code."""
    commits = {event["git_commit"], more.get("git_commit")} - {None, ""}
    filled = {
        name: value for name, value in more.items() if not _is_open(value) and _is_open(event.get(name))
    }
    return {name: value for name, value in filled.items() if len(commits) < 2 or not name.startswith("git_")}


def _is_open(value: object) -> bool:
    """Return whether nothing is known; that there were no changes is something."""
    return value is None or value in ("", {}, [], ())


def _code(subject: Subject) -> dict[str, Any]:
    tags = {**(subject.run.tags if subject.run else {}), **(subject.logged.tags if subject.logged else {})}
    dirty, diff = tags.get(_DIRTY, ""), tags.get(_DIFF)
    remote = _first(tags, _REMOTE)
    return {
        "git_commit": _first(tags, _COMMIT),
        "git_branch": _first(tags, _BRANCH),
        "git_remote": remote and without_secret(remote),
        "git_dirty": dirty.lower() == "true" if dirty else None,
        "git_changes": diff or None,
        "git_changes_sha256": hashlib.sha256(diff.encode()).hexdigest() if diff else None,
    }


def _first(tags: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((tags[name] for name in names if tags.get(name)), None)


def _environment(files: ModelFiles) -> dict[str, Any]:
    found = files.environment
    if found is None:
        return {"environment_kind": ""}
    return {
        "environment_kind": found.kind,
        "environment_sha256": found.sha256,
        "environment_text": found.kept_text,
    }


def _data(subject: Subject) -> dict[str, Any]:
    datasets = subject.run.datasets if subject.run else ()
    names: dict[str, int] = {}
    references = [
        _reference(each, names) for each in sorted(datasets, key=lambda each: each.context != "training")
    ]
    first = references[0] if references else {"uri": None, "fingerprint": None}
    return {
        "data_uri": first["uri"],
        "data_fingerprint": first["fingerprint"],
        "data_references": references,
    }


def _reference(dataset: SeenDataset, names: dict[str, int]) -> dict[str, Any]:
    """Return a reference to data, under a name that no other has."""
    name = dataset.context or dataset.name or "data"
    names[name] = names.get(name, 0) + 1
    return {
        "name": name if names[name] == 1 else f"{name}-{names[name]}",
        "uri": dataset.place,
        # Eight digits of a digest over a sample: it finds most changes, and says what it is by its name.
        "fingerprint": f"mlflow:{dataset.digest}" if dataset.digest else None,
        "rows": dataset.rows,
        "columns": dict(dataset.columns),
    }


def _measures(subject: Subject, url: str, notes: list[str]) -> dict[str, Any]:
    version, run, logged = subject.version, subject.run, subject.logged
    tags = {**(run.tags if run else {}), **(logged.tags if logged else {}), **version.tags}
    if version.description:
        tags["mlflow.version.description"] = version.description
    parameters = {**(run.parameters if run else {}), **(logged.parameters if logged else {})}
    metrics = {**(run.metrics if run else {}), **(logged.metrics if logged else {})}
    seconds = (run.end_ms - run.start_ms) / 1000 if run and run.start_ms and run.end_ms else None
    return {
        "parameters": _named(parameters, "parameter", notes),
        "metrics": _named(metrics, "metric", notes),
        "tags": {**_named(tags, "tag", notes), MLFLOW_SERVER: url},
        "cost": {} if seconds is None else {"wall_s": seconds},
    }


def _named(values: Mapping[str, Any], what: str, notes: list[str]) -> dict[str, Any]:
    """Return values by name, without those whose name or text no event can hold."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if len(name) > MAX_NAME_LENGTH:
            notes.append(f"{what} {name[:40]!r}... is left out: its name has {len(name):,} characters")
        elif not _is_text(name) or (isinstance(value, str) and not _is_text(value)):
            notes.append(f"{what} {name[:40]!r} is left out: it holds a lone surrogate")
        else:
            kept[name] = value
    return kept


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _waived(subject: Subject, files: ModelFiles, event: Mapping[str, Any]) -> dict[str, str]:
    """Return why MLflow does not say what a run says."""
    reasons = {
        "artifact": ("artifact_uri", "MLflow does not say where the model lies"),
        "code": ("git_commit", _of_run(subject, "has no tag mlflow.source.git.commit")),
        "environment": ("environment_kind", _no_environment(files)),
        "data": ("data_uri", _of_run(subject, "names no dataset (mlflow.log_input)")),
    }
    return {name: reason for name, (field, reason) in reasons.items() if not event[field]}


def _of_run(subject: Subject, what: str) -> str:
    if subject.run is not None:
        is_deleted = " (which is deleted there)" if subject.run.lifecycle == DELETED else ""
        return f"its run in MLflow{is_deleted} {what}"
    if subject.named_run_id:
        return f"its run {subject.run_id} is gone from MLflow"
    return "it was registered in MLflow without a run"


def _no_environment(files: ModelFiles) -> str:
    if files.unread:
        return f"its files in MLflow could not be read: {files.unread}"
    return "its files in MLflow hold no requirements.txt and no conda.yaml"


def _fitted(event: dict[str, Any], notes: list[str]) -> bytes:
    """Return the run's record, without the longest texts where it would be larger than a broker takes."""
    record = encode_record(TRAINING_RUN, event)
    while len(record) > MAX_EVENT_BYTES and _leave_out_longest(event, notes):
        record = encode_record(TRAINING_RUN, event)
    return record


def _leave_out_longest(event: dict[str, Any], notes: list[str]) -> bool:
    """Leave out the longest text of a run; return whether there was any."""
    texts = [
        *((len(text), "tags", name) for name, text in event["tags"].items() if name != MLFLOW_SERVER),
        *((len(text), "parameters", name) for name, text in event["parameters"].items()),
        *(
            (len(event[name] or ""), name, "")
            for name in ("environment_text", "git_changes")
            if event.get(name)
        ),
    ]
    if not texts:
        return False
    size, kind, name = max(texts)
    if name:
        del event[kind][name]
    else:
        event[kind] = None
    what = f"{kind}[{name!r}]" if name else kind
    notes.append(f"{what} is left out: it has {size:,} characters, and the run is too large for the log")
    return True
