"""The code, environment, data and artifact behind a model, and its measures; each is required or waived."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.sdk.arguments import check_text, checked_numbers, checked_texts
from driftline.sdk.code import CodeState, code_state
from driftline.sdk.environments import installed_packages, read_environment

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from driftline.sdk.artifacts import Artifact
    from driftline.sdk.data import DataReference

_WAYS = {
    "artifact": "give artifact= (a file or folder) or artifact_uri=",
    "code": "train in a git work tree, or give git_commit=",
    "environment": "give environment= (a lock file, requirements, a conda file or a Dockerfile)",
    "data": "give data= or data_uri=",
}
"""What a run has to give, and how."""


def origins_of(
    model: Artifact,
    code: Mapping[str, Any],
    environment: str | os.PathLike[str] | None,
    references: Sequence[DataReference],
    waive: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Return what made the model, with the reasons for what is waived.

    Raises:
        SettingError: something is wrong, or missing and not waived.
    """
    origins = {**code, **_environment(environment, waive), **_data(references), **_artifact(model)}
    return {**origins, "waived": _waived(waive, origins)}


def measures_of(
    *,
    parameters: Mapping[str, Any] | None,
    metrics: Mapping[str, Any] | None,
    cost: Mapping[str, Any] | None,
    features: Mapping[str, Any] | None,
    tags: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the values that are given by name, checked.

    Raises:
        SettingError: a value is wrong.
    """
    return {
        "parameters": dict(checked_texts("parameters", parameters)),
        "metrics": dict(checked_numbers("metrics", _flat(metrics))),
        "cost": dict(checked_numbers("cost", cost)),
        "features": dict(checked_texts("features", features)),
        "tags": dict(checked_texts("tags", tags)),
    }


def code_of(git_commit: str | None, git_dirty: bool | None, *, keep_changes: bool) -> dict[str, Any]:
    """Return the state of the code: as it was given, else as it is found."""
    if git_commit is None:
        found = code_state(Path.cwd())
    else:
        check_text("git_commit", git_commit)
        found = CodeState(git_commit)
    return {
        "git_commit": found.commit,
        "git_dirty": found.is_dirty if git_dirty is None else git_dirty,
        "git_branch": found.branch,
        "git_remote": found.remote,
        "git_changes_sha256": found.changes_sha256,
        "git_changes": found.kept_changes() if keep_changes else None,
    }


def _environment(path: str | os.PathLike[str] | None, waive: Mapping[str, str] | None) -> dict[str, Any]:
    """Return what rebuilds the environment: the file that was given, else what is installed."""
    if path is None and "environment" in (waive or {}):
        return {"environment_kind": ""}
    found = installed_packages() if path is None else read_environment(path)
    return {
        "environment_kind": found.kind if found.text else "",
        "environment_sha256": found.sha256,
        "environment_text": found.kept_text,
    }


def _data(references: Sequence[DataReference]) -> dict[str, Any]:
    checked = [reference.checked() for reference in references]
    first = checked[0] if checked else {"uri": None, "fingerprint": None}
    return {
        "data_uri": first["uri"],
        "data_fingerprint": first["fingerprint"],
        "data_references": checked,
    }


def _artifact(model: Artifact) -> dict[str, Any]:
    files = [{"path": file.path, "sha256": file.sha256, "bytes": file.bytes} for file in model.files]
    return {"artifact_uri": model.uri, "artifacts": files}


def _waived(waive: Mapping[str, str] | None, origins: Mapping[str, Any]) -> dict[str, str]:
    """Return the reason for each part that is missing.

    Raises:
        SettingError: a part is missing without a reason; the message says how to give either.
    """
    given = {
        "artifact": origins["artifact_uri"],
        "code": origins["git_commit"],
        "environment": origins["environment_kind"],
        "data": origins["data_uri"],
    }
    reasons = dict(checked_texts("waive", waive))
    for name, reason in reasons.items():
        if name not in given or not reason:
            raise SettingError(f"waive[{name!r}]={reason!r}: it takes a reason for {', '.join(given)}")
    missing = [name for name, value in given.items() if not value and name not in reasons]
    if missing:
        ways = "; ".join(f"{name}: {_WAYS[name]}" for name in missing)
        example = f"waive={{{missing[0]!r}: 'why it is right without'}}"
        raise SettingError(
            f"a training run has to give what made it, and this one does not. {ways}. Or {example}"
        )
    return {name: reason for name, reason in reasons.items() if not given[name]}


def _flat(metrics: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return metrics by one name: those of a data set are called after it."""
    flat: dict[str, Any] = {}
    for name, value in (metrics or {}).items():
        if hasattr(value, "items"):
            flat.update({f"{name}/{inner}": number for inner, number in value.items()})
        else:
            flat[name] = value
    return flat
