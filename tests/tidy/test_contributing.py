"""CONTRIBUTING.md names files and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def test_there_are_four_recipes_with_the_minutes_that_each_took():
    assert re.findall(r"^### (.*) \(\d+ minutes\)$", TEXT, flags=re.MULTILINE) == [
        "A descriptive statistic",
        "A field on the wire",
        "An alert",
        "A page",
    ]


def test_every_file_that_is_named_exists():
    named = re.findall(r"`((?:services|tests|schemas|docs|dashboards|\.ci)/[\w./-]*)`", TEXT)
    assert len(set(named)) > 20
    assert sorted({path for path in named if not (ROOT / path).exists()}) == []


def test_every_step_says_which_gate_holds_it_or_none():
    steps = re.findall(r"^\| \d+\. .* \| .* \| *(.*?) *\|$", TEXT, flags=re.MULTILINE)
    assert len(steps) == len(re.findall(r"^\| \d+\. ", TEXT, flags=re.MULTILINE)) >= 20


def test_every_target_of_make_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"make ([a-z-]+|\.venv/\.dev)", TEXT))
    assert {
        target for target in named if not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)
    } == set()
