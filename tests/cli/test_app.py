"""What the command line offers is what docs/commands.md says it does."""

from __future__ import annotations

import re
from pathlib import Path

from driftline.cli.app import driftline

TEXT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()


def test_every_command_is_documented_and_no_other():
    rows = re.findall(r"^\| (`.*?) \|", TEXT, flags=re.MULTILINE)
    named = {
        name.removeprefix("driftline ").split()[0] for row in rows for name in re.findall(r"`([^`]+)`", row)
    }
    commands = set(driftline.commands)
    subcommands = {name for group in driftline.commands.values() for name in getattr(group, "commands", ())}
    assert commands - named == set()
    assert named - commands - subcommands == set()
