"""docs/deployment.md names every variable that driftline reads and no other, and all that compose runs."""

from __future__ import annotations

import re

from driftline.cli.app import driftline
from driftline.cli.settings import ACTING_VARIABLES
from driftline.store.url import PASSWORD_FILE_VARIABLE, PASSWORD_VARIABLE, USER_VARIABLE
from driftline.store.users import SERVICES
from tests.deployment.composition import ROOT, services

TEXT = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (`DRIFTLINE_[^|]+) \|", re.MULTILINE)


def test_the_settings_are_those_that_are_read():
    documented = {name for row in _ROW.findall(TEXT) for name in re.findall(r"`(DRIFTLINE_[A-Z_*]+)`", row)}
    assert documented == variables() | {"DRIFTLINE_KAFKA_*", "DRIFTLINE_REGISTRY_*"}


def test_the_table_of_containers_names_all_of_them():
    table = TEXT.partition("| service | is |")[2].partition("\n\n")[0]
    named = {
        name for line in table.splitlines()[2:] for name in re.findall(r"`([a-z]+)`", line.split("|")[1])
    }
    assert named == services().keys()


def variables():
    commands = [driftline, *(command for command in driftline.commands.values())]
    commands += [
        inner
        for command in driftline.commands.values()
        for inner in getattr(command, "commands", {}).values()
    ]
    given = {
        name
        for command in commands
        for option in command.params
        for name in ([option.envvar] if isinstance(option.envvar, str) else option.envvar or ())
        if name.startswith("DRIFTLINE_")
    }
    users = {f"DRIFTLINE_{service.upper()}_PASSWORD_FILE" for service in SERVICES}
    store = {USER_VARIABLE, PASSWORD_VARIABLE, PASSWORD_FILE_VARIABLE}
    grafana = {"DRIFTLINE_GRAFANA_TOKEN", "DRIFTLINE_GRAFANA_TOKEN_FILE"}
    acting = {name for name in ACTING_VARIABLES if name.endswith(("_FILE", "_USER"))}
    return given | users | store | grafana | acting
