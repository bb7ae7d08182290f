"""A test that did not run is never passed over in silence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).parents[1] / "conftest.py"
PASSES = "def test_passes():\n    assert 2 > 1\n"
SKIPS = """
import pytest

@pytest.mark.skip(reason="by a mark")
def test_skipped():
    assert 1 > 2

def test_skips_itself():
    pytest.skip("by itself")

@pytest.mark.xfail(reason="by expectation")
def test_fails():
    assert 1 > 2
"""
SKIPPED_MODULE = 'import pytest\n\npytest.skip("by its module", allow_module_level=True)\n'
REASONS = ("by a mark", "by itself", "by expectation", "by its module")


def run_pytest(folder: Path, *, forbid: bool, **modules: str) -> subprocess.CompletedProcess[str]:
    """Run test modules under the project's conftest and nothing else of it."""
    shutil.copy(CONFTEST, folder)
    for name, text in modules.items():
        (folder / f"test_{name}.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        os.devnull,
        "--rootdir",
        ".",
        "-p",
        "no:cacheprovider",
        ".",
    ]
    return subprocess.run(
        [*command, "--color=no", "--continue-on-collection-errors"],
        cwd=folder,
        env={
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST", "DRIFTLINE", "TESTS_"))
        }
        | ({"TESTS_FORBID_SKIPS": "1"} if forbid else {}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_where_skips_are_forbidden_each_fails_and_says_why(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, forbid=True, passes=PASSES, skips=SKIPS, skipped_module=SKIPPED_MODULE)
    assert done.returncode == 1
    assert "2 failed, 1 passed, 2 errors" in done.stdout  # A mark and a module skip before the test begins.
    assert all(reason in done.stdout for reason in REASONS)
    assert "skipped, which TESTS_FORBID_SKIPS forbids" in done.stdout


def test_elsewhere_they_are_reported_at_the_end(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, forbid=False, passes=PASSES, skips=SKIPS, skipped_module=SKIPPED_MODULE)
    assert done.returncode == 0
    end = done.stdout.partition("NOT PROVEN")[2]
    assert all(reason in end for reason in REASONS)
    assert "4 skipped or expected to fail" in end


def test_a_run_without_skips_says_nothing_of_them(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, forbid=True, passes=PASSES)
    assert done.returncode == 0
    assert "NOT PROVEN" not in done.stdout
