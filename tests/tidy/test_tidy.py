"""The whole tree keeps the house style: every file that git tracks, or would."""

from __future__ import annotations

import os
import subprocess
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from tests.tidy import homes, rules, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]


RULES = (*rules.FILE_RULES, words.private_words, homes.severity_orders)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: rules.Rule) -> None:
    findings = [finding for path, text in sources().items() for finding in rule(path, text)]
    assert not findings, "\n".join([f"{rule.__doc__}", *findings])


def test_most_functions_are_short() -> None:
    findings = list(rules.usual_function_length(sources()))
    assert not findings, "\n".join(findings)


def test_test_folders_mirror_the_package() -> None:
    findings = list(rules.mirrored(sources()))
    assert not findings, "\n".join(findings)


def test_the_tree_is_looked_at() -> None:
    assert {"pyproject.toml", "services/driftline/__init__.py", "tests/tidy/rules.py"} <= sources().keys()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an unpacked archive has no git to compare with")
def test_without_git_the_same_files_are_looked_at() -> None:
    assert set(files_on_disk()) == {path for path in files_of_git() if (ROOT / path).is_file()}


@cache
def sources() -> Mapping[str, str]:
    """Return the text of each text file by its path from the root; what git ignores is left out."""
    texts = {}
    for path in sorted(files_of_git() if (ROOT / ".git").exists() else files_on_disk()):
        try:
            texts[path] = (ROOT / path).read_bytes().decode()
        except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
            continue  # Deleted and not committed yet; a link to a folder; not a text.
    return MappingProxyType(texts)


def files_of_git() -> set[str]:
    """Return the files that git tracks, or would."""
    # The checkout may belong to another user than the one who tests it: git needs it as a safe directory.
    command = [
        "git",
        "-c",
        f"safe.directory={ROOT}",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return set(listing.split("\0")) - {""}


def files_on_disk() -> Iterator[str]:
    """Yield the files outside of every folder that git ignores: of an archive that was unpacked."""
    ignored = [name.rstrip("/") for name in (ROOT / ".gitignore").read_text().split()]
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name != ".git" and not is_any(name, ignored)]
        for name in files:
            if name != ".git" and not is_any(name, ignored):
                yield str((Path(folder) / name).relative_to(ROOT))


def is_any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
