"""What the command line offers is what docs/commands.md says it does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from driftline.cli.app import COMMANDS, driftline

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


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_commands_own_help_does(name):
    assert COMMANDS[name].help == driftline.commands[name].get_short_help_str(limit=200)


def test_the_list_of_commands_is_written_without_importing_them():
    """Listing them takes as long as importing click, however much they need."""
    program = (
        "import sys\n"
        "from driftline.cli.app import driftline\n"
        "driftline(['--help'], standalone_mode=False)\n"
        "print(sorted({'numpy', 'scipy', 'starlette', 'pydantic'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert [name for name in COMMANDS if f"\n  {name} " not in done.stdout] == []


def test_a_command_that_inserts_imports_no_pandas(tmp_path):
    """The driver would, only to see whether it was given a frame."""
    program = (
        "import sys\n"
        "from driftline.cli.app import driftline\n"
        f"driftline(['migrate', '--store', 'chdb://{tmp_path}/store'], standalone_mode=False)\n"
        "print('pandas' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "False"


def test_the_pages_come_up_without_what_only_judging_needs():
    """These two take longer to import than everything else that the pages need."""
    program = (
        "import driftline.web.app, sys; print(sorted({'scipy.optimize', 'scipy.stats'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
