"""Which code trained a model: the commit, and what the work tree had besides."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from driftline.errors import SettingError

MAX_CHANGES_BYTES: Final = 400_000
"""Largest patch that is kept with a run."""

_GIT_TIMEOUT_S = 30.0
_SECRET = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class CodeState:
    """The code of a training run. None: not known.

    Args:
        commit: of the work tree.
        is_dirty: whether it had changes that the commit does not hold.
        branch: that was checked out; None, too, where none was.
        remote: where it can be fetched from; without a user and a password.
        changes: what the commit does not hold, as a patch, files that git does not know among it. Empty:
            there is nothing. None, too, where git took too long.
    """

    commit: str | None = None
    is_dirty: bool | None = None
    branch: str | None = None
    remote: str | None = None
    changes: bytes | None = None

    @property
    def changes_sha256(self) -> str | None:
        """Digest of the changes; None: there are none, or they are not known."""
        return hashlib.sha256(self.changes).hexdigest() if self.changes else None

    def kept_changes(self) -> str | None:
        """Return the changes as text; None where there are none, or they are not known.

        Raises:
            SettingError: they are too many to be kept.
        """
        if not self.changes:
            return None
        if len(self.changes) > MAX_CHANGES_BYTES:
            raise SettingError(
                f"the work tree has changes of {len(self.changes):,} bytes; at most {MAX_CHANGES_BYTES:,} "
                "are kept with a run: commit them, or have git ignore what is no code"
            )
        return self.changes.decode("utf-8", "replace")


def code_state(folder: Path) -> CodeState:
    """Return the state of the work tree around a folder; nothing is known without one, or without git."""
    commit = _text(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return CodeState()
    status = _text(folder, "status", "--porcelain")
    remote = _text(folder, "remote", "get-url", "origin")
    return CodeState(
        commit=commit,
        is_dirty=None if status is None else bool(status),
        branch=_text(folder, "symbolic-ref", "--short", "-q", "HEAD") or None,
        remote=_SECRET.sub("", remote) if remote else None,
        changes=_changes(folder) if status else None if status is None else b"",
    )


@dataclass(frozen=True, slots=True)
class WorkTree:
    """Where a folder's commit can be fetched from.

    Args:
        url: its remote, as git and pip take it, without a user and a password; else the folder of the tree.
        commit: that is checked out.
        subfolder: the folder within it; empty: it is the whole.
    """

    url: str
    commit: str
    subfolder: str


def work_tree(folder: Path) -> WorkTree | None:
    """Return the work tree that a folder is part of; None: of none, or git does not know the folder."""
    commit = _text(folder, "rev-parse", "--verify", "HEAD")
    top = _text(folder, "rev-parse", "--show-toplevel")
    if not commit or not top or not _text(folder, "ls-files", "."):
        return None
    remote = _text(folder, "remote", "get-url", "origin") or ""
    url = _SECRET.sub("", remote) if "://" in remote else Path(top).as_uri()
    prefix = _text(folder, "rev-parse", "--show-prefix") or ""
    return WorkTree(url, commit, prefix.rstrip("/"))


def _changes(folder: Path) -> bytes | None:
    """Return what the commit does not hold as a patch. Nothing of the work tree is touched."""
    top = _text(folder, "rev-parse", "--show-toplevel")
    objects = _text(folder, "rev-parse", "--git-path", "objects")
    if not top or not objects:
        return None
    with tempfile.TemporaryDirectory(prefix="driftline-git-") as scratch:
        (Path(scratch) / "objects").mkdir()
        environment = {
            "GIT_INDEX_FILE": str(Path(scratch) / "index"),
            "GIT_OBJECT_DIRECTORY": str(Path(scratch) / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((folder / objects).resolve()),
        }
        steps = (("read-tree", "HEAD"), ("add", "--all"), ("diff", "--cached", "--binary", "HEAD"))
        answer: bytes | None = None
        for step in steps:
            answer = _git(Path(top), *step, **environment)
            if answer is None:
                return None
        return answer


def _text(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, or None when it fails."""
    answer = _git(folder, *arguments)
    return None if answer is None else answer.decode("utf-8", "replace").strip()


def _git(folder: Path, *arguments: str, **environment: str) -> bytes | None:
    git = shutil.which("git")
    if git is None:
        return None
    try:
        finished = subprocess.run(  # noqa: S603 - the arguments are constants of this module.
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            check=True,
            timeout=_GIT_TIMEOUT_S,
            # Looking must not change the work tree's index.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", **environment},
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return finished.stdout
