"""Which other Pythons are found, and which are named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.pythons import OLDEST_MINOR, ROOT, Python, claimed_minors, find_pythons

if TYPE_CHECKING:
    from pathlib import Path


def interpreter(path: Path, version: str, status: int = 0) -> str:
    """Write a program that answers as an interpreter of that version does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\nexit {status}\n")
    path.chmod(0o755)
    return str(path)


def test_of_each_minor_version_the_newest_is_found_on_the_path_or_under_pyenv(tmp_path: Path) -> None:
    interpreter(tmp_path / "path" / "python3.11", "3.11.2")
    other = interpreter(tmp_path / "path" / "python3.13", "3.13.5")
    newer = interpreter(tmp_path / "pyenv" / "versions" / "3.11.7" / "bin" / "python3.11", "3.11.7")
    found = find_pythons({"PATH": str(tmp_path / "path"), "PYENV_ROOT": str(tmp_path / "pyenv")})
    assert found == [Python((3, 11, 7), newer), Python((3, 13, 5), other)]


def test_what_does_not_run_is_too_old_or_is_no_interpreter_is_not_found(tmp_path: Path) -> None:
    interpreter(tmp_path / "python3.12", "3.12.1", status=127)  # As pyenv's for a version that is not chosen.
    interpreter(tmp_path / "python3.10", "3.10.13")
    interpreter(tmp_path / "python3.13-config", "3.13.0")
    assert find_pythons({"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path)}) == []


def test_every_version_that_is_named_is_one_that_is_looked_for() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    minors = claimed_minors(pyproject)
    assert min(minors) == OLDEST_MINOR
    assert minors == set(range(min(minors), max(minors) + 1))
    assert re.findall(r'requires-python = "(.*)"', pyproject) == [f">=3.{OLDEST_MINOR}"]
