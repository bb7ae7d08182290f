"""What a newcomer finds first works: the workflow, the hooks before a commit, the site's navigation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_workflows_are_valid():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, *WORKFLOWS], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_run_what_runs_anywhere():
    jobs = [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text())["jobs"].values()]
    last = [job["steps"][-1].get("run") for job in jobs]
    assert last == ["bash .ci/run"]
    assert (ROOT / ".ci" / "run").exists()


def test_hooks_before_a_commit_are_gates_of_make_check():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    makefile = (ROOT / "Makefile").read_text()
    gates = [hook for repo in hooks for hook in repo["hooks"]]
    assert {repo["repo"] for repo in hooks} == {"local"}
    assert [hook["name"] for hook in gates if f'gate "{hook["name"]}"' not in makefile] == []
    assert [hook["id"] for hook in gates if not (ROOT / hook["entry"].split()[0]).exists()] == []


def test_the_changelog_has_a_place_for_what_comes_next():
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings[0] == "## Unreleased"
