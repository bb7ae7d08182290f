"""docs/testing.md shows tests that pass as they stand, and names what the records hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from driftline import testing
from driftline.testing import MemoryLog

TEXT = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_passes(block, tmp_path, monkeypatch):
    names = {}
    exec(block, names)
    (function,) = (value for name, value in names.items() if name.startswith("test_"))
    wanted = {"tmp_path": tmp_path, "monkeypatch": monkeypatch}
    arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
    assert function(**{name: wanted[name] for name in arguments}) is None


def test_every_property_of_the_log_is_in_the_table():
    shown = set(re.findall(r"^\| `log\.(\w+)`", TEXT, flags=re.MULTILINE))
    kinds = {name for name, value in vars(MemoryLog).items() if isinstance(value, property)} - {"url"}
    assert shown == kinds


def test_every_record_is_named():
    assert [name for name in testing.__all__ if f"`{name}`" not in TEXT and name != "read_events"] == []
