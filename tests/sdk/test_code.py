"""Which code trained a model, with what the commit does not hold; looking changes nothing."""

from __future__ import annotations

import hashlib
import shutil
import subprocess

import pytest

from driftline.errors import SettingError
from driftline.sdk import code
from driftline.sdk.code import CodeState, code_state

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    done = subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "code"
    (folder / "inner").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("fit()\n")
    (folder / ".gitignore").write_text("data\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "train")
    return folder


def test_a_clean_tree_has_a_commit_a_branch_and_no_changes(tree):
    git(tree, "remote", "add", "origin", "https://ann:secret@git.example/models.git")
    state = code_state(tree / "inner")
    assert state == CodeState(
        commit=git(tree, "rev-parse", "HEAD").strip(),
        is_dirty=False,
        branch="main",
        remote="https://git.example/models.git",
        changes=b"",
    )
    assert (state.changes_sha256, state.kept_changes()) == (None, None)


def test_changes_are_a_patch_that_rebuilds_the_tree_with_files_that_git_does_not_know(tree, tmp_path):
    (tree / "train.py").write_text("fit(depth=4)\n")
    (tree / "new.py").write_text("helper()\n")
    (tree / "weights.bin").write_bytes(bytes(range(256)))
    (tree / "data").write_text("ignored")
    before = git(tree, "status", "--porcelain"), sorted((tree / ".git").rglob("*"))
    state = code_state(tree / "inner")
    assert (git(tree, "status", "--porcelain"), sorted((tree / ".git").rglob("*"))) == before
    assert state.is_dirty
    assert state.changes_sha256 == hashlib.sha256(state.changes).hexdigest()
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "-q", str(tree), str(copy))
    subprocess.run(["git", "-C", copy, "apply"], input=state.kept_changes().encode(), check=True)
    for name in ("train.py", "new.py", "weights.bin"):
        assert (copy / name).read_bytes() == (tree / name).read_bytes()
    assert not (copy / "data").exists()


def test_changes_that_are_too_many_to_be_kept_are_reported(tree, monkeypatch):
    monkeypatch.setattr(code, "MAX_CHANGES_BYTES", 100)
    (tree / "new.py").write_text("x\n" * 200)
    state = code_state(tree)
    with pytest.raises(SettingError, match="at most 100 are kept with a run: commit them"):
        state.kept_changes()
    assert len(state.changes_sha256) == 64


def test_a_checked_out_commit_has_no_branch(tree):
    git(tree, "checkout", "-q", "--detach")
    assert code_state(tree).branch is None
