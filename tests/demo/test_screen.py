"""What the demo says at its end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.demo import screen

if TYPE_CHECKING:
    import pytest


def test_the_command_that_shows_the_pages_again_can_be_pasted_wherever_driftline_lies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(screen, "MONITORS", Path("/my [own] folder/monitors.yaml"))
    summary = {"command": "driftline", "log": "file:///a%20log", "store": "chdb:///a%20store"}
    command, *arguments = shlex.split(screen.see_again(summary))
    assert (command, arguments[0]) == ("driftline", "up")
    assert arguments[arguments.index("--monitors") + 1] == "/my [own] folder/monitors.yaml"
    assert arguments[-2:] == ["--store", "chdb:///a%20store"]
