"""How two training runs differ, as they were registered: code, environment, data, features and the rest."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.registry.runs import Run, RunData

_PINNED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:==|@)\s*(\S+)")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two runs differ.

    Args:
        part: code, environment, data, features, parameters, metrics, cost, artifact, tags or waived.
        name: of that thing within its part.
        before: what the first run says; None: nothing.
        after: what the second run says; None: nothing.
    """

    part: str
    name: str
    before: str | None
    after: str | None


def differences(before: Run, after: Run) -> Sequence[Difference]:
    """Return in what two runs differ, part by part; what neither says is no difference.

    A difference is one of what was registered. Where both say nothing of a part, as where it was waived,
    the runs may still differ in it.
    """
    parts = [
        ("code", _code(before), _code(after)),
        *_environments(before, after),
        ("data", _data(before.data_references), _data(after.data_references)),
        ("features", before.features, after.features),
        ("parameters", before.parameters, after.parameters),
        ("metrics", _numbers(before.metrics), _numbers(after.metrics)),
        ("cost", _numbers(before.cost), _numbers(after.cost)),
        ("artifact", _artifact(before), _artifact(after)),
        ("tags", before.tags, after.tags),
        ("waived", before.waived, after.waived),
    ]
    return [found for part, one, other in parts for found in _differing(part, one, other)]


def code_command(before: Run, after: Run) -> str | None:
    """Return the shell command that lists the commits between two runs; None: it takes none, or can't."""
    if not before.git_commit or not after.git_commit or before.git_commit == after.git_commit:
        return None
    return f"git log --oneline {shlex.quote(before.git_commit)}..{shlex.quote(after.git_commit)}"


def _differing(part: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name), after.get(name)
        if one != other:
            yield Difference(part, name, one, other)


def _code(run: Run) -> Mapping[str, str]:
    changes = {True: f"changed ({run.git_changes_sha256 or 'no digest'})", False: "none", None: "not known"}
    return _given(
        {
            "commit": run.git_commit,
            "branch": run.git_branch,
            "remote": run.git_remote,
            "uncommitted changes": changes[run.git_dirty] if run.git_commit else None,
        }
    )


def _environments(before: Run, after: Run) -> Sequence[tuple[str, Mapping[str, str], Mapping[str, str]]]:
    """Return both environments: package by package where both list them, else by their digests."""
    one, other = _packages(before), _packages(after)
    if one is None or other is None:
        one, other = _digest(before), _digest(after)
    return [("environment", {**before.runtime, **one}, {**after.runtime, **other})]


def _packages(run: Run) -> Mapping[str, str] | None:
    """Return the versions of packages by name, as PEP 503 writes names; None: it does not list any."""
    if run.environment_kind not in {"packages", "requirements"} or run.environment_text is None:
        return None
    found = map(_PINNED.match, run.environment_text.splitlines())
    return {re.sub(r"[-_.]+", "-", line[1]).lower(): line[2] for line in found if line}


def _digest(run: Run) -> Mapping[str, str]:
    return {run.environment_kind: f"sha256 {run.environment_sha256}"} if run.environment_sha256 else {}


def _data(references: Sequence[RunData]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for each in references:
        rows = None if each.rows is None else f"{each.rows:,}"
        given = _given({"place": each.uri, "fingerprint": each.fingerprint, "rows": rows, **each.columns})
        found |= {f"{each.name}: {name}": value for name, value in given.items()}
    return found


def _artifact(run: Run) -> Mapping[str, str]:
    files = {file.path or "file": f"sha256 {file.sha256}" for file in run.artifacts}
    return {**_given({"place": run.artifact_uri}), **files}


def _numbers(numbers: Mapping[str, float]) -> Mapping[str, str]:
    return {name: f"{number:.6g}" for name, number in numbers.items()}


def _given(values: Mapping[str, str | None]) -> Mapping[str, str]:
    return {name: value for name, value in values.items() if value}
