"""ARCHITECTURE.md walks through modules that exist, in few steps, and leaves out no room."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / "services" / "driftline"
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
WALKS = re.findall(r"^## (Walk \d: .+?)\n(.*?)(?=^## )", TEXT, flags=re.MULTILINE | re.DOTALL)
MOST_FILES = 15


def named(text: str) -> set[str]:
    """Return the modules and rooms of the package that a text names."""
    paths = re.findall(r"[`\[]([a-z_]+(?:/[a-z_]+)*(?:\.py|/))[`\]]", text)
    return {
        path
        for path in paths
        if not path.startswith(("dashboards/", "docs/", "schemas/", "services/", "tests/"))
    }


def test_there_are_three_walks():
    assert [title for title, _ in WALKS] == [
        "Walk 1: from an event to a row",
        "Walk 2: from an hour to an alert",
        "Walk 3: from a request to a page",
    ]


def test_every_module_that_is_named_exists():
    assert named(TEXT)
    assert sorted(path for path in named(TEXT) if not (HOUSE / path).exists()) == []


@pytest.mark.parametrize(("title", "walk"), WALKS, ids=[title for title, _ in WALKS])
def test_a_walk_is_short_and_its_drawing_shows_its_steps(title, walk):
    drawing = re.search(r"```mermaid\n(.*?)```", walk, flags=re.DOTALL)[1]
    steps = walk.replace(drawing, "")
    assert len({path for path in named(walk) if path.endswith(".py")}) <= MOST_FILES, title
    assert named(drawing) - named(steps) == set()


def test_every_room_is_in_the_table():
    table = TEXT.partition("## The rooms")[2].partition("## Walk")[0]
    rooms = {path.name + "/" for path in HOUSE.iterdir() if (path / "__init__.py").exists()}
    modules = {path.name for path in HOUSE.glob("[a-z]*.py")}
    assert (rooms | modules) - named(table) == set()
