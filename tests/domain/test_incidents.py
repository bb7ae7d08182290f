"""What an acknowledgement may say stands in one table, which the store and the command follow."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.domain.incidents import MEANINGS

SCHEMA = Path(__file__).parents[2] / "schemas" / "clickhouse" / "0007_incidents.sql"


def test_the_store_takes_what_the_table_names_and_nothing_else():
    (allowed,) = re.findall(r"CHECK word IN \(([^)]*)\)", SCHEMA.read_text())
    assert re.findall(r"'(\w+)'", allowed) == list(MEANINGS)


def test_the_command_has_an_option_for_each():
    told = CliRunner().invoke(driftline, ["ack", "--help"]).output
    assert all(f"--{name}" in told for name in MEANINGS)
