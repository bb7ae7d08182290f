"""docker-compose.yml as data, and its services' commands as processes of this machine."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
DRIFTLINE_IMAGE, EXAMPLE_IMAGE = "driftline:", "driftline-example:"

_variable = re.compile(r"\$\{(?P<name>\w+)(:-(?P<default>[^}]*))?\}")


@cache
def composition() -> Mapping[str, Any]:
    """Return the file's content, with variables at their defaults, as compose reads it where none is set."""
    text = _variable.sub(lambda found: found["default"] or "", FILE.read_text(encoding="utf-8"))
    return yaml.safe_load(text)


@dataclass(frozen=True)
class Service:
    """One service of the file.

    Args:
        name: its name, by which others reach it.
        settings: what the file says of it.
    """

    name: str
    settings: Mapping[str, Any]

    @property
    def image(self) -> str:
        return self.settings["image"]

    @property
    def is_driftline(self) -> bool:
        """Whether one of driftline's own commands runs in it."""
        return self.image.startswith(DRIFTLINE_IMAGE)

    @property
    def is_example(self) -> bool:
        return self.image.startswith(EXAMPLE_IMAGE)

    @property
    def command(self) -> Sequence[str]:
        """What is run: of driftline's image its arguments, as its entry point takes them."""
        return [str(part) for part in self.settings.get("command", ())]

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.settings.get("environment", {}).items()}

    @property
    def secrets(self) -> Mapping[str, Path]:
        """Return the file on this machine of each secret that it is given."""
        known = composition()["secrets"]
        return {name: ROOT / known[name]["file"] for name in self.settings.get("secrets", ())}

    @property
    def mounts(self) -> Sequence[tuple[str, str]]:
        """Return where from and where to: from a path that begins with a dot, or from a volume."""
        return [tuple(mount.split(":")[:2]) for mount in self.settings.get("volumes", ())]


def services() -> Mapping[str, Service]:
    """Return all services by name."""
    return {name: Service(name, settings) for name, settings in composition()["services"].items()}


@dataclass(frozen=True)
class Loopback:
    """This machine in the place of the network of containers.

    Args:
        addresses: what stands for `host:port` of the file, such as `kafka:9092`, here.
        folders: what stands for folders in containers.
    """

    addresses: Mapping[str, str]
    folders: Mapping[str, Path]

    def translated(self, text: str) -> str:
        """Return a command's argument or a variable with what stands for hosts, ports and folders here."""
        for there, here in {**self.addresses, **{name: str(at) for name, at in self.folders.items()}}.items():
            text = re.sub(rf"(?<![\w.-]){re.escape(there)}(?![\w.-])", lambda _, here=here: here, text)
        return text

    def environment(self, service: Service) -> dict[str, str]:
        """Return this process's environment, without what is set of driftline, and a service's own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE_")}
        own = {name: self.translated(value) for name, value in service.environment.items()}
        return inherited | own
